use http::Request;

use super::*;

const TRUSTED: [&str; 3] = ["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"];

fn origins() -> Origins {
    Origins {
        trusted_proxies: TRUSTED.map(|network| network.parse().unwrap()).to_vec(),
        ..Origins::default()
    }
}

/// Origins of which proxies tell in the headers that are there.
fn origins_for(headers: &[(&str, &str)]) -> Origins {
    let forwarded = match headers.iter().any(|(name, _)| *name == "forwarded") {
        true => ForwardedHeader::Forwarded,
        false => ForwardedHeader::XForwarded,
    };
    Origins {
        forwarded,
        ..origins()
    }
}

fn connection(peer: &str, is_tls: bool) -> Connection {
    let peer = (peer.parse::<IpAddr>().unwrap(), 40_000).into();
    Connection {
        is_tls,
        ..Connection::between(peer, ([192, 0, 2, 1], 5000).into())
    }
}

fn parts(headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().uri("/v2/");
    for (name, value) in headers {
        let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
        request = request.header(*name, value);
    }
    request.body(()).unwrap().into_parts().0
}

fn origin(peer: &str, headers: &[(&str, &str)]) -> Origin {
    origins_for(headers).origin(&connection(peer, false), &parts(headers))
}

/// What is told of a client, as `<base URL> <client>`.
fn told(origin: &Origin) -> String {
    format!("{} {}", origin.base_url(), origin.client())
}

#[test]
fn a_connection_tells_by_itself() {
    let parts = parts(&[("host", "registry:5000")]);
    for (is_tls, base_url) in [
        (false, "http://registry:5000"),
        (true, "https://registry:5000"),
    ] {
        let origin = origins().origin(&connection("203.0.113.9", is_tls), &parts);
        assert_eq!(origin.base_url(), base_url);
        assert_eq!(origin.client().to_string(), "203.0.113.9");
        assert_eq!(origin.location("/v2/a"), "/v2/a");
    }
}

#[test]
fn an_authority_in_the_request_line_counts_before_the_host() {
    let request = Request::builder()
        .uri("https://two:1/v2/")
        .header("host", "one");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let origin = origins().origin(&connection("203.0.113.9", true), &parts);
    assert_eq!(origin.base_url(), "https://two:1");
}

#[test]
fn without_a_host_that_can_be_read_the_address_is_the_host() {
    for headers in [
        &[][..],
        &[("host", "")],
        &[("host", "user@evil")],
        &[("host", "evil/path")],
        &[("host", "h\u{f6}st")],
        &[("host", "one"), ("host", "two")],
    ] {
        let origin = origin("203.0.113.9", headers);
        assert_eq!(origin.base_url(), "http://192.0.2.1:5000", "{headers:?}");
    }
}

#[test]
fn who_is_not_trusted_is_not_believed() {
    let headers = [
        ("host", "registry"),
        ("forwarded", "for=198.51.100.1;proto=https;host=evil"),
        ("x-forwarded-for", "198.51.100.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil"),
    ];
    for peer in ["203.0.113.9", "11.0.0.1", "fe80::1", "::ffff:203.0.113.9"] {
        let origin = origin(peer, &headers);
        assert_eq!(origin.base_url(), "http://registry", "{peer}");
        assert_ne!(origin.client().to_string(), "198.51.100.1", "{peer}");
    }
    let nobody = Origins::default().origin(&connection("127.0.0.1", false), &parts(&headers));
    assert_eq!(told(&nobody), "http://registry 127.0.0.1");
}

