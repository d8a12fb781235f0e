use std::time::Duration;

use berth_registry::{BodyError, BodyStream};
use bytes::Bytes;
use futures_util::stream::{StreamExt, unfold};
use http::{Request, header};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout};

use crate::large_bodies::{LARGE, LargeBodies, NoRoom, Room};

/// How much of a body that nobody wants is taken in, so that the client reads the answer instead of
/// finding the connection reset while it sends.
const DRAIN_BYTES: u64 = 16 * 1024 * 1024;
/// For how long.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// The body of a request, which breaks off if the client sends nothing for too long.
pub(crate) struct RequestBody {
    incoming: Option<Incoming>,
    patience: Duration,
    worth_draining: bool,
}

/// The client announced a body and then did not send it in time.
#[derive(Debug, thiserror::Error)]
#[error("its body did not arrive within {} seconds", .0.as_secs_f64())]
pub(crate) struct Stalled(Duration);

impl RequestBody {
    /// Takes the body out of a request.
    pub(crate) fn of(
        request: Request<Incoming>,
        patience: Duration,
    ) -> (http::request::Parts, Self) {
        let (parts, incoming) = request.into_parts();
        let body = Self {
            incoming: Some(incoming),
            patience,
            // A client that waits for `100 Continue` has not sent anything.
            worth_draining: !parts.headers.contains_key(header::EXPECT),
        };
        (parts, body)
    }

    /// How many bytes the body has, if that is known before they are read.
    pub(crate) fn length(&self) -> Option<u64> {
        self.incoming
            .as_ref()
            .and_then(|incoming| incoming.size_hint().exact())
    }

    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        loop {
            let incoming = self.incoming.as_mut()?;
            // Asking for the body is what says `100 Continue`.
            self.worth_draining = true;
            match timeout(self.patience, incoming.frame()).await {
                Ok(Some(Ok(frame))) => {
                    // Trailers mean nothing here.
                    if let Ok(bytes) = frame.into_data() {
                        return Some(Ok(bytes));
                    }
                }
                Ok(None) => {
                    self.incoming = None;
                    return None;
                }
                Ok(Some(Err(error))) => {
                    self.incoming = None;
                    return Some(Err(error.into()));
                }
                Err(_) => {
                    self.incoming = None;
                    return Some(Err(Stalled(self.patience).into()));
                }
            }
        }
    }

    /// The pieces as they arrive.
    pub(crate) fn stream(self) -> BodyStream {
        unfold(self, async |mut body| {
            let piece = body.next().await?;
            Some((piece, body))
        })
        .boxed()
    }

    /// The whole body, if it has at most `limit` bytes, with the room for it if it is large. It is held
    /// in memory, so it must arrive in the time that is allowed for a single byte elsewhere.
    pub(crate) async fn collect(
        mut self,
        limit: usize,
        large_bodies: &LargeBodies,
    ) -> Result<(Bytes, Room), CollectError> {
        let most = self.length().map_or(Ok(limit), usize::try_from);
        let most = most.map_err(|_| CollectError::TooLarge)?;
        if most > limit {
            return Err(CollectError::TooLarge);
        }
        let begun = Instant::now();
        let mut patience = self.patience;
        let mut whole = Vec::new();
        let mut room = None;
        while let Some(piece) = self
            .next_within(patience.saturating_sub(begun.elapsed()))
            .await
        {
            let piece = piece.map_err(CollectError::Body)?;
            let length = whole.len() + piece.len();
            if length > most {
                return Err(CollectError::TooLarge);
            }
            // Only when there is much, or a client that sends little could hold what others need.
            if length >= LARGE && room.is_none() {
                let asked = Instant::now();
                room = large_bodies.room(most).await?;
                // The client cannot send while it waits for others.
                patience = patience.saturating_add(asked.elapsed());
            }
            whole.extend_from_slice(&piece);
        }
        Ok((whole.into(), room))
    }

    async fn next_within(&mut self, time: Duration) -> Option<Result<Bytes, BodyError>> {
        let piece = timeout(time, self.next()).await;
        piece.unwrap_or_else(|_| Some(Err(Stalled(self.patience).into())))
    }
}

/// Why a body was not taken in.
#[derive(Debug)]
pub(crate) enum CollectError {
    /// It has more bytes than it may have.
    TooLarge,
    /// It broke off.
    Body(BodyError),
    /// There is no room for it now.
    NoRoom(NoRoom),
}

impl From<NoRoom> for CollectError {
    fn from(no_room: NoRoom) -> Self {
        Self::NoRoom(no_room)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(incoming) = self.incoming.take() else {
            return;
        };
        if self.worth_draining && !incoming.is_end_stream() {
            tokio::spawn(timeout(DRAIN_TIME, drain(incoming)));
        }
    }
}

async fn drain(mut incoming: Incoming) {
    let mut drained = 0;
    while let Some(Ok(frame)) = incoming.frame().await {
        drained += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
        if drained > DRAIN_BYTES {
            return;
        }
    }
}
