//! An external token server: what it says may be done, with whatever keys it has.

use std::io::Write;

use berth_auth::{
    Access, Action, BearerTokens, Decision, Gate, GateSettings, Rejection, TokenServer,
    TokenServerSettings, TrustError,
};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::forging::{
    ED25519, OTHER_P256, P256, P384, RSA, RSA_PUBLIC, SHORT_RSA, encoded, key_set, now,
    private_key, public_key, signed,
};

/// A server whose keys are in a file, with what keeps the file.
fn server(keys: &[Value]) -> (TokenServer, NamedTempFile) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(key_set(keys).as_bytes()).unwrap();
    let server = TokenServer::new(settings(file.path().to_str().unwrap())).unwrap();
    (server, file)
}

fn settings(jwks: &str) -> TokenServerSettings {
    TokenServerSettings {
        realm: "https://tokens.example.com/token".to_owned(),
        service: "registry.example.com".to_owned(),
        issuer: "tokens.example.com".to_owned(),
        jwks: jwks.to_owned(),
        certificate_authorities: None,
    }
}

fn claims() -> Value {
    json!({
        "iss": "tokens.example.com",
        "sub": "alice",
        "aud": "registry.example.com",
        "exp": now() + 300,
        "nbf": now(),
        "iat": now(),
        "jti": "1",
        "access": [
            { "type": "repository", "class": "image", "name": "team/app", "actions": ["pull", "push", "fly"] },
            { "type": "repository", "name": "UPPER", "actions": ["pull"] },
            { "type": "planet", "name": "earth", "actions": ["*"] },
        ],
    })
}

fn token(pem: &str, algorithm: Algorithm, kid: &str, claims: &Value) -> String {
    signed_by(&private_key(pem), algorithm, json!(kid), claims)
}

fn signed_by(key: &EncodingKey, algorithm: Algorithm, kid: Value, claims: &Value) -> String {
    let header = json!({ "alg": format!("{algorithm:?}"), "typ": "JWT", "kid": kid });
    signed(&header.to_string(), &claims.to_string(), key, algorithm)
}

const KEYS: [(&str, Algorithm); 9] = [
    (RSA, Algorithm::RS256),
    (RSA, Algorithm::RS384),
    (RSA, Algorithm::RS512),
    (RSA, Algorithm::PS256),
    (RSA, Algorithm::PS384),
    (RSA, Algorithm::PS512),
    (P256, Algorithm::ES256),
    (P384, Algorithm::ES384),
    (ED25519, Algorithm::EdDSA),
];

#[tokio::test]
async fn every_kind_of_key_verifies() {
    for (pem, algorithm) in KEYS {
        let (server, _file) = server(&[public_key(pem, algorithm, "a")]);
        let token = token(pem, algorithm, "a", &claims());
        let verified = server.verify(&token).await;
        assert!(verified.is_ok(), "{algorithm:?}: {verified:?}");
    }
}

#[tokio::test]
async fn what_it_lists_may_be_done_and_nothing_else() {
    let (server, _file) = server(&[public_key(P256, Algorithm::ES256, "a")]);
    let token = token(P256, Algorithm::ES256, "a", &claims());
    let caller = server.verify(&token).await.unwrap();
    assert_eq!(caller.identity.name(), Some("external:alice"));
    let scope: Vec<Access> = Access::parse("repository:team/app:pull,push")
        .into_iter()
        .collect();
    assert_eq!(caller.scope.as_ref(), Some(&scope));

    // No rule gives anybody anything.
    let gate = Gate::new(GateSettings::default()).unwrap();
    let (app, other) = ("team/app".parse().unwrap(), "team/other".parse().unwrap());
    assert_eq!(gate.decide(&caller, &app, Action::Push), Decision::Allowed);
    assert_eq!(
        gate.decide(&caller, &app, Action::Delete),
        Decision::WiderScope
    );
    assert_eq!(
        gate.decide(&caller, &other, Action::Pull),
        Decision::WiderScope
    );
    assert_eq!(gate.decide(&caller, &app, Action::Admin), Decision::Denied);
    assert_eq!(gate.decide_catalog(&caller), Decision::WiderScope);
    assert!(!gate.may_pull_everywhere(&caller));
}

