use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use berth_auth::Identity;
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::{Duration, Instant, advance};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn with_rate(per_second: u32, burst: u32) -> Throttle {
    Throttle::new(&ThrottleSettings {
        requests: Some(RequestRate {
            per_second: number(per_second),
            burst: number(burst),
        }),
        ..ThrottleSettings::OFF
    })
}

fn at_once(most: u32) -> Throttle {
    Throttle::new(&ThrottleSettings {
        concurrent_requests: Some(number(most)),
        ..ThrottleSettings::OFF
    })
}

fn from_address(number: u32) -> ClientKey<'static> {
    ClientKey::of(&Identity::Anonymous, IpAddr::V4(Ipv4Addr::from(number)))
}

fn remembered(throttle: &Throttle) -> usize {
    throttle.0.as_ref().unwrap().clients.len()
}

/// Runs a case of a property with a clock that only the case moves.
fn with_clock_of_its_own<T>(case: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(case)
}

/// From a microsecond to four seconds, each order of magnitude as often.
fn pause() -> impl Strategy<Value = Duration> {
    (0_u32..22, 0.5..1.0)
        .prop_map(|(exponent, part)| Duration::from_micros(2 << exponent).mul_f64(part))
}

proptest! {
    #[test]
    fn in_no_time_are_more_taken_in_than_the_rate_and_the_burst(
        per_second in 1_u32..2000,
        burst in 1_u32..30,
        steps in vec((pause(), 1_usize..20), 1..30),
    ) {
        with_clock_of_its_own(async {
            let throttle = with_rate(per_second, burst);
            let mut taken = Vec::new();
            for (pause, tries) in steps {
                advance(pause).await;
                for _ in 0..tries {
                    if throttle.admit(&from_address(1)).is_ok() {
                        taken.push(Instant::now());
                    }
                }
            }
            for (first, from) in taken.iter().enumerate() {
                for (last, to) in taken.iter().enumerate().skip(first) {
                    let count = (last - first + 1) as u128;
                    let time = (*to - *from).as_nanos() * u128::from(per_second);
                    let most = time + u128::from(burst) * 1_000_000_000;
                    prop_assert!(count * 1_000_000_000 <= most);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn whoever_waits_as_long_as_it_is_told_is_taken_in(
        per_second in 1_u32..2000,
        burst in 1_u32..30,
        pauses in vec(pause(), 1..100),
    ) {
        with_clock_of_its_own(async {
            let throttle = with_rate(per_second, burst);
            for pause in pauses {
                advance(pause).await;
                if let Err(refused) = throttle.admit(&from_address(1)) {
                    prop_assert_eq!(refused.too_many, TooMany::Requests);
                    prop_assert!(refused.retry_after <= SECOND);
                    advance(refused.retry_after).await;
                    prop_assert!(throttle.admit(&from_address(1)).is_ok());
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn there_are_never_more_at_once_and_none_is_refused_before(
        most in 1_u32..6,
        steps in vec((0_u32..4, any::<bool>(), any::<prop::sample::Index>()), 1..200),
    ) {
        let throttle = at_once(most);
        let mut under_way: HashMap<u32, Vec<Permit>> = HashMap::new();
        for (client, begins, which) in steps {
            let permits = under_way.entry(client).or_default();
            if begins {
                let admitted = throttle.admit(&from_address(client));
                prop_assert_eq!(admitted.is_ok(), permits.len() < most as usize);
                permits.extend(admitted);
            } else if !permits.is_empty() {
                drop(permits.swap_remove(which.index(permits.len())));
            }
            let busy = under_way.values().filter(|permits| !permits.is_empty());
            prop_assert_eq!(remembered(&throttle), busy.count());
        }
    }
}

#[test]
fn there_are_never_more_at_once_on_many_threads() {
    const MOST: u32 = 3;
    let throttle = at_once(MOST);
    let (under_way, admitted) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5000 {
                    let Ok(permit) = throttle.admit(&from_address(1)) else {
                        continue;
                    };
                    admitted.fetch_add(1, Ordering::SeqCst);
                    assert!(under_way.fetch_add(1, Ordering::SeqCst) < MOST);
                    std::thread::yield_now();
                    under_way.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                }
            });
        }
    });
    assert!(admitted.load(Ordering::SeqCst) > MOST);
    assert_eq!(remembered(&throttle), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_million_clients_are_remembered_by_is_bounded() {
    const MILLION: u32 = 1_000_000;
    let throttle = Throttle::new(&ThrottleSettings {
        requests: Some(RequestRate {
            per_second: number(1),
            burst: number(2),
        }),
        concurrent_requests: Some(number(1)),
        ..ThrottleSettings::OFF
    });
    let (busy, hasty) = (from_address(MILLION), from_address(MILLION + 1));
    let permit = throttle.admit(&busy).unwrap();
    for _ in 0..2 {
        drop(throttle.admit(&hasty).unwrap());
    }
    for client in 0..MILLION {
        drop(throttle.admit(&from_address(client)).unwrap());
        if client % 50_000 == 0 {
            assert!(remembered(&throttle) <= Clients::MOST);
        }
    }
    assert!(remembered(&throttle) <= Clients::MOST);
    // Whoever has asked for the most is not forgotten, and so not let off.
    let refusal = |client| throttle.admit(client).unwrap_err().too_many;
    assert_eq!(refusal(&busy), TooMany::AtOnce);
    assert_eq!(refusal(&hasty), TooMany::Requests);
    // Nor is memory kept for good that was needed once.
    advance(10 * SECOND).await;
    drop(permit);
    for client in 0..2 * u32::try_from(Clients::MOST).unwrap() {
        drop(throttle.admit(&from_address(client)));
        if client % 100 == 0 {
            advance(10 * SECOND).await;
        }
    }
    assert!(throttle.0.as_ref().unwrap().clients.capacity() < Clients::MOST / 2);
}

#[tokio::test(start_paused = true)]
async fn one_client_does_not_use_up_what_another_may() {
    let throttle = with_rate(1, 2);
    let (alice, bob) = (Identity::named("alice"), Identity::named("bob"));
    let address = [192, 0, 2, 1].into();
    let clients = [
        ClientKey::of(&alice, address),
        ClientKey::of(&bob, address),
        ClientKey::of(&Identity::Anonymous, address),
    ];
    for client in clients {
        assert!(throttle.admit(&client).is_ok());
        assert!(throttle.admit(&client).is_ok());
        let refused = throttle.admit(&client).unwrap_err();
        assert_eq!(
            (refused.too_many, refused.seconds()),
            (TooMany::Requests, 1)
        );
    }
    advance(SECOND).await;
    for client in clients {
        assert!(throttle.admit(&client).is_ok());
        assert!(throttle.admit(&client).is_err());
    }
}

#[test]
fn who_is_refused_for_too_many_at_once_uses_up_none_of_the_rate() {
    let throttle = Throttle::new(&ThrottleSettings {
        requests: Some(RequestRate {
            per_second: number(1),
            burst: number(2),
        }),
        concurrent_requests: Some(number(1)),
        ..ThrottleSettings::OFF
    });
    let client = from_address(1);
    let permit = throttle.admit(&client).unwrap();
    for _ in 0..10 {
        let refused = throttle.admit(&client).unwrap_err();
        assert_eq!((refused.too_many, refused.seconds()), (TooMany::AtOnce, 1));
    }
    drop(permit);
    assert!(throttle.admit(&client).is_ok());
    assert_eq!(
        throttle.admit(&client).unwrap_err().too_many,
        TooMany::Requests
    );
}

#[test]
fn without_limits_nothing_is_remembered() {
    let throttle = Throttle::new(&ThrottleSettings::OFF);
    let permits: Vec<_> = (0..1000)
        .map(|_| throttle.admit(&from_address(1)))
        .collect();
    assert!(permits.iter().all(Result::is_ok));
    assert!(throttle.0.is_none());
    // The limit of logins is another one.
    assert!(Throttle::new(&ThrottleSettings::default()).0.is_none());
}
