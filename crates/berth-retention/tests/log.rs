//! What is deleted is in the log, with the rule that says so.
#![allow(clippy::unwrap_used)]

mod store;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use berth_metadata::MemoryMetadata;
use berth_progress::Nobody;
use berth_retention::{Mode, Retention};
use store::{image, repository, tagged};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_deletion_is_a_line() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let metadata = MemoryMetadata::default();
    store::put(
        &metadata,
        &repository("team/app"),
        &tagged("image", &["v1"]),
    )
    .await;
    let rule = "tags = [\"*\"]\nolder_than = \"30m\"";
    let rules = vec![toml::from_str(rule).unwrap()];
    let retention = Retention::new(rules, Duration::from_secs(60)).unwrap();
    let later = SystemTime::now() + Duration::from_secs(3600);
    let read = || String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();

    let run = retention.run(&metadata, &Nobody, &|_| {}, Mode::DryRun, later);
    run.await.unwrap();
    assert_eq!(read(), "");

    let run = retention.run(&metadata, &Nobody, &|_| {}, Mode::Apply, later);
    run.await.unwrap();
    let read = read();
    let digest = image("image").digest;
    let lines: Vec<_> = read.lines().collect();
    let told = [
        format!("retention deleted a tag repository=team/app tag=v1 digest={digest} rule=1"),
        format!("retention deleted a manifest repository=team/app digest={digest} size=5 rule=1"),
    ];
    assert_eq!(lines.len(), told.len(), "{read}");
    for (line, told) in lines.iter().zip(told) {
        assert!(line.ends_with(&told), "{line}");
        assert!(line.contains(" INFO "), "{line}");
    }
}