#[tokio::test]
async fn everything_means_what_others_know() {
    let (server, _file) = server(&[public_key(P256, Algorithm::ES256, "a")]);
    let mut claims = claims();
    claims["access"] = json!([
        { "type": "repository", "name": "a", "actions": ["*"] },
        { "type": "registry", "name": "catalog", "actions": ["*"] },
    ]);
    let token = token(P256, Algorithm::ES256, "a", &claims);
    let caller = server.verify(&token).await.unwrap();
    let name = "a".parse().unwrap();
    assert!(caller.reaches(&name, Action::Delete) && caller.reaches_catalog());
    let gate = Gate::new(GateSettings::default()).unwrap();
    assert!(gate.may(&caller, &name, Action::Delete));
    assert!(!gate.may(&caller, &name, Action::Admin));
    // The server has granted the list, and with it every name.
    assert_eq!(gate.decide_catalog(&caller), Decision::Allowed);
    assert!(gate.may_list_everything(&caller));
}

#[tokio::test]
async fn nobody_else_makes_an_administrator() {
    let (server, _file) = server(&[public_key(P256, Algorithm::ES256, "a")]);
    let mut claims = claims();
    claims["access"] = json!([
        { "type": "repository", "name": "a", "actions": ["admin"] },
        { "type": "repository", "name": "b", "actions": ["admin", "push"] },
    ]);
    let token = token(P256, Algorithm::ES256, "a", &claims);
    let caller = server.verify(&token).await.unwrap();
    let gate = Gate::new(GateSettings::default()).unwrap();
    let name = "a".parse().unwrap();
    for action in Action::ALL {
        assert!(!gate.may(&caller, &name, action), "{action}");
    }
    let name = "b".parse().unwrap();
    let allowed = Action::ALL.map(|action| gate.may(&caller, &name, action));
    assert_eq!(allowed, [false, true, false, false]);
}

#[tokio::test]
async fn a_subject_has_a_name_of_its_own_kind() {
    let (server, _file) = server(&[public_key(P256, Algorithm::ES256, "a")]);
    for (subject, expected) in [
        (json!("alice"), Some("external:alice")),
        (json!("token:ci"), Some("external:token:ci")),
        (json!(""), Some("anonymous")),
        (json!(null), Some("anonymous")),
        (json!("a\nb"), None),
        (json!(7), None),
    ] {
        let mut claims = claims();
        claims["sub"] = subject;
        let token = token(P256, Algorithm::ES256, "a", &claims);
        let caller = server.verify(&token).await.ok();
        let shown = caller.map(|caller| caller.identity.to_string());
        assert_eq!(shown.as_deref(), expected);
    }
}

#[tokio::test]
async fn who_has_no_subject_has_no_name_and_yet_the_grants() {
    let (server, _file) = server(&[public_key(P256, Algorithm::ES256, "a")]);
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove("sub");
    let token = token(P256, Algorithm::ES256, "a", &claims);
    let caller = server.verify(&token).await.unwrap();
    assert_eq!(caller.identity.name(), None);
    let gate = Gate::new(GateSettings::default()).unwrap();
    let app = "team/app".parse().unwrap();
    assert!(gate.may(&caller, &app, Action::Push));
    assert_eq!(
        gate.decide(&caller, &app, Action::Delete),
        Decision::WiderScope
    );
}

