use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::FOLDER;
use super::report::Report;
use crate::command::{root, run_quietly};

/// A target that is built.
pub(super) struct Target {
    name: String,
    program: PathBuf,
    /// What libFuzzer keeps between runs; not committed.
    found: PathBuf,
    /// What is committed.
    corpus: PathBuf,
    regressions: PathBuf,
    dictionary: PathBuf,
    findings: PathBuf,
    log: PathBuf,
}

impl Target {
    pub(super) fn new(name: &str, host: &str) -> Result<Self> {
        let (built, committed) = (root().join(FOLDER), root().join("tests/fuzz"));
        let target = Self {
            name: name.to_owned(),
            program: built.join(host).join("fuzz").join(format!("fuzz-{name}")),
            found: built.join("corpus").join(name),
            corpus: committed.join("corpus").join(name),
            regressions: committed.join("regressions").join(name),
            dictionary: committed.join("dictionaries").join(name),
            findings: built.join("findings").join(name),
            log: built.join(format!("{name}.log")),
        };
        fs::create_dir_all(&target.found)?;
        fs::create_dir_all(&target.findings)?;
        Ok(target)
    }

    /// Runs it for so long, or until something is found.
    pub(super) fn fuzz(&self, seconds: u32) -> Result<Report> {
        println!(
            "fuzzing {} for {seconds} s; see {}",
            self.name,
            self.log.display()
        );
        let before = files(&self.findings)?;
        let started = Instant::now();
        let mut fuzz = Command::new(&self.program);
        fuzz.arg(format!("-max_total_time={seconds}"))
            .arg(format!("-dict={}", self.dictionary.display()))
            .arg(format!("-artifact_prefix={}/", self.findings.display()))
            .args(["-print_final_stats=1", "-timeout=10", "-max_len=4096"])
            .arg(&self.found)
            .args(self.seeds())
            .stderr(File::create(&self.log)?);
        let status = fuzz
            .status()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let log = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
        let findings = files(&self.findings)?.saturating_sub(before);
        if !status.success() && findings == 0 {
            bail!(
                "{} failed ({status}); see {}",
                self.name,
                self.log.display()
            );
        }
        Report::read(&self.name, started.elapsed(), &log, findings)
    }

    fn seeds(&self) -> impl Iterator<Item = &Path> {
        let folders = [&self.corpus, &self.regressions];
        folders
            .map(PathBuf::as_path)
            .into_iter()
            .filter(|folder| folder.is_dir())
    }

    /// Adds to the committed corpus the fewest inputs that cover all that was found.
    pub(super) fn keep(&self) -> Result<()> {
        run_quietly(
            Command::new(&self.program)
                .args(["-set_cover_merge=1", "-max_len=4096"])
                .arg(&self.corpus)
                .arg(&self.found),
        )?;
        println!("{} has {} inputs now", self.name, files(&self.corpus)?);
        Ok(())
    }
}

fn files(folder: &Path) -> Result<usize> {
    Ok(fs::read_dir(folder)?.count())
}
