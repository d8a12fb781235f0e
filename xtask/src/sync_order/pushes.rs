use std::path::Path;

use anyhow::{Context, Result};
use berth_spec::{Digest, media_types};
use serde_json::json;

use super::client::Client;
use super::promises::{Promise, Request, text};

const BYTES: &str = "application/octet-stream";

/// How large a blob is, in bytes: more than is written at once.
const BLOB_SIZE: usize = 1024 * 1024;

/// Pushes in every way that there is, and answers in order what each request was promised.
pub(super) fn push(address: &str, data: &Path) -> Result<Vec<Request>> {
    let mut pushes = Pushes {
        client: Client::connect(address)?,
        data,
        requests: Vec::new(),
    };
    let config = pushes.blob_in_one_request()?;
    pushes.known_blob(&config)?;
    pushes.blob_in_the_last_request()?;
    let layer = pushes.blob_in_pieces()?;
    pushes.manifest(&config, &layer)?;
    Ok(pushes.requests)
}

struct Pushes<'a> {
    client: Client,
    data: &'a Path,
    requests: Vec<Request>,
}

impl Pushes<'_> {
    fn blob_in_one_request(&mut self) -> Result<Digest> {
        let content = vec![b'1'; BLOB_SIZE];
        let digest = Digest::sha256(&content);
        let promise = Promise::Blob(self.path(&digest));
        let request = format!("POST /v2/a/blobs/uploads/?digest={digest}");
        self.send("POST of a blob", &request, &content, 201, promise)?;
        Ok(digest)
    }

    /// Whoever published it may not have come as far as to sync its folder.
    fn known_blob(&mut self, digest: &Digest) -> Result<()> {
        let promise = Promise::KnownBlob(self.path(digest));
        let request = format!("POST /v2/b/blobs/uploads/?digest={digest}");
        let content = vec![b'1'; BLOB_SIZE];
        self.send("POST of a known blob", &request, &content, 201, promise)?;
        Ok(())
    }

    fn blob_in_the_last_request(&mut self) -> Result<Digest> {
        let content = vec![b'2'; BLOB_SIZE];
        let session = self.begin()?;
        self.finish("PUT of a whole blob", &session, &content, &content)
    }

    fn blob_in_pieces(&mut self) -> Result<Digest> {
        let content = vec![b'3'; BLOB_SIZE];
        let (first, last) = content.split_at(BLOB_SIZE / 2);
        let session = self.begin()?;
        let id = session.rsplit('/').next().context("no session")?;
        let promise = Promise::Staged(text(&self.data.join("uploads").join(id)));
        let request = format!("PATCH {session}");
        self.send("PATCH of an upload", &request, first, 202, promise)?;
        self.finish("PUT of the rest of a blob", &session, last, &content)
    }

    fn manifest(&mut self, config: &Digest, layer: &Digest) -> Result<()> {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_IMAGE_MANIFEST,
            "config": { "mediaType": BYTES, "size": BLOB_SIZE, "digest": config.as_str() },
            "layers": [{ "mediaType": BYTES, "size": BLOB_SIZE, "digest": layer.as_str() }],
        });
        let content = serde_json::to_vec(&manifest)?;
        let request = "PUT /v2/a/manifests/v1";
        self.client
            .send(request, media_types::OCI_IMAGE_MANIFEST, &content, 201)?;
        self.answered("PUT of a manifest", 201, Promise::Record);
        let request = format!("DELETE /v2/a/manifests/{}", Digest::sha256(&content));
        self.send("DELETE of a manifest", &request, &[], 202, Promise::Record)?;
        Ok(())
    }

    /// Begins an upload session, and answers its path.
    fn begin(&mut self) -> Result<String> {
        let request = "POST /v2/a/blobs/uploads/";
        self.send("POST of a session", request, &[], 202, Promise::Record)
    }

    fn finish(
        &mut self,
        name: &'static str,
        session: &str,
        rest: &[u8],
        content: &[u8],
    ) -> Result<Digest> {
        let digest = Digest::sha256(content);
        let promise = Promise::Blob(self.path(&digest));
        let request = format!("PUT {session}?digest={digest}");
        self.send(name, &request, rest, 201, promise)?;
        Ok(digest)
    }

    fn send(
        &mut self,
        name: &'static str,
        request: &str,
        body: &[u8],
        status: u16,
        promise: Promise,
    ) -> Result<String> {
        let location = self.client.send(request, BYTES, body, status)?;
        self.answered(name, status, promise);
        Ok(location)
    }

    fn answered(&mut self, name: &'static str, status: u16, promise: Promise) {
        self.requests.push(Request {
            name,
            status,
            promise,
        });
    }

    /// Where a blob is.
    fn path(&self, digest: &Digest) -> String {
        let folder = self.data.join("blobs").join(digest.algorithm().as_str());
        text(&folder.join(&digest.hex()[..2]).join(digest.hex()))
    }
}
