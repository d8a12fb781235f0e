use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::activity::Activity;
use crate::protocol::PREFACE;

pin_project! {
    /// A connection that breaks off when the other side stalls where hyper would wait for ever:
    /// before the protocol is known, and in taking what it is sent.
    pub(crate) struct StallGuard<S> {
        #[pin]
        stream: S,
        received: usize,
        unread: Bytes,
        #[pin]
        preface_deadline: Sleep,
        write_timeout: Duration,
        #[pin]
        write_deadline: Sleep,
        write_stalled: bool,
        activity: Activity,
    }
}

impl<S> StallGuard<S> {
    pub(crate) fn new(
        stream: S,
        preface_timeout: Duration,
        write_timeout: Duration,
        activity: Activity,
    ) -> Self {
        Self {
            stream,
            received: 0,
            unread: Bytes::new(),
            preface_deadline: sleep(preface_timeout),
            write_timeout,
            write_deadline: sleep(write_timeout),
            write_stalled: false,
            activity,
        }
    }

    /// Takes back bytes that were read: they are what is read next.
    pub(crate) fn take_back(self: Pin<&mut Self>, unread: Vec<u8>) {
        *self.project().unread = unread.into();
    }

    /// As [`StallGuard::watch`], for what sends bytes.
    fn watch_write<T>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let outcome = self.as_mut().watch(context, write);
        self.project().activity.wrote(outcome.is_ready());
        outcome
    }

    /// Passes the outcome of a write on; the clock runs from the first that had to wait until
    /// one goes through.
    fn watch<T>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let mut this = self.project();
        if let Poll::Ready(outcome) = write(this.stream, context) {
            *this.write_stalled = false;
            return Poll::Ready(outcome);
        }
        if !*this.write_stalled {
            *this.write_stalled = true;
            let deadline = Instant::now() + *this.write_timeout;
            this.write_deadline.as_mut().reset(deadline);
        }
        ready!(this.write_deadline.poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead> AsyncRead for StallGuard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        if !this.unread.is_empty() {
            let length = this.unread.len().min(buffer.remaining());
            buffer.put_slice(&this.unread.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        if let Poll::Ready(outcome) = this.stream.poll_read(context, buffer) {
            *this.received += buffer.filled().len() - before;
            return Poll::Ready(outcome);
        }
        if *this.received >= PREFACE.len() {
            return Poll::Pending;
        }
        ready!(this.preface_deadline.poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite> AsyncWrite for StallGuard<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.watch_write(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.watch_write(context, |stream, context| {
            stream.poll_write_vectored(context, slices)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TLS takes bytes before the client does.
        self.watch_write(context, |stream, context| stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watch(context, |stream, context| stream.poll_shutdown(context))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter, duplex};
    use tokio::time::timeout;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(600);

    #[tokio::test]
    async fn what_the_stream_has_taken_in_and_not_sent_waits_for_the_client() {
        let (mut client, server) = duplex(4);
        let activity = Activity::new();
        let server = BufWriter::new(server);
        let mut guard = std::pin::pin!(StallGuard::new(server, LONG, LONG, activity.clone()));
        guard.write_all(b"answer").await.unwrap();
        assert!(activity.idle(Instant::now()).is_some());
        assert!(timeout(SHORT, guard.flush()).await.is_err());
        assert_eq!(activity.idle(Instant::now()), None);
        client.read_exact(&mut [0; 4]).await.unwrap();
        guard.flush().await.unwrap();
        assert!(activity.idle(Instant::now()).is_some());
    }

    #[tokio::test]
    async fn what_was_taken_back_is_read_first() {
        let (mut client, server) = duplex(64);
        let mut guard = std::pin::pin!(StallGuard::new(server, LONG, LONG, Activity::new()));
        client.write_all(b"begun, and the rest").await.unwrap();
        let mut begun = vec![0; 5];
        guard.read_exact(&mut begun).await.unwrap();
        guard.as_mut().take_back(begun);
        let mut pieces = [[0; 3], [0; 3], [0; 3]];
        for piece in &mut pieces {
            guard.read_exact(piece).await.unwrap();
        }
        assert_eq!(&pieces.concat(), b"begun, an");
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_is_cut_off() {
        let (_client, server) = duplex(64);
        let mut guard = std::pin::pin!(StallGuard::new(server, SHORT, LONG, Activity::new()));
        let error = guard.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_cut_off() {
        let (_client, server) = duplex(64);
        let mut guard = std::pin::pin!(StallGuard::new(server, LONG, SHORT, Activity::new()));
        let error = guard.write_all(&[0; 65]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_may_be_silent_after_the_preface() {
        let (mut client, server) = duplex(64);
        let mut guard = std::pin::pin!(StallGuard::new(server, SHORT, LONG, Activity::new()));
        client.write_all(PREFACE).await.unwrap();
        guard.read_exact(&mut [0; PREFACE.len()]).await.unwrap();
        let silence = tokio::time::timeout(SHORT * 3, guard.read_u8()).await;
        assert!(silence.is_err(), "the connection was cut off");
    }
}
