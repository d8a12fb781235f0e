use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use berth_tls::TlsFiles;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;

/// Who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Pair {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) certificate_pem: String,
    pub(crate) key: KeyPair,
}

impl Authority {
    /// One with a name that no other has.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self::named(&format!("authority {number}"))
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap());
        Self(issuer.unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A certificate for `localhost`.
    pub(crate) fn server(&self) -> Pair {
        self.server_with(KeyPair::generate().unwrap())
    }

    pub(crate) fn server_with(&self, key: KeyPair) -> Pair {
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        self.sign(&params, key)
    }

    /// A certificate for a client with this common name, if any.
    pub(crate) fn client(&self, common_name: Option<&str>) -> Pair {
        self.sign(&client(common_name), KeyPair::generate().unwrap())
    }

    /// A certificate for a client that is good until `end`.
    pub(crate) fn client_until(&self, common_name: &str, end: SystemTime) -> Pair {
        let mut params = client(Some(common_name));
        params.not_after = end.into();
        self.sign(&params, KeyPair::generate().unwrap())
    }

    pub(crate) fn expired_client(&self, common_name: &str) -> Pair {
        let mut params = client(Some(common_name));
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        self.sign(&params, KeyPair::generate().unwrap())
    }

    fn sign(&self, params: &CertificateParams, key: KeyPair) -> Pair {
        let signed = params.signed_by(&key, &self.0).unwrap();
        Pair {
            certificate: signed.der().clone(),
            certificate_pem: signed.pem(),
            key,
        }
    }
}

fn client(common_name: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.distinguished_name = DistinguishedName::new();
    if let Some(name) = common_name {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params
}

/// Where the files of a server are.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with the files of a server.
    pub(crate) fn of(pair: &Pair) -> Self {
        let folder = Self::new();
        folder.write_pair(pair);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn write_pair(&self, pair: &Pair) {
        self.write("tls.crt", &pair.certificate_pem);
        self.write("tls.key", &pair.key.serialize_pem());
    }

    pub(crate) fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.path("tls.crt"),
            key: self.path("tls.key"),
            client_ca: None,
        }
    }

    /// The files of a server that takes certificates of this authority's clients.
    pub(crate) fn files_for(&self, clients: &Authority) -> TlsFiles {
        self.write("clients.crt", &clients.pem());
        TlsFiles {
            client_ca: Some(self.path("clients.crt")),
            ..self.files()
        }
    }
}
