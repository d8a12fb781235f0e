use std::net::IpAddr;
use std::num::NonZeroU32;

use berth_auth::Identity;
use tokio::time::{Duration, Instant};

use super::client_key::Network;
use super::clients::Clients;
use super::rate::Rate;
use super::refused::{Refused, TooMany};
use super::settings::ThrottleSettings;

/// How many times as many failures an address may have with all user names together as with one of them. So one
/// program that has a wrong password, and tries on and on, does not lock out all others behind the same address.
const ALL_NAMES: u32 = 3;

/// How many times as many failures the networks of one site of IPv6 may have together as one of them. A site may be one
/// guesser with 65,536 networks, or many who have nothing to do with each other.
const ALL_NETWORKS: u32 = 10;

/// Sees to it that passwords cannot be guessed: bounds how many logins fail.
///
/// Failures are counted for each address together with each user name, and for each address with all names; of IPv6, an
/// address is a network of 64 bits, and the networks of a site (48 bits) count together as well. They are not
/// counted for a name alone: else anybody could lock out somebody else from anywhere. Whoever is over a limit is
/// refused before anything is hashed, and being refused counts as no failure.
///
/// In any time there are at most as many failures as the rate allows, the burst (a minute's worth), and as many as
/// are tried at once. Those that were tried at once beyond the limit must be waited for all the same.
///
/// As [`Throttle`](crate::Throttle), it remembers at most some 100,000 addresses, and as many pairs.
#[derive(Debug)]
pub struct LoginGuard(Option<Guard>);

#[derive(Debug)]
struct Guard {
    one_name: Counted,
    all_names: Counted,
    site: Counted,
}

#[derive(Debug)]
struct Counted {
    clients: Clients,
    rate: Rate,
}

impl LoginGuard {
    /// With [`ThrottleSettings::login_failures_per_minute`].
    pub fn new(settings: &ThrottleSettings) -> Self {
        let times = |rate: NonZeroU32, factor: u32| {
            rate.saturating_mul(NonZeroU32::MIN.saturating_add(factor - 1))
        };
        let guard = |per_minute: NonZeroU32| {
            let all_names = times(per_minute, ALL_NAMES);
            Guard {
                one_name: Counted::new(per_minute),
                all_names: Counted::new(all_names),
                site: Counted::new(times(all_names, ALL_NETWORKS)),
            }
        };
        Self(settings.login_failures_per_minute.map(guard))
    }

    /// Whether a login from this address as this user may be tried. The name is as the client sent it, known or not;
    /// empty where a credential has none.
    ///
    /// # Errors
    /// When too many have failed.
    pub fn check(&self, address: IpAddr, user: &str) -> Result<(), Refused> {
        let Some(guard) = &self.0 else { return Ok(()) };
        let (network, now) = (Network::of(address), Instant::now());
        let one_name = guard.one_name.wait(&(network, user), now);
        let site = Network::site_of(address);
        let of_site = site.and_then(|site| guard.site.wait(&site, now));
        let wait = one_name
            .max(guard.all_names.wait(&network, now))
            .max(of_site);
        match wait {
            Some(wait) => Err(Refused::new(TooMany::FailedLogins, wait)),
            None => Ok(()),
        }
    }

    /// Notes that a login failed.
    pub fn failed(&self, address: IpAddr, user: &str) {
        let Some(guard) = &self.0 else { return };
        let (network, now) = (Network::of(address), Instant::now());
        guard.one_name.charge(&(network, user), now);
        guard.all_names.charge(&network, now);
        if let Some(site) = Network::site_of(address) {
            guard.site.charge(&site, now);
        }
    }

    /// Notes that a login was good, and whom it proved: what failed for this user from this address was a mistake, and
    /// is forgotten, if it is this user. A robot's secret goes with any name, and would else let its owner guess the
    /// password of that one. It stays counted for the address: else one good account would let it guess the passwords
    /// of all others.
    pub fn succeeded(&self, address: IpAddr, user: &str, proven: &Identity) {
        let Some(guard) = &self.0 else { return };
        if proven.name() != Some(user) {
            return;
        }
        let network = Network::of(address);
        guard.one_name.forget(&(network, user), Instant::now());
    }
}

impl Counted {
    fn new(per_minute: NonZeroU32) -> Self {
        Self {
            clients: Clients::new(),
            rate: Rate::new(per_minute, Duration::from_secs(60), per_minute.get()),
        }
    }

    fn wait(&self, client: &impl std::hash::Hash, now: Instant) -> Option<Duration> {
        let client = self.clients.get(self.clients.id(client));
        self.rate.wait(client.due, self.clients.elapsed(now))
    }

    fn charge(&self, client: &impl std::hash::Hash, now: Instant) {
        let id = self.clients.id(client);
        self.clients.change(id, now, |client, now| {
            client.due = self.rate.charge(client.due, now);
        });
    }

