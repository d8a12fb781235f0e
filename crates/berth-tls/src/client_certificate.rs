use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, UnixTime};
use x509_parser::time::ASN1Time;

use crate::certificate::parse;

/// Why a client's certificate names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unnamed {
    #[error("the client's certificate cannot be read")]
    Broken,
    #[error("the client's certificate has expired")]
    Expired,
    #[error("the client's certificate must have one common name (CN) in its subject")]
    NotOneName,
    #[error("the common name (CN) of the client's certificate is empty or not printable")]
    NotPrintable,
}

/// The common name of the subject of a certificate, if it is valid now. A name is not empty and without
/// control characters.
pub(crate) fn common_name(der: &[u8]) -> Result<String, Unnamed> {
    name_and_end(der).map(|(name, _)| name)
}

/// Its common name, and the last moment at which it is valid.
pub(crate) fn name_and_end(der: &[u8]) -> Result<(String, ASN1Time), Unnamed> {
    let certificate = parse(der).map_err(|_| Unnamed::Broken)?;
    // A session that is resumed brings a certificate that was verified when it began.
    if !certificate.validity().is_valid_at(ASN1Time::now()) {
        return Err(Unnamed::Expired);
    }
    let mut names = certificate.subject().iter_common_name();
    // With two it would depend on who reads them who this is.
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err(Unnamed::NotOneName);
    };
    match name.as_str() {
        Ok(name) if !name.is_empty() && !name.chars().any(char::is_control) => {
            Ok((name.to_owned(), certificate.validity().not_after))
        }
        _ => Err(Unnamed::NotPrintable),
    }
}

/// Lets clients in that present no certificate, or one of these authorities with a common name.
#[derive(Debug)]
pub(crate) struct NamedClients(Arc<dyn ClientCertVerifier>);

impl NamedClients {
    pub(crate) fn of(
        authorities: RootCertStore,
        provider: Arc<rustls::crypto::CryptoProvider>,
    ) -> Result<Self, String> {
        let builder = WebPkiClientVerifier::builder_with_provider(authorities.into(), provider);
        let verifier = builder.allow_unauthenticated().build();
        Ok(Self(verifier.map_err(|error| error.to_string())?))
    }
}

impl ClientCertVerifier for NamedClients {
    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now)?;
        match common_name(end_entity) {
            Ok(_) => Ok(verified),
            Err(unnamed) => Err(CertificateError::Other(OtherError(Arc::new(unnamed))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    fn certificate(names: &[&str], end: i32) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (index, name) in names.iter().enumerate() {
            // Only one value of each type is kept: the second is given another spelling of the type.
            let kind = match index {
                0 => DnType::CommonName,
                _ => DnType::CustomDnType(vec![2, 5, 4, 3]),
            };
            params.distinguished_name.push(kind, *name);
        }
        params.not_after = rcgen::date_time_ymd(end, 1, 1);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn one_printable_name_is_a_name() {
        let name = common_name(&certificate(&["Zoë of the build farm"], 4000));
        assert_eq!(name.as_deref(), Ok("Zoë of the build farm"));
    }

    #[test]
    fn whoever_has_no_name_two_or_one_that_cannot_be_shown_is_refused() {
        for (names, wrong) in [
            (&[][..], Unnamed::NotOneName),
            (&["alice", "bob"], Unnamed::NotOneName),
            (&[""], Unnamed::NotPrintable),
            (&["alice\nadmin"], Unnamed::NotPrintable),
        ] {
            let name = common_name(&certificate(names, 4000));
            assert_eq!(name, Err(wrong), "{names:?}");
        }
        let expired = common_name(&certificate(&["alice"], 2020));
        assert_eq!(expired, Err(Unnamed::Expired));
        assert_eq!(common_name(b"nonsense"), Err(Unnamed::Broken));
    }
}
