use async_trait::async_trait;
use berth_blob::{BlobError, StagedWriter};
use bytes::Bytes;

use crate::Faults;
use crate::faults::Step;

/// An open staging area.
pub(crate) struct FaultyWriter {
    /// `None` while it writes late, and ever after if nobody waited for that.
    writer: Option<Box<dyn StagedWriter>>,
    faults: Faults,
}

impl FaultyWriter {
    pub(crate) fn new(writer: Box<dyn StagedWriter>, faults: Faults) -> Self {
        let writer = Some(writer);
        Self { writer, faults }
    }

    async fn write_late(&mut self, step: &Step, pieces: Vec<Bytes>) -> Result<(), BlobError> {
        let mut writer = self.writer.take().ok_or(BlobError::Interrupted)?;
        let written = async move {
            let written = writer.write(pieces).await;
            Ok::<_, BlobError>((writer, written))
        };
        let (writer, written) = step.late(written).await?;
        self.writer = Some(writer);
        written
    }

    fn writer(&mut self) -> Result<&mut dyn StagedWriter, BlobError> {
        match &mut self.writer {
            Some(writer) => Ok(&mut **writer),
            None => Err(BlobError::Interrupted),
        }
    }
}

#[async_trait]
impl StagedWriter for FaultyWriter {
    async fn write(&mut self, pieces: Vec<Bytes>) -> Result<(), BlobError> {
        let step = self.faults.begin("write").await?;
        let some = match step.is_halved() {
            true => first_half(pieces),
            false => pieces,
        };
        let written = self.write_late(&step, some).await;
        step.end(written).await
    }

    async fn sync(&mut self) -> Result<(), BlobError> {
        let faults = self.faults.clone();
        faults.step("sync", self.writer()?.sync()).await
    }

    async fn close(&mut self) -> Result<(), BlobError> {
        let faults = self.faults.clone();
        faults.step("close", self.writer()?.close()).await
    }
}

/// The first half of these bytes, which may end within a piece.
fn first_half(pieces: Vec<Bytes>) -> Vec<Bytes> {
    let mut rest = pieces.iter().map(Bytes::len).sum::<usize>() / 2;
    let cut = |mut piece: Bytes| {
        piece.truncate(rest);
        rest -= piece.len();
        piece
    };
    pieces.into_iter().map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_bytes_may_end_within_a_piece() {
        for (pieces, half) in [
            (vec!["layer"], "la"),
            (vec!["la", "yers"], "lay"),
            (vec!["", "layer", "s"], "lay"),
            (vec![], ""),
        ] {
            let pieces = pieces.into_iter().map(Bytes::from).collect();
            assert_eq!(first_half(pieces).concat(), half.as_bytes());
        }
    }
}