#[test]
fn what_trusted_proxies_tell_is_believed() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[], "http://registry 10.1.1.1"),
        (
            &[("x-forwarded-for", "198.51.100.1")],
            "http://registry 198.51.100.1",
        ),
        (
            &[("x-forwarded-proto", "HTTPS")],
            "https://registry 10.1.1.1",
        ),
        (
            &[("x-forwarded-host", "public:444")],
            "http://public:444 10.1.1.1",
        ),
        // What the client itself wrote stands on the left.
        (
            &[("x-forwarded-for", "1.1.1.1, 198.51.100.1")],
            "http://registry 198.51.100.1",
        ),
        (
            &[(
                "x-forwarded-for",
                "1.1.1.1, 198.51.100.1, 10.2.2.2,10.3.3.3",
            )],
            "http://registry 198.51.100.1",
        ),
        (
            &[
                ("x-forwarded-for", "1.1.1.1"),
                ("x-forwarded-for", "198.51.100.1"),
            ],
            "http://registry 198.51.100.1",
        ),
        (
            &[("x-forwarded-for", "10.2.2.2, 10.3.3.3")],
            "http://registry 10.2.2.2",
        ),
        (
            &[("x-forwarded-for", "2001:db8::7")],
            "http://registry 2001:db8::7",
        ),
        (
            &[("x-forwarded-for", "[2001:db8::7]:99")],
            "http://registry 2001:db8::7",
        ),
        (
            &[("x-forwarded-for", "198.51.100.1:4711")],
            "http://registry 198.51.100.1",
        ),
        (
            &[("x-forwarded-for", "::ffff:198.51.100.1")],
            "http://registry 198.51.100.1",
        ),
        (
            &[("x-forwarded-proto", "https, http")],
            "http://registry 10.1.1.1",
        ),
        (
            &[("x-forwarded-host", "evil, public")],
            "http://public 10.1.1.1",
        ),
        (
            &[("forwarded", "for=198.51.100.1;proto=https;host=public")],
            "https://public 198.51.100.1",
        ),
        (
            &[(
                "forwarded",
                "for=1.1.1.1;host=evil, for=198.51.100.1;proto=https;host=public",
            )],
            "https://public 198.51.100.1",
        ),
        // The outermost proxy that is trusted knows what the client asked for.
        (
            &[
                ("forwarded", "for=1.1.1.1;proto=http;host=evil"),
                ("forwarded", "for=198.51.100.1;proto=https;host=public"),
                ("forwarded", "for=10.2.2.2;proto=http;host=inner"),
            ],
            "https://public 198.51.100.1",
        ),
        (
            &[(
                "forwarded",
                "for=198.51.100.1;proto=https, for=10.2.2.2;host=inner",
            )],
            "https://inner 198.51.100.1",
        ),
        // Who hides where it came from may still tell the rest.
        (
            &[(
                "forwarded",
                "for=1.1.1.1;host=evil, for=unknown;proto=https;host=public",
            )],
            "https://public 10.1.1.1",
        ),
    ];
    for (headers, expected) in cases {
        let headers = [&[("host", "registry")], *headers].concat();
        for peer in ["10.1.1.1", "::ffff:10.1.1.1"] {
            assert_eq!(told(&origin(peer, &headers)), *expected, "{headers:?}");
        }
    }
}

/// A proxy that writes the one kind of headers passes on the other as the client wrote it.
#[test]
fn only_the_headers_that_the_proxies_write_are_believed() {
    let headers = [
        ("host", "registry"),
        ("forwarded", "for=198.51.100.1;proto=https;host=one"),
        ("x-forwarded-for", "198.51.100.2"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "two"),
    ];
    let forwarded = [headers[0], headers[1]];
    let lists = [headers[0], headers[2], headers[3], headers[4]];
    for (header, headers, expected) in [
        (
            ForwardedHeader::XForwarded,
            &headers[..],
            "https://two 198.51.100.2",
        ),
        (
            ForwardedHeader::Forwarded,
            &headers[..],
            "https://one 198.51.100.1",
        ),
        (
            ForwardedHeader::XForwarded,
            &forwarded[..],
            "http://registry 10.1.1.1",
        ),
        (
            ForwardedHeader::Forwarded,
            &lists[..],
            "http://registry 10.1.1.1",
        ),
    ] {
        let origins = Origins {
            forwarded: header,
            ..origins()
        };
        let origin = origins.origin(&connection("10.1.1.1", false), &parts(headers));
        assert_eq!(told(&origin), expected, "{header:?} {headers:?}");
    }
    assert_eq!(Origins::default().forwarded, ForwardedHeader::XForwarded);
}

