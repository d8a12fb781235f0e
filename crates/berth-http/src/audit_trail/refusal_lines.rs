use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use berth_audit::{AuditLog, Event, Outcome, Record};
use tokio::time::{Duration, Instant, sleep_until};

use crate::throttle::Network;

/// How many lines about refusals one network may cause in a minute.
const LINES: u64 = 60;

const MINUTE: Duration = Duration::from_secs(60);

/// How many networks are told apart. What is beyond that counts together.
const NETWORKS: usize = 4096;

/// Bounds how many lines about refusals there are in the audit log, since anybody can cause them: of each network sixty
/// in a minute, and when the minute is over one that says how many more there were.
#[derive(Clone, Debug)]
pub(crate) struct RefusalLines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    log: AuditLog,
    minutes: Mutex<HashMap<Option<Network>, Minute>>,
}

/// What one network caused since its first refusal.
#[derive(Debug)]
struct Minute {
    /// One of the addresses of the network.
    address: Option<IpAddr>,
    refusals: u64,
}

impl RefusalLines {
    /// Without any so far; what is left out is told in this log.
    pub(crate) fn new(log: AuditLog) -> Self {
        Self(Arc::new(Shared {
            log,
            minutes: Mutex::default(),
        }))
    }

    /// Whether there may be one more line about a refusal of this address. If not, it is counted.
    pub(crate) fn admit(&self, address: IpAddr) -> bool {
        let now = Instant::now();
        let mut minutes = self.0.lock();
        let network = Some(Network::of(address));
        let key = match minutes.contains_key(&network) || minutes.len() < NETWORKS {
            true => network,
            false => None,
        };
        let minute = minutes.entry(key).or_insert_with(|| {
            self.end_later(key, now);
            Minute {
                address: key.map(|_| address),
                refusals: 0,
            }
        });
        minute.refusals += 1;
        minute.refusals <= LINES
    }

    fn end_later(&self, key: Option<Network>, since: Instant) {
        let shared = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            sleep_until(since + MINUTE).await;
            if let Some(shared) = Weak::upgrade(&shared) {
                let minute = shared.lock().remove(&key);
                minute.iter().for_each(|minute| shared.tell(minute));
            }
        });
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<Option<Network>, Minute>> {
        self.minutes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, minute: &Minute) {
        let more = minute.refusals.saturating_sub(LINES);
        if more > 0 {
            self.log.record_now(&Record {
                client: minute.address,
                count: Some(more),
                ..Record::new(Event::RefusalsLeftOut, Outcome::Refused)
            });
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.lock().values().for_each(|minute| self.tell(minute));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use berth_audit::Settings;
    use serde_json::Value;
    use tokio::time::sleep;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn admitted(lines: &RefusalLines, address: IpAddr, tries: u64) -> u64 {
        (0..tries).filter(|_| lines.admit(address)).count() as u64
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_has_so_many_lines_in_a_minute_and_what_is_left_out_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit");
        let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
        let lines = RefusalLines::new(log.clone());
        assert_eq!(admitted(&lines, HERE, 100), LINES);
        assert_eq!(admitted(&lines, THERE, LINES), LINES);
        sleep(MINUTE + Duration::from_secs(1)).await;
        assert_eq!(admitted(&lines, HERE, 1), 1);
        assert_eq!(admitted(&lines, THERE, 67), LINES);
        // Whoever ends before the minute does has told it all the same.
        drop(lines);
        drop(thread);
        let text = fs::read_to_string(path).unwrap();
        let told = text.lines().map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["event"], "refusals_left_out");
            format!("{} {}", line["client"].as_str().unwrap(), line["count"])
        });
        assert_eq!(told.collect::<Vec<_>>(), ["192.0.2.1 40", "192.0.2.2 7"]);
    }

    #[tokio::test(start_paused = true)]
    async fn those_of_many_networks_beyond_count_is_bounded_count_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit");
        let (log, thread) = AuditLog::open(&path, Settings::default()).unwrap();
        let lines = RefusalLines::new(log);
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        let most = u32::try_from(NETWORKS).unwrap();
        let first = (0..most).filter(|number| lines.admit(address(*number)));
        assert_eq!(first.count(), NETWORKS);
        let more = (most..most + 1000).filter(|number| lines.admit(address(*number)));
        assert_eq!(more.count() as u64, LINES);
        assert_eq!(lines.0.lock().len(), NETWORKS + 1);
        sleep(MINUTE + Duration::from_secs(1)).await;
        assert!(lines.0.lock().is_empty());
        drop((lines, thread));
        let text = fs::read_to_string(path).unwrap();
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["count"], 1000 - LINES);
        assert!(line.get("client").is_none());
    }
}
