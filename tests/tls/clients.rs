use std::fs;

use reqwest::Identity;
use reqwest::blocking::Client;

use crate::authority::{Authority, Pair};
use crate::harness::{Berth, wait_until};

/// A client that presents a certificate.
fn presenting(authority: &Authority, pair: &Pair) -> Client {
    let pem = pair.certificate.clone() + &pair.key;
    let identity = Identity::from_pem(pem.as_bytes()).unwrap();
    authority.trusting().identity(identity).build().unwrap()
}

fn get(client: &Client, berth: &Berth) -> reqwest::Result<u16> {
    let answer = client
        .get(format!("https://{}/v2/", berth.address))
        .send()?;
    Ok(answer.status().as_u16())
}

#[test]
fn certificates_of_clients_must_verify_and_need_not_be_there() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let client_ca = clients.path("ca.crt");
    let berth = authority.start(&["--client-ca", client_ca.to_str().unwrap()]);
    // Who presents none has to log in.
    let answer = berth.get("/v2/").fails_with(401, "UNAUTHORIZED");
    let realm = format!("realm=\"https://{}/token\"", berth.address);
    assert!(answer.header("www-authenticate").contains(&realm));
    let known = presenting(&authority, &clients.client("alice"));
    assert_eq!(get(&known, &berth).unwrap(), 200);
    let unknown = presenting(&authority, &authority.client("alice"));
    assert!(get(&unknown, &berth).is_err());
    berth.terminate();
    let (_, log) = berth.wait();
    assert!(log.contains("a TLS handshake failed"), "{log}");
}

#[test]
fn nobody_is_asked_without_authorities() {
    let authority = Authority::new();
    let berth = authority.start(&[]);
    let unknown = presenting(&authority, &Authority::new().client("alice"));
    assert_eq!(get(&unknown, &berth).unwrap(), 200);
}

#[test]
fn the_name_in_a_certificate_is_what_rules_are_about() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let client_ca = clients.path("ca.crt");
    let rule = "[[rule]]\nrepositories = [\"team/*\"]\nwho = [\"certificate:alice\"]\nactions = [\"push\"]\n";
    let file = authority.path("berth.toml");
    fs::write(&file, format!("client_ca = {client_ca:?}\n{rule}")).unwrap();
    let berth = authority.start(&["--config", file.to_str().unwrap()]);
    let begin = |client: &Client, repository: &str| {
        let address = &berth.address;
        let url = format!("https://{address}/v2/{repository}/blobs/uploads/");
        client.post(url).send().unwrap().status().as_u16()
    };
    let alice = presenting(&authority, &clients.client("alice"));
    let bob = presenting(&authority, &clients.client("bob"));
    assert_eq!(begin(&alice, "team/app"), 202);
    assert_eq!(begin(&alice, "other/app"), 403);
    assert_eq!(begin(&bob, "team/app"), 403);
    assert_eq!(begin(&berth.client, "team/app"), 401);
}

/// Who presented a certificate sees that it counts no more once its authority is not trusted, also over the
/// connection that was there before; that connection is then closed. One without a certificate stays.
#[test]
fn a_connection_does_not_outlive_the_authority_of_its_client() {
    let (authority, clients, others) = (Authority::new(), Authority::new(), Authority::new());
    let client_ca = authority.path("clients.crt");
    fs::copy(clients.path("ca.crt"), &client_ca).unwrap();
    let berth = authority.start(&["--client-ca", client_ca.to_str().unwrap()]);
    let alice = presenting(&authority, &clients.client("alice"));
    assert_eq!(get(&alice, &berth).unwrap(), 200);
    fs::copy(others.path("ca.crt"), &client_ca).unwrap();
    berth.signal("-HUP");
    // Either the connection is there still, and proves nothing, or a new one is refused.
    wait_until("the certificate is refused", || {
        get(&alice, &berth).map_or(true, |status| status == 401)
    });
    let bob = presenting(&authority, &others.client("bob"));
    assert_eq!(get(&bob, &berth).unwrap(), 200);
}