#[test]
fn what_cannot_be_read_is_as_if_it_were_not_there() {
    for value in [
        "",
        "nonsense",
        "evil/path",
        "user@evil",
        "evil host",
        "javascript",
        "evil%0d%0aSet-Cookie: a",
        "h\u{f6}st:1:2",
        "999.1.1.1/8",
        "\"evil\"",
        "for=1.1.1.1;for=2.2.2.2;host=evil",
        "for=\"1.1.1.1;host=evil",
    ] {
        for names in [
            &["forwarded"][..],
            &["x-forwarded-for", "x-forwarded-proto"],
            &["x-forwarded-for"],
            &["x-forwarded-proto"],
        ] {
            let mut headers = vec![("host", "registry")];
            headers.extend(names.iter().map(|name| (*name, value)));
            let origin = origin("10.1.1.1", &headers);
            assert_eq!(told(&origin), "http://registry 10.1.1.1", "{headers:?}");
        }
    }
    for host in [
        "",
        "evil/path",
        "user@evil",
        "evil host",
        "h\u{f6}st",
        "evil:",
    ] {
        let origin = origin(
            "10.1.1.1",
            &[("host", "registry"), ("x-forwarded-host", host)],
        );
        assert_eq!(told(&origin), "http://registry 10.1.1.1", "{host:?}");
    }
    // A client that spoils one header does not get another one of its own believed.
    let headers = [
        ("host", "registry"),
        ("forwarded", "for=\""),
        ("x-forwarded-for", "1.1.1.1"),
        ("x-forwarded-host", "evil"),
    ];
    assert_eq!(
        told(&origin("10.1.1.1", &headers)),
        "http://registry 10.1.1.1"
    );
    // Nor is anything left of what cannot be read.
    let headers = [
        ("host", "registry"),
        ("x-forwarded-for", "1.1.1.1, nonsense, 10.2.2.2"),
    ];
    assert_eq!(
        told(&origin("10.1.1.1", &headers)),
        "http://registry 10.2.2.2"
    );
}

#[test]
fn a_location_is_absolute_if_scheme_and_host_are_told() {
    for (headers, location) in [
        (&[][..], "/v2/a"),
        (&[("x-forwarded-host", "public")], "/v2/a"),
        (&[("x-forwarded-proto", "https")], "/v2/a"),
        (
            &[
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "public"),
            ],
            "https://public/v2/a",
        ),
        (
            &[("forwarded", "proto=https;host=public")],
            "https://public/v2/a",
        ),
    ] {
        assert_eq!(origin("10.1.1.1", headers).location("/v2/a"), location);
    }
}

#[test]
fn the_public_url_counts_before_all() {
    let headers = [
        ("host", "registry"),
        ("forwarded", "for=198.51.100.1;proto=http;host=other"),
    ];
    let origins = Origins {
        public_url: Some("https://public".parse().unwrap()),
        ..origins_for(&headers)
    };
    let parts = parts(&headers);
    let origin = origins.origin(&connection("10.1.1.1", false), &parts);
    assert_eq!(told(&origin), "https://public 198.51.100.1");
    assert_eq!(origin.location("/v2/a"), "https://public/v2/a");
    let elsewhere = "https://elsewhere/v2/a";
    assert_eq!(origin.location(elsewhere), elsewhere);
}

/// A name can be made to lead here by whoever owns it; an address cannot.
#[test]
fn only_an_address_is_surely_this_server() {
    for (host, is_address) in [
        ("127.0.0.1:5000", true),
        ("127.0.0.1", true),
        ("[::1]:5000", true),
        ("[::1]", true),
        ("localhost:5000", true),
        ("LOCALHOST", true),
        ("registry:5000", false),
        ("localhost.evil.example", false),
        ("127.0.0.1.evil.example:5000", false),
    ] {
        let origin = origin("203.0.113.9", &[("host", host)]);
        assert_eq!(origin.is_on_an_address(), is_address, "{host}");
    }
}

#[test]
fn the_origin_of_a_page_names_this_server_or_another() {
    let origin = origin("203.0.113.9", &[("host", "registry:5000")]);
    for (page, is_named) in [
        ("http://registry:5000", true),
        ("https://Registry:5000", true),
        ("http://registry", false),
        ("http://evil:5000", false),
        ("null", false),
        ("", false),
        ("registry:5000", false),
    ] {
        let header = HeaderValue::from_static(page);
        assert_eq!(origin.is_named_by(&header), is_named, "{page}");
    }
}
