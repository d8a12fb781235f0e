use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Which bytes a [`BlobReader`](crate::BlobReader) reads. Bytes that are published later under the same
/// digest are others, even if they are equal.
///
/// It holds whatever its store knows them by, such as the open file, so that nothing else can be
/// mistaken for it as long as it lives.
#[derive(Clone)]
pub struct BlobIdentity(Arc<dyn Any + Send + Sync>);

impl BlobIdentity {
    /// An identity that its store will recognize.
    pub fn new(known_by: impl Any + Send + Sync) -> Self {
        Self(Arc::new(known_by))
    }

    /// What it was made of, if that is a `T`.
    pub fn known_by<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for BlobIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BlobIdentity")
    }
}