    fn forget(&self, client: &impl std::hash::Hash, now: Instant) {
        let id = self.clients.id(client);
        self.clients
            .change(id, now, |client, _| client.due = Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use tokio::time::advance;

    const MINUTE: Duration = Duration::from_secs(60);
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn guard(per_minute: u32) -> LoginGuard {
        LoginGuard::new(&ThrottleSettings {
            login_failures_per_minute: NonZeroU32::new(per_minute),
            ..ThrottleSettings::OFF
        })
    }

    /// How many of so many tries are not refused; all of them fail.
    fn failures(guard: &LoginGuard, address: IpAddr, user: &str, tries: usize) -> usize {
        let fails = |_: &usize| {
            let is_tried = guard.check(address, user).is_ok();
            if is_tried {
                guard.failed(address, user);
            }
            is_tried
        };
        (0..tries).filter(fails).count()
    }

    #[tokio::test(start_paused = true)]
    async fn after_ten_failures_there_is_one_more_every_six_seconds() {
        let guard = LoginGuard::new(&ThrottleSettings::default());
        assert_eq!(failures(&guard, HERE, "alice", 100), 10);
        let refused = guard.check(HERE, "alice").unwrap_err();
        assert_eq!(
            (refused.too_many, refused.seconds()),
            (TooMany::FailedLogins, 6)
        );
        advance(Duration::from_millis(5999)).await;
        assert_eq!(failures(&guard, HERE, "alice", 10), 0);
        advance(Duration::from_millis(1)).await;
        assert_eq!(failures(&guard, HERE, "alice", 10), 1);
        advance(MINUTE * 2).await;
        assert_eq!(failures(&guard, HERE, "alice", 100), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn guesses_from_elsewhere_lock_nobody_out() {
        let guard = guard(10);
        assert_eq!(failures(&guard, THERE, "alice", 100), 10);
        assert_eq!(guard.check(HERE, "alice"), Ok(()));
        // Nor does one program with a wrong password lock out the others behind its address.
        assert_eq!(guard.check(THERE, "bob"), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn another_name_for_each_guess_does_not_help() {
        let guard = guard(10);
        let tries = (0..100).map(|number| failures(&guard, HERE, &number.to_string(), 1));
        assert_eq!(tries.sum::<usize>(), 30);
        let refused = guard.check(HERE, "yet another").unwrap_err();
        assert_eq!(refused.seconds(), 2);
        assert_eq!(guard.check(THERE, "yet another"), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_of_one_ipv6_network_count_together() {
        let guard = guard(10);
        let address = |number: u16| std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, number, 0, 0, 1);
        let tries = (0..100).map(|number| failures(&guard, address(number).into(), "alice", 1));
        assert_eq!(tries.sum::<usize>(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn another_network_of_the_same_site_does_not_help_for_long() {
        let guard = guard(10);
        let address = |site: u16, number: u16| -> IpAddr {
            std::net::Ipv6Addr::new(0x2001, 0xdb8, site, number, 0, 0, 0, 1).into()
        };
        let tries = (0..1000).map(|number| failures(&guard, address(1, number), "alice", 1));
        assert_eq!(tries.sum::<usize>(), 300);
        assert!(guard.check(address(1, 2000), "bob").is_err());
        assert_eq!(guard.check(address(2, 1), "alice"), Ok(()));
        assert_eq!(guard.check(HERE, "alice"), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_good_login_makes_up_for_mistakes_but_not_for_guesses_of_others_passwords() {
        let guard = guard(10);
        for _ in 0..3 {
            assert_eq!(failures(&guard, HERE, "alice", 9), 9);
            guard.succeeded(HERE, "alice", &Identity::named("alice"));
        }
        assert_eq!(failures(&guard, HERE, "bob", 10), 3);
        guard.succeeded(HERE, "alice", &Identity::named("alice"));
        assert_eq!(failures(&guard, HERE, "bob", 10), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_secret_of_a_robot_makes_up_for_no_guesses_of_a_password() {
        let guard = guard(10);
        assert_eq!(failures(&guard, HERE, "alice", 9), 9);
        guard.succeeded(HERE, "alice", &Identity::named("token:ci"));
        assert_eq!(failures(&guard, HERE, "alice", 9), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_tried_at_once_beyond_the_limit_is_waited_for() {
        let guard = guard(10);
        for _ in 0..20 {
            assert_eq!(guard.check(HERE, "alice"), Ok(()));
        }
        (0..20).for_each(|_| guard.failed(HERE, "alice"));
        assert_eq!(guard.check(HERE, "alice").unwrap_err().seconds(), 66);
    }

    #[test]
    fn it_can_be_off_and_remembers_nothing_of_good_logins() {
        assert_eq!(
            failures(
                &LoginGuard::new(&ThrottleSettings::OFF),
                HERE,
                "alice",
                1000
            ),
            1000
        );
        let guard = guard(1);
        for number in 0..1000 {
            guard.check(HERE, &number.to_string()).unwrap();
            let name = number.to_string();
            guard.succeeded(HERE, &name, &Identity::named(&name));
        }
        assert_eq!(guard.0.unwrap().one_name.clients.len(), 0);
    }

    proptest! {
        #[test]
        fn in_no_time_are_there_more_failures_than_the_rate_and_the_burst(
            per_minute in 1_u32..30,
            steps in vec((0_u64..30_000, 0_usize..3, 1_usize..15), 1..30),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build();
            runtime.unwrap().block_on(async {
                let guard = guard(per_minute);
                let mut failed = Vec::new();
                for (milliseconds, user, tries) in steps {
                    advance(Duration::from_millis(milliseconds)).await;
                    let name = user.to_string();
                    let count = failures(&guard, HERE, &name, tries);
                    failed.extend(vec![(Instant::now(), user); count]);
                }
                for (position, (from, user)) in failed.iter().enumerate() {
                    let (mut all, mut of_user) = (0, 0);
                    for (to, other) in &failed[position..] {
                        all += 1;
                        of_user += u128::from(user == other);
                        let allowed = |per_minute: u32| {
                            u128::from(per_minute) * ((*to - *from).as_millis() + MINUTE.as_millis())
                        };
                        prop_assert!(of_user * MINUTE.as_millis() <= allowed(per_minute));
                        prop_assert!(all * MINUTE.as_millis() <= allowed(per_minute * ALL_NAMES));
                    }
                }
                Ok(())
            })?;
        }
    }
}
