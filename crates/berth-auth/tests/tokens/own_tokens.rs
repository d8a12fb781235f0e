//! What the registry issues, it accepts, for what it was issued.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use berth_auth::{
    Access, Action, Actions, BearerTokens, Caller, Fingerprint, Grant, Identity, MAX_TOKEN_LENGTH,
    Named, Patterns, Refresh, RefreshSubject, Rejection, Rules, TokenError, TokenRequest,
    TokenService, TokenSettings, granted,
};
use secrecy::{ExposeSecret, SecretString};

use crate::forging::part;
use crate::signing_key_store::MemoryKeys;

fn service() -> TokenService {
    TokenService::new(TokenSettings::default(), Arc::new(MemoryKeys::default()))
}

fn scope(texts: &[&str]) -> Vec<Access> {
    texts
        .iter()
        .map(|text| Access::parse(text).unwrap())
        .collect()
}

async fn issued(service: &TokenService, identity: &Identity, scope: &[Access]) -> SecretString {
    service.issue(identity, scope, None).await.unwrap().token
}

#[tokio::test]
async fn a_token_stands_for_its_identity_within_its_scope() {
    let service = service();
    let alice = Identity::Named(Named {
        name: "alice".to_owned(),
        groups: ["staff".to_owned()].into(),
        grants: None,
    });
    let scope = scope(&["repository:team/app:pull,push", "registry:catalog:*"]);
    let token = issued(&service, &alice, &scope).await;

    let caller = service.verify(token.expose_secret()).await.unwrap();
    let expected = Caller {
        identity: alice,
        scope: Some(scope),
        is_proven: true,
    };
    assert_eq!(caller, expected);
    // A token for one repository is none for another.
    assert!(caller.reaches(&"team/app".parse().unwrap(), Action::Push));
    assert!(!caller.reaches(&"team/app".parse().unwrap(), Action::Delete));
    assert!(!caller.reaches(&"team/other".parse().unwrap(), Action::Pull));
}

#[tokio::test]
async fn a_token_is_a_jwt_as_docker_registries_know_it() {
    let service = service();
    let token = issued(
        &service,
        &Identity::named("alice"),
        &scope(&["repository:a:pull"]),
    )
    .await;
    let (header, claims) = (
        part(token.expose_secret(), 0),
        part(token.expose_secret(), 1),
    );
    assert_eq!(header["alg"], "ES256");
    assert_eq!(header["typ"], "JWT");
    assert!(header["kid"].is_string());
    assert_eq!(claims["iss"], "berth");
    assert_eq!(claims["aud"], "berth");
    assert_eq!(claims["sub"], "alice");
    let (from, to) = (
        claims["nbf"].as_u64().unwrap(),
        claims["exp"].as_u64().unwrap(),
    );
    assert_eq!(to - from, 300);
    let access = serde_json::json!([{ "type": "repository", "name": "a", "actions": ["pull"] }]);
    assert_eq!(claims["access"], access);
}

#[tokio::test]
async fn a_token_of_nobody_is_proven_and_anonymous() {
    let service = service();
    let token = issued(
        &service,
        &Identity::Anonymous,
        &scope(&["repository:a:pull"]),
    )
    .await;
    assert!(part(token.expose_secret(), 1).get("sub").is_none());
    let caller = service.verify(token.expose_secret()).await.unwrap();
    assert!(caller.identity.is_anonymous() && caller.is_proven);
}

#[tokio::test]
async fn a_robots_grants_are_in_its_token() {
    let service = service();
    let robot = Identity::Named(Named {
        name: "token:ci".to_owned(),
        groups: Default::default(),
        grants: Some(vec![Grant {
            repositories: Patterns::new(["team/**"]).unwrap(),
            actions: Action::Push.into(),
        }]),
    });
    let token = issued(&service, &robot, &[]).await;
    let caller = service.verify(token.expose_secret()).await.unwrap();
    assert_eq!(caller.identity, robot);
}

