//! Every kind of credential at a gate that knows them all.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use p256::elliptic_curve::Generate;
use p256::pkcs8::{EncodePrivateKey, LineEnding};
use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::memory_accounts::MemoryAccounts;
use crate::{
    Actions, BearerTokens, Grant, Groups, Htpasswd, Identity, OidcIssuer, OidcSettings, Patterns,
    RobotSecret, Rule, SigningKeyStore, StoreError, StoredKey, TokenService, TokenSettings,
};

#[derive(Default)]
struct MemoryKeys(Mutex<Vec<StoredKey>>);

#[async_trait]
impl SigningKeyStore for MemoryKeys {
    async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        Ok(self.0.lock().expect("keys").clone())
    }

    async fn add(&self, key: &StoredKey, _unless_since: SystemTime) -> Result<(), StoreError> {
        self.0.lock().expect("keys").push(key.clone());
        Ok(())
    }

    async fn forget(&self, _before: SystemTime) -> Result<(), StoreError> {
        Ok(())
    }
}

const RULES: &str = r#"
    rule = [
        { repositories = ["public/*"], who = ["anonymous"], actions = ["pull"] },
        { repositories = ["team/*"], who = ["alice", "oidc:ci:*"], actions = ["pull", "push"] },
    ]
"#;

#[derive(serde::Deserialize)]
struct Configuration {
    rule: Vec<Rule>,
}

struct Fixture {
    _folder: TempDir,
    accounts: Arc<MemoryAccounts>,
    robot: RobotSecret,
    /// Signs as the issuer of OpenID Connect.
    issuer: EncodingKey,
    gate: Gate,
}

impl Fixture {
    /// `filed` with the password `secret` in a file, `alice` with `correct horse` in the accounts, and the robot `ci`.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("passwords");
        let line = "filed:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n";
        fs::write(&path, line).expect("a file");
        let htpasswd = Htpasswd::load(path).expect("a password file");

        let accounts = Arc::new(MemoryAccounts::default());
        accounts.add_user("alice", "correct horse");
        let robot = accounts.add_robot("ci", robot_grants());

        let issuer = issuer_key();
        let own = TokenService::new(TokenSettings::default(), Arc::new(MemoryKeys::default()));
        let issuers = vec![oidc_issuer(&issuer, &folder)];
        let bearer = BearerTokens::new(Some(Arc::new(own)), None, issuers).expect("issuers");
        let read: Configuration = toml::from_str(RULES).expect("rules");
        let settings = GateSettings {
            htpasswd: Some(Arc::new(htpasswd)),
            accounts: Some(accounts.clone()),
            challenge: bearer.challenge(),
            bearer,
            rules: Rules::new(read.rule, Groups::default()),
        };
        Self {
            _folder: folder,
            accounts,
            robot,
            issuer,
            gate: Gate::new(settings).expect("random bytes"),
        }
    }

    async fn authenticate(&self, header: &str) -> Result<Caller, AuthenticationError> {
        let presented = Presented {
            authorization: Some(header.as_bytes()),
            certificate: None,
        };
        self.gate.authenticate(&presented).await
    }

    async fn name_of(&self, header: &str) -> String {
        let caller = self.authenticate(header).await.expect(header);
        assert!(caller.is_proven && caller.scope.is_none(), "{caller:?}");
        caller.identity.to_string()
    }

    async fn is_refused(&self, header: &str) -> bool {
        let caller = self.authenticate(header).await;
        matches!(caller, Err(AuthenticationError::Invalid))
    }

    fn oidc_token(&self) -> String {
        let claims = json!({
            "iss": "https://ci.example.com",
            "aud": "registry",
            "sub": "project-7",
            "exp": jsonwebtoken::get_current_timestamp() + 60,
        });
        let header = Header::new(Algorithm::ES256);
        jsonwebtoken::encode(&header, &claims, &self.issuer).expect("a token")
    }

    /// A token by `GET`.
    async fn get(&self, query: &str, header: Option<&str>) -> Result<TokenAnswer, TokenError> {
        let request = TokenRequest::from_query(query).expect("a request");
        let presented = Presented {
            authorization: header.map(str::as_bytes),
            certificate: None,
        };
        self.gate.token(request, &presented).await
    }

    /// A token by `POST`.
    async fn post(&self, form: &str) -> Result<TokenAnswer, TokenError> {
        let request = TokenRequest::from_form(form.as_bytes()).expect("a request");
        self.gate.token(request, &Presented::default()).await
    }

    async fn caller_of(&self, answer: &TokenAnswer) -> Caller {
        let header = bearer(answer.token.expose_secret());
        self.authenticate(&header).await.expect("a good token")
    }
}

