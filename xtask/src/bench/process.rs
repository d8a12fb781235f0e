use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::load::Cost;
use crate::command::{command, run_quietly};

/// How many ticks Linux counts in a second of CPU time, on every architecture that it tells.
const TICKS_PER_SECOND: f64 = 100.0;

/// How often it is looked whether a process has ended.
const END_INTERVAL: Duration = Duration::from_millis(2);

/// The CPU time that this process has taken so far.
pub(super) fn own_cpu_seconds() -> Result<f64> {
    let ticks = ticks(&fs::read_to_string("/proc/self/stat")?);
    Ok(ticks.context("/proc tells no CPU time")? as f64 / TICKS_PER_SECOND)
}

/// A child process, which ends with this value.
pub(super) struct Process(Child);

impl Process {
    pub(super) fn of(child: Child) -> Self {
        Self(child)
    }

    /// Whether it still runs.
    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// The CPU time that it has taken so far.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        let ticks = ticks(&self.read("stat")?).context("/proc tells no CPU time")?;
        Ok(ticks as f64 / TICKS_PER_SECOND)
    }

    /// The CPU time that it and all of its children have taken so far, those that have ended too.
    pub(super) fn family_cpu_seconds(&self) -> Result<f64> {
        let own = family_ticks(&self.read("stat")?).context("/proc tells no CPU time")?;
        let mut ticks = own;
        for entry in fs::read_dir("/proc")? {
            // What is no process has no such file, and what ends just now is counted as its parent's.
            let Ok(stat) = fs::read_to_string(entry?.path().join("stat")) else {
                continue;
            };
            if parent(&stat) == Some(self.0.id()) {
                ticks += family_ticks(&stat).unwrap_or_default();
            }
        }
        Ok(ticks as f64 / TICKS_PER_SECOND)
    }

    /// Asks it to end, as Ctrl-C does, and waits until it has.
    pub(super) fn interrupt(&mut self) -> Result<()> {
        let id = self.0.id().to_string();
        run_quietly(&mut command("kill", &["-INT", &id]))?;
        self.0.wait()?;
        Ok(())
    }

    /// The memory that it has now.
    pub(super) fn resident_mebibytes(&self) -> Result<f64> {
        mebibytes(&self.read("status")?, "VmRSS").context("/proc tells no resident memory")
    }

    /// The most memory that it had since [`Self::forget_peak`], or since it started.
    pub(super) fn peak_mebibytes(&self) -> Result<f64> {
        mebibytes(&self.read("status")?, "VmHWM").context("/proc tells no peak of memory")
    }

    pub(super) fn forget_peak(&self) -> Result<()> {
        // See proc_pid_clear_refs(5).
        Ok(fs::write(self.path("clear_refs"), "5")?)
    }

    /// Waits until it has ended by itself, and tells what it cost. It must have been started just now.
    ///
    /// # Errors
    /// When it failed.
    pub(super) async fn finish(mut self) -> Result<Cost> {
        let started = Instant::now();
        let mut peak_mebibytes = 0.0;
        while !is_zombie(&self.read("stat")?) {
            // One that ends just now has no memory any more.
            if let Some(peak) = mebibytes(&self.read("status")?, "VmHWM") {
                peak_mebibytes = peak;
            }
            tokio::time::sleep(END_INTERVAL).await;
        }
        let seconds = started.elapsed().as_secs_f64();
        // What it took is told until its end is taken note of.
        let cpu_seconds = self.cpu_seconds()?;
        let status = self.0.wait()?;
        ensure!(status.success(), "a process failed ({status})");
        Ok(Cost {
            seconds,
            cpu_seconds,
            peak_mebibytes,
        })
    }

    fn read(&self, file: &str) -> Result<String> {
        let path = self.path(file);
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    }

    fn path(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.0.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The ticks in user and in kernel mode that `/proc/PID/stat` tells.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = fields(stat)?.skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some(user + kernel)
}

/// The same with the ticks of the children that it has waited for.
fn family_ticks(stat: &str) -> Option<u64> {
    let ticks = fields(stat)?.skip(11).take(4);
    ticks.map(|ticks| ticks.parse::<u64>().ok()).sum()
}

/// The process whose child `/proc/PID/stat` is of.
fn parent(stat: &str) -> Option<u32> {
    fields(stat)?.nth(1)?.parse().ok()
}

/// Whether `/proc/PID/stat` is that of a process that has ended and was not waited for.
fn is_zombie(stat: &str) -> bool {
    fields(stat).and_then(|mut fields| fields.next()) == Some("Z")
}

/// The fields of `/proc/PID/stat` from the state on.
fn fields(stat: &str) -> Option<std::str::SplitWhitespace<'_>> {
    // The name of the program stands in parentheses, and may hold spaces and parentheses itself.
    let (_, after_name) = stat.rsplit_once(')')?;
    Some(after_name.split_whitespace())
}

/// A line of `/proc/PID/status` that tells kibibytes.
fn mebibytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_files_of_a_process_are_understood() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 1000 0 0 0 250 30 7 8 20 0 9";
        assert_eq!(ticks(stat), Some(280));
        assert_eq!(ticks("42 (short) S 1"), None);
        assert_eq!(family_ticks(stat), Some(295));
        assert_eq!(parent(stat), Some(1));
        assert!(is_zombie("42 (S) Z 1 42") && !is_zombie("42 (Z) S 1 42"));
        let status = "Name:\tberth\nVmHWM:\t   20480 kB\nVmRSS:\t   10240 kB\n";
        assert_eq!(mebibytes(status, "VmHWM"), Some(20.0));
        assert_eq!(mebibytes(status, "VmRSS"), Some(10.0));
        assert_eq!(mebibytes(status, "VmSwap"), None);
    }

    fn shell(script: &str) -> Process {
        let child = Command::new("sh").args(["-c", script]).spawn();
        Process::of(child.unwrap())
    }

    #[test]
    fn children_are_counted_with_their_parent() {
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        // One that has ended, and one that runs.
        let parent = shell(&format!("sh -c '{busy}'; sh -c '{busy}; sleep 1'; true"));
        let started = Instant::now();
        while parent.family_cpu_seconds().unwrap() < 0.1 {
            assert!(started.elapsed() < Duration::from_secs(60));
            std::thread::sleep(END_INTERVAL);
        }
        assert!(parent.cpu_seconds().unwrap() < 0.1);
    }

    #[test]
    fn an_interrupted_process_ends() {
        let mut process = shell("exec sleep 60");
        process.interrupt().unwrap();
        assert!(!process.is_running());
    }

    #[tokio::test]
    async fn what_a_process_cost_is_told_when_it_has_ended() {
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        let cost = shell(busy).finish().await.unwrap();
        assert!(cost.cpu_seconds > 0.0);
        assert!(cost.peak_mebibytes > 0.0);
        assert!(shell("exit 3").finish().await.is_err());
    }
}
