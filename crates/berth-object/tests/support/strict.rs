use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use berth_object::object_store::memory::InMemory;
use berth_object::object_store::multipart::{MultipartStore, PartId};
use berth_object::object_store::path::Path;
use berth_object::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use bytes::Bytes;
use futures_util::stream::BoxStream;

/// A bucket in memory that treats uploads as S3 does: an object is made of the parts that are listed, and
/// of no others, and not if one of them was replaced after it was stored.
#[derive(Debug, Default)]
pub(crate) struct StrictBucket {
    objects: InMemory,
    uploads: Mutex<Uploads>,
    refuses_completion: AtomicBool,
}

#[derive(Debug, Default)]
struct Uploads {
    stored: usize,
    under_way: HashMap<MultipartId, HashMap<usize, (String, Bytes)>>,
}

impl StrictBucket {
    /// How many uploads are under way.
    pub(crate) fn uploads(&self) -> usize {
        self.uploads.lock().unwrap().under_way.len()
    }

    /// Whether uploads cannot be completed for now.
    pub(crate) fn refuse_completion(&self, refuses: bool) {
        self.refuses_completion.store(refuses, Ordering::SeqCst);
    }
}

fn no_such_upload(path: &Path) -> Error {
    Error::NotFound {
        path: path.to_string(),
        source: "no such upload".into(),
    }
}

#[async_trait]
impl MultipartStore for StrictBucket {
    async fn create_multipart(&self, _path: &Path) -> Result<MultipartId> {
        let mut uploads = self.uploads.lock().unwrap();
        uploads.stored += 1;
        let id = format!("upload {}", uploads.stored);
        uploads.under_way.insert(id.clone(), HashMap::new());
        Ok(id)
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        part_idx: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        let mut uploads = self.uploads.lock().unwrap();
        uploads.stored += 1;
        let content_id = format!("part {}", uploads.stored);
        let upload = uploads
            .under_way
            .get_mut(id)
            .ok_or_else(|| no_such_upload(path))?;
        upload.insert(part_idx, (content_id.clone(), data.into()));
        Ok(PartId { content_id })
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        if self.refuses_completion.load(Ordering::SeqCst) {
            return Err(Error::Generic {
                store: "strict bucket",
                source: "not now".into(),
            });
        }
        let whole = {
            let mut uploads = self.uploads.lock().unwrap();
            let upload = uploads
                .under_way
                .get(id)
                .ok_or_else(|| no_such_upload(path))?;
            let mut whole = Vec::new();
            for (index, part) in parts.iter().enumerate() {
                match upload.get(&index) {
                    Some((content_id, content)) if *content_id == part.content_id => {
                        whole.extend_from_slice(content);
                    }
                    _ => {
                        return Err(Error::Generic {
                            store: "strict bucket",
                            source: "invalid part".into(),
                        });
                    }
                }
            }
            uploads.under_way.remove(id);
            whole
        };
        self.objects.put(path, whole.into()).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        let aborted = self.uploads.lock().unwrap().under_way.remove(id);
        aborted.map(drop).ok_or_else(|| no_such_upload(path))
    }
}

impl fmt::Display for StrictBucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StrictBucket")
    }
}

#[async_trait]
impl ObjectStore for StrictBucket {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.objects.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.objects.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}