#[tokio::test]
async fn the_key_decides_the_algorithm() {
    let mut key = public_key(RSA, Algorithm::RS256, "a");
    key["alg"] = json!("PS256");
    let (server, _file) = server(&[key.clone()]);
    let good = token(RSA, Algorithm::PS256, "a", &claims());
    assert!(server.verify(&good).await.is_ok());

    for other in [Algorithm::RS256, Algorithm::PS512] {
        let rejection = server.verify(&token(RSA, other, "a", &claims())).await;
        assert!(matches!(rejection, Err(Rejection::UnknownKey)));
    }
    // What is public is no secret, and a key of one curve none of the other.
    let secrets = [RSA_PUBLIC.to_owned(), key["n"].to_string(), key.to_string()];
    for secret in secrets {
        let secret = EncodingKey::from_secret(secret.as_bytes());
        let token = signed_by(&secret, Algorithm::HS256, json!("a"), &claims());
        assert!(matches!(
            server.verify(&token).await,
            Err(Rejection::UnknownKey)
        ));
    }
    let confused = token(P256, Algorithm::ES256, "a", &claims());
    assert!(matches!(
        server.verify(&confused).await,
        Err(Rejection::UnknownKey)
    ));
    let header = json!({ "alg": "none", "kid": "a" }).to_string();
    let unsigned = format!("{}.{}.", encoded(header), encoded(claims().to_string()));
    assert!(matches!(
        server.verify(&unsigned).await,
        Err(Rejection::Malformed(_))
    ));
}

#[tokio::test]
async fn a_symmetric_key_in_a_set_is_none() {
    let secret = "0123456789abcdef0123456789abcdef";
    let shared = json!({ "kty": "oct", "kid": "a", "alg": "HS256", "k": encoded(secret) });
    let (server, _file) = server(&[shared, public_key(P256, Algorithm::ES256, "b")]);
    let secret = EncodingKey::from_secret(secret.as_bytes());
    let token = signed_by(&secret, Algorithm::HS256, json!("a"), &claims());
    assert!(matches!(
        server.verify(&token).await,
        Err(Rejection::UnknownKey)
    ));
}

#[tokio::test]
async fn keys_that_are_not_for_signatures_or_not_sound_are_left_out() {
    let good = public_key(P256, Algorithm::ES256, "good");
    let with = |mut key: Value, name: &str, value: Value| {
        key[name] = value;
        key
    };
    let p256 = || public_key(P256, Algorithm::ES256, "a");
    let ed25519 = || public_key(ED25519, Algorithm::EdDSA, "a");
    let bad = [
        (P256, Algorithm::ES256, with(p256(), "use", json!("enc"))),
        (
            P256,
            Algorithm::ES256,
            with(p256(), "key_ops", json!(["sign"])),
        ),
        (P256, Algorithm::ES256, with(p256(), "alg", json!("RS256"))),
        (P256, Algorithm::ES256, with(p256(), "alg", json!("none"))),
        (
            P256,
            Algorithm::ES256,
            with(p256(), "crv", json!("secp256k1")),
        ),
        (P256, Algorithm::ES256, with(p256(), "x", json!("AAAA"))),
        (P256, Algorithm::ES256, with(p256(), "kty", json!("oct"))),
        (P256, Algorithm::ES256, with(p256(), "kty", json!(1))),
        (
            ED25519,
            Algorithm::EdDSA,
            with(ed25519(), "x", json!("AAAA")),
        ),
        (
            ED25519,
            Algorithm::EdDSA,
            with(ed25519(), "crv", json!("Ed448")),
        ),
        (
            SHORT_RSA,
            Algorithm::RS256,
            public_key(SHORT_RSA, Algorithm::RS256, "a"),
        ),
    ];
    for (pem, algorithm, key) in bad {
        let shown = key.to_string();
        let (server, _file) = server(&[key, good.clone()]);
        let refused = server.verify(&token(pem, algorithm, "a", &claims())).await;
        assert!(matches!(refused, Err(Rejection::UnknownKey)), "{shown}");
        let accepted = server
            .verify(&token(P256, Algorithm::ES256, "good", &claims()))
            .await;
        assert!(accepted.is_ok(), "{shown}");
    }
}