#[tokio::test]
async fn a_refresh_token_is_no_access_token_and_the_reverse() {
    let service = service();
    for subject in [
        RefreshSubject::User("alice".to_owned()),
        RefreshSubject::Robot("00ff".to_owned()),
    ] {
        let fingerprint = Fingerprint::of(&SecretString::from("$argon2id$first"));
        let refresh = Refresh {
            subject,
            fingerprint,
        };
        let alice = Identity::named("alice");
        let answer = service.issue(&alice, &[], Some(&refresh)).await.unwrap();
        let refresh_token = answer.refresh_token.unwrap();
        assert_eq!(
            service.verify_refresh(&refresh_token).await.unwrap(),
            refresh
        );

        let as_access = service.verify(refresh_token.expose_secret()).await;
        assert!(matches!(as_access, Err(Rejection::OtherType)));
        let as_refresh = service.verify_refresh(&answer.token).await;
        assert!(matches!(as_refresh, Err(Rejection::OtherType)));
    }
}

#[test]
fn a_new_password_has_another_fingerprint() {
    let of = |hash: &str| Fingerprint::of(&SecretString::from(hash));
    assert_eq!(of("$argon2id$first"), of("$argon2id$first"));
    assert_ne!(of("$argon2id$first"), of("$argon2id$second"));
}

#[tokio::test]
async fn no_access_token_lives_for_more_than_an_hour() {
    let settings = TokenSettings {
        token_lifetime: Duration::MAX,
        refresh_lifetime: Duration::MAX,
        ..TokenSettings::default()
    };
    let service = TokenService::new(settings, Arc::new(MemoryKeys::default()));
    let answer = service.issue(&Identity::Anonymous, &[], None).await;
    let answer = answer.unwrap();
    assert_eq!(answer.expires_in, 3600);
    let claims = part(answer.token.expose_secret(), 1);
    let (from, to) = (claims["nbf"].as_u64(), claims["exp"].as_u64());
    assert_eq!(to.unwrap() - from.unwrap(), 3600);
}

#[tokio::test]
async fn a_token_of_another_service_is_not_accepted() {
    let store = Arc::new(MemoryKeys::default());
    let settings = TokenSettings {
        service: "other".to_owned(),
        ..TokenSettings::default()
    };
    let other = TokenService::new(settings, store.clone());
    let service = TokenService::new(TokenSettings::default(), store);
    let token = issued(&other, &Identity::named("alice"), &[]).await;
    assert!(other.verify(token.expose_secret()).await.is_ok());
    let rejection = service.verify(token.expose_secret()).await.unwrap_err();
    assert!(matches!(rejection, Rejection::Invalid(_)), "{rejection}");
}

#[tokio::test]
async fn a_token_that_would_be_too_long_is_not_issued() {
    let service = service();
    let scope: Vec<Access> = (0..200)
        .map(|number| Access::parse(&format!("repository:team/app-{number}:pull")).unwrap())
        .collect();
    let refused = service.issue(&Identity::Anonymous, &scope, None).await;
    assert!(matches!(refused, Err(TokenError::InvalidRequest(_))));
    let token = issued(&service, &Identity::Anonymous, &scope[..60]).await;
    assert!(token.expose_secret().len() < MAX_TOKEN_LENGTH);
}

#[tokio::test]
async fn an_answer_shows_its_tokens_in_json_and_nowhere_else() {
    let service = service();
    let refresh = Refresh {
        subject: RefreshSubject::User("alice".to_owned()),
        fingerprint: Fingerprint::of(&SecretString::from("hash")),
    };
    let alice = Identity::named("alice");
    let answer = service.issue(&alice, &[], Some(&refresh)).await.unwrap();
    let json = serde_json::to_value(&answer).unwrap();
    assert_eq!(json["token"], json["access_token"]);
    assert_eq!(json["token"], answer.token.expose_secret());
    assert_eq!(json["expires_in"], 300);
    assert!(json["issued_at"].as_str().unwrap().ends_with('Z'));
    assert!(json["refresh_token"].is_string());
    let shown = format!("{answer:?}");
    assert!(!shown.contains("eyJ"), "{shown}");
}

