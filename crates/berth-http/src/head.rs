use std::net::IpAddr;

use berth_auth::{Gate, Presented};
use http::request::Parts;
use http::{HeaderValue, header};

use crate::Origins;
use crate::connection::Connection;
use crate::origin::Origin;

/// What is known of a request before its body is read.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) connection: &'a Connection,
    pub(crate) origin: &'a Origin,
    /// Names the request in the log.
    pub(crate) id: &'a HeaderValue,
}

impl<'a> Head<'a> {
    /// What it brings to prove who asks. Of two headers nobody knows which counts, so they prove nothing.
    pub(crate) fn presented(&self) -> Presented<'a> {
        let mut values = self
            .parts
            .headers
            .get_all(header::AUTHORIZATION)
            .iter()
            .map(|value| value.as_bytes());
        let first = values.next();
        Presented {
            authorization: match values.next() {
                Some(_) => Some(b""),
                None => first,
            },
            certificate: self.connection.certificate_name(),
        }
    }

    /// Whether a browser sends this for a page that is not of this registry, and it may change something. Browsers
    /// send the certificates and passwords that they have, and are let in by an open registry that only they reach.
    pub(crate) fn is_from_elsewhere(&self, origins: &Origins, gate: &Gate) -> bool {
        if self.parts.method.is_safe() {
            return false;
        }
        // Where nobody is asked who they are, a name is not enough: another site can have its own name lead here.
        let is_own = |value: &HeaderValue| match origins.public_url.is_some() || !gate.is_open() {
            true => self.origin.is_named_by(value),
            false => self.origin.is_named_by(value) && self.origin.is_on_an_address(),
        };
        let mut pages = self.parts.headers.get_all(header::ORIGIN).iter();
        pages.any(|page| !is_own(page))
    }

    /// The address of the client.
    pub(crate) fn client(&self) -> IpAddr {
        self.origin.client()
    }

    /// Whether it brings a bearer token, good or not.
    pub(crate) fn has_bearer_token(&self) -> bool {
        let scheme = self
            .presented()
            .authorization
            .and_then(|value| value.first_chunk::<7>());
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
    }
}
