//! OpenID Connect issuers: their claims make names and groups.

use std::sync::Arc;

use berth_auth::{
    BearerTokens, Identity, Named, OidcIssuer, OidcSettings, Rejection, TokenServer,
    TokenServerSettings, TokenService, TokenSettings, TrustError,
};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::forging::{P256, key_set, now, private_key, public_key, signed};
use crate::signing_key_store::MemoryKeys;
use crate::web::{Page, Web};

/// An issuer whose discovery document and keys are on this machine.
async fn issuer() -> (Web, String) {
    let web = Web::start().await;
    let address = web.url("");
    let discovery = json!({ "issuer": address, "jwks_uri": web.url("/keys") });
    web.put(
        "/.well-known/openid-configuration",
        Page::Document(discovery.to_string()),
    );
    web.put(
        "/keys",
        Page::Document(key_set(&[public_key(P256, Algorithm::ES256, "a")])),
    );
    (web, address)
}

fn settings(issuer: &str, more: &str) -> OidcSettings {
    let table = format!("label = 'ci'\nissuer = '{issuer}'\naudience = 'registry'\n{more}");
    toml::from_str(&table).unwrap()
}

fn claims(issuer: &str) -> Value {
    json!({
        "iss": issuer,
        "sub": "repo:team/app:ref:refs/heads/main",
        "aud": ["registry"],
        "exp": now() + 300,
        "repository": "team/app",
        "protected": true,
        "groups": ["developers", "releasers"],
        "kubernetes.io": { "namespace": "builds", "serviceaccount": { "name": "builder" } },
        "https://example.com/team": "blue",
    })
}

fn token(claims: &Value) -> String {
    token_of_type("JWT", claims)
}

fn token_of_type(kind: &str, claims: &Value) -> String {
    let header = json!({ "alg": "ES256", "typ": kind, "kid": "a" });
    let key = private_key(P256);
    signed(
        &header.to_string(),
        &claims.to_string(),
        &key,
        Algorithm::ES256,
    )
}

#[tokio::test]
async fn a_subject_without_roles_has_a_name_and_no_group() {
    let (_web, address) = issuer().await;
    let issuer = OidcIssuer::new(settings(&address, "")).unwrap();
    let caller = issuer.verify(&token(&claims(&address))).await.unwrap();
    assert_eq!(
        caller.identity,
        Identity::named("oidc:ci:repo:team/app:ref:refs/heads/main")
    );
    assert!(caller.is_proven && caller.scope.is_none());
}

#[tokio::test]
async fn roles_give_groups() {
    let (_web, address) = issuer().await;
    let roles = "
        [[role]]
        claims = { repository = 'team/*', protected = 'true' }
        groups = ['deploy']
        [[role]]
        claims = { groups = 'release*', sub = 'repo:team/app:*' }
        groups = ['release', 'staff']
        [[role]]
        claims = { 'kubernetes.io/namespace' = ['builds'], 'kubernetes.io/serviceaccount/name' = ['builder'] }
        groups = ['builders']
        [[role]]
        claims = { 'https://example.com/team' = ['blue', 'green'] }
        groups = ['colours']
        [[role]]
        claims = { repository = ['team/*'], missing = ['**'] }
        groups = ['admins']
        [[role]]
        claims = {}
        groups = ['admins']
        [[role]]
        claims = { 'kubernetes.io' = ['**'] }
        groups = ['admins']
    ";
    let issuer = OidcIssuer::new(settings(&address, roles)).unwrap();
    let caller = issuer.verify(&token(&claims(&address))).await.unwrap();
    let Identity::Named(Named { groups, grants, .. }) = caller.identity else {
        panic!("nobody");
    };
    let expected = ["builders", "colours", "deploy", "release", "staff"].map(str::to_owned);
    assert_eq!(groups, expected.into());
    assert_eq!(grants, None);
}

#[tokio::test]
async fn a_token_without_a_role_is_refused_unless_that_is_allowed() {
    let (_web, address) = issuer().await;
    let role = "[[role]]\nclaims = { repository = ['other/*'] }\ngroups = ['deploy']";
    let token = token(&claims(&address));

    let strict = OidcIssuer::new(settings(&address, role)).unwrap();
    assert!(matches!(
        strict.verify(&token).await,
        Err(Rejection::NoRole)
    ));
    let open = format!("require_role = false\n{role}");
    let open = OidcIssuer::new(settings(&address, &open)).unwrap();
    assert!(open.verify(&token).await.is_ok());
    let always = OidcIssuer::new(settings(&address, "require_role = true")).unwrap();
    assert!(matches!(
        always.verify(&token).await,
        Err(Rejection::NoRole)
    ));
}

#[tokio::test]
async fn another_claim_can_be_the_name() {
    let (_web, address) = issuer().await;
    let by = |claim: &str| settings(&address, &format!("name_claim = '{claim}'"));
    let token = token(&claims(&address));
    let issuer = OidcIssuer::new(by("repository")).unwrap();
    let caller = issuer.verify(&token).await.unwrap();
    assert_eq!(caller.identity.name(), Some("oidc:ci:team/app"));
    for claim in ["missing", "protected", "groups"] {
        let issuer = OidcIssuer::new(by(claim)).unwrap();
        assert!(matches!(
            issuer.verify(&token).await,
            Err(Rejection::Name(_))
        ));
    }
}

