use berth_metadata::{Referrer, ReferrerLimits};
use berth_spec::{Descriptor, Digest, RepositoryName};

use crate::{Registry, RegistryError};

/// The most bytes of descriptors that one page has: clients limit manifests to 4 MiB, and the page
/// is an image index, which has some bytes around its descriptors.
const PAGE_BYTES: usize = 4 * 1024 * 1024 - 1024;

/// How much is read from the store at a time.
const READ_AT_ONCE: ReferrerLimits = ReferrerLimits {
    count: 256,
    bytes: 1024 * 1024,
};

/// A page of the referrers of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferrerPage {
    /// A descriptor of each referrer, in byte order of their digests.
    pub descriptors: Vec<Descriptor>,
    /// Whether there are more after these.
    pub more: bool,
}

impl Registry {
    /// The manifests of the repository that name `subject` as theirs, after `last`, of one type if
    /// asked so: as many as an image index of 4 MiB holds (end-12a, end-12b). None if there is no
    /// such repository.
    ///
    /// Manifests that a client listed under the referrers tag schema are among them: they have a
    /// subject, and the registry notes the subject of every manifest that is pushed.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: Option<&Digest>,
    ) -> Result<ReferrerPage, RegistryError> {
        let mut page = ReferrerPage::default();
        let mut bytes = 0;
        let mut last = last.cloned();
        loop {
            let referrers = self
                .metadata
                .referrers(
                    repository,
                    subject,
                    artifact_type,
                    last.as_ref(),
                    READ_AT_ONCE,
                )
                .await?;
            let Some(end) = referrers.last() else {
                return Ok(page);
            };
            last = Some(end.digest.clone());
            for descriptor in referrers.into_iter().map(describe) {
                bytes += json_length(&descriptor);
                if bytes > PAGE_BYTES && !page.descriptors.is_empty() {
                    page.more = true;
                    return Ok(page);
                }
                page.descriptors.push(descriptor);
            }
        }
    }
}

fn describe(referrer: Referrer) -> Descriptor {
    let annotations = Some(referrer.annotations).filter(|annotations| !annotations.is_empty());
    let media_type = String::from(referrer.media_type);
    Descriptor {
        annotations,
        artifact_type: referrer.artifact_type,
        ..Descriptor::new(media_type, referrer.digest, referrer.size)
    }
}

/// How many bytes a descriptor takes in a list.
fn json_length(descriptor: &Descriptor) -> usize {
    let comma = 1;
    serde_json::to_vec(descriptor).map_or(0, |json| json.len()) + comma
}
