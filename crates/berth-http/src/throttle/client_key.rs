use std::net::{IpAddr, Ipv6Addr};

use berth_auth::Identity;

/// Whose requests count together: those of a named identity, wherever it is, and of whoever has no name those of one
/// address. Making one costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey<'a>(Kind<'a>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind<'a> {
    Name(&'a str),
    Network(Network),
}

impl<'a> ClientKey<'a> {
    /// Of a client that asks from this address. Behind a proxy, it is the address that a trusted proxy tells.
    pub fn of(identity: &'a Identity, address: IpAddr) -> Self {
        Self(match identity.name() {
            Some(name) => Kind::Name(name),
            None => Kind::Network(Network::of(address)),
        })
    }
}

/// The addresses that one client has: a single one of IPv4, and 64 bits' worth of IPv6, which is the least that
/// anybody is given (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(IpAddr);

impl Network {
    pub(crate) fn of(address: IpAddr) -> Self {
        // A socket for both versions tells an IPv4 address as a mapped one, all of which are in one network.
        Self(match address.to_canonical() {
            IpAddr::V6(address) => prefix(address, 64).into(),
            address @ IpAddr::V4(_) => address,
        })
    }

    /// The 80 bits' worth of addresses of IPv6 (a /48) that one site may be given; `None` for IPv4.
    pub(super) fn site_of(address: IpAddr) -> Option<Self> {
        match address.to_canonical() {
            IpAddr::V6(address) => Some(Self(prefix(address, 48).into())),
            IpAddr::V4(_) => None,
        }
    }
}

/// The first bits of an address, of which there are 1 to 128.
fn prefix(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    (u128::from(address) & (u128::MAX << (128 - bits))).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: &str) -> ClientKey<'static> {
        ClientKey::of(&Identity::Anonymous, address.parse().unwrap())
    }

    #[test]
    fn addresses_of_one_network_count_together() {
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_ne!(key("::ffff:192.0.2.1"), key("::ffff:192.0.2.2"));
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:0:0:2"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("::"), key("0.0.0.0"));
    }

    #[test]
    fn networks_of_one_site_have_one_site() {
        let site = |address: &str| Network::site_of(address.parse().unwrap());
        assert_eq!(site("2001:db8::1"), site("2001:db8:0:ffff::1"));
        assert_ne!(site("2001:db8::1"), site("2001:db8:1::1"));
        assert_eq!(site("192.0.2.1"), None);
        assert_eq!(site("::ffff:192.0.2.1"), None);
    }

    #[test]
    fn a_name_counts_wherever_it_is_and_is_no_address() {
        let (alice, bob) = (Identity::named("alice"), Identity::named("bob"));
        let (here, there) = ("192.0.2.1".parse().unwrap(), "::1".parse().unwrap());
        assert_eq!(ClientKey::of(&alice, here), ClientKey::of(&alice, there));
        assert_ne!(ClientKey::of(&alice, here), ClientKey::of(&bob, here));
        let disguised = Identity::named("192.0.2.1");
        assert_ne!(ClientKey::of(&disguised, here), key("192.0.2.1"));
    }
}