fn robot_grants() -> Vec<Grant> {
    vec![Grant {
        repositories: Patterns::new(["team/*"]).expect("globs"),
        actions: Actions::from(Action::Delete),
    }]
}

fn issuer_key() -> EncodingKey {
    let key = p256::SecretKey::try_generate().expect("random bytes");
    let pem = key.to_pkcs8_pem(LineEnding::LF).expect("PEM");
    EncodingKey::from_ec_pem(pem.as_bytes()).expect("a key")
}

fn oidc_issuer(key: &EncodingKey, folder: &TempDir) -> OidcIssuer {
    let path = folder.path().join("keys.json");
    let key = Jwk::from_encoding_key(key, Algorithm::ES256).expect("a public key");
    fs::write(&path, json!({ "keys": [key] }).to_string()).expect("a file");
    let settings: OidcSettings = serde_json::from_value(json!({
        "label": "ci",
        "issuer": "https://ci.example.com",
        "audience": "registry",
        "jwks": path,
    }))
    .expect("settings");
    OidcIssuer::new(settings).expect("an issuer")
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn repository(name: &str) -> RepositoryName {
    name.parse().expect("a name")
}

#[tokio::test]
async fn every_credential_proves_its_identity() {
    let fixture = Fixture::new();
    let robot = fixture.robot.text().expose_secret().to_owned();
    let oidc = fixture.oidc_token();
    for (header, expected) in [
        (basic("filed", "secret"), "filed"),
        (basic("alice", "correct horse"), "alice"),
        (basic("", &robot), "token:ci"),
        (basic("alice", &robot), "token:ci"),
        (basic("whoever", &robot), "token:ci"),
        (bearer(&robot), "token:ci"),
        (basic("oidc", &oidc), "oidc:ci:project-7"),
        (bearer(&oidc), "oidc:ci:project-7"),
    ] {
        assert_eq!(fixture.name_of(&header).await, expected);
    }
}

#[tokio::test]
async fn what_proves_nothing_is_refused() {
    let fixture = Fixture::new();
    let robot = fixture.robot.text().expose_secret().to_owned();
    let oidc = fixture.oidc_token();
    for header in [
        basic("filed", "correct horse"),
        basic("nobody", "secret"),
        basic("oidc", "secret"),
        basic("alice", &oidc),
        bearer("secret"),
        bearer(&format!("{oidc}A")),
        bearer(&robot.replace("berth_", "berth-")),
        bearer(
            RobotSecret::generate()
                .expect("random bytes")
                .text()
                .expose_secret(),
        ),
    ] {
        assert!(fixture.is_refused(&header).await, "{header}");
    }
    for header in ["", "Basic", "Bearer", "Negotiate abc", "Basic \u{1}"] {
        let malformed = fixture.authenticate(header).await;
        assert!(
            matches!(malformed, Err(AuthenticationError::Malformed)),
            "{header}"
        );
    }
}

#[tokio::test]
async fn a_certificate_counts_where_there_is_no_header() {
    let fixture = Fixture::new();
    let good = basic("alice", "correct horse");
    let bad = basic("alice", "wrong");
    let present = async |header: Option<&str>, certificate| {
        let presented = Presented {
            authorization: header.map(str::as_bytes),
            certificate,
        };
        let caller = fixture.gate.authenticate(&presented).await;
        caller.map(|caller| (caller.identity.to_string(), caller.is_proven))
    };
    let by_certificate = present(None, Some("node-1")).await.expect("a caller");
    assert_eq!(by_certificate, ("certificate:node-1".to_owned(), true));
    let by_header = present(Some(&good), Some("node-1"))
        .await
        .expect("a caller");
    assert_eq!(by_header, ("alice".to_owned(), true));
    assert!(present(Some(&bad), Some("node-1")).await.is_err());
    let (longest, too_long) = ("a".repeat(255), "a".repeat(256));
    assert!(present(None, Some(&longest)).await.is_ok());
    for wrong in ["", "node\n1", "node\u{85}", too_long.as_str()] {
        let refused = present(None, Some(wrong)).await;
        assert!(matches!(refused, Err(AuthenticationError::Invalid)));
    }
    let by_nothing = present(None, None).await.expect("a caller");
    assert_eq!(by_nothing, ("anonymous".to_owned(), false));
}

#[tokio::test]
async fn a_request_says_whose_it_claims_to_be() {
    let long_name = basic(&"a".repeat(300), "correct horse");
    let basic = basic("alice", "correct horse");
    let shortened = "a".repeat(255);
    for (authorization, certificate, expected) in [
        (Some(long_name.as_str()), None, Some(shortened.as_str())),
        (Some(basic.as_str()), None, Some("alice")),
        (Some(basic.as_str()), Some("node-1"), Some("alice")),
        (None, Some("node-1"), Some("certificate:node-1")),
        (Some("Bearer abc"), Some("node-1"), None),
        (Some("nonsense"), Some("node-1"), None),
        (None, None, None),
    ] {
        let presented = Presented {
            authorization: authorization.map(str::as_bytes),
            certificate,
        };
        assert_eq!(presented.claimed_name().as_deref(), expected);
    }
}

#[tokio::test]
async fn a_token_allows_what_was_asked_as_far_as_the_rules_do() {
    let fixture = Fixture::new();
    let alice = basic("alice", "correct horse");
    let query = "service=berth&scope=repository:team/app:pull,push,delete&scope=repository:other:pull&scope=registry:catalog:*";
    let answer = fixture.get(query, Some(&alice)).await.expect("a token");
    assert_eq!(answer.identity.name(), Some("alice"));
    assert!(answer.refresh_token.is_none());

    let caller = fixture.caller_of(&answer).await;
    assert_eq!(caller.identity.name(), Some("alice"));
    let scope: Vec<String> = caller
        .scope
        .iter()
        .flatten()
        .map(Access::to_string)
        .collect();
    assert_eq!(
        scope,
        ["repository:team/app:pull,push", "registry:catalog:*"]
    );
    assert!(
        fixture
            .gate
            .may(&caller, &repository("team/app"), Action::Push)
    );
    let elsewhere = fixture
        .gate
        .decide(&caller, &repository("team/other"), Action::Push);
    assert_eq!(elsewhere, Decision::WiderScope);
}

#[tokio::test]
async fn who_presents_nothing_gets_a_token_of_nobody() {
    let fixture = Fixture::new();
    let query = "scope=repository:public/app:pull,push&scope=repository:team/app:pull";
    let answer = fixture.get(query, None).await.expect("a token");
    let caller = fixture.caller_of(&answer).await;
    assert_eq!(caller.identity, Identity::Anonymous);
    assert!(caller.is_proven);
    assert!(
        fixture
            .gate
            .may(&caller, &repository("public/app"), Action::Pull)
    );
    let push = fixture
        .gate
        .decide(&caller, &repository("public/app"), Action::Push);
    assert_eq!(push, Decision::Authenticate);
}

#[tokio::test]
async fn every_credential_but_an_access_token_gets_a_token() {
    let fixture = Fixture::new();
    let robot = fixture.robot.text().expose_secret().to_owned();
    let oidc = fixture.oidc_token();
    for (header, expected) in [
        (basic("filed", "secret"), "filed"),
        (basic("whoever", &robot), "token:ci"),
        (bearer(&robot), "token:ci"),
        (basic("oidc", &oidc), "oidc:ci:project-7"),
        (bearer(&oidc), "oidc:ci:project-7"),
    ] {
        let answer = fixture.get("", Some(&header)).await.expect("a token");
        let caller = fixture.caller_of(&answer).await;
        assert_eq!(caller.identity.name(), Some(expected));

        // With one token nobody gets the next, nor is it a password.
        let token = answer.token.expose_secret();
        for header in [bearer(token), basic("oidc", token), basic("alice", token)] {
            let next = fixture.get("", Some(&header)).await;
            assert!(matches!(next, Err(TokenError::InvalidGrant)), "{expected}");
        }
        assert!(fixture.is_refused(&basic("oidc", token)).await);
        assert!(fixture.is_refused(&basic("alice", token)).await);
    }
    for header in [basic("alice", "wrong"), bearer("abc")] {
        let refused = fixture.get("", Some(&header)).await;
        assert!(matches!(refused, Err(TokenError::InvalidGrant)), "{header}");
    }
}

#[tokio::test]
async fn the_token_of_a_robot_has_its_grants() {
    let fixture = Fixture::new();
    let robot = bearer(fixture.robot.text().expose_secret());
    let query = "scope=repository:team/app:pull,delete";
    let answer = fixture.get(query, Some(&robot)).await.expect("a token");
    let caller = fixture.caller_of(&answer).await;
    assert!(
        fixture
            .gate
            .may(&caller, &repository("team/app"), Action::Delete)
    );
    let pull = fixture
        .gate
        .decide(&caller, &repository("team/app"), Action::Pull);
    assert_eq!(pull, Decision::Hidden);
}

#[tokio::test]
async fn a_token_ends_with_what_it_was_issued_for() {
    let fixture = Fixture::new();
    let robot = fixture.robot.text().expose_secret().to_owned();
    let in_a_minute = SystemTime::now() + Duration::from_secs(60);
    fixture
        .accounts
        .expire("alice", fixture.robot.id(), in_a_minute);
    for (header, is_short) in [
        (basic("alice", "correct horse"), true),
        (bearer(&robot), true),
        (bearer(&fixture.oidc_token()), true),
        (bearer(&fixture.oidc_token()), true),
        (basic("oidc", &fixture.oidc_token()), true),
        (basic("filed", "secret"), false),
    ] {
        let query = "offline_token=true";
        let answer = fixture.get(query, Some(&header)).await.expect("a token");
        assert_eq!(answer.expires_in <= 60, is_short, "{}", answer.expires_in);
        let access = expiry(&answer.token);
        assert!(!is_short || access <= seconds_of(in_a_minute) + 1);
        if let Some(refresh) = answer.refresh_token {
            assert_eq!(expiry(&refresh) <= seconds_of(in_a_minute), is_short);
            let form = format!(
                "grant_type=refresh_token&refresh_token={}",
                refresh.expose_secret()
            );
            let again = fixture.post(&form).await.expect("a token");
            assert_eq!(again.expires_in <= 60, is_short);
        }
    }
}

fn seconds_of(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.expect("a time").as_secs()
}

fn expiry(token: &secrecy::SecretString) -> u64 {
    #[derive(serde::Deserialize)]
    struct Claims {
        exp: u64,
    }
    let token = token.expose_secret();
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Claims>(token);
    claims.expect("claims").exp
}

const LOGIN: &str =
    "grant_type=password&username=alice&password=correct+horse&service=berth&access_type=offline";

#[tokio::test]
async fn a_refresh_token_gets_tokens_until_the_password_changes() {
    let fixture = Fixture::new();
    let login = fixture.post(LOGIN).await.expect("a token");
    let refresh = login.refresh_token.expect("a refresh token");
    let form = format!(
        "grant_type=refresh_token&refresh_token={}&scope=repository:team/app:pull&access_type=offline",
        refresh.expose_secret()
    );
    let answer = fixture.post(&form).await.expect("a token");
    assert!(answer.refresh_token.is_none());
    let caller = fixture.caller_of(&answer).await;
    assert_eq!(caller.identity.name(), Some("alice"));
    assert!(
        fixture
            .gate
            .may(&caller, &repository("team/app"), Action::Pull)
    );
    // It is no access token, and no password.
    assert!(fixture.is_refused(&bearer(refresh.expose_secret())).await);
    assert!(
        fixture
            .is_refused(&basic("alice", refresh.expose_secret()))
            .await
    );

    fixture.accounts.add_user("alice", "battery staple");
    let refused = fixture.post(&form).await;
    assert!(matches!(refused, Err(TokenError::InvalidGrant)));
}

#[tokio::test]
async fn a_refresh_token_ends_with_its_account() {
    let fixture = Fixture::new();
    let robot = format!(
        "grant_type=password&username=x&password={}&access_type=offline",
        fixture.robot.text().expose_secret()
    );
    let filed = "grant_type=password&username=filed&password=secret&access_type=offline";
    let mut forms = Vec::new();
    for (form, name) in [(LOGIN, "alice"), (&robot, "token:ci"), (filed, "filed")] {
        let login = fixture.post(form).await.expect("a token");
        let refresh = login.refresh_token.expect("a refresh token");
        let form = format!(
            "grant_type=refresh_token&refresh_token={}",
            refresh.expose_secret()
        );
        let answer = fixture.post(&form).await.expect("a token");
        assert_eq!(answer.identity.name(), Some(name));
        forms.push(form);
    }
    fixture
        .accounts
        .expire("alice", fixture.robot.id(), SystemTime::now());
    for (form, is_over) in forms.iter().zip([true, true, false]) {
        let answer = fixture.post(form).await;
        assert_eq!(
            matches!(answer, Err(TokenError::InvalidGrant)),
            is_over,
            "{form}"
        );
    }
}

#[tokio::test]
async fn an_access_token_is_no_refresh_token() {
    let fixture = Fixture::new();
    let login = fixture.post(LOGIN).await.expect("a token");
    let form = format!(
        "grant_type=refresh_token&refresh_token={}",
        login.token.expose_secret()
    );
    let refused = fixture.post(&form).await;
    assert!(matches!(refused, Err(TokenError::InvalidGrant)));
}

#[tokio::test]
async fn who_has_no_password_gets_no_refresh_token() {
    let fixture = Fixture::new();
    let oidc = bearer(&fixture.oidc_token());
    for header in [None, Some(oidc.as_str())] {
        let answer = fixture
            .get("offline_token=true", header)
            .await
            .expect("a token");
        assert!(answer.refresh_token.is_none());
    }
    let alice = basic("alice", "correct horse");
    let answer = fixture
        .get("offline_token=true", Some(&alice))
        .await
        .expect("a token");
    assert!(answer.refresh_token.is_some());
}

#[tokio::test]
async fn a_wrong_password_in_a_form_is_refused() {
    let fixture = Fixture::new();
    for form in [
        "grant_type=password&username=alice&password=wrong",
        "grant_type=password&username=nobody&password=secret",
        "grant_type=refresh_token&refresh_token=abc",
    ] {
        let refused = fixture.post(form).await;
        assert!(matches!(refused, Err(TokenError::InvalidGrant)), "{form}");
    }
    let other = fixture.get("service=other", None).await;
    assert!(matches!(other, Err(TokenError::InvalidRequest(_))));
}

#[tokio::test]
async fn a_gate_without_a_token_service_issues_none() {
    let closed = Gate::new(GateSettings::default()).expect("random bytes");
    for gate in [Gate::open(), closed] {
        assert!(!gate.issues_tokens());
        let request = TokenRequest::from_query("").expect("a request");
        let answer = gate.token(request, &Presented::default()).await;
        assert!(matches!(answer, Err(TokenError::InvalidRequest(_))));
    }
    let fixture = Fixture::new();
    assert!(fixture.gate.issues_tokens());
    let challenges = fixture.gate.challenges("http://localhost", &[], None);
    assert_eq!(
        challenges,
        [r#"Bearer realm="http://localhost/token",service="berth""#]
    );
}

#[tokio::test]
async fn an_open_gate_looks_at_no_credential() {
    let presented = Presented {
        authorization: Some(b"Basic nonsense"),
        certificate: Some("node-1"),
    };
    let caller = Gate::open()
        .authenticate(&presented)
        .await
        .expect("a caller");
    assert_eq!(caller, Caller::anonymous());
}

#[tokio::test]
async fn nothing_shows_a_secret() {
    let fixture = Fixture::new();
    let header = basic("alice", "correct horse");
    let presented = Presented {
        authorization: Some(header.as_bytes()),
        certificate: None,
    };
    let caller = fixture
        .gate
        .authenticate(&presented)
        .await
        .expect("a caller");
    let request = TokenRequest::from_form(LOGIN.as_bytes()).expect("a request");
    let answer = fixture.post(LOGIN).await.expect("a token");
    let user = fixture.accounts.content().users["alice"].clone();
    let token = fixture.accounts.content().tokens[fixture.robot.id()].clone();
    let stored = StoredKey {
        id: "1".to_owned(),
        private_key: "PRIVATE KEY".into(),
        created_at: SystemTime::now(),
    };
    let secrets = [
        header.trim_start_matches("Basic "),
        "correct horse",
        "correct+horse",
        user.password_hash.expose_secret(),
        token.secret_hash.expose_secret(),
        fixture.robot.secret().expose_secret(),
        answer.token.expose_secret(),
        answer
            .refresh_token
            .as_ref()
            .expect("a refresh token")
            .expose_secret(),
        "PRIVATE KEY",
    ];
    let refused = fixture
        .authenticate(&basic("alice", "wrong password"))
        .await;
    let refused = refused.expect_err("an error");
    let shown = [
        format!("{presented:?}"),
        format!("{caller:?}"),
        format!("{request:?}"),
        format!("{answer:?}"),
        format!("{user:?}"),
        format!("{token:?}"),
        format!("{stored:?}"),
        format!("{:?}", fixture.robot),
        format!("{:?}", fixture.gate),
        format!("{refused:?} {refused}"),
    ];
    for text in shown {
        for secret in secrets {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(
            !text.contains("$argon2") && !text.contains("wrong password"),
            "{text}"
        );
    }
}
