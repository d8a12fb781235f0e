use std::fs;
use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use reqwest::Certificate;
use reqwest::blocking::ClientBuilder;
use tempfile::TempDir;

use crate::harness::{Berth, client_trusting};

/// Who signs the certificates of a test, and the folder that they are in.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key in the PEM format.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap());
        let authority = Self {
            issuer: issuer.unwrap(),
            folder: tempfile::tempdir().unwrap(),
        };
        fs::write(authority.path("ca.crt"), authority.issuer.pem()).unwrap();
        authority
    }

    /// Makes a certificate for a server on this machine.
    pub(crate) fn server(&self) -> Pair {
        self.sign(CertificateParams::new(["127.0.0.1".to_owned()]).unwrap())
    }

    /// Makes a certificate for a client with this common name.
    pub(crate) fn client(&self, name: &str) -> Pair {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        self.sign(params)
    }

    pub(crate) fn sign(&self, params: CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        Pair {
            certificate: signed.pem(),
            key: key.serialize_pem(),
            der: signed.der().to_vec(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes what a server is started with.
    pub(crate) fn write(&self, pair: &Pair) {
        fs::write(self.path("tls.crt"), &pair.certificate).unwrap();
        fs::write(self.path("tls.key"), &pair.key).unwrap();
    }

    /// Options for a server with the certificate that was written.
    pub(crate) fn options(&self) -> Vec<String> {
        let path = |name| self.path(name).to_str().unwrap().to_owned();
        vec![
            "--tls-certificate".to_owned(),
            path("tls.crt"),
            "--tls-key".to_owned(),
            path("tls.key"),
        ]
    }

    /// A server with a new certificate, and a client that trusts it.
    pub(crate) fn start(&self, options: &[&str]) -> Berth {
        self.write(&self.server());
        self.start_with_what_is_there(options)
    }

    pub(crate) fn start_with_what_is_there(&self, options: &[&str]) -> Berth {
        let own = self.options();
        let all: Vec<&str> = own
            .iter()
            .map(String::as_str)
            .chain(options.iter().copied())
            .collect();
        let mut berth = Berth::start_with(&all);
        berth.client = self.trusting().build().unwrap();
        berth
    }

    /// A client that trusts the servers of this authority.
    pub(crate) fn trusting(&self) -> ClientBuilder {
        let certificate = Certificate::from_pem(self.issuer.pem().as_bytes()).unwrap();
        client_trusting([certificate])
    }
}
