//! Issuers that change keys, are slow, are down, or are not who they should be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_auth::{BearerTokens, OidcIssuer, OidcSettings, Rejection};
use jsonwebtoken::Algorithm;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::time;
use tokio_rustls::TlsAcceptor;

use crate::forging::{OTHER_P256, P256, key_set, now, private_key, public_key, signed};
use crate::web::{Page, Web};

const ISSUER: &str = "https://ci.example.com";

fn settings(jwks: &str) -> OidcSettings {
    OidcSettings {
        label: "ci".to_owned(),
        issuer: ISSUER.to_owned(),
        audience: "registry".to_owned(),
        jwks: Some(jwks.to_owned()),
        name_claim: "sub".to_owned(),
        role: Vec::new(),
        require_role: None,
        certificate_authorities: None,
    }
}

fn issuer(web: &Web) -> Arc<OidcIssuer> {
    Arc::new(OidcIssuer::new(settings(&web.url("/keys"))).unwrap())
}

fn keys(pem: &str, id: &str) -> String {
    key_set(&[public_key(pem, Algorithm::ES256, id)])
}

fn token(pem: &str, id: &str) -> String {
    token_of(ISSUER, pem, id)
}

fn token_of(issuer: &str, pem: &str, id: &str) -> String {
    let header = json!({ "alg": "ES256", "kid": id }).to_string();
    let claims = json!({ "iss": issuer, "sub": "job", "aud": "registry", "exp": now() + 300 });
    signed(
        &header,
        &claims.to_string(),
        &private_key(pem),
        Algorithm::ES256,
    )
}

