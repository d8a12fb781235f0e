//! Tokens that somebody made who has no private key, or changed.

use std::sync::Arc;

use berth_auth::{
    BearerTokens, Identity, MAX_TOKEN_LENGTH, Rejection, TokenService, TokenSettings,
};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::forging::{OTHER_P256, P384, RSA, encoded, now, part, private_key, public_key, signed};
use crate::signing_key_store::MemoryKeys;

/// A service, and what its key would sign.
struct Target {
    bearers: BearerTokens,
    id: String,
    key: EncodingKey,
    good: String,
}

impl Target {
    async fn new() -> Self {
        let store = Arc::new(MemoryKeys::default());
        let service = Arc::new(TokenService::new(TokenSettings::default(), store.clone()));
        let alice = Identity::named("alice");
        let answer = service.issue(&alice, &[], None).await.unwrap();
        let (id, key) = store.signer();
        Self {
            bearers: BearerTokens::new(Some(service), None, Vec::new()).unwrap(),
            id,
            key,
            good: answer.token.expose_secret().to_owned(),
        }
    }

    fn header(&self) -> Value {
        json!({ "alg": "ES256", "typ": "JWT", "kid": self.id })
    }

    fn claims(&self) -> Value {
        part(&self.good, 1)
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    fn sign_text(&self, header: &str, claims: &str) -> String {
        signed(header, claims, &self.key, Algorithm::ES256)
    }

    async fn refuses(&self, token: &str) -> Rejection {
        let rejection = self.bearers.verify(token).await.expect_err(token);
        // And the second time.
        assert!(self.bearers.verify(token).await.is_err());
        rejection
    }

    /// Refuses a token that is signed well and whose claim is this.
    async fn refuses_claim(&self, name: &str, value: Value) {
        let mut claims = self.claims();
        claims[name] = value;
        let token = self.sign(&self.header(), &claims);
        self.refuses(&token).await;
    }
}

#[tokio::test]
async fn a_token_made_as_the_attacks_make_it_is_good_without_the_attack() {
    let target = Target::new().await;
    let token = target.sign(&target.header(), &target.claims());
    assert!(target.bearers.verify(&token).await.is_ok());
    assert!(target.bearers.verify(&target.good).await.is_ok());
}

#[tokio::test]
async fn no_algorithm_is_no_signature() {
    let target = Target::new().await;
    let claims = encoded(target.claims().to_string());
    for name in ["none", "None", "NONE", "nOnE", ""] {
        let mut header = target.header();
        header["alg"] = json!(name);
        let header = encoded(header.to_string());
        target.refuses(&format!("{header}.{claims}.")).await;
        let signature = target.good.rsplit('.').next().unwrap();
        target
            .refuses(&format!("{header}.{claims}.{signature}"))
            .await;
    }
    let header = encoded(target.header().to_string());
    target.refuses(&format!("{header}.{claims}.")).await;
}

#[tokio::test]
async fn the_public_key_is_no_secret() {
    let target = Target::new().await;
    let key = Jwk::from_encoding_key(&target.key, Algorithm::ES256).unwrap();
    let json = serde_json::to_string(&key).unwrap();
    let point = DecodingKey::from_jwk(&key).unwrap();
    let point = point.try_get_as_bytes().unwrap().to_vec();
    let secrets = [
        json.into_bytes(),
        point,
        target.id.clone().into_bytes(),
        Vec::new(),
    ];
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let mut header = target.header();
        header["alg"] = json!(format!("{algorithm:?}"));
        for secret in &secrets {
            let secret = EncodingKey::from_secret(secret);
            let claims = target.claims().to_string();
            target
                .refuses(&signed(&header.to_string(), &claims, &secret, algorithm))
                .await;
        }
    }
}

#[tokio::test]
async fn other_algorithms_are_not_accepted() {
    let target = Target::new().await;
    for (algorithm, key) in [
        (Algorithm::RS256, RSA),
        (Algorithm::PS512, RSA),
        (Algorithm::ES384, P384),
    ] {
        let mut header = target.header();
        header["alg"] = json!(format!("{algorithm:?}"));
        let claims = target.claims().to_string();
        let token = signed(&header.to_string(), &claims, &private_key(key), algorithm);
        target.refuses(&token).await;
    }
}

#[tokio::test]
async fn another_key_is_not_accepted_under_any_name() {
    let target = Target::new().await;
    let other = private_key(OTHER_P256);
    let claims = target.claims().to_string();
    let names = [
        json!(target.id),
        json!("unknown"),
        json!(""),
        json!("../../dev/null"),
        json!("/etc/passwd"),
        json!("' OR 1=1 --"),
        json!(null),
        json!(7),
        json!(["a"]),
    ];
    for name in names {
        let mut header = target.header();
        header["kid"] = name;
        target
            .refuses(&signed(
                &header.to_string(),
                &claims,
                &other,
                Algorithm::ES256,
            ))
            .await;
    }
}

#[tokio::test]
async fn keys_in_the_header_are_not_looked_at() {
    let target = Target::new().await;
    let other = private_key(OTHER_P256);
    let key = public_key(OTHER_P256, Algorithm::ES256, &target.id);
    let claims = target.claims().to_string();
    let additions = [
        ("jwk", key),
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("x5u", json!("http://127.0.0.1:1/certificate")),
        ("x5c", json!(["MIIB"])),
    ];
    for (name, value) in additions {
        let mut header = target.header();
        header[name] = value;
        target
            .refuses(&signed(
                &header.to_string(),
                &claims,
                &other,
                Algorithm::ES256,
            ))
            .await;
        // With the right signature they do no harm.
        let token = target.sign(&header, &target.claims());
        assert!(target.bearers.verify(&token).await.is_ok(), "{name}");
    }
}

