use secrecy::ExposeSecret;

use crate::credentials::Credentials;
use crate::names::shortened;
use crate::{Presented, RobotSecret};

impl Presented<'_> {
    /// Under which name it counts if what was presented turns out to be wrong: the user's, as the client sent it, known or
    /// not, but no more than 255 bytes of it; empty for the secret of a robot, which needs no name. `None` where nothing is presented that somebody could have
    /// guessed: signed tokens and certificates.
    ///
    /// ```
    /// use berth_auth::Presented;
    ///
    /// // alice:secret
    /// let header: &[u8] = b"Basic YWxpY2U6c2VjcmV0";
    /// let presented = Presented { authorization: Some(header), certificate: None };
    /// assert_eq!(presented.login_name().as_deref(), Some("alice"));
    /// ```
    pub fn login_name(&self) -> Option<String> {
        match Credentials::parse(self.authorization?)? {
            Credentials::Basic { name, .. } => Some(shortened(name)),
            Credentials::Bearer(token) => {
                RobotSecret::parse(token.expose_secret()).map(|_| String::new())
            }
        }
    }

    /// Whether the header, if there is one, is as its scheme says, and the scheme is known.
    pub fn is_readable(&self) -> bool {
        let header = self.authorization;
        header.is_none_or(|header| Credentials::parse(header).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(header: &[u8]) -> Option<String> {
        let presented = Presented {
            authorization: Some(header),
            certificate: None,
        };
        presented.login_name()
    }

    #[test]
    fn what_can_be_guessed_has_a_name() {
        assert_eq!(name_of(b"Basic YWxpY2U6c2VjcmV0").as_deref(), Some("alice"));
        // `a` 300 times, and `:`.
        let long = format!("Basic {}Og==", "YWFh".repeat(100));
        assert_eq!(name_of(long.as_bytes()), Some("a".repeat(255)));
        let robot = RobotSecret::generate().expect("random bytes");
        let header = format!("Bearer {}", robot.text().expose_secret());
        assert_eq!(name_of(header.as_bytes()).as_deref(), Some(""));
    }

    #[test]
    fn what_cannot_has_none() {
        for header in [&b"Bearer a.b.c"[..], b"Bearer berth_a", b"Basic !", b""] {
            assert_eq!(name_of(header), None);
            let presented = Presented {
                authorization: Some(header),
                certificate: None,
            };
            assert_eq!(presented.is_readable(), header.starts_with(b"Bearer"));
        }
        let certificate = Presented {
            authorization: None,
            certificate: Some("alice"),
        };
        assert_eq!(certificate.login_name(), None);
    }
}
