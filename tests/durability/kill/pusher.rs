use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use reqwest::Method;
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::json;

use crate::harness::{Answer, Berth, Image, OCI_MANIFEST, digest, noise};

/// A client with a repository of its own, that remembers what it was answered.
pub(crate) struct Pusher {
    repository: String,
    random: StdRng,
    /// Blobs that were acknowledged, and how to make their content again.
    blobs: BTreeMap<String, Content>,
    /// Those of them that no manifest needs.
    loose: Vec<String>,
    /// Blobs whose mount in another repository was acknowledged.
    mounted: BTreeMap<String, Content>,
    /// Blobs whose deletion was acknowledged.
    deleted: BTreeSet<String>,
    /// Manifests that were acknowledged, and their bytes.
    manifests: BTreeMap<String, Vec<u8>>,
    /// What each tag points to.
    tags: BTreeMap<String, Tag>,
    /// An upload session whose blob is not finished.
    session: Option<Session>,
    /// What was acknowledged since the last check.
    recent: Vec<String>,
}

#[derive(Clone, Copy)]
struct Content {
    seed: u64,
    length: usize,
}

impl Content {
    fn bytes(self) -> Vec<u8> {
        noise(self.seed, self.length)
    }
}

/// `None` is no tag.
#[derive(Clone, Default)]
struct Tag {
    acknowledged: Option<String>,
    /// What was asked for last and not answered: it may have happened.
    asked: Option<Option<String>>,
}

struct Session {
    url: String,
    content: Content,
    acknowledged: usize,
}

/// The server was killed before it answered.
struct Killed;

impl Pusher {
    pub(crate) fn new(number: u64) -> Self {
        Self {
            repository: format!("killed/{number}"),
            random: StdRng::seed_from_u64(1000 + number),
            blobs: BTreeMap::new(),
            loose: Vec::new(),
            mounted: BTreeMap::new(),
            deleted: BTreeSet::new(),
            manifests: BTreeMap::new(),
            tags: BTreeMap::new(),
            session: None,
            recent: Vec::new(),
        }
    }

    /// Does what clients do, until the server no longer answers.
    pub(crate) fn push_until_killed(&mut self, client: &Client, address: &str) {
        let server = Server { client, address };
        loop {
            let done = match self.random.random_range(0..8) {
                0 => self.push_whole_blob(&server),
                1 | 2 => self.push_some_chunks(&server),
                3 | 4 => self.push_image(&server),
                5 => self.mount_blob(&server),
                6 => self.delete_blob(&server),
                _ => self.delete_manifest(&server),
            };
            if done.is_err() {
                return;
            }
        }
    }

    fn content(&mut self, most: usize) -> Content {
        let (seed, length) = (self.random.random(), self.random.random_range(2..most));
        Content { seed, length }
    }

    fn push_whole_blob(&mut self, server: &Server<'_>) -> Result<(), Killed> {
        let content = self.content(300_000);
        let digest = self.push_blob(server, content)?;
        self.loose.push(digest);
        Ok(())
    }

    /// The repository that blobs are mounted in.
    fn mounts(&self) -> String {
        format!("{}/mounts", self.repository)
    }

    fn mount_blob(&mut self, server: &Server<'_>) -> Result<(), Killed> {
        let Some(digest) = self.loose.choose(&mut self.random).cloned() else {
            return Ok(());
        };
        let (from, to) = (&self.repository, self.mounts());
        let path = format!("/v2/{to}/blobs/uploads/?mount={digest}&from={from}");
        server.ask(server.request(Method::POST, &path), 201)?;
        self.mounted.insert(digest.clone(), self.blobs[&digest]);
        self.recent.push(digest);
        Ok(())
    }

    /// Deletes a blob, which stays where it is mounted.
    fn delete_blob(&mut self, server: &Server<'_>) -> Result<(), Killed> {
        if self.loose.len() < 2 {
            return Ok(());
        }
        let index = self.random.random_range(0..self.loose.len());
        let digest = self.loose.swap_remove(index);
        // Whether it is still there is not known until there is an answer.
        self.blobs.remove(&digest);
        let path = format!("/v2/{}/blobs/{digest}", self.repository);
        server.ask(server.request(Method::DELETE, &path), 202)?;
        self.deleted.insert(digest.clone());
        self.recent.push(digest);
        Ok(())
    }

