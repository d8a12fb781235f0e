use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use berth_metadata::{Blob, MetadataError, MetadataStore, RetentionStore};
use berth_progress::{Observer, Progress, Unit};
use berth_spec::RepositoryName;
use tokio::task::spawn_blocking;
use tracing::warn;

use crate::apply::Apply;
use crate::deletion::Deletion;
use crate::plan::Plan;
use crate::unneeded::Unneeded;
use crate::{CheckedRule, Mode, RetentionError, RetentionReport, Rule, RuleError, plan};

/// The rules, and what they do to all repositories.
#[derive(Clone, Debug)]
pub struct Retention {
    rules: Vec<Arc<CheckedRule>>,
    minimum_age: Duration,
}

/// How many names of repositories are read at once.
const PAGE: u32 = 1000;

impl Retention {
    /// Takes the rules, in the order in which they come into effect. Where a rule has no
    /// `untagged_after`, manifests stay that were used within `minimum_age`: it must be longer than any
    /// push takes.
    ///
    /// # Errors
    /// When one can only be a mistake; the error says which, and what to change.
    pub fn new(rules: Vec<Rule>, minimum_age: Duration) -> Result<Self, RuleError> {
        let mut checked: Vec<Arc<CheckedRule>> = Vec::new();
        for (number, rule) in (1..).zip(rules) {
            let rule = CheckedRule::new(number, rule)?;
            if let Some(earlier) = checked.iter().find(|earlier| earlier.is_for_all()) {
                let earlier = earlier.number();
                return Err(RuleError::Unreachable { number, earlier });
            }
            checked.push(Arc::new(rule));
        }
        Ok(Self {
            rules: checked,
            minimum_age,
        })
    }

    /// The rule that governs a repository.
    pub fn rule_of(&self, repository: &RepositoryName) -> Option<&Arc<CheckedRule>> {
        self.rules.iter().find(|rule| rule.is_for(repository))
    }

    /// Goes through all repositories. `observer` is told after each, and `deletions` of all that goes, or
    /// in a dry run would go: often, and from async code, so both must be quick.
    ///
    /// Pushes may go on meanwhile: a tag that is set again stays, and so does all that it leads to.
    /// If this ends early, some manifests have lost their tags and are still there: they go by
    /// `untagged_after`.
    ///
    /// A repository that cannot be read or changed is left, and counted as failed; the log says why.
    ///
    /// # Errors
    /// When the repositories cannot be listed.
    pub async fn run<M: MetadataStore + RetentionStore + ?Sized>(
        &self,
        metadata: &M,
        observer: &dyn Observer,
        deletions: &(dyn Fn(&Deletion) + Sync),
        mode: Mode,
        now: SystemTime,
    ) -> Result<RetentionReport, RetentionError> {
        let mut run = Run {
            metadata,
            deletions,
            minimum_age: self.minimum_age,
            report: RetentionReport::begin(mode),
            unneeded: Unneeded::default(),
        };
        if self.rules.is_empty() {
            return Ok(run.end());
        }
        let mut progress = Progress::begin("applying retention rules", Unit::Items, None);
        let mut last: Option<RepositoryName> = None;
        loop {
            let after = last.as_ref().map(RepositoryName::as_str);
            let page = metadata.repositories(after, PAGE).await;
            let page = page.map_err(RetentionError::Repositories)?;
            let Some(end) = page.last() else {
                return Ok(run.end());
            };
            last = Some(end.clone());
            for repository in &page {
                if let Some(rule) = self.rule_of(repository) {
                    run.repository(repository, rule, now).await?;
                }
                progress.advance(1, observer);
            }
        }
    }
}

struct Run<'a, M: ?Sized> {
    metadata: &'a M,
    deletions: &'a (dyn Fn(&Deletion) + Sync),
    minimum_age: Duration,
    report: RetentionReport,
    unneeded: Unneeded,
}

impl<M: MetadataStore + RetentionStore + ?Sized> Run<'_, M> {
    async fn repository(
        &mut self,
        repository: &RepositoryName,
        rule: &Arc<CheckedRule>,
        now: SystemTime,
    ) -> Result<(), RetentionError> {
        self.report.repositories += 1;
        let contents = match self.metadata.repository_contents(repository).await {
            Ok(Some(contents)) => contents,
            Ok(None) => return Ok(()),
            Err(error) => {
                self.fail(repository, &error);
                return Ok(());
            }
        };
        let number = rule.number();
        let (rule, minimum_age) = (Arc::clone(rule), self.minimum_age);
        let planned = spawn_blocking(move || plan(&contents, &rule, minimum_age, now)).await;
        let plan = planned.map_err(|error| RetentionError::Interrupted(error.to_string()))?;
        let done = match self.report.mode {
            Mode::Apply => self.apply(repository, number, &plan).await,
            Mode::DryRun => self.tell(repository, number, &plan).await,
        };
        if let Err(error) = done {
            self.fail(repository, &error);
        }
        Ok(())
    }

    /// Goes on: one damaged repository must not keep all others from their rules.
    fn fail(&mut self, repository: &RepositoryName, error: &MetadataError) {
        self.report.failed += 1;
        warn!(%repository, %error, "retention of a repository failed");
    }

    async fn apply(
        &mut self,
        repository: &RepositoryName,
        rule: usize,
        plan: &Plan,
    ) -> Result<(), MetadataError> {
        let apply = Apply {
            metadata: self.metadata,
            repository,
            rule,
            deletions: self.deletions,
            report: Mutex::new(&mut self.report),
        };
        apply.all(plan).await
    }

    async fn tell(
        &mut self,
        repository: &RepositoryName,
        rule: usize,
        plan: &Plan,
    ) -> Result<(), MetadataError> {
        let tags = plan.all_tags().map(Into::into);
        let manifests = plan.manifests.iter().map(Into::into);
        for deleted in tags.chain(manifests) {
            self.report.count(&deleted);
            (self.deletions)(&Deletion {
                repository: repository.clone(),
                rule,
                deleted,
            });
        }
        for manifest in &plan.manifests {
            let blobs = self.metadata.manifest_blobs(repository, &manifest.digest);
            for blob in blobs.await? {
                self.without_manifest_of(&blob).await?;
            }
        }
        Ok(())
    }

    /// Counts in the metadata only once for each blob: many manifests can share it, and each count reads
    /// all of them.
    async fn without_manifest_of(&mut self, blob: &Blob) -> Result<(), MetadataError> {
        let needed = match self.unneeded.still_needed(&blob.digest) {
            Some(needed) => needed,
            None => self.metadata.blob_references(&blob.digest).await?,
        };
        self.unneeded.without_manifest_of(blob, needed);
        Ok(())
    }

    fn end(mut self) -> RetentionReport {
        if let Some(blobs) = &mut self.report.blobs {
            *blobs = self.unneeded.found();
        }
        self.report
    }
}
