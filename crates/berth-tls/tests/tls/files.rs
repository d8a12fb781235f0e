use berth_tls::{TlsAcceptor, TlsError};
use rcgen::KeyPair;
use x509_parser::der_parser::der::parse_der;

use crate::authority::{Authority, Folder};
use crate::client::Client;
use crate::server::Server;

/// An RSA key of nobody: rings of keys for tests cannot make one.
const RSA: &str = include_str!("rsa.pem");

/// The key inside of a PKCS#8 key, in the format that it had before there was PKCS#8.
fn inner(key: &KeyPair, label: &str) -> String {
    let der = key.serialize_der();
    let (_, parsed) = parse_der(&der).unwrap();
    let inner = parsed.as_sequence().unwrap()[2]
        .as_slice()
        .unwrap()
        .to_vec();
    pem(label, &inner)
}

fn pem(label: &str, bytes: &[u8]) -> String {
    use std::fmt::Write;

    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in bytes.chunks(48) {
        for group in line.chunks(3) {
            let mut three = [0; 3];
            three[..group.len()].copy_from_slice(group);
            let number = u32::from_be_bytes([0, three[0], three[1], three[2]]);
            for position in 0..4 {
                let digit = DIGITS[(number >> (18 - 6 * position) & 63) as usize];
                text.push(if position > group.len() {
                    '='
                } else {
                    char::from(digit)
                });
            }
        }
        text.push('\n');
    }
    writeln!(text, "-----END {label}-----").unwrap();
    text
}

#[tokio::test]
async fn keys_of_all_formats_are_read() {
    let authority = Authority::new();
    let elliptic = KeyPair::generate().unwrap();
    let rsa = KeyPair::from_pem(RSA).unwrap();
    let formats = [
        (elliptic.serialize_pem(), &elliptic),
        (inner(&elliptic, "EC PRIVATE KEY"), &elliptic),
        (rsa.serialize_pem(), &rsa),
        (inner(&rsa, "RSA PRIVATE KEY"), &rsa),
    ];
    for (text, key) in formats {
        let key = KeyPair::from_pem(&key.serialize_pem()).unwrap();
        let folder = Folder::of(&authority.server_with(key));
        folder.write("tls.key", &text);
        let server = Server::start(folder.files()).await;
        let client = Client::trusting(&authority);
        let mut connected = client.connect(server.address).await.unwrap();
        assert!(connected.works().await);
    }
}

#[tokio::test]
async fn certificate_and_key_may_be_in_one_file_with_what_leads_to_the_root() {
    let authority = Authority::new();
    let pair = authority.server();
    let folder = Folder::new();
    let key = pair.key.serialize_pem();
    folder.write("all.pem", &(key + &pair.certificate_pem + &authority.pem()));
    let mut files = folder.files();
    files.certificate = folder.path("all.pem");
    files.key = folder.path("all.pem");
    let server = Server::start(files).await;
    let connected = Client::trusting(&authority)
        .connect(server.address)
        .await
        .unwrap();
    assert_eq!(connected.certificate(), pair.certificate);
}

/// Why these files cannot be used.
fn refusal(certificate: &str, key: &str) -> TlsError {
    let folder = Folder::new();
    folder.write("tls.crt", certificate);
    folder.write("tls.key", key);
    TlsAcceptor::load(folder.files()).unwrap_err()
}

#[test]
fn what_cannot_be_used_is_refused_with_a_reason() {
    let authority = Authority::new();
    let pair = authority.server();
    let (certificate, key) = (&pair.certificate_pem, pair.key.serialize_pem());
    let other = KeyPair::generate().unwrap().serialize_pem();
    assert!(matches!(
        refusal(certificate, &other),
        TlsError::Mismatch { .. }
    ));
    assert!(matches!(
        refusal(&authority.pem(), &key),
        TlsError::Mismatch { .. }
    ));
    for text in ["", "nonsense", &key, &certificate[..certificate.len() / 2]] {
        assert!(matches!(
            refusal(text, &key),
            TlsError::NoCertificate { .. }
        ));
    }
    let broken = pem("CERTIFICATE", b"nonsense");
    assert!(matches!(
        refusal(&broken, &key),
        TlsError::BrokenCertificate { .. }
    ));
    for text in ["", "nonsense", certificate, &key[..key.len() / 2]] {
        assert!(matches!(refusal(certificate, text), TlsError::NoKey { .. }));
    }
    let encrypted = pem("ENCRYPTED PRIVATE KEY", b"something");
    assert!(matches!(
        refusal(certificate, &encrypted),
        TlsError::EncryptedKey { .. }
    ));
    let unusable = pem("PRIVATE KEY", b"nonsense");
    assert!(matches!(
        refusal(certificate, &unusable),
        TlsError::UnusableKey { .. }
    ));
    let nowhere = TlsAcceptor::load(Folder::new().files()).unwrap_err();
    assert!(matches!(nowhere, TlsError::Read { .. }));
    assert!(nowhere.to_string().contains("tls.crt"), "{nowhere}");
}

#[test]
fn nothing_of_a_key_is_ever_told() {
    let authority = Authority::new();
    let pair = authority.server();
    let key = pair.key.serialize_pem();
    let secret: Vec<&str> = key.lines().filter(|line| !line.starts_with('-')).collect();
    let folder = Folder::of(&pair);
    let mut told = vec![format!("{:?}", TlsAcceptor::load(folder.files()).unwrap())];
    // A key without its line ends, as an environment variable makes one of it; a key that is cut; one that
    // belongs to another certificate; one with a letter changed.
    let other = authority.server().certificate_pem;
    let joined = key.replace('\n', " ");
    let changed = key.replacen(secret[0], &secret[0].replacen('M', "!", 1), 1);
    let cut = &key[..key.len() - 20];
    for (certificate, key) in [
        (&pair.certificate_pem, joined.as_str()),
        (&pair.certificate_pem, cut),
        (&pair.certificate_pem, &changed),
        (&joined, &joined),
        (&other, &key),
    ] {
        let error = refusal(certificate, key);
        told.push(format!("{error} {error:?}"));
    }
    for told in told {
        for secret in &secret {
            assert!(!told.contains(&secret[8..20]), "{told}");
        }
    }
}
