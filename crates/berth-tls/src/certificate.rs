use std::path::Path;
use std::time::Duration;

use tracing::{error, warn};
use x509_parser::certificate::X509Certificate;
use x509_parser::time::ASN1Time;

use crate::TlsError;

/// How long before the end of a certificate its renewal must have gone wrong.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// A certificate out of its DER form.
pub(crate) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    match x509_parser::parse_x509_certificate(der) {
        Ok((_, certificate)) => Ok(certificate),
        Err(error) => Err(error.to_string()),
    }
}

/// When a certificate can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    begins: ASN1Time,
    ends: ASN1Time,
}

/// How a certificate stands in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    NotYet,
    Good,
    /// So many days are left.
    EndsSoon(u64),
    Ended,
}

impl Validity {
    pub(crate) fn of(path: &Path, der: &[u8]) -> Result<Self, TlsError> {
        let certificate = parse(der).map_err(|reason| TlsError::BrokenCertificate {
            path: path.to_owned(),
            reason,
        })?;
        let validity = certificate.validity();
        Ok(Self {
            begins: validity.not_before,
            ends: validity.not_after,
        })
    }

    /// The last moment at which it can be used.
    pub(crate) fn ends(&self) -> ASN1Time {
        self.ends
    }

    fn standing(&self, now: ASN1Time) -> Standing {
        let left = u64::try_from(self.ends.timestamp() - now.timestamp()).map(Duration::from_secs);
        match left {
            Err(_) => Standing::Ended,
            Ok(_) if now < self.begins => Standing::NotYet,
            Ok(left) if left < SOON => Standing::EndsSoon(left.as_secs() / (24 * 60 * 60)),
            Ok(_) => Standing::Good,
        }
    }

    /// Writes to the log if clients do not take the certificate now, or will not do so for long.
    pub(crate) fn warn(&self, path: &Path) {
        let Self { begins, ends } = self;
        let path = path.display();
        match self.standing(ASN1Time::now()) {
            Standing::Good => {}
            Standing::NotYet => error!(%path, %begins, "the TLS certificate is not valid yet"),
            Standing::Ended => error!(%path, %ends, "the TLS certificate has expired: renew it"),
            Standing::EndsSoon(days) => {
                warn!(%path, %ends, days, "the TLS certificate expires soon: renew it");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    #[test]
    fn a_certificate_stands_well_until_fourteen_days_before_its_end() {
        let at = |day: i64| ASN1Time::from_timestamp(day * DAY).unwrap();
        let validity = Validity {
            begins: at(100),
            ends: at(190),
        };
        for (day, standing) in [
            (99, Standing::NotYet),
            (100, Standing::Good),
            (176, Standing::Good),
            (177, Standing::EndsSoon(13)),
            (190, Standing::EndsSoon(0)),
            (191, Standing::Ended),
        ] {
            assert_eq!(validity.standing(at(day)), standing, "{day}");
        }
    }
}