#[tokio::test]
async fn critical_parameters_are_not_passed_over() {
    let target = Target::new().await;
    let mut header = target.header();
    header["crit"] = json!(["exp"]);
    let token = target.sign(&header, &target.claims());
    assert!(matches!(target.refuses(&token).await, Rejection::Critical));
}

#[tokio::test]
async fn times_must_be_there_and_right() {
    let target = Target::new().await;
    let mut claims = target.claims();
    claims["exp"] = json!(now() - 31);
    let token = target.sign(&target.header(), &claims);
    assert!(matches!(target.refuses(&token).await, Rejection::Expired));

    target.refuses_claim("nbf", json!(now() + 40)).await;
    let later = json!(now() + 300);
    for wrong in [
        json!(later.to_string()),
        json!([later]),
        json!(-1),
        json!(null),
        json!(true),
        json!({}),
    ] {
        target.refuses_claim("exp", wrong.clone()).await;
        target.refuses_claim("nbf", wrong).await;
    }
    for missing in ["exp", "nbf", "iss", "aud"] {
        let mut claims = target.claims();
        claims.as_object_mut().unwrap().remove(missing);
        let token = target.sign(&target.header(), &claims);
        target.refuses(&token).await;
    }
}

#[tokio::test]
async fn issuer_and_audience_must_be_ours() {
    let target = Target::new().await;
    for wrong in [
        json!("other"),
        json!("BERTH"),
        json!(""),
        json!(["other"]),
        json!(7),
        json!(null),
    ] {
        target.refuses_claim("iss", wrong.clone()).await;
        target.refuses_claim("aud", wrong).await;
    }
    target.refuses_claim("aud", json!("berth-refresh")).await;
}

#[tokio::test]
async fn a_claim_comes_once() {
    let target = Target::new().await;
    let claims = target.claims().to_string();
    for (name, value) in [
        ("sub", json!("admin")),
        ("exp", json!(now() + 9_999_999)),
        ("aud", json!("berth")),
        ("access", json!([])),
    ] {
        let twice = format!("{{\"{name}\":{value},{}", &claims[1..]);
        let token = target.sign_text(&target.header().to_string(), &twice);
        target.refuses(&token).await;
    }
}

#[tokio::test]
async fn another_type_is_no_access_token() {
    let target = Target::new().await;
    for kind in [
        json!("berth-refresh"),
        json!("jwt"),
        json!("at+jwt"),
        json!(null),
        json!(1),
    ] {
        let mut header = target.header();
        header["typ"] = kind;
        let token = target.sign(&header, &target.claims());
        target.refuses(&token).await;
    }
}

#[tokio::test]
async fn a_part_of_a_token_is_none() {
    let target = Target::new().await;
    for end in 0..target.good.len() {
        target.refuses(&target.good[..end]).await;
    }
    let parts: Vec<&str> = target.good.split('.').collect();
    let wrong = [
        format!("{}.", target.good),
        format!("{}=", target.good),
        format!(" {}", target.good),
        format!("{}.{}.{}.{}", parts[0], parts[1], parts[2], parts[2]),
        format!("{}..{}", parts[0], parts[2]),
        format!(".{}.{}", parts[1], parts[2]),
        "..".to_owned(),
        "\0\0\0".to_owned(),
        "💥.💥.💥".to_owned(),
    ];
    for token in wrong {
        target.refuses(&token).await;
    }
}

#[tokio::test]
async fn a_signature_of_zeros_is_none() {
    let target = Target::new().await;
    let message = target.good.rsplit_once('.').unwrap().0;
    for signature in [
        vec![0; 64],
        vec![0xff; 64],
        vec![0; 63],
        vec![0; 4096],
        vec![],
    ] {
        target
            .refuses(&format!("{message}.{}", encoded(signature)))
            .await;
    }
}

#[tokio::test]
async fn a_huge_token_is_not_read() {
    let target = Target::new().await;
    let mut claims = target.claims();
    claims["padding"] = json!("a".repeat(MAX_TOKEN_LENGTH));
    let token = target.sign(&target.header(), &claims);
    assert!(matches!(target.refuses(&token).await, Rejection::TooLong));
    let dots = ".".repeat(10_000_000);
    assert!(matches!(target.refuses(&dots).await, Rejection::TooLong));
}

#[tokio::test]
async fn deep_json_does_not_exhaust_the_stack() {
    let target = Target::new().await;
    let deep = "[".repeat(5000);
    let header = encoded(target.header().to_string());
    target
        .refuses(&format!("{header}.{}.{}", encoded(&deep), encoded("a")))
        .await;
    target
        .refuses(&format!("{}.{header}.{}", encoded(&deep), encoded("a")))
        .await;
}

#[tokio::test]
async fn nothing_of_a_token_gets_into_messages() {
    let target = Target::new().await;
    let evil = "evil\n\u{1b}[2J".to_owned();
    let mut header = target.header();
    header["alg"] = json!(evil);
    let claims = encoded(target.claims().to_string());
    let token = format!("{}.{claims}.", encoded(header.to_string()));
    let by_header = target.refuses(&token).await;
    let mut claims = target.claims();
    claims["exp"] = json!(evil);
    let by_claim = target
        .refuses(&target.sign(&target.header(), &claims))
        .await;
    claims = target.claims();
    claims["iss"] = json!(evil);
    let by_issuer = target
        .refuses(&target.sign(&target.header(), &claims))
        .await;
    for rejection in [by_header, by_claim, by_issuer] {
        assert!(!rejection.to_string().contains("evil"), "{rejection}");
    }
}
