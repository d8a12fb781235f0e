//! What clients of Docker registries ask, and what nobody should.

use berth_auth::{MAX_REQUEST_LENGTH, MAX_SCOPES, TokenError, TokenGrant, TokenRequest};
use proptest::prelude::*;
use secrecy::ExposeSecret;

fn scopes(request: &TokenRequest) -> Vec<String> {
    request.scopes.iter().map(ToString::to_string).collect()
}

fn code(result: Result<TokenRequest, TokenError>) -> &'static str {
    result.unwrap_err().code()
}

#[test]
fn a_query_is_read() {
    let request = TokenRequest::from_query(
        "account=alice&client_id=docker&offline_token=true&service=berth\
         &scope=repository%3Ateam%2Fapp%3Apull%2Cpush&scope=repository:base:pull+registry:catalog:*",
    );
    let request = request.unwrap();
    assert_eq!(request.account.as_deref(), Some("alice"));
    assert_eq!(request.client_id.as_deref(), Some("docker"));
    assert_eq!(request.service.as_deref(), Some("berth"));
    assert!(request.is_offline);
    assert!(matches!(request.grant, TokenGrant::Header));
    assert_eq!(
        scopes(&request),
        [
            "repository:team/app:pull,push",
            "repository:base:pull",
            "registry:catalog:*"
        ]
    );
}

#[test]
fn an_empty_query_asks_for_a_token_that_allows_nothing() {
    let request = TokenRequest::from_query("").unwrap();
    assert!(request.scopes.is_empty() && !request.is_offline);
}

#[test]
fn scopes_that_nobody_has_are_left_out() {
    let request = TokenRequest::from_query(
        "scope=repository:UPPER:pull&scope=repository:a:fly&scope=planet:a:pull&scope=repository:../a:pull&scope=repository:a:pull,fly",
    );
    assert_eq!(scopes(&request.unwrap()), ["repository:a:pull"]);
}

#[test]
fn a_password_form_is_read() {
    let request = TokenRequest::from_form(
        b"grant_type=password&username=alice&password=p%26+w&service=berth&client_id=containerd\
          &scope=repository:a:pull%20repository:b:push&access_type=offline",
    );
    let request = request.unwrap();
    assert!(request.is_offline);
    assert_eq!(scopes(&request), ["repository:a:pull", "repository:b:push"]);
    let TokenGrant::Password { username, password } = &request.grant else {
        panic!("{request:?}");
    };
    assert_eq!(username, "alice");
    assert_eq!(password.expose_secret(), "p& w");
    assert!(!format!("{request:?}").contains("p& w"));
}

#[test]
fn a_refresh_form_is_read() {
    let request = TokenRequest::from_form(b"grant_type=refresh_token&refresh_token=abc");
    let request = request.unwrap();
    let TokenGrant::RefreshToken(token) = &request.grant else {
        panic!("{request:?}");
    };
    assert_eq!(token.expose_secret(), "abc");
    assert!(!format!("{request:?}").contains("abc"));
}

#[test]
fn what_cannot_be_read_has_the_codes_of_oauth() {
    let form = |text: &str| code(TokenRequest::from_form(text.as_bytes()));
    assert_eq!(form(""), "invalid_request");
    assert_eq!(
        form("grant_type=client_credentials"),
        "unsupported_grant_type"
    );
    assert_eq!(
        form("grant_type=password&username=alice"),
        "invalid_request"
    );
    assert_eq!(form("grant_type=password&password=p"), "invalid_request");
    assert_eq!(form("grant_type=refresh_token"), "invalid_request");
    let twice = "grant_type=password&username=alice&username=bob&password=p";
    assert_eq!(form(twice), "invalid_request");
    assert_eq!(
        code(TokenRequest::from_query("service=a&service=b")),
        "invalid_request"
    );
}

#[test]
fn a_request_has_limits() {
    let scope = "scope=repository:a:pull&";
    assert!(TokenRequest::from_query(&scope.repeat(MAX_SCOPES)).is_ok());
    let many = scope.repeat(MAX_SCOPES + 1);
    assert_eq!(code(TokenRequest::from_query(&many)), "invalid_request");
    let in_one = format!("scope={}", "repository:a:pull+".repeat(MAX_SCOPES + 1));
    assert_eq!(code(TokenRequest::from_query(&in_one)), "invalid_request");
    let long = format!("account={}", "a".repeat(MAX_REQUEST_LENGTH));
    assert_eq!(code(TokenRequest::from_query(&long)), "invalid_request");
}

#[test]
fn an_error_is_json_that_docker_and_oauth_understand() {
    let error = serde_json::to_value(TokenError::InvalidGrant).unwrap();
    assert_eq!(error["error"], "invalid_grant");
    assert_eq!(error["error_description"], error["details"]);
    assert_eq!(TokenError::InvalidGrant.status(), 401);
    assert_eq!(TokenError::UnsupportedGrantType.status(), 400);
}

proptest! {
    #[test]
    fn no_request_is_read_with_more_than_it_may_have(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let form = TokenRequest::from_form(&bytes);
        prop_assert!(form.is_err() || form.unwrap().scopes.len() <= MAX_SCOPES);
        let query = TokenRequest::from_query(&String::from_utf8_lossy(&bytes));
        prop_assert!(query.is_err() || query.unwrap().scopes.len() <= MAX_SCOPES);
    }
}
