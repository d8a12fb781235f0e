use reqwest::Method;

use crate::harness::{Answer, Berth, Image, OCI_MANIFEST, digest};

/// What a server has acknowledged.
#[derive(Default)]
pub(crate) struct Acknowledged {
    blobs: Vec<Kept>,
    manifests: Vec<Kept>,
}

struct Kept {
    repository: String,
    /// The tag of a manifest, the digest of a blob.
    reference: String,
    content: Vec<u8>,
}

impl Acknowledged {
    /// Pushes a blob in one request, and notes it if that is taken.
    pub(crate) fn blob(&mut self, berth: &Berth, repository: &str, content: &[u8]) -> Answer {
        let path = format!("/v2/{repository}/blobs/uploads/?digest={}", digest(content));
        let request = berth.request(Method::POST, &path).body(content.to_vec());
        let answer = Answer::of(request.send().unwrap());
        if answer.status == 201 {
            self.note_blob(repository, content);
        }
        answer
    }

    /// Notes a blob that was acknowledged.
    pub(crate) fn note_blob(&mut self, repository: &str, content: &[u8]) {
        self.blobs.push(Kept {
            repository: repository.to_owned(),
            reference: digest(content),
            content: content.to_vec(),
        });
    }

    /// Pushes a manifest, and notes it if that is taken.
    pub(crate) fn manifest(
        &mut self,
        berth: &Berth,
        repository: &str,
        tag: &str,
        image: &Image,
    ) -> Answer {
        let path = format!("/v2/{repository}/manifests/{tag}");
        let answer = berth.put_manifest(&path, OCI_MANIFEST, image.manifest.clone());
        if answer.status == 201 {
            self.manifests.push(Kept {
                repository: repository.to_owned(),
                reference: tag.to_owned(),
                content: image.manifest.clone(),
            });
        }
        answer
    }

    /// Pushes an image and its blobs, which must all be taken.
    pub(crate) fn image(&mut self, berth: &Berth, repository: &str, tag: &str, image: &Image) {
        self.blob(berth, repository, &image.config).is(201);
        self.blob(berth, repository, &image.layer).is(201);
        self.manifest(berth, repository, tag, image).is(201);
    }

    /// Adds what another server, or another client of the same one, has acknowledged.
    pub(crate) fn extend(&mut self, other: Self) {
        self.blobs.extend(other.blobs);
        self.manifests.extend(other.manifests);
    }

    /// Reads everything back, and compares its digest.
    pub(crate) fn is_all_there(&self, berth: &Berth) {
        assert!(!self.blobs.is_empty(), "nothing was acknowledged");
        for kept in &self.blobs {
            let path = format!("/v2/{}/blobs/{}", kept.repository, kept.reference);
            assert_eq!(digest(&berth.get(&path).is(200).body), kept.reference);
        }
        for kept in &self.manifests {
            let digest_of_manifest = digest(&kept.content);
            for reference in [&kept.reference, &digest_of_manifest] {
                let path = format!("/v2/{}/manifests/{reference}", kept.repository);
                let pulled = berth.get(&path).is(200);
                assert_eq!(digest(&pulled.body), digest_of_manifest, "{path}");
            }
        }
    }

    /// As [`Acknowledged::is_all_there`], after a kill.
    pub(crate) fn survives_a_kill(&self, berth: Berth) -> Berth {
        let berth = berth.kill_and_restart();
        self.is_all_there(&berth);
        berth
    }
}
