use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::answered::Answered;
use crate::cluster::Cluster;
use crate::collecting::collect;
use crate::contents::Layers;
use crate::programs::Program;
use crate::pusher::Pusher;

/// Clients of a cluster that push, delete and pull, while garbage is collected.
pub(crate) struct Load<'a> {
    pub(crate) cluster: &'a Cluster,
    /// What all that is random follows from.
    pub(crate) seed: u64,
    pub(crate) clients: u64,
    /// Programs that others have made, which push and pull as well.
    pub(crate) programs: &'a [Program],
}

impl<'a> Load<'a> {
    /// Goes on as long as the trouble does, which is told when somebody has found something wrong.
    pub(crate) fn during<T>(&self, trouble: impl FnOnce(&AtomicBool) -> T) -> (Answered<'a>, T) {
        let Self { cluster, seed, .. } = *self;
        println!("BERTH_CLUSTER_SEED={seed}");
        let layers = Layers::new(seed);
        let stop = AtomicBool::new(false);
        let address = &cluster.balancer.address;
        thread::scope(|scope| {
            let (layers, stop) = (&layers, &stop);
            let collecting = scope.spawn(move || {
                let _ending = Ending(stop);
                collect(cluster, seed, stop)
            });
            let mut clients = Vec::new();
            for number in 0..self.clients {
                let pusher = Pusher::new(seed, (number, self.clients), layers, address);
                clients.push(scope.spawn(move || {
                    let _ending = Ending(stop);
                    pusher.run(stop)
                }));
            }
            for program in self.programs {
                clients.push(scope.spawn(move || {
                    let _ending = Ending(stop);
                    program.run(seed, layers, address, stop)
                }));
            }
            let result = {
                let _ending = Ending(stop);
                trouble(stop)
            };
            let mut answered = Answered::nothing(cluster, seed);
            for client in clients {
                answered.include(client.join().unwrap());
            }
            answered.collected = collecting.join().unwrap();
            (answered, result)
        })
    }
}

/// Ends the load, also if it is ended by a panic.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
