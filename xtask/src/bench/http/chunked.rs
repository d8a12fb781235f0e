use std::ops::Range;

use anyhow::{Result, anyhow};

/// Finds the content in a chunked body that arrives in pieces.
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
}

#[derive(Debug)]
enum State {
    Size,
    Data(u64),
    /// The line that ends the data of a chunk.
    DataEnd,
    /// The lines after the last chunk, to the empty one.
    Trailer,
    Done,
}

/// What some bytes of a chunked body were.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// How many bytes are dealt with; when none are, more must be there.
    pub(super) consumed: usize,
    /// Which of them are content.
    pub(super) content: Range<usize>,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Self { state: State::Size }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Deals with the next bytes, as far as they go.
    pub(super) fn step(&mut self, bytes: &[u8]) -> Result<Step> {
        match self.state {
            State::Size => self.size(bytes),
            State::Data(left) => Ok(self.data(left, bytes)),
            State::DataEnd => Ok(self.line(bytes, |_| State::Size)),
            State::Trailer => Ok(self.line(bytes, after_trailer)),
            State::Done => Ok(framing(0)),
        }
    }

    fn size(&mut self, bytes: &[u8]) -> Result<Step> {
        let size = httparse::parse_chunk_size(bytes)
            .map_err(|_| anyhow!("a chunk of a response has no valid size"))?;
        let httparse::Status::Complete((consumed, size)) = size else {
            return Ok(framing(0));
        };
        self.state = match size {
            0 => State::Trailer,
            size => State::Data(size),
        };
        Ok(framing(consumed))
    }

    fn data(&mut self, left: u64, bytes: &[u8]) -> Step {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - here as u64;
        self.state = match left {
            0 => State::DataEnd,
            left => State::Data(left),
        };
        Step {
            consumed: here,
            content: 0..here,
        }
    }

    fn line(&mut self, bytes: &[u8], next: impl Fn(&[u8]) -> State) -> Step {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return framing(0);
        };
        self.state = next(&bytes[..end]);
        framing(end + 1)
    }
}

fn after_trailer(line: &[u8]) -> State {
    if line.trim_ascii().is_empty() {
        State::Done
    } else {
        State::Trailer
    }
}

/// Bytes that hold no content.
fn framing(consumed: usize) -> Step {
    Step {
        consumed,
        content: 0..0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content of a body that arrives in pieces of this size, and what is left after it.
    fn decode(wire: &[u8], piece: usize) -> (Vec<u8>, usize) {
        let (mut chunked, mut content) = (Chunked::new(), Vec::new());
        let (mut start, mut end) = (0, 0);
        while !chunked.is_done() {
            let step = chunked.step(&wire[start..end]).unwrap();
            content.extend_from_slice(&wire[start..end][step.content]);
            start += step.consumed;
            if step.consumed == 0 && !chunked.is_done() {
                assert!(end < wire.len(), "the body does not end");
                end = (end + piece).min(wire.len());
            }
        }
        (content, wire.len() - start)
    }

    #[test]
    fn content_is_found_however_it_is_cut() {
        let wire = b"5;name=value\r\nhello\r\nA\r\n, registry\r\n0\r\nTrailer: x\r\n\r\nHTTP";
        for piece in 1..wire.len() {
            let (content, left) = decode(wire, piece);
            assert_eq!(content, b"hello, registry");
            assert_eq!(left, 4);
        }
    }

    #[test]
    fn an_empty_body_ends() {
        assert_eq!(decode(b"0\r\n\r\n", 1), (Vec::new(), 0));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Chunked::new().step(b"hello\r\n").is_err());
    }
}
