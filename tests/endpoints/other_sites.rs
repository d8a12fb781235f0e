//! Web pages of other sites, for which a browser sends requests with `Origin`.

use crate::harness::{Answer, Berth};

const UPLOADS: &str = "/v2/app/blobs/uploads/";

fn send(berth: &Berth, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = berth.request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().unwrap())
}

/// A page sees: it cannot push to or delete from a registry that only its visitor reaches, whatever name leads there.
/// Clients that are no browsers, and pages of the registry itself, can.
#[test]
fn pages_of_other_sites_change_nothing() {
    let berth = Berth::start();
    let port = berth.address.rsplit_once(':').unwrap().1;
    let own = format!("http://{}", berth.address);
    let (named, by_name) = (
        format!("localhost:{port}"),
        format!("http://localhost:{port}"),
    );
    for headers in [
        &[("host", "registry.in-etc-hosts")][..],
        &[("origin", own.as_str())],
        &[("origin", by_name.as_str()), ("host", named.as_str())],
    ] {
        send(&berth, "POST", UPLOADS, headers).is(202);
    }
    for headers in [
        &[("origin", "http://evil.example")][..],
        &[("origin", "null")],
        &[("origin", own.as_str()), ("origin", "http://evil.example")],
        // Its name leads here now.
        &[
            ("origin", "http://evil.example:5000"),
            ("host", "evil.example:5000"),
        ],
    ] {
        for (method, path) in [
            ("POST", UPLOADS),
            ("DELETE", "/v2/app/manifests/v1"),
            ("PUT", "/v2/app/manifests/v1"),
        ] {
            send(&berth, method, path, headers).fails_with(403, "DENIED");
        }
        send(&berth, "GET", "/v2/", headers).is(200);
    }
    let berth = Berth::start_with(&["--public-url", "https://registry.example.com"]);
    let own = [("origin", "https://registry.example.com")];
    send(&berth, "POST", UPLOADS, &own).is(202);
}
