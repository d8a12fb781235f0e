use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use berth_progress::{Observer, Progress, Unit};
use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::upkeep::Watcher;

/// How often a line tells the progress, where there is no terminal.
const LINE_PAUSE: Duration = Duration::from_secs(10);

/// Shows how far a task has come: as a bar on a terminal, as plain lines otherwise. Both go to standard
/// error; what is found goes to standard output.
pub(crate) struct Terminal {
    shown: Mutex<Shown>,
}

enum Shown {
    Bar {
        bar: ProgressBar,
        stage: String,
    },
    Lines {
        stage: String,
        told: Option<Instant>,
    },
}

impl Terminal {
    pub(crate) fn new() -> Self {
        let stage = String::new();
        let shown = match stderr().is_terminal() {
            true => Shown::Bar {
                bar: ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
                stage,
            },
            false => Shown::Lines { stage, told: None },
        };
        Self {
            shown: Mutex::new(shown),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Shown::Bar { bar, .. } = &*self.lock() {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Terminal {
    fn tell(&self, progress: &Progress) {
        match &mut *self.lock() {
            Shown::Bar { bar, stage } => {
                if *stage != progress.stage {
                    stage.clone_from(&progress.stage);
                    bar.reset();
                    bar.set_style(style(progress));
                    bar.set_message(stage.clone());
                }
                if let Some(total) = progress.total {
                    bar.set_length(total);
                }
                bar.set_position(progress.done);
            }
            Shown::Lines { stage, told } => {
                let is_new = *stage != progress.stage;
                if is_new || told.is_none_or(|told| told.elapsed() >= LINE_PAUSE) {
                    stage.clone_from(&progress.stage);
                    *told = Some(Instant::now());
                    // Nobody else could be told that this fails.
                    let _ = writeln!(stderr(), "{}", line(progress));
                }
            }
        }
    }
}

impl Watcher for Terminal {
    fn found(&self, finding: &str) {
        let print = || {
            let _ = writeln!(stdout(), "{finding}");
        };
        match &*self.lock() {
            Shown::Bar { bar, .. } => bar.suspend(print),
            Shown::Lines { .. } => print(),
        }
    }
}

fn style(progress: &Progress) -> ProgressStyle {
    ProgressStyle::with_template(template(progress))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn template(progress: &Progress) -> &'static str {
    match (progress.unit, progress.total) {
        (Unit::Items, Some(_)) => "{msg} {wide_bar} {human_pos}/{human_len} {eta}",
        (Unit::Items, None) => "{spinner} {msg} {human_pos}",
        (Unit::Bytes, Some(_)) => {
            "{msg} {wide_bar} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}"
        }
        (Unit::Bytes, None) => "{spinner} {msg} {binary_bytes} {binary_bytes_per_sec}",
    }
}

fn line(progress: &Progress) -> String {
    let amount = |amount: u64| match progress.unit {
        Unit::Items => amount.to_string(),
        Unit::Bytes => ByteSize(amount).to_string(),
    };
    let done = amount(progress.done);
    match progress.total {
        Some(total) => format!("{}: {done} of {}", progress.stage, amount(total)),
        None => format!("{}: {done}", progress.stage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_it_is() {
        let mut progress = Progress::begin("copying", Unit::Bytes, Some(4096));
        progress.done = 1024;
        assert_eq!(line(&progress), "copying: 1.0 KiB of 4.0 KiB");
        let progress = Progress::begin("looking", Unit::Items, None);
        assert_eq!(line(&progress), "looking: 0");
    }

    #[test]
    fn every_style_can_be_drawn() {
        for unit in [Unit::Items, Unit::Bytes] {
            for total in [None, Some(1)] {
                let progress = Progress::begin("", unit, total);
                let template = template(&progress);
                assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
            }
        }
    }
}