    fn push_blob(&mut self, server: &Server<'_>, content: Content) -> Result<String, Killed> {
        let bytes = content.bytes();
        let digest = digest(&bytes);
        let path = format!("/v2/{}/blobs/uploads/?digest={digest}", self.repository);
        server.ask(server.request(Method::POST, &path).body(bytes), 201)?;
        self.acknowledge_blob(&digest, content);
        Ok(digest)
    }

    fn acknowledge_blob(&mut self, digest: &str, content: Content) {
        self.blobs.insert(digest.to_owned(), content);
        self.recent.push(digest.to_owned());
    }

    /// Begins an upload session, or goes on with the one that is there.
    fn push_some_chunks(&mut self, server: &Server<'_>) -> Result<(), Killed> {
        if self.session.is_none() {
            let content = self.content(500_000);
            let path = format!("/v2/{}/blobs/uploads/", self.repository);
            let answer = server.ask(server.request(Method::POST, &path), 202)?;
            let url = answer.header("location").to_owned();
            self.session = Some(Session {
                url,
                content,
                acknowledged: 0,
            });
        }
        for _ in 0..self.random.random_range(1..4) {
            if self.push_chunk(server)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// `true` if it was the last.
    fn push_chunk(&mut self, server: &Server<'_>) -> Result<bool, Killed> {
        let Some(session) = &mut self.session else {
            return Ok(true);
        };
        let bytes = session.content.bytes();
        let rest = bytes.len() - session.acknowledged;
        // One byte would look like none: both are `Range: 0-0`.
        let least = if session.acknowledged == 0 { 2 } else { 0 };
        let length = self.random.random_range(least..=rest);
        let chunk = &bytes[session.acknowledged..session.acknowledged + length];
        if length < rest {
            let request = server
                .request(Method::PATCH, &session.url)
                .body(chunk.to_vec());
            server.ask(request, 202)?;
            session.acknowledged += length;
            return Ok(false);
        }
        let digest = digest(&bytes);
        let path = format!("{}?digest={digest}", session.url);
        let request = server.request(Method::PUT, &path).body(chunk.to_vec());
        let content = session.content;
        // Whatever is answered, the session must not be counted on: it may be a blob already.
        self.session = None;
        server.ask(request, 201)?;
        self.acknowledge_blob(&digest, content);
        Ok(true)
    }

    fn push_image(&mut self, server: &Server<'_>) -> Result<(), Killed> {
        let (config, layer) = (self.content(1000), self.content(50_000));
        let config = (self.push_blob(server, config)?, config.length);
        let layer = (self.push_blob(server, layer)?, layer.length);
        let descriptor = |(digest, length): &(String, usize)| json!({ "mediaType": "application/vnd.example", "digest": digest, "size": length });
        let fields = json!({ "config": descriptor(&config), "layers": [descriptor(&layer)] });
        let image = Image::with(0, &fields);
        let tag = format!("t{}", self.random.random_range(0..5));
        let state = self.tags.entry(tag.clone()).or_default();
        state.asked = Some(Some(image.digest()));
        let path = format!("/v2/{}/manifests/{tag}", self.repository);
        let request = server
            .request(Method::PUT, &path)
            .header("content-type", OCI_MANIFEST);
        server.ask(request.body(image.manifest.clone()), 201)?;
        *state = Tag {
            acknowledged: Some(image.digest()),
            asked: None,
        };
        self.recent.push(image.digest());
        self.manifests.insert(image.digest(), image.manifest);
        Ok(())
    }

    /// Deletes a manifest that has a tag, and with it its tags.
    fn delete_manifest(&mut self, server: &Server<'_>) -> Result<(), Killed> {
        let tagged = self.tags.values().find_map(|tag| tag.acknowledged.clone());
        let Some(digest) = tagged else {
            return Ok(());
        };
        let pointing = |tag: &&mut Tag| tag.acknowledged.as_ref() == Some(&digest);
        self.tags
            .values_mut()
            .filter(pointing)
            .for_each(|tag| tag.asked = Some(None));
        // Whether it is still there is not known until there is an answer.
        self.manifests.remove(&digest);
        let path = format!("/v2/{}/manifests/{digest}", self.repository);
        server.ask(server.request(Method::DELETE, &path), 202)?;
        self.tags
            .values_mut()
            .filter(pointing)
            .for_each(|tag| *tag = Tag::default());
        Ok(())
    }

    /// Checks what was acknowledged since the last time, and says how much that was.
    pub(crate) fn check(&mut self, berth: &Berth) -> u64 {
        let recent = std::mem::take(&mut self.recent);
        for digest in &recent {
            self.check_content(berth, digest);
        }
        self.check_tags(berth);
        self.check_session(berth);
        recent.len() as u64
    }

    /// Checks all that was ever acknowledged.
    pub(crate) fn check_all(&mut self, berth: &Berth) {
        self.recent = self
            .blobs
            .keys()
            .chain(self.manifests.keys())
            .chain(self.mounted.keys())
            .chain(&self.deleted)
            .cloned()
            .collect();
        self.check(berth);
    }

    /// How many of each were acknowledged.
    pub(crate) fn mounts_and_deletions(&self) -> (usize, usize) {
        (self.mounted.len(), self.deleted.len())
    }

    fn check_content(&self, berth: &Berth, digest: &str) {
        let repository = &self.repository;
        let mounts = self.mounts();
        for (repository, content) in [
            (repository, self.blobs.get(digest)),
            (&mounts, self.mounted.get(digest)),
        ] {
            let Some(content) = content else {
                continue;
            };
            let pulled = berth
                .get(&format!("/v2/{repository}/blobs/{digest}"))
                .is(200);
            assert!(
                pulled.body == content.bytes(),
                "{repository}: {digest} is damaged"
            );
        }
        if self.deleted.contains(digest) {
            berth
                .get(&format!("/v2/{repository}/blobs/{digest}"))
                .fails_with(404, "BLOB_UNKNOWN");
        }
        if let Some(manifest) = self.manifests.get(digest) {
            let pulled = berth
                .get(&format!("/v2/{repository}/manifests/{digest}"))
                .is(200);
            assert_eq!(pulled.body, *manifest, "{repository}");
        }
    }

    /// A tag points to what was acknowledged, or to what was asked for last; never to anything
    /// else, and never to something that cannot be pulled.
    fn check_tags(&mut self, berth: &Berth) {
        for (name, tag) in &mut self.tags {
            let pulled = berth.get(&format!("/v2/{}/manifests/{name}", self.repository));
            let found = match pulled.status {
                200 => Some(digest(&pulled.body)),
                404 => None,
                status => panic!("{status}"),
            };
            let is_expected = found == tag.acknowledged || Some(&found) == tag.asked.as_ref();
            assert!(is_expected, "{}:{name} is {found:?}", self.repository);
            if found.is_some() {
                let manifest = pulled.json();
                for part in [&manifest["config"], &manifest["layers"][0]] {
                    let blob = part["digest"].as_str().unwrap();
                    let content = berth.get(&format!("/v2/{}/blobs/{blob}", self.repository));
                    assert_eq!(digest(&content.is(200).body), blob);
                }
            }
            *tag = Tag {
                acknowledged: found,
                asked: None,
            };
        }
    }

    /// A session holds at least what was acknowledged, and what it says it holds is true: with
    /// the rest it becomes the blob.
    fn check_session(&mut self, berth: &Berth) {
        let Some(session) = self.session.take() else {
            return;
        };
        let status = berth.get(&session.url).is(204);
        let (_, last) = status.header("range").split_once('-').unwrap();
        let held = match last.parse::<usize>().unwrap() {
            0 => 0,
            last => last + 1,
        };
        assert!(
            held >= session.acknowledged,
            "{held} of {}",
            session.acknowledged
        );
        let bytes = session.content.bytes();
        let digest = digest(&bytes);
        let path = format!("{}?digest={digest}", session.url);
        berth.put(&path, &bytes[held..]).is(201);
        self.acknowledge_blob(&digest, session.content);
    }
}

struct Server<'a> {
    client: &'a Client,
    address: &'a str,
}

impl Server<'_> {
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    fn ask(&self, request: RequestBuilder, expected: u16) -> Result<Answer, Killed> {
        let response = request.send().map_err(|_| Killed)?;
        let answer = Answer::whole(response).ok_or(Killed)?;
        Ok(answer.is(expected))
    }
}
