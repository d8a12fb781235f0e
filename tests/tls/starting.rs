use std::fs;
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};

use crate::authority::Authority;
use crate::harness::Berth;

/// What berth says that does not start with these options.
fn refusal(options: &[String]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]);
    let output = command
        .arg(folder.path().join("data"))
        .args(options)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn others_may_reach_a_server_with_tls() {
    let authority = Authority::new();
    authority.write(&authority.server());
    let listen = [
        "--config".to_owned(),
        authority.path("berth.toml").to_str().unwrap().to_owned(),
    ];
    let [certificate, key] = ["tls.crt", "tls.key"].map(|name| authority.path(name));
    let file = format!("tls_certificate = {certificate:?}\ntls_key = {key:?}\n");
    fs::write(authority.path("berth.toml"), file).unwrap();
    let mut berth = Berth::start_at("0.0.0.0:0", &[&listen[0], &listen[1]]);
    berth.client = authority.trusting().build().unwrap();
    berth.address = berth.address.replace("0.0.0.0", "127.0.0.1");
    berth.get("/v2/").is(200);
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