/// Lets time pass for what is refreshed, and not for tokens.
async fn pass(duration: Duration) {
    time::pause();
    time::advance(duration).await;
    time::resume();
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn keys_are_fetched_once_and_again_for_a_new_one() {
    let web = Web::start().await;
    web.put("/keys", Page::Document(keys(P256, "old")));
    let issuer = issuer(&web);
    for _ in 0..10 {
        issuer.verify(&token(P256, "old")).await.unwrap();
    }
    assert_eq!(web.requests(), 1);

    web.put("/keys", Page::Document(keys(OTHER_P256, "new")));
    pass(SECOND * 31).await;
    assert!(issuer.verify(&token(OTHER_P256, "new")).await.is_ok());
    assert_eq!(web.requests(), 2);
    // The old key is withdrawn.
    let old = issuer.verify(&token(P256, "old")).await;
    assert!(matches!(old, Err(Rejection::UnknownKey)));
}

#[tokio::test]
async fn forged_keys_do_not_make_a_flood_of_fetches() {
    let web = Web::start().await;
    web.put("/keys", Page::Slow(SECOND / 5, keys(P256, "a")));
    let issuer = issuer(&web);
    let flood = |round: usize| {
        let attempts = (0..200).map(|number| {
            let issuer = Arc::clone(&issuer);
            let forged = token(OTHER_P256, &format!("forged-{round}-{number}"));
            tokio::spawn(async move { issuer.verify(&forged).await })
        });
        attempts.collect::<Vec<_>>()
    };
    for round in 0..3 {
        for attempt in flood(round) {
            assert!(matches!(attempt.await.unwrap(), Err(Rejection::UnknownKey)));
        }
        assert!(issuer.verify(&token(P256, "a")).await.is_ok());
    }
    assert_eq!(web.requests(), 1);
    pass(SECOND * 31).await;
    for attempt in flood(3) {
        attempt.await.unwrap().unwrap_err();
    }
    assert_eq!(web.requests(), 2);
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_keep_others_from_new_keys() {
    let web = Web::start().await;
    web.put("/keys", Page::Document(keys(P256, "old")));
    let issuer = issuer(&web);
    issuer.verify(&token(P256, "old")).await.unwrap();
    web.put("/keys", Page::Slow(SECOND / 5, keys(OTHER_P256, "new")));
    pass(SECOND * 31).await;
    let forged = token(P256, "forged");
    let impatient = time::timeout(SECOND / 50, issuer.verify(&forged)).await;
    assert!(impatient.is_err());
    assert!(issuer.verify(&token(OTHER_P256, "new")).await.is_ok());
    assert_eq!(web.requests(), 2);
}

#[tokio::test]
async fn old_keys_are_served_while_new_ones_are_fetched() {
    let web = Web::start().await;
    web.put("/keys", Page::Document(keys(P256, "a")));
    let issuer = issuer(&web);
    issuer.verify(&token(P256, "a")).await.unwrap();
    web.put("/keys", Page::Slow(SECOND / 2, keys(OTHER_P256, "b")));
    pass(SECOND * 11 * 60).await;
    let start = Instant::now();
    assert!(issuer.verify(&token(P256, "a")).await.is_ok());
    assert!(start.elapsed() < SECOND / 4);
    time::sleep(SECOND).await;
    assert_eq!(web.requests(), 2);
    assert!(issuer.verify(&token(OTHER_P256, "b")).await.is_ok());
    assert_eq!(web.requests(), 2);
}

#[tokio::test]
async fn keys_outlast_an_issuer_that_is_down_for_a_day() {
    let web = Web::start().await;
    web.put("/keys", Page::Document(keys(P256, "a")));
    let issuer = issuer(&web);
    let good = token(P256, "a");
    issuer.verify(&good).await.unwrap();
    web.put("/keys", Page::Down);
    pass(SECOND * 60 * 60 * 2).await;
    assert!(issuer.verify(&good).await.is_ok());
    pass(SECOND * 60 * 60 * 21).await;
    assert!(issuer.verify(&good).await.is_ok());
    pass(SECOND * 60 * 60 * 2).await;
    let refused = issuer.verify(&good).await;
    assert!(matches!(refused, Err(Rejection::Unavailable(_))));
    web.put("/keys", Page::Document(keys(P256, "a")));
    pass(SECOND * 31).await;
    assert!(issuer.verify(&good).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_is_down_at_first_is_asked_again_soon() {
    let web = Web::start().await;
    web.put("/keys", Page::Down);
    let issuer = issuer(&web);
    let good = token(P256, "a");
    for _ in 0..20 {
        let refused = issuer.verify(&good).await;
        assert!(matches!(refused, Err(Rejection::Unavailable(_))));
    }
    assert_eq!(web.requests(), 1);
    web.put("/keys", Page::Document(keys(P256, "a")));
    pass(SECOND * 6).await;
    assert!(issuer.verify(&good).await.is_ok());
}

#[tokio::test]
async fn a_slow_issuer_is_given_up() {
    let web = Web::start().await;
    web.put("/keys", Page::Slow(SECOND * 60, keys(P256, "a")));
    let issuer = issuer(&web);
    let start = Instant::now();
    let refused = issuer.verify(&token(P256, "a")).await;
    assert!(matches!(refused, Err(Rejection::Unavailable(_))));
    assert!(start.elapsed() < SECOND * 20);
}

#[tokio::test]
async fn documents_that_are_too_long_or_no_keys_are_refused() {
    let web = Web::start().await;
    web.put("/keys", Page::Padded(1000, keys(P256, "a")));
    assert!(issuer(&web).verify(&token(P256, "a")).await.is_ok());
    let pages = [
        Page::Padded(1024 * 1024, keys(P256, "a")),
        Page::Document("no JSON".to_owned()),
        Page::Document("{}".to_owned()),
    ];
    for page in pages {
        web.put("/keys", page);
        let refused = issuer(&web).verify(&token(P256, "a")).await;
        assert!(matches!(refused, Err(Rejection::Unavailable(_))));
    }
}

#[tokio::test]
async fn an_issuer_can_withdraw_all_keys() {
    for left in [vec![], vec![json!({ "kty": "oct", "k": "AAAA" })]] {
        let web = Web::start().await;
        web.put("/keys", Page::Document(keys(P256, "a")));
        let issuer = issuer(&web);
        let good = token(P256, "a");
        issuer.verify(&good).await.unwrap();
        web.put("/keys", Page::Document(key_set(&left)));
        pass(SECOND * 60 * 61).await;
        let refused = issuer.verify(&good).await;
        assert!(matches!(refused, Err(Rejection::UnknownKey)));
    }
}

#[tokio::test]
async fn a_remembered_token_does_not_outlive_its_key_for_long() {
    let web = Web::start().await;
    web.put("/keys", Page::Document(keys(P256, "old")));
    let issuer = OidcIssuer::new(settings(&web.url("/keys"))).unwrap();
    let bearers = BearerTokens::new(None, None, vec![issuer]).unwrap();
    let old = token(P256, "old");
    bearers.verify(&old).await.unwrap();
    web.put("/keys", Page::Document(keys(OTHER_P256, "new")));
    pass(SECOND * 60).await;
    bearers.verify(&token(OTHER_P256, "new")).await.unwrap();
    assert!(bearers.verify(&old).await.is_ok());
    pass(SECOND * 60 * 5).await;
    let refused = bearers.verify(&old).await;
    assert!(matches!(refused, Err(Rejection::UnknownKey)));
}

#[tokio::test]
async fn a_redirect_is_followed_only_where_it_is_safe() {
    let web = Web::start().await;
    web.put("/elsewhere", Page::Document(keys(P256, "a")));
    web.put("/keys", Page::Redirect(web.url("/elsewhere")));
    assert!(issuer(&web).verify(&token(P256, "a")).await.is_ok());

    let requests = web.requests();
    // An address of this machine that is not called so.
    let other = format!("http://0.0.0.0:{}/elsewhere", web.address.port());
    for target in [other, web.url("/keys")] {
        web.put("/keys", Page::Redirect(target));
        let refused = issuer(&web).verify(&token(P256, "a")).await;
        assert!(matches!(refused, Err(Rejection::Unavailable(_))));
    }
    // One for the first, and a few for what leads to itself.
    assert!(web.requests() - requests < 8);
}

#[tokio::test]
async fn a_discovery_document_must_be_of_the_issuer_and_lead_to_a_safe_place() {
    let web = Web::start().await;
    let address = web.url("");
    web.put("/keys", Page::Document(keys(P256, "a")));
    let documents = [
        (
            json!({ "issuer": address, "jwks_uri": web.url("/keys") }),
            true,
        ),
        (
            json!({ "issuer": ISSUER, "jwks_uri": web.url("/keys") }),
            false,
        ),
        (
            json!({ "issuer": address, "jwks_uri": "http://ci.example.com/keys" }),
            false,
        ),
        (
            json!({ "issuer": address, "jwks_uri": "file:///etc/passwd" }),
            false,
        ),
        (json!({ "issuer": address }), false),
    ];
    for (document, is_good) in documents {
        let page = Page::Document(document.to_string());
        web.put("/.well-known/openid-configuration", page);
        let settings = OidcSettings {
            issuer: address.clone(),
            jwks: None,
            ..settings("")
        };
        let issuer = OidcIssuer::new(settings).unwrap();
        let verified = issuer.verify(&token_of(&address, P256, "a")).await;
        assert_eq!(verified.is_ok(), is_good, "{document}");
    }
}

#[tokio::test]
async fn a_server_proves_itself_by_a_certificate() {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    let web = Web::start_with(Some(TlsAcceptor::from(Arc::new(tls)))).await;
    web.put("/keys", Page::Document(keys(P256, "a")));
    let url = format!("https://localhost:{}/keys", web.address.port());

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let trusting = OidcSettings {
        certificate_authorities: Some(file.path().to_owned()),
        ..settings(&url)
    };
    let trusting = OidcIssuer::new(trusting).unwrap();
    trusting.verify(&token(P256, "a")).await.unwrap();
    let stranger = OidcIssuer::new(settings(&url)).unwrap();
    let refused = stranger.verify(&token(P256, "a")).await;
    assert!(matches!(refused, Err(Rejection::Unavailable(_))));
}

fn token_without_key(pem: &str, claims: serde_json::Value) -> String {
    let header = json!({ "alg": "ES256" }).to_string();
    let claims = claims.to_string();
    signed(&header, &claims, &private_key(pem), Algorithm::ES256)
}

fn nameless_keys(pem: &str) -> String {
    let mut key = public_key(pem, Algorithm::ES256, "");
    key.as_object_mut().unwrap().remove("kid");
    key_set(&[key])
}

#[tokio::test]
async fn new_keys_are_found_without_their_names() {
    let claims = json!({ "iss": ISSUER, "sub": "job", "aud": "registry", "exp": now() + 300 });
    let nameless = token_without_key(OTHER_P256, claims);
    let named = token(OTHER_P256, "new");
    for (before, after, new) in [
        (keys(P256, "old"), keys(OTHER_P256, "new"), &nameless),
        (nameless_keys(P256), nameless_keys(OTHER_P256), &nameless),
        (nameless_keys(P256), nameless_keys(OTHER_P256), &named),
        (nameless_keys(P256), keys(OTHER_P256, "new"), &named),
    ] {
        let web = Web::start().await;
        web.put("/keys", Page::Document(before));
        let issuer = issuer(&web);
        assert!(issuer.verify(new).await.is_err());
        web.put("/keys", Page::Document(after));
        pass(SECOND * 31).await;
        assert!(issuer.verify(new).await.is_ok());
        assert_eq!(web.requests(), 2);
        // Nor are they fetched for each that is forged.
        for _ in 0..20 {
            let forged = token(P256, "new");
            assert!(issuer.verify(&forged).await.is_err());
        }
        assert_eq!(web.requests(), 2);
    }
}

#[tokio::test]
async fn a_key_without_a_name_fits_any() {
    let web = Web::start().await;
    web.put("/keys", Page::Document(nameless_keys(P256)));
    let issuer = issuer(&web);
    assert!(issuer.verify(&token(P256, "a")).await.is_ok());
    assert!(issuer.verify(&token(OTHER_P256, "a")).await.is_err());
}

#[tokio::test]
async fn of_several_keys_or_issuers_the_telling_reason_counts() {
    let web = Web::start().await;
    let both = [P256, OTHER_P256].map(|pem| public_key(pem, Algorithm::ES256, "a"));
    web.put("/keys", Page::Document(key_set(&both)));
    let up = || settings(&web.url("/keys"));
    let other_audience = || OidcSettings {
        audience: "elsewhere".to_owned(),
        ..up()
    };
    let down = || OidcSettings {
        audience: "elsewhere".to_owned(),
        ..settings("/nowhere/keys.json")
    };
    let bearers = |settings: [OidcSettings; 2]| {
        let issuers = settings.map(|settings| OidcIssuer::new(settings).unwrap());
        BearerTokens::new(None, None, issuers.into()).unwrap()
    };
    let claims = json!({ "iss": ISSUER, "sub": "job", "aud": "registry", "exp": now() - 300 });
    let expired = token_without_key(P256, claims);
    for settings in [[up(), other_audience()], [other_audience(), up()]] {
        let refused = bearers(settings).verify(&expired).await;
        assert!(matches!(refused, Err(Rejection::Expired)), "{refused:?}");
    }
    for settings in [[up(), down()], [down(), up()]] {
        let refused = bearers(settings).verify(&expired).await;
        assert!(
            matches!(refused, Err(Rejection::Unavailable(_))),
            "{refused:?}"
        );
    }
}
