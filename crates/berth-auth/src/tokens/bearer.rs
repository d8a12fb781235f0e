use std::fmt;
use std::sync::Arc;

use jsonwebtoken::Header;

use super::jwt;
use super::oidc::OidcIssuer;
use super::rejection::Rejection;
use super::remote::TrustError;
use super::service::TokenService;
use super::token_server::TokenServer;
use super::verified::{Verified, VerifiedTokens};
use crate::{Caller, Challenge};

/// The types of access tokens of others: JWTs, and those of RFC 9068. In media types, the `application/` before them is optional
/// (RFC 7515, section 4.1.9).
const FOREIGN_TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// Everybody whose tokens are accepted. Tokens that were good lately are remembered, so that a client that pulls many layers
/// with one does not make its signature verified each time.
#[derive(Default)]
pub struct BearerTokens {
    /// The registry's own.
    pub own: Option<Arc<TokenService>>,
    /// Those of an external token server.
    pub server: Option<TokenServer>,
    /// Those of OpenID Connect issuers.
    pub issuers: Vec<OidcIssuer>,
    verified: VerifiedTokens,
}

impl BearerTokens {
    /// Accepts the tokens of these. An OpenID Connect issuer may be there several times, with other audiences.
    ///
    /// # Errors
    /// When nobody could tell whose a token is: the own service has no name, two of the three kinds have one issuer, or
    /// two issuers of OpenID Connect one label.
    pub fn new(
        own: Option<Arc<TokenService>>,
        server: Option<TokenServer>,
        issuers: Vec<OidcIssuer>,
    ) -> Result<Self, TrustError> {
        let tokens = Self {
            own,
            server,
            issuers,
            verified: VerifiedTokens::default(),
        };
        tokens.check()?;
        Ok(tokens)
    }

    fn check(&self) -> Result<(), TrustError> {
        let own = self.own.as_ref().map(|own| own.service());
        let server = self.server.as_ref();
        let server = server.map(|server| server.settings().issuer.as_str());
        if own == Some("") {
            return Err(wrong(
                "the token service has no name: give it one".to_owned(),
            ));
        }
        if own.is_some() && own == server {
            return Err(wrong(format!(
                "the external token server and the registry's own are both called {own:?}: call the own one otherwise"
            )));
        }
        for (position, issuer) in self.issuers.iter().enumerate() {
            let settings = issuer.settings();
            let issuer = Some(settings.issuer.as_str());
            if issuer == own || issuer == server {
                return Err(wrong(format!(
                    "the OpenID Connect issuer {} is called {:?} as a token server is: one of them must go, or be called otherwise",
                    settings.label, settings.issuer
                )));
            }
            let others = self.issuers.iter().take(position);
            let mut others = others.map(OidcIssuer::settings);
            if others.any(|other| other.label == settings.label && other.issuer != settings.issuer)
            {
                return Err(wrong(format!(
                    "two OpenID Connect issuers have the label {:?}: rules could not tell their subjects apart; give each its own",
                    settings.label
                )));
            }
        }
        Ok(())
    }

    /// Where clients are told to get tokens: from the external token server, or else from the registry itself. `Basic` if neither
    /// gives any.
    pub fn challenge(&self) -> Challenge {
        if let Some(server) = &self.server {
            return Challenge::Bearer {
                realm: Some(server.settings().realm.clone()),
                service: server.settings().service.clone(),
            };
        }
        match &self.own {
            Some(own) => Challenge::Bearer {
                realm: None,
                service: own.service().to_owned(),
            },
            None => Challenge::Basic,
        }
    }

    /// Tells whom a token stands for. Whoever the token says has issued it is asked, and nobody else.
    ///
    /// # Errors
    /// When it is not good, or keys cannot be had now.
    pub async fn verify(&self, token: &str) -> Result<Caller, Rejection> {
        let verified = self.verify_remembered(token).await?;
        Ok(Arc::unwrap_or_clone(verified.caller))
    }

    /// Tells too when the token ends.
    pub(crate) async fn verify_remembered(&self, token: &str) -> Result<Verified, Rejection> {
        // Before its hash is made.
        if token.len() > jwt::MAX_TOKEN_LENGTH {
            return Err(Rejection::TooLong);
        }
        if let Some(verified) = self.verified.get(token) {
            return Ok(verified);
        }
        let verified = self.verify_new(token).await?;
        self.verified.insert(token, &verified);
        Ok(verified)
    }

    async fn verify_new(&self, token: &str) -> Result<Verified, Rejection> {
        jwt::header(token)?;
        let issuer = jwt::unproven_issuer(token)?;
        if let Some(own) = self.own.as_ref().filter(|own| own.service() == issuer) {
            return own.verify_access(token).await;
        }
        let server = self.server.as_ref();
        if let Some(server) = server.filter(|server| server.settings().issuer == issuer) {
            return server.verify_access(token).await;
        }
        // One issuer may be there with several audiences.
        let mut rejection = Rejection::UnknownIssuer;
        let issuers = self.issuers.iter();
        for candidate in issuers.filter(|candidate| candidate.settings().issuer == issuer) {
            match candidate.verify_access(token).await {
                Ok(verified) => return Ok(verified),
                Err(error) => rejection = rejection.or(error),
            }
        }
        Err(rejection)
    }
}

fn wrong(text: String) -> TrustError {
    TrustError::Setting(text)
}

/// Without the tokens that it remembers.
impl fmt::Debug for BearerTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("BearerTokens");
        shown.field("own", &self.own.as_ref().map(|own| own.service()));
        shown.field(
            "server",
            &self.server.as_ref().map(|server| server.settings()),
        );
        let issuers: Vec<_> = self.issuers.iter().map(OidcIssuer::settings).collect();
        shown.field("issuers", &issuers);
        shown.finish_non_exhaustive()
    }
}

/// Refuses tokens of others that are JWTs, but say that they are no access tokens.
pub(super) fn check_type(header: &Header) -> Result<(), Rejection> {
    let Some(kind) = &header.typ else {
        return Ok(());
    };
    let kind = kind.strip_prefix("application/").unwrap_or(kind);
    let mut known = FOREIGN_TYPES.iter();
    match known.any(|known| known.eq_ignore_ascii_case(kind)) {
        true => Ok(()),
        false => Err(Rejection::OtherType),
    }
}
