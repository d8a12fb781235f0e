use std::borrow::Cow;

use secrecy::SecretString;

use super::token_error::TokenError;
use crate::Access;

/// The longest query or form of a token request that is read, in bytes.
pub const MAX_REQUEST_LENGTH: usize = 16 * 1024;

/// How many scopes a token request may have.
pub const MAX_SCOPES: usize = 64;

/// A request for a token, by either of the two ways that clients of Docker registries know.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// For which registry, as the challenge calls it.
    pub service: Option<String>,
    /// What the token shall allow. Scopes that this registry does not have are left out.
    pub scopes: Vec<Access>,
    /// Who the client says is asking; the credential proves it, or not.
    pub account: Option<String>,
    /// What the client calls itself.
    pub client_id: Option<String>,
    /// What proves who asks.
    pub grant: TokenGrant,
    /// Whether a refresh token is asked for too.
    pub is_offline: bool,
}

/// What proves who asks for a token.
#[derive(Clone, Debug)]
pub enum TokenGrant {
    /// The header `Authorization`; without one it is somebody anonymous.
    Header,
    /// Name and password (RFC 6749, section 4.3).
    Password {
        /// The name of a user.
        username: String,
        /// Its password.
        password: SecretString,
    },
    /// A refresh token (RFC 6749, section 6).
    RefreshToken(SecretString),
}

/// The parameters of either way.
#[derive(Default)]
struct Parameters {
    service: Option<String>,
    scopes: Vec<String>,
    account: Option<String>,
    client_id: Option<String>,
    offline_token: Option<String>,
    access_type: Option<String>,
    grant_type: Option<String>,
    username: Option<String>,
    password: Option<SecretString>,
    refresh_token: Option<SecretString>,
}

impl TokenRequest {
    /// Reads the query of a `GET`, without the `?`: `service`, `scope` (several times, or several in one with spaces between),
    /// `account`, `client_id` and `offline_token`.
    ///
    /// # Errors
    /// [`TokenError::InvalidRequest`].
    pub fn from_query(query: &str) -> Result<Self, TokenError> {
        let parameters = Parameters::read(query.as_bytes())?;
        let is_offline = parameters.offline_token.as_deref() == Some("true");
        Ok(parameters.request(TokenGrant::Header, is_offline))
    }

    /// Reads the body of a `POST`, an `application/x-www-form-urlencoded` form: `grant_type`, `service`, `scope`, `client_id`,
    /// `access_type`, and `username` with `password` or `refresh_token`.
    ///
    /// # Errors
    /// [`TokenError::InvalidRequest`] and [`TokenError::UnsupportedGrantType`].
    pub fn from_form(body: &[u8]) -> Result<Self, TokenError> {
        let mut parameters = Parameters::read(body)?;
        let is_offline = parameters.access_type.as_deref() == Some("offline");
        let grant_type = parameters.grant_type.take();
        let grant = match required(grant_type, "grant_type")?.as_str() {
            "password" => TokenGrant::Password {
                username: required(parameters.username.take(), "username")?,
                password: required(parameters.password.take(), "password")?,
            },
            "refresh_token" => {
                let token = parameters.refresh_token.take();
                TokenGrant::RefreshToken(required(token, "refresh_token")?)
            }
            _ => return Err(TokenError::UnsupportedGrantType),
        };
        Ok(parameters.request(grant, is_offline))
    }
}

impl Parameters {
    fn read(text: &[u8]) -> Result<Self, TokenError> {
        if text.len() > MAX_REQUEST_LENGTH {
            return Err(invalid(format!(
                "the request is longer than {MAX_REQUEST_LENGTH} bytes: ask for fewer repositories at a time"
            )));
        }
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(text) {
            parameters.add(&name, value)?;
        }
        match parameters.scopes.len() > MAX_SCOPES {
            true => Err(invalid(format!(
                "the request has more than {MAX_SCOPES} scopes: ask for fewer repositories at a time"
            ))),
            false => Ok(parameters),
        }
    }

    /// Parameters that nobody knows are ignored (RFC 6749, section 3.2).
    fn add(&mut self, name: &str, value: Cow<'_, str>) -> Result<(), TokenError> {
        match name {
            "scope" => self
                .scopes
                .extend(value.split(' ').filter(is_there).map(str::to_owned)),
            "service" => once(&mut self.service, name, value.into_owned())?,
            "account" => once(&mut self.account, name, value.into_owned())?,
            "client_id" => once(&mut self.client_id, name, value.into_owned())?,
            "offline_token" => once(&mut self.offline_token, name, value.into_owned())?,
            "access_type" => once(&mut self.access_type, name, value.into_owned())?,
            "grant_type" => once(&mut self.grant_type, name, value.into_owned())?,
            "username" => once(&mut self.username, name, value.into_owned())?,
            "password" => once(&mut self.password, name, value.into_owned().into())?,
            "refresh_token" => once(&mut self.refresh_token, name, value.into_owned().into())?,
            _ => {}
        }
        Ok(())
    }

    fn request(self, grant: TokenGrant, is_offline: bool) -> TokenRequest {
        let scopes = self.scopes.iter().filter_map(|scope| Access::parse(scope));
        TokenRequest {
            scopes: scopes.collect(),
            service: self.service,
            account: self.account,
            client_id: self.client_id,
            grant,
            is_offline,
        }
    }
}

fn is_there(scope: &&str) -> bool {
    !scope.is_empty()
}

fn once<T>(parameter: &mut Option<T>, name: &str, value: T) -> Result<(), TokenError> {
    match parameter.replace(value) {
        Some(_) => Err(invalid(format!("{name} is given more than once"))),
        None => Ok(()),
    }
}

fn required<T>(parameter: Option<T>, name: &str) -> Result<T, TokenError> {
    parameter.ok_or_else(|| invalid(format!("{name} is missing")))
}

fn invalid(text: String) -> TokenError {
    TokenError::InvalidRequest(text)
}
