use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How long the first line waits for others to go out with it.
const GATHER: Duration = Duration::from_millis(5);

/// How many bytes of lines may wait. Whoever has more waits with them: no line is lost.
const WAITING_BYTES: usize = 1024 * 1024;

/// Where log lines go: a thread of its own writes them, many together when there are many.
///
/// A busy server has tens of thousands of lines a second. Waking another thread for each of them, as a
/// channel does, costs almost as much as serving the request.
#[derive(Clone)]
pub(crate) struct LogWriter(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    /// There is a line, or there will be no more.
    filled: Condvar,
    /// There is room again.
    emptied: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    ended: bool,
}

/// Writes what waits when it is dropped.
pub(crate) struct LogThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl LogWriter {
    /// Starts a thread that writes to `output`.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub(crate) fn start(output: impl Write + Send + 'static) -> io::Result<(Self, LogThread)> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            filled: Condvar::new(),
            emptied: Condvar::new(),
        });
        let writing = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writing.write_all_to(output))?;
        let thread = LogThread {
            shared: Arc::clone(&shared),
            thread: Some(thread),
        };
        Ok((Self(shared), thread))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) {
        let is_full =
            |waiting: &mut Waiting| waiting.lines.len() >= WAITING_BYTES && !waiting.ended;
        let waiting = self.emptied.wait_while(self.lock(), is_full);
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let was_empty = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        drop(waiting);
        if was_empty {
            self.filled.notify_one();
        }
    }

    fn write_all_to(&self, mut output: impl Write) {
        let mut lines = Vec::new();
        loop {
            let is_idle = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.ended;
            let waiting = self.filled.wait_while(self.lock(), is_idle);
            let waiting = waiting.unwrap_or_else(PoisonError::into_inner);
            if waiting.lines.is_empty() {
                return;
            }
            let waiting = self.filled.wait_timeout_while(waiting, GATHER, |waiting| {
                waiting.lines.len() < WAITING_BYTES && !waiting.ended
            });
            let (mut waiting, _) = waiting.unwrap_or_else(PoisonError::into_inner);
            mem::swap(&mut lines, &mut waiting.lines);
            drop(waiting);
            self.emptied.notify_all();
            // There is nowhere to complain to.
            let _ = output.write_all(&lines).and_then(|()| output.flush());
            lines.clear();
        }
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.filled.notify_all();
        self.shared.emptied.notify_all();
        if let Some(thread) = self.thread.take() {
            // If it panicked, standard error has that already.
            let _ = thread.join();
        }
    }
}

/// One line, which goes out whole.
pub(crate) struct Line<'a>(&'a Shared);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Hands on each piece that it is given, and waits until that is taken.
    struct Slow(mpsc::SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_arrives_in_order_and_the_last_ones_at_the_end() {
        let (sender, received) = mpsc::sync_channel(1000);
        let (writer, thread) = LogWriter::start(Slow(sender)).unwrap();
        let mut expected = Vec::new();
        for number in 0..10_000 {
            let line = format!("line {number}\n");
            writer.make_writer().write_all(line.as_bytes()).unwrap();
            expected.extend_from_slice(line.as_bytes());
        }
        drop(thread);
        drop(writer);
        assert!(received.iter().flatten().eq(expected));
    }

    #[test]
    fn an_output_that_is_slow_fills_no_memory_and_loses_nothing() {
        const LINES: usize = 100;
        let (sender, received) = mpsc::sync_channel(0);
        let (writer, thread) = LogWriter::start(Slow(sender)).unwrap();
        let logging = std::thread::spawn(move || {
            let line = vec![b'x'; WAITING_BYTES / 10];
            for _ in 0..LINES {
                writer.make_writer().write_all(&line).unwrap();
            }
            drop(thread);
        });
        let lengths: Vec<usize> = received.iter().map(|bytes| bytes.len()).collect();
        logging.join().unwrap();
        assert_eq!(lengths.iter().sum::<usize>(), LINES * (WAITING_BYTES / 10));
        assert!(lengths.iter().all(|length| *length <= WAITING_BYTES * 2));
    }
}
