//! Pushes, mounts, deletions and collection without any grace, all together.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::harness::{Answer, Berth, Image, OCI_MANIFEST, digest};
use crate::{files, report};

const CLIENTS: u64 = 6;
const ROUNDS: usize = 80;

/// So few that clients push what others push, and delete what others mount.
const IMAGES: u64 = 12;
const REPOSITORIES: u64 = 2;

#[test]
fn every_manifest_is_whole_whatever_was_collected_meanwhile() {
    let server = Berth::start();
    let data = server.data();
    let stop = AtomicBool::new(false);
    let (stored, refused) = thread::scope(|scope| {
        let collecting = scope.spawn(|| {
            let mut deleted = 0;
            while !stop.load(Ordering::Relaxed) {
                let done = report(&["gc", "--grace", "0s"], &data);
                let blobs = &done["collected"]["done"]["blobs"]["deleted"]["blobs"];
                deleted += blobs.as_u64().unwrap();
            }
            deleted
        });
        let client = |number| {
            let server = &server;
            scope.spawn(move || Client::new(server, number).run())
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        let counts: Vec<_> = clients.into_iter().map(|it| it.join().unwrap()).collect();
        stop.store(true, Ordering::Relaxed);
        assert!(collecting.join().unwrap() > 0, "nothing was collected");
        counts
            .into_iter()
            .fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1))
    });
    assert!(stored > 50, "{stored} stored, {refused} refused");
    verify(&server);
    let server = server.kill_and_restart();
    verify(&server);
    // What is left is what is needed.
    report(&["gc", "--grace", "0s"], &data);
    verify(&server);
    delete_everything(&server);
    report(&["gc", "--grace", "0s"], &data);
    assert_eq!(files(&data), 0);
}

fn repository(number: u64) -> String {
    format!("stress/{number}")
}

struct Client<'a> {
    server: &'a Berth,
    random: StdRng,
}

impl<'a> Client<'a> {
    fn new(server: &'a Berth, number: u64) -> Self {
        Self {
            server,
            random: StdRng::seed_from_u64(number),
        }
    }

    /// Answers how many manifests were stored and how many refused.
    fn run(mut self) -> (usize, usize) {
        let mut counts = (0, 0);
        for _ in 0..ROUNDS {
            let image = Image::new(self.random.random_range(0..IMAGES));
            let here = repository(self.random.random_range(0..REPOSITORIES));
            let there = repository(self.random.random_range(0..REPOSITORIES));
            if self.random.random_range(0..5) < 2 {
                let path = format!("/v2/{here}/manifests/{}", image.digest());
                let answer = self.server.delete(&path);
                assert!([202, 404].contains(&answer.status), "{answer:?}");
                continue;
            }
            for blob in [&image.config, &image.layer] {
                self.provide(&here, &there, blob);
            }
            let path = format!("/v2/{here}/manifests/v{}", self.random.random_range(0..2));
            let put = self
                .server
                .put_manifest(&path, OCI_MANIFEST, image.manifest);
            match put.status {
                201 => counts.0 += 1,
                // A blob was collected since it was pushed: there is no grace here.
                400 => counts.1 += 1,
                _ => panic!("{put:?}"),
            }
        }
        counts
    }

    /// Sees to it that a repository has a blob, as clients do: asks for it, mounts it, pushes it.
    fn provide(&self, here: &str, there: &str, blob: &[u8]) {
        let digest = digest(blob);
        let path = format!("/v2/{here}/blobs/{digest}");
        if self.server.head(&path).status == 200 {
            return;
        }
        let mount = format!("/v2/{here}/blobs/uploads/?mount={digest}&from={there}");
        let answer = self.server.post(&mount);
        if answer.status == 201 {
            return;
        }
        let session = answer.is(202).header("location").to_owned();
        let finish = format!("{session}?digest={digest}");
        self.server.put(&finish, blob).is(201);
    }
}

/// Whatever a tag leads to must be there, to the last byte.
fn verify(server: &Berth) {
    for here in (0..REPOSITORIES).map(repository) {
        for seed in 0..IMAGES {
            let image = Image::new(seed);
            let path = format!("/v2/{here}/manifests/{}", image.digest());
            if server.get(&path).status == 404 {
                continue;
            }
            for blob in [&image.config, &image.layer] {
                let answer: Answer = server.get(&format!("/v2/{here}/blobs/{}", digest(blob)));
                assert_eq!(answer.is(200).body, *blob);
            }
        }
    }
}

fn delete_everything(server: &Berth) {
    for here in (0..REPOSITORIES).map(repository) {
        for seed in 0..IMAGES {
            server.delete(&format!(
                "/v2/{here}/manifests/{}",
                Image::new(seed).digest()
            ));
        }
    }
}
