use std::fs;
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};

use crate::authority::Authority;
use crate::harness::Berth;

/// What berth says that does not start with these options.
fn refusal(options: &[String]) -> String {
    refusal_at("127.0.0.1:0", options)
}

fn refusal_at(address: &str, options: &[String]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command.args(["serve", "--listen", address, "--data"]);
    let output = command
        .arg(folder.path().join("data"))
        .args(options)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

/// It tells clients who the server is, and the server nothing of who asks.
#[test]
fn tls_alone_does_not_let_others_reach_a_server() {
    let authority = Authority::new();
    authority.write(&authority.server());
    let options = authority.options();
    let said = refusal_at("0.0.0.0:0", &options);
    for told in ["0.0.0.0:0", "authentication", "--insecure-listen"] {
        assert!(said.contains(told), "{said}");
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    for (wanted, status) in [("--accounts", 401), ("--insecure-listen", 200)] {
        let mut berth = Berth::start_at("0.0.0.0:0", &[&options[..], &[wanted]].concat());
        berth.client = authority.trusting().build().unwrap();
        berth.address = berth.address.replace("0.0.0.0", "127.0.0.1");
        berth.get("/v2/").is(status);
    }
}

#[test]
fn files_that_cannot_be_used_are_told_before_anything_is_done() {
    let authority = Authority::new();
    let pair = authority.server();
    authority.write(&pair);
    let half = &authority.options()[..2];
    assert!(refusal(half).contains("tls_key"));
    fs::write(
        authority.path("tls.key"),
        KeyPair::generate().unwrap().serialize_pem(),
    )
    .unwrap();
    let said = refusal(&authority.options());
    assert!(
        said.contains("tls.key") && said.contains("does not belong"),
        "{said}"
    );
    fs::write(authority.path("tls.key"), &pair.certificate).unwrap();
    let said = refusal(&authority.options());
    assert!(
        said.contains("tls.key") && said.contains("no whole private key"),
        "{said}"
    );
    fs::remove_file(authority.path("tls.crt")).unwrap();
    let said = refusal(&authority.options());
    assert!(
        said.contains("cannot read") && said.contains("tls.crt"),
        "{said}"
    );
}

#[test]
fn a_certificate_that_has_ended_is_told() {
    let authority = Authority::new();
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    authority.write(&authority.sign(params));
    let berth = authority.start_with_what_is_there(&[]);
    berth.terminate();
    let (_, log) = berth.wait();
    assert!(log.contains("the TLS certificate has expired"), "{log}");
}
