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
            IpAddr::V6(address) => {
                let prefix = u128::from(address) & !u128::from(u64::MAX);
                Ipv6Addr::from(prefix).into()
            }
            address @ IpAddr::V4(_) => address,
        })
    }
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
    fn a_name_counts_wherever_it_is_and_is_no_address() {
        let (alice, bob) = (Identity::named("alice"), Identity::named("bob"));
        let (here, there) = ("192.0.2.1".parse().unwrap(), "::1".parse().unwrap());
        assert_eq!(ClientKey::of(&alice, here), ClientKey::of(&alice, there));
        assert_ne!(ClientKey::of(&alice, here), ClientKey::of(&bob, here));
        let disguised = Identity::named("192.0.2.1");
        assert_ne!(ClientKey::of(&disguised, here), key("192.0.2.1"));
    }
}
