use berth_spec::{Algorithm, BlobName, Digest, SessionId};
use object_store::path::Path;
use uuid::Uuid;

/// Which objects hold what.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    prefix: Path,
}

impl Layout {
    pub(crate) fn new(prefix: Path) -> Self {
        Self { prefix }
    }

    pub(crate) fn prefix(&self) -> &Path {
        &self.prefix
    }

    /// What all blobs are under.
    pub(crate) fn blobs(&self) -> Path {
        self.prefix.clone().join("blobs")
    }

    pub(crate) fn blob(&self, name: &BlobName) -> Path {
        let hex = name.digest.hex();
        let folder = self.blobs().join(name.digest.algorithm().as_str());
        let folder = folder.join(&hex[..2]);
        match name.generation {
            Some(generation) => folder.join(format!("{hex}.{generation}")),
            None => folder.join(hex),
        }
    }

    /// The blob that an object under [`Layout::blobs`] is.
    pub(crate) fn name_of(&self, object: &Path) -> Option<BlobName> {
        let file = object.filename()?;
        let (hex, generation) = match file.split_once('.') {
            Some((hex, generation)) => (hex, Some(generation.parse().ok()?)),
            None => (file, None),
        };
        let mut names = Algorithm::ALL.into_iter().filter_map(|algorithm| {
            let digest: Digest = format!("{algorithm}:{hex}").parse().ok()?;
            let name = BlobName { digest, generation };
            (self.blob(&name) == *object).then_some(name)
        });
        names.next()
    }

    /// What all staging areas are under.
    pub(crate) fn uploads(&self) -> Path {
        self.prefix.clone().join("uploads")
    }

    pub(crate) fn staging(&self, session: SessionId) -> Path {
        self.uploads().join(session.to_string())
    }

    /// What a session holds. It is there as long as the staging area is.
    pub(crate) fn record(&self, session: SessionId) -> Path {
        self.staging(session).join("record")
    }

    /// What a multipart upload of a session becomes.
    pub(crate) fn data(&self, session: SessionId, number: u64) -> Path {
        self.staging(session).join(format!("data.{number}"))
    }

    /// The session that an object is the record of.
    pub(crate) fn session_of(&self, object: &Path) -> Option<SessionId> {
        let session: SessionId = object.parts().rev().nth(1)?.as_ref().parse().ok()?;
        (self.record(session) == *object).then_some(session)
    }

    /// Whose blobs these are.
    pub(crate) fn owner(&self) -> Path {
        self.prefix.clone().join("owner")
    }

    /// An object that nobody else has.
    pub(crate) fn probe(&self) -> Path {
        self.prefix
            .clone()
            .join(format!("probe.{}", Uuid::new_v4()))
    }

    /// A place for bytes that are not what their digest says, where nothing is yet.
    pub(crate) fn quarantine(&self, digest: &Digest) -> Path {
        let (algorithm, hex) = (digest.algorithm(), digest.hex());
        let name = format!("{algorithm}-{hex}.{}", Uuid::new_v4());
        self.prefix.clone().join("quarantine").join(name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use berth_spec::Generation;

    #[test]
    fn objects_are_known_by_their_names() {
        for prefix in ["", "registry", "of/teams"] {
            let layout = Layout::new(Path::parse(prefix).unwrap());
            for algorithm in Algorithm::ALL {
                let mut name = BlobName::from(Digest::of(algorithm, b"content"));
                for generation in [None, Some(Generation::random())] {
                    name.generation = generation;
                    assert_eq!(layout.name_of(&layout.blob(&name)), Some(name.clone()));
                }
            }
            let session = SessionId::random();
            assert_eq!(layout.session_of(&layout.record(session)), Some(session));
            assert_eq!(layout.session_of(&layout.data(session, 0)), None);
        }
    }

    #[test]
    fn strangers_are_no_blobs() {
        let layout = Layout::new(Path::parse("registry").unwrap());
        let digest = Digest::sha256(b"content");
        let hex = digest.hex();
        for name in [
            format!("registry/blobs/sha256/{}/{hex}.1", &hex[..2]),
            format!("registry/blobs/sha256/{}/{hex}.", &hex[..2]),
            format!("registry/blobs/sha256/ff0/{hex}"),
            format!("registry/blobs/sha512/{}/{hex}", &hex[..2]),
            format!("blobs/sha256/{}/{hex}", &hex[..2]),
            "registry/blobs/sha256/README".to_owned(),
            "registry/blobs".to_owned(),
        ] {
            assert_eq!(layout.name_of(&Path::parse(&name).unwrap()), None, "{name}");
        }
    }
}