#[tokio::test]
async fn claims_must_be_right() {
    let (_web, address) = issuer().await;
    let issuer = OidcIssuer::new(settings(&address, "")).unwrap();
    let changes = [
        ("iss", json!(format!("{address}/"))),
        ("iss", json!("https://evil.example.com")),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("aud", json!(null)),
        ("exp", json!(now() - 60)),
        ("exp", json!("9999999999")),
        ("exp", json!(null)),
        ("nbf", json!(now() + 60)),
        ("nbf", json!("now")),
        ("sub", json!(null)),
        ("sub", json!("")),
        ("sub", json!("a\u{0}b")),
        ("sub", json!(7)),
    ];
    for (name, value) in changes {
        let mut claims = claims(&address);
        claims[name] = value.clone();
        assert!(
            issuer.verify(&token(&claims)).await.is_err(),
            "{name} {value}"
        );
    }
}

#[tokio::test]
async fn a_claim_comes_once() {
    let (_web, address) = issuer().await;
    let issuer = OidcIssuer::new(settings(&address, "")).unwrap();
    let claims = claims(&address).to_string();
    let header = json!({ "alg": "ES256", "kid": "a" }).to_string();
    let sign = |claims: &str| signed(&header, claims, &private_key(P256), Algorithm::ES256);
    assert!(issuer.verify(&sign(&claims)).await.is_ok());
    for name in ["repository", "sub", "groups"] {
        let twice = format!("{{\"{name}\":\"x\",{}", &claims[1..]);
        assert!(issuer.verify(&sign(&twice)).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn access_tokens_are_accepted_and_other_tokens_not() {
    let (_web, address) = issuer().await;
    let issuer = OidcIssuer::new(settings(&address, "")).unwrap();
    let claims = claims(&address);
    for kind in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        assert!(
            issuer.verify(&token_of_type(kind, &claims)).await.is_ok(),
            "{kind}"
        );
    }
    for kind in ["logout+jwt", "berth-refresh", "dpop+jwt", ""] {
        let refused = issuer.verify(&token_of_type(kind, &claims)).await;
        assert!(matches!(refused, Err(Rejection::OtherType)), "{kind}");
    }
}

#[tokio::test]
async fn one_issuer_may_have_several_audiences() {
    let (_web, address) = issuer().await;
    let mut other = settings(&address, "");
    other.label = "other".to_owned();
    other.audience = "elsewhere".to_owned();
    let issuers =
        [other, settings(&address, "")].map(|settings| OidcIssuer::new(settings).unwrap());
    let bearers = BearerTokens::new(None, None, issuers.into()).unwrap();
    let caller = bearers.verify(&token(&claims(&address))).await.unwrap();
    assert!(caller.identity.name().unwrap().starts_with("oidc:ci:"));
    let mut claims = claims(&address);
    claims["aud"] = json!("nobody");
    assert!(bearers.verify(&token(&claims)).await.is_err());
}

#[tokio::test]
async fn nobody_is_taken_for_another() {
    let oidc = |label: &str, issuer: &str| {
        let mut settings = settings(issuer, "");
        settings.label = label.to_owned();
        settings.jwks = Some("/keys.json".to_owned());
        OidcIssuer::new(settings).unwrap()
    };
    let server = |issuer: &str| {
        let settings = TokenServerSettings {
            realm: "https://tokens.example.com/token".to_owned(),
            service: "registry".to_owned(),
            issuer: issuer.to_owned(),
            jwks: "/keys.json".to_owned(),
            certificate_authorities: None,
        };
        Some(TokenServer::new(settings).unwrap())
    };
    let own = |service: &str| {
        let settings = TokenSettings {
            service: service.to_owned(),
            ..TokenSettings::default()
        };
        let keys = Arc::new(MemoryKeys::default());
        Some(Arc::new(TokenService::new(settings, keys)))
    };
    let good = vec![
        oidc("a", "x"),
        oidc("a", "x"),
        oidc("b", "x"),
        oidc("c", "y"),
    ];
    assert!(BearerTokens::new(own("berth"), server("tokens"), good).is_ok());
    for (own, server, issuers, expected) in [
        (
            None,
            None,
            vec![oidc("a", "x"), oidc("a", "y")],
            "the label \"a\"",
        ),
        (own(""), None, vec![], "has no name"),
        (own("x"), server("x"), vec![], "both called"),
        (own("x"), None, vec![oidc("a", "x")], "as a token server is"),
        (
            None,
            server("x"),
            vec![oidc("b", "y"), oidc("a", "x")],
            "as a token server is",
        ),
    ] {
        let error = BearerTokens::new(own, server, issuers).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn an_issuer_must_be_one_that_can_be_trusted() {
    let wrong = |settings: OidcSettings| OidcIssuer::new(settings).err().unwrap();
    let mut labelled = settings("https://ci.example.com", "");
    for label in ["", "a:b", "a\nb"] {
        labelled.label = label.to_owned();
        assert!(matches!(wrong(labelled.clone()), TrustError::Setting(_)));
    }
    let mut everybody = settings("https://ci.example.com", "");
    everybody.audience = String::new();
    assert!(matches!(wrong(everybody), TrustError::Setting(_)));
    let mut nobody = settings("", "");
    nobody.jwks = Some("/keys.json".to_owned());
    assert!(matches!(wrong(nobody), TrustError::Setting(_)));
    assert!(matches!(
        wrong(settings("http://ci.example.com", "")),
        TrustError::Url(_)
    ));
    let file = "certificate_authorities = '/nowhere'";
    let file = wrong(settings("https://ci.example.com", file));
    assert!(matches!(file, TrustError::File { .. }));
    let glob =
        "label = 'a'\nissuer = 'b'\naudience = 'c'\n[[role]]\nclaims = { sub = '[' }\ngroups = []";
    assert!(toml::from_str::<OidcSettings>(glob).is_err());
    let unknown = toml::from_str::<OidcSettings>(
        "label = 'a'\nissuer = 'b'\naudience = 'c'\nrole_claim = 'd'",
    );
    assert!(unknown.is_err());
}
