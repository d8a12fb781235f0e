use std::sync::Arc;
use std::time::Duration;

use berth_registry::{BodyError, BodyStream};
use bytes::Bytes;
use futures_util::stream::{StreamExt, unfold};
use http::{Request, header};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::large_bodies::{LARGE, LargeBodies, NoRoom, Room};

/// How much of a body that nobody wants is taken in, so that the client reads the answer instead of
/// finding the connection reset while it sends.
const DRAIN_BYTES: u64 = 16 * 1024 * 1024;
/// How many bodies at the same time. It costs whoever sends them nothing to be refused, so without a bound they could
/// have the server do nothing else. Those that find no place are not taken in: their connection ends.
const DRAINS: usize = 32;
/// For how long.
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// The bodies that nobody wants and that are taken in all the same.
#[derive(Clone)]
pub(crate) struct Drains(Arc<Semaphore>);

impl Drains {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(DRAINS)))
    }

    /// Takes in what comes of a body, if there is a place for it.
    fn take_in(&self, incoming: impl Body<Data = Bytes> + Send + Unpin + 'static) {
        let Ok(place) = Arc::clone(&self.0).try_acquire_owned() else {
            return;
        };
        tokio::spawn(async move {
            // Whether it ends or not.
            let _ = timeout(DRAIN_TIME, drain(incoming)).await;
            drop(place);
        });
    }
}

/// The body of a request, which breaks off if the client sends nothing for too long.
pub(crate) struct RequestBody {
    incoming: Option<Incoming>,
    patience: Duration,
    worth_draining: bool,
    drains: Drains,
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
        drains: &Drains,
    ) -> (http::request::Parts, Self) {
        let (parts, incoming) = request.into_parts();
        let body = Self {
            incoming: Some(incoming),
            patience,
            // A client that waits for `100 Continue` has not sent anything.
            worth_draining: !parts.headers.contains_key(header::EXPECT),
            drains: drains.clone(),
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
            self.drains.take_in(incoming);
        }
    }
}

async fn drain(mut incoming: impl Body<Data = Bytes> + Unpin) {
    let mut drained = 0;
    while let Some(Ok(frame)) = incoming.frame().await {
        drained += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
        if drained > DRAIN_BYTES {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
    use tokio::time::advance;

    /// A body that comes piece by piece, and from where.
    fn body() -> (
        UnboundedSender<Bytes>,
        impl Body<Data = Bytes> + Send + Unpin + 'static,
    ) {
        let (sender, receiver) = unbounded_channel::<Bytes>();
        let pieces = unfold(receiver, async |mut receiver| {
            let piece = receiver.recv().await?;
            Some((Ok::<_, std::io::Error>(Frame::data(piece)), receiver))
        });
        (sender, StreamBody::new(pieces.boxed()))
    }

    #[tokio::test(start_paused = true)]
    async fn few_bodies_that_nobody_wants_are_taken_in_at_once_and_not_for_long() {
        let drains = Drains::new();
        let bodies: Vec<_> = (0..DRAINS).map(|_| body()).collect();
        let (senders, bodies): (Vec<_>, Vec<_>) = bodies.into_iter().unzip();
        bodies.into_iter().for_each(|body| drains.take_in(body));
        assert!(senders.iter().all(|sender| !sender.is_closed()));
        // One more is not taken in.
        let (more, body_of_more) = body();
        drains.take_in(body_of_more);
        assert!(more.is_closed());
        // One that has ended leaves its place to another.
        drop(senders);
        tokio::task::yield_now().await;
        advance(Duration::from_millis(1)).await;
        let (more, body_of_more) = body();
        drains.take_in(body_of_more);
        assert!(!more.is_closed());
        advance(DRAIN_TIME).await;
        more.closed().await;
        assert_eq!(drains.0.available_permits(), DRAINS);
    }
}