#[tokio::test]
async fn a_token_may_name_no_key() {
    let keys = [
        public_key(RSA, Algorithm::RS256, "a"),
        public_key(OTHER_P256, Algorithm::ES256, "b"),
        public_key(P256, Algorithm::ES256, "c"),
    ];
    let (server, _file) = server(&keys);
    let token = signed_by(&private_key(P256), Algorithm::ES256, json!(null), &claims());
    assert!(server.verify(&token).await.is_ok());
    // One that names another is not tried with all.
    let token = signed_by(&private_key(P256), Algorithm::ES256, json!("b"), &claims());
    assert!(matches!(
        server.verify(&token).await,
        Err(Rejection::Invalid(_))
    ));
}

#[tokio::test]
async fn claims_must_be_right() {
    let (server, _file) = server(&[public_key(P256, Algorithm::ES256, "a")]);
    let changes = [
        ("iss", json!("evil.example.com")),
        ("iss", json!(null)),
        ("aud", json!("other.example.com")),
        ("aud", json!(["other.example.com"])),
        ("aud", json!(null)),
        ("exp", json!(now() - 60)),
        ("exp", json!((now() + 300).to_string())),
        ("exp", json!(null)),
        ("nbf", json!(now() + 60)),
        ("access", json!("repository:team/app:push")),
    ];
    for (name, value) in changes {
        let mut claims = claims();
        claims[name] = value.clone();
        let token = token(P256, Algorithm::ES256, "a", &claims);
        assert!(server.verify(&token).await.is_err(), "{name} {value}");
    }
    let mut several = claims();
    several["aud"] = json!(["registry.example.com", "other.example.com"]);
    assert!(
        server
            .verify(&token(P256, Algorithm::ES256, "a", &several))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn its_tokens_are_told_from_others_by_their_issuer() {
    let (server, _file) = server(&[public_key(P256, Algorithm::ES256, "a")]);
    let bearers = BearerTokens::new(None, Some(server), Vec::new()).unwrap();
    let good = token(P256, Algorithm::ES256, "a", &claims());
    assert!(bearers.verify(&good).await.is_ok());
    let mut claims = claims();
    claims["iss"] = json!("berth");
    let other = token(P256, Algorithm::ES256, "a", &claims);
    assert!(matches!(
        bearers.verify(&other).await,
        Err(Rejection::UnknownIssuer)
    ));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_an_outage_and_not_a_bad_token() {
    let server = TokenServer::new(settings("/nowhere/keys.json")).unwrap();
    let refused = server
        .verify(&token(P256, Algorithm::ES256, "a", &claims()))
        .await;
    assert!(matches!(refused, Err(Rejection::Unavailable(_))));
}

#[test]
fn it_must_have_an_issuer_and_a_service() {
    let mut nobody = settings("/keys.json");
    nobody.issuer = String::new();
    let mut nothing = settings("/keys.json");
    nothing.service = String::new();
    for wrong in [nobody, nothing] {
        let refused = TokenServer::new(wrong).err();
        assert!(matches!(refused, Some(TrustError::Setting(_))));
    }
}

#[test]
fn keys_come_from_nowhere_that_others_could_change() {
    for url in [
        "http://tokens.example.com/keys",
        "http://127.0.0.1.example.com/keys",
        "http://localhost.example.com/keys",
        "http://10.0.0.1/keys",
        "ftp://127.0.0.1/keys",
        "file:///etc/keys",
        "https://",
    ] {
        let refused = TokenServer::new(settings(url)).err();
        assert!(matches!(refused, Some(TrustError::Url(_))), "{url}");
    }
    for url in [
        "https://tokens.example.com/keys",
        "http://127.0.0.1:80/keys",
        "http://[::1]/keys",
        "http://localhost/keys",
    ] {
        assert!(TokenServer::new(settings(url)).is_ok(), "{url}");
    }
}