#[test]
fn what_is_granted_is_asked_and_allowed() {
    let rules = Rules::new(
        vec![berth_auth::Rule {
            repositories: Patterns::new(["team/*"]).unwrap(),
            who: vec!["alice".to_owned().try_into().unwrap()],
            actions: [Action::Pull, Action::Push].into_iter().collect(),
        }],
        Default::default(),
    );
    let asked = scope(&[
        "repository:team/app:pull",
        "repository:secret/app:pull,push",
        "repository:team/app:push,delete",
        "registry:catalog:*",
    ]);
    let alice = Caller::proven(Identity::named("alice"));
    let all = scope(&["repository:team/app:pull,push", "registry:catalog:*"]);
    assert_eq!(granted(&rules, &alice, &asked), all);
    assert_eq!(granted(&rules, &Caller::anonymous(), &asked), []);

    // Nobody gets more with a token than the token gives.
    let narrow = Caller {
        scope: Some(scope(&["repository:team/app:pull"])),
        ..alice
    };
    assert_eq!(
        granted(&rules, &narrow, &asked),
        scope(&["repository:team/app:pull"])
    );
    let root = berth_auth::Rule {
        repositories: Patterns::all(),
        who: vec!["root".to_owned().try_into().unwrap()],
        actions: Actions::ALL,
    };
    let root_pushes = Caller {
        scope: Some(scope(&["repository:team/app:push"])),
        ..Caller::proven(Identity::named("root"))
    };
    let everything = scope(&["repository:team/app:admin"]);
    assert_eq!(
        granted(
            &Rules::new(vec![root], Default::default()),
            &root_pushes,
            &everything
        ),
        scope(&["repository:team/app:push"])
    );
    let nothing = Access::Repository {
        name: "team/app".parse().unwrap(),
        actions: Actions::NONE,
    };
    assert_eq!(granted(&rules, &narrow, &[nothing]), []);
}

#[test]
fn a_request_for_another_service_is_refused() {
    let service = service();
    for (query, is_ours) in [
        ("", true),
        ("service=", true),
        ("service=berth", true),
        ("service=other", false),
    ] {
        let request = TokenRequest::from_query(query).unwrap();
        assert_eq!(service.check(&request).is_ok(), is_ours, "{query}");
    }
}

#[tokio::test]
async fn a_remembered_token_costs_no_signature() {
    let store = Arc::new(MemoryKeys::default());
    let service = Arc::new(TokenService::new(TokenSettings::default(), store.clone()));
    let bearers = BearerTokens::new(Some(Arc::clone(&service)), None, Vec::new()).unwrap();
    let token = issued(
        &service,
        &Identity::named("alice"),
        &scope(&["repository:a:pull"]),
    )
    .await;
    let token = token.expose_secret();
    let proven = bearers.verify(token).await.unwrap();

    let first = timed(|| service.verify(token)).await;
    let again = timed(|| bearers.verify(token)).await;
    println!("a signature is verified in {first:?}, a token remembered in {again:?}");
    assert_eq!(bearers.verify(token).await.unwrap(), proven);
    assert!(again < first);
    // Neither asks the store each time.
    assert!(store.reads.load(Ordering::Relaxed) <= 2);
}

async fn timed<F: Future<Output = Result<Caller, Rejection>>>(verify: impl Fn() -> F) -> Duration {
    const TIMES: u32 = 200;
    let start = Instant::now();
    for _ in 0..TIMES {
        verify().await.unwrap();
    }
    start.elapsed() / TIMES
}

#[tokio::test]
async fn a_token_is_forgotten_when_it_expires() {
    let settings = TokenSettings {
        token_lifetime: Duration::ZERO,
        ..TokenSettings::default()
    };
    let store = Arc::new(MemoryKeys::default());
    let service = Arc::new(TokenService::new(settings, store.clone()));
    let bearers = BearerTokens::new(Some(Arc::clone(&service)), None, Vec::new()).unwrap();
    issued(&service, &Identity::Anonymous, &[]).await;
    // A second of the leeway is left.
    let (id, key) = store.signer();
    let now = crate::forging::now();
    let header = serde_json::json!({ "alg": "ES256", "typ": "JWT", "kid": id });
    let claims = serde_json::json!({
        "iss": "berth", "aud": "berth", "sub": "alice", "jti": "1", "access": [],
        "nbf": now - 60, "iat": now - 60, "exp": now - 29,
    });
    let token = crate::forging::signed(
        &header.to_string(),
        &claims.to_string(),
        &key,
        jsonwebtoken::Algorithm::ES256,
    );
    assert!(bearers.verify(&token).await.is_ok());
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let later = bearers.verify(&token).await;
    assert!(matches!(later, Err(Rejection::Expired)));
}
