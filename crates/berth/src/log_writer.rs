use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How long the first line waits for others to go out with it.
const GATHER: Duration = Duration::from_millis(5);

/// How many bytes of lines may wait. Whoever has more waits with them.
const WAITING_BYTES: usize = 1024 * 1024;

/// For how long: whoever reads the log and has stopped must not stop the registry. After that, lines are
/// lost until it reads again.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the last lines may take at the end.
const END_PATIENCE: Duration = Duration::from_secs(1);

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
    /// There is room again, or all is written.
    emptied: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Nobody has read for so long that lines are lost.
    stuck: bool,
    /// There will be no more lines.
    ended: bool,
    /// All lines are written.
    done: bool,
}

/// Sees to it that what waits is written when this is dropped.
pub(crate) struct LogThread(Arc<Shared>);

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
        thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || writing.write_all_to(output))?;
        Ok((Self(Arc::clone(&shared)), LogThread(shared)))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) {
        let must_wait = |waiting: &mut Waiting| {
            waiting.lines.len() >= WAITING_BYTES && !waiting.ended && !waiting.stuck
        };
        let waiting = self
            .emptied
            .wait_timeout_while(self.lock(), PATIENCE, must_wait);
        let (mut waiting, waited) = waiting.unwrap_or_else(PoisonError::into_inner);
        waiting.stuck |= waited.timed_out();
        if waiting.stuck || waiting.ended {
            return;
        }
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
            let may_gather = |waiting: &mut Waiting| !waiting.ended;
            let waiting = self.filled.wait_timeout_while(waiting, GATHER, may_gather);
            let (mut waiting, _) = waiting.unwrap_or_else(PoisonError::into_inner);
            if waiting.lines.is_empty() {
                waiting.done = true;
                self.emptied.notify_all();
                return;
            }
            mem::swap(&mut lines, &mut waiting.lines);
            waiting.stuck = false;
            drop(waiting);
            self.emptied.notify_all();
            // There is nowhere to complain to.
            let _ = write_patiently(&mut output, &lines);
            lines.clear();
        }
    }
}

/// Writes all, also where the output is one that does not wait by itself.
fn write_patiently(output: &mut impl Write, mut lines: &[u8]) -> io::Result<()> {
    while !lines.is_empty() {
        match output.write(lines) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => lines = &lines[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(GATHER),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    output.flush()
}

impl Drop for LogThread {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.ended = true;
        self.0.filled.notify_all();
        let is_busy = |waiting: &mut Waiting| !waiting.done;
        let emptied = &self.0.emptied;
        // The thread may be stuck for ever: it ends with the process.
        drop(emptied.wait_timeout_while(waiting, END_PATIENCE, is_busy));
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

    /// Never comes to the end of a write.
    struct Stuck(mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Err(io::ErrorKind::Other.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_output_that_nobody_reads_stops_nobody_for_ever() {
        let (_sender, receiver) = mpsc::channel();
        let (writer, thread) = LogWriter::start(Stuck(receiver)).unwrap();
        let line = vec![b'x'; WAITING_BYTES];
        for _ in 0..10 {
            writer.make_writer().write_all(&line).unwrap();
        }
        assert!(writer.0.lock().lines.len() <= WAITING_BYTES);
        drop(thread);
    }
}
