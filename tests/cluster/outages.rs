use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::cluster::Cluster;

/// How often what was done to replicas.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outages {
    pub(crate) kills: usize,
    pub(crate) restarts: usize,
    pub(crate) pauses: usize,
    /// Pauses for longer than an upload session is anybody's.
    pub(crate) long_pauses: usize,
}

/// Kills, restarts and stops replicas at random, each without regard to the others, for so long.
pub(crate) fn happen(cluster: &Cluster, seed: u64, time: Duration, stop: &AtomicBool) -> Outages {
    let outages = thread::scope(|scope| {
        let replicas: Vec<_> = (0..cluster.size())
            .map(|number| {
                scope.spawn(move || {
                    let mut trouble = Trouble {
                        cluster,
                        number,
                        random: StdRng::seed_from_u64(seed.wrapping_add(number as u64)),
                        end: Instant::now() + time,
                        stop,
                        outages: Outages::default(),
                    };
                    trouble.run();
                    trouble.outages
                })
            })
            .collect();
        let replicas = replicas.into_iter().map(|it| it.join().unwrap());
        replicas.collect::<Vec<_>>()
    });
    let mut sum = Outages::default();
    for one in outages {
        sum.kills += one.kills;
        sum.restarts += one.restarts;
        sum.pauses += one.pauses;
        sum.long_pauses += one.long_pauses;
    }
    sum
}

struct Trouble<'a> {
    cluster: &'a Cluster,
    number: usize,
    random: StdRng,
    end: Instant,
    stop: &'a AtomicBool,
    outages: Outages,
}

impl Trouble<'_> {
    fn run(&mut self) {
        while self.rest(500..5000) {
            match self.random.random_range(0..8) {
                0..=4 => self.kill(),
                5 => self.restart(),
                6 => self.pause(500..2000),
                // Only where there is time for it.
                _ if self.is_long() => {
                    self.outages.long_pauses += 1;
                    self.pause(17_000..22_000);
                }
                _ => self.kill(),
            }
        }
    }

    fn kill(&mut self) {
        self.outages.kills += 1;
        self.cluster.kill(self.number);
        self.rest(0..1000);
        self.cluster.restart(self.number);
    }

    /// As an operator does it.
    fn restart(&mut self) {
        self.outages.restarts += 1;
        self.cluster.terminate(self.number);
        self.cluster.restart(self.number);
    }

    fn pause(&mut self, milliseconds: std::ops::Range<u64>) {
        self.outages.pauses += 1;
        self.cluster.signal(self.number, "-STOP");
        self.rest(milliseconds);
        self.cluster.signal(self.number, "-CONT");
    }

    fn is_long(&self) -> bool {
        self.end.saturating_duration_since(Instant::now()) > Duration::from_secs(30)
    }

    /// Waits for so long, and answers whether it is to go on after that.
    fn rest(&mut self, milliseconds: std::ops::Range<u64>) -> bool {
        let time = Duration::from_millis(self.random.random_range(milliseconds));
        let until = (Instant::now() + time).min(self.end);
        loop {
            let now = Instant::now();
            if now >= self.end || self.stop.load(Ordering::Relaxed) {
                return false;
            }
            if now >= until {
                return true;
            }
            thread::sleep((until - now).min(Duration::from_millis(50)));
        }
    }
}
