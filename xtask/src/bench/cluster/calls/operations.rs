use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use berth_spec::{Digest, media_types};

use crate::bench::cluster::fleet::{Delivery, Fleet};
use crate::bench::content::{Content, random};
use crate::bench::http::{Body, Connection, Request};
use crate::bench::image::{Blob, Image};
use crate::bench::push::{self, Way};

/// What clients ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read(Read),
    PushBlob,
    MountBlob,
    PushManifest,
    PushLarge(Way),
}

/// Requests that change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    ManifestByTag,
    ManifestByDigest,
    HeadOfManifest,
    Blob,
    HeadOfBlob,
}

/// What is counted.
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) delivery: Delivery,
}

const fn streamed(name: &'static str, kind: Kind) -> Operation {
    Operation {
        name,
        kind,
        delivery: Delivery::Streamed,
    }
}

const fn blob(name: &'static str, delivery: Delivery) -> Operation {
    Operation {
        name,
        kind: Kind::Read(Read::Blob),
        delivery,
    }
}

pub(super) const OPERATIONS: [Operation; 12] = [
    streamed("GET of a manifest by tag", Kind::Read(Read::ManifestByTag)),
    streamed(
        "GET of a manifest by digest",
        Kind::Read(Read::ManifestByDigest),
    ),
    streamed(
        "HEAD of a manifest by tag",
        Kind::Read(Read::HeadOfManifest),
    ),
    blob("GET of a blob, streamed", Delivery::Streamed),
    blob("GET of a blob, from the cache", Delivery::Cached),
    blob("GET of a blob, redirected", Delivery::Redirected),
    streamed("HEAD of a blob", Kind::Read(Read::HeadOfBlob)),
    streamed("push of a blob of 10 KiB", Kind::PushBlob),
    streamed("mount of a blob", Kind::MountBlob),
    streamed("push of a manifest of 3 blobs", Kind::PushManifest),
    streamed(
        "push of a blob of 64 MiB, single PUT",
        Kind::PushLarge(Way::SinglePut),
    ),
    streamed(
        "push of a blob of 64 MiB, chunks of 8 MiB",
        Kind::PushLarge(Way::Chunks),
    ),
];

impl Operation {
    /// Whether it is counted a few times only.
    pub(super) fn is_large(&self) -> bool {
        matches!(self.kind, Kind::PushLarge(_))
    }
}

const REPOSITORY: &str = "calls";
const TAG: &str = "v1";
const SMALL: usize = 10 << 10;
const LARGE: u64 = 64 << 20;

/// One operation that is to be done.
pub(super) enum Act {
    Send(Request),
    Push(Vec<u8>, Digest),
    PushLarge(Content, Digest, Way),
    /// Of a manifest whose blobs are there, by this tag.
    PushManifest(Vec<u8>, String),
    /// Into this repository, which is new.
    Mount(String),
}

/// A client of one server.
pub(super) struct Client {
    connection: Connection,
    /// What is pulled, and mounted.
    blob: (Vec<u8>, Digest),
    image: Image,
    /// Nothing is made twice.
    made: u64,
}

impl Client {
    /// Connects, and stores what is pulled.
    pub(super) async fn new(fleet: &Fleet) -> Result<Self> {
        let address: SocketAddr = *fleet.addresses(1).first().context("there is no server")?;
        let mut connection = Connection::open(address).await?;
        let bytes = random(u64::MAX, SMALL);
        let digest = Digest::sha256(&bytes);
        push::blob(&mut connection, REPOSITORY, &bytes, &digest).await?;
        let image = Image::new("calls", &[blob_of(&bytes, &digest)]);
        push::blob(
            &mut connection,
            REPOSITORY,
            &image.config,
            &image.config_digest,
        )
        .await?;
        push::manifest(&mut connection, REPOSITORY, TAG, &image.manifest).await?;
        // Servers of one registry share what is stored: their contents must differ.
        let made = u64::from(address.port()) << 32;
        Ok(Self {
            connection,
            blob: (bytes, digest),
            image,
            made,
        })
    }

    /// Makes ready one operation, so that doing it is nothing else.
    pub(super) async fn prepare(&mut self, kind: Kind) -> Result<Act> {
        self.made += 1;
        let act = match kind {
            Kind::Read(read) => Act::Send(self.request(read)),
            Kind::PushBlob => {
                let (bytes, digest) = self.small();
                Act::Push(bytes, digest)
            }
            Kind::PushLarge(way) => {
                let mut content = Content::new(self.made, LARGE);
                let digest = content.digest();
                Act::PushLarge(content, digest, way)
            }
            Kind::PushManifest => {
                Act::PushManifest(self.manifest().await?, format!("v{}", self.made))
            }
            Kind::MountBlob => Act::Mount(format!("calls/{}", self.made)),
        };
        Ok(act)
    }

    fn request(&self, read: Read) -> Request {
        let (image, (_, blob)) = (&self.image, &self.blob);
        let (method, target) = match read {
            Read::ManifestByTag => ("GET", format!("manifests/{TAG}")),
            Read::ManifestByDigest => ("GET", format!("manifests/{}", image.digest)),
            Read::HeadOfManifest => ("HEAD", format!("manifests/{TAG}")),
            Read::Blob => ("GET", format!("blobs/{blob}")),
            Read::HeadOfBlob => ("HEAD", format!("blobs/{blob}")),
        };
        let headers = [("Accept", media_types::OCI_IMAGE_MANIFEST)];
        let target = format!("/v2/{REPOSITORY}/{target}");
        Request::new(method, &target, &headers, &Body::None)
    }

    fn small(&mut self) -> (Vec<u8>, Digest) {
        self.made += 1;
        let bytes = random(self.made, SMALL);
        let digest = Digest::sha256(&bytes);
        (bytes, digest)
    }

    /// A new manifest of two layers and a config, which are pushed.
    async fn manifest(&mut self) -> Result<Vec<u8>> {
        let layers = [self.small(), self.small()];
        let blobs = layers
            .each_ref()
            .map(|(bytes, digest)| blob_of(bytes, digest));
        let image = Image::new(&self.made.to_string(), &blobs);
        for (bytes, digest) in &layers {
            push::blob(&mut self.connection, REPOSITORY, bytes, digest).await?;
        }
        push::blob(
            &mut self.connection,
            REPOSITORY,
            &image.config,
            &image.config_digest,
        )
        .await?;
        Ok(image.manifest)
    }

    pub(super) async fn act(&mut self, act: Act) -> Result<()> {
        let connection = &mut self.connection;
        match act {
            Act::Send(request) => {
                let status = connection.send(&request).await?.status;
                ensure!(matches!(status, 200 | 307), "a read was answered {status}");
                Ok(())
            }
            Act::Push(bytes, digest) => push::blob(connection, REPOSITORY, &bytes, &digest).await,
            Act::PushLarge(mut content, digest, way) => {
                push::content(connection, REPOSITORY, &mut content, &digest, way).await
            }
            Act::PushManifest(manifest, tag) => {
                push::manifest(connection, REPOSITORY, &tag, &manifest).await
            }
            Act::Mount(repository) => {
                let (bytes, digest) = &self.blob;
                push::mount(connection, &repository, REPOSITORY, bytes, digest).await
            }
        }
    }
}

fn blob_of(bytes: &[u8], digest: &Digest) -> Blob {
    Blob {
        digest: digest.clone(),
        size: bytes.len() as u64,
    }
}
