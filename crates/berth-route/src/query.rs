use std::borrow::Cow;

use berth_spec::{Algorithm, Digest, RepositoryName, Tag};

use crate::{MountFrom, Page, RouteError, StartUpload};

/// The parameters of a request, decoded. Of a parameter given twice, the first counts.
pub(crate) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    pub(crate) fn of(text: Option<&'a str>) -> Self {
        Self(form_urlencoded::parse(text.unwrap_or_default().as_bytes()).collect())
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_ref())
    }

    fn first(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(crate) fn page(&self) -> Result<Page, RouteError> {
        let limit = self.first("n").map(limit).transpose()?;
        let last = self.first("last").map(str::to_owned);
        Ok(Page { limit, last })
    }

    /// The `tag` parameters, each once.
    pub(crate) fn tags(&self) -> Result<Vec<Tag>, RouteError> {
        let mut tags: Vec<Tag> = Vec::new();
        for text in self.all("tag") {
            let tag = text.parse().map_err(RouteError::TagInvalid)?;
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        Ok(tags)
    }

    pub(crate) fn digest(&self) -> Result<Digest, RouteError> {
        let text = self.first("digest").ok_or(RouteError::DigestMissing)?;
        Ok(text.parse()?)
    }

    /// `last`, where lists are of digests.
    pub(crate) fn last_digest(&self) -> Result<Option<Digest>, RouteError> {
        Ok(self.first("last").map(str::parse).transpose()?)
    }

    /// An empty filter is no filter.
    pub(crate) fn artifact_type(&self) -> Option<String> {
        // No media type has a space: it is a `+` that the client did not encode.
        let text = self.first("artifactType")?.replace(' ', "+");
        (!text.is_empty()).then_some(text)
    }

    /// A mount goes before a whole blob, and that before a session.
    pub(crate) fn start_upload(&self) -> Result<StartUpload, RouteError> {
        if let Some(mount) = self.first("mount") {
            let digest = mount.parse()?;
            return Ok(StartUpload::Mount {
                digest,
                from: self.mount_from(),
            });
        }
        let algorithm: Option<Algorithm> =
            self.first("digest-algorithm").map(str::parse).transpose()?;
        let Some(digest) = self.first("digest") else {
            return Ok(StartUpload::Session(algorithm.unwrap_or_default()));
        };
        let digest: Digest = digest.parse()?;
        match algorithm {
            Some(algorithm) if algorithm != digest.algorithm() => Err(RouteError::AlgorithmsDiffer),
            _ => Ok(StartUpload::Whole(digest)),
        }
    }

    fn mount_from(&self) -> MountFrom {
        match self.first("from") {
            None | Some("") => MountFrom::Anywhere,
            Some(name) => name
                .parse::<RepositoryName>()
                .map_or(MountFrom::Nowhere, MountFrom::Repository),
        }
    }
}

fn limit(text: &str) -> Result<u32, RouteError> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(RouteError::Limit(text.to_owned()));
    }
    Ok(text.parse().unwrap_or(u32::MAX))
}
