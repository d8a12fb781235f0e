use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::yield_now;
use tokio::time::sleep;

use crate::injected::Injected;
use crate::{Fault, When};

type Plan = dyn Fn(usize, &str) -> Option<Fault> + Send + Sync;

/// Counts the steps of all stores that share it, and says what happens at which. Cheap to clone: all
/// clones are one.
#[derive(Clone)]
pub struct Faults(Arc<Shared>);

struct Shared {
    plan: Box<Plan>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    steps: Vec<&'static str>,
    /// How many of them have had their effect, or have failed.
    ended: usize,
    has_crashed: bool,
    has_ceased: bool,
}

impl Faults {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self::planned(|_, _| None)
    }

    /// This happens at the step of this number, and nothing at all others.
    pub fn at(step: usize, fault: Fault) -> Self {
        Self::planned(move |number, _| (number == step).then_some(fault))
    }

    /// What happens is decided at each step, from its number and its name. The name is that of the
    /// method; pieces of a stream have names of their own.
    pub fn planned(plan: impl Fn(usize, &str) -> Option<Fault> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            plan: Box::new(plan),
            taken: Mutex::default(),
        }))
    }

    /// The names of all steps so far. Those that were asked for after a crash are none.
    pub fn steps(&self) -> Vec<&'static str> {
        self.lock().steps.clone()
    }

    /// How many steps have begun, and how many of these have had their effect, together. What takes one
    /// step after another has all its moments between these numbers.
    pub fn moments(&self) -> usize {
        let taken = self.lock();
        taken.steps.len() + taken.ended
    }

    /// Whether a crash has happened.
    pub fn has_crashed(&self) -> bool {
        self.lock().has_crashed
    }

    /// From now on, nothing goes wrong. What has crashed stays so.
    pub fn cease(&self) {
        self.lock().has_ceased = true;
    }

    /// Takes a step that happens whole or not at all.
    pub(crate) async fn step<T, E: From<Injected>>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let step = self.begin(name).await?;
        if step.is_halved() {
            return Err(step.fails().into());
        }
        if let Some(Fault::Late(time)) = step.fault {
            sleep(time).await;
        }
        let done = work.await;
        step.end(done).await
    }

    /// Takes a step that happens whole or not at all, and may happen late.
    pub(crate) async fn late_step<T: Send + 'static, E: From<Injected> + Send + 'static>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E> {
        let step = self.begin(name).await?;
        if step.is_halved() {
            return Err(step.fails().into());
        }
        let done = step.late(work).await;
        step.end(done).await
    }

    /// Begins a step that can be done by half.
    pub(crate) async fn begin(&self, name: &'static str) -> Result<Step, Injected> {
        let (number, is_planned) = self.count(name)?;
        let plan = is_planned.then_some(&self.0.plan);
        let step = Step {
            faults: self.clone(),
            name,
            number,
            fault: plan.and_then(|plan| plan(number, name)),
        };
        match step.fault {
            Some(Fault::Full) => return Err(Injected::Full),
            Some(Fault::Error(When::Before) | Fault::Crash(When::Before)) => {
                return Err(step.fails());
            }
            _ => step.wait_before().await,
        }
        match self.has_crashed() {
            true => Err(Injected::Crashed),
            false => Ok(step),
        }
    }

    /// The number of a step that is about to be taken, and whether the plan says what happens at it.
    fn count(&self, name: &'static str) -> Result<(usize, bool), Injected> {
        let mut taken = self.lock();
        if taken.has_crashed {
            return Err(Injected::Crashed);
        }
        taken.steps.push(name);
        Ok((taken.steps.len(), !taken.has_ceased))
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Faults")
            .field(&*self.lock())
            .finish()
    }
}

/// A step that is under way.
pub(crate) struct Step {
    faults: Faults,
    name: &'static str,
    number: usize,
    fault: Option<Fault>,
}

impl Step {
    /// Whether only the first half is to be done.
    pub(crate) fn is_halved(&self) -> bool {
        matches!(
            self.fault,
            Some(Fault::Error(When::Halfway) | Fault::Crash(When::Halfway))
        )
    }

    async fn wait_before(&self) {
        match self.fault {
            Some(Fault::Yield(turns)) => wait_turns(turns).await,
            Some(Fault::Sleep(time)) => sleep(time).await,
            _ => {}
        }
    }

    async fn wait_after(&self) {
        match self.fault {
            Some(Fault::Yield(turns)) => wait_turns(turns).await,
            Some(Fault::Linger(time)) => sleep(time).await,
            _ => {}
        }
    }

    /// Does work, late if the plan says so.
    pub(crate) async fn late<T: Send + 'static, E: From<Injected> + Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, E> {
        let Some(Fault::Late(time)) = self.fault else {
            return work.await;
        };
        let late = tokio::spawn(async move {
            sleep(time).await;
            work.await
        });
        late.await.unwrap_or(Err(Injected::Crashed.into()))
    }

    /// What whoever asked for it is told, now that it is done as far as it is to be.
    pub(crate) async fn end<T, E: From<Injected>>(self, done: Result<T, E>) -> Result<T, E> {
        self.faults.lock().ended += 1;
        self.wait_after().await;
        match self.fault {
            Some(Fault::Error(_) | Fault::Crash(_)) => Err(self.fails().into()),
            _ if self.faults.has_crashed() => Err(Injected::Crashed.into()),
            _ => done,
        }
    }

    fn fails(&self) -> Injected {
        if let Some(Fault::Crash(_)) = self.fault {
            self.faults.lock().has_crashed = true;
            return Injected::Crashed;
        }
        let Self { name, number, .. } = self;
        Injected::Failed(format!("step {number} ({name}) was to fail"))
    }
}

async fn wait_turns(turns: u32) {
    for _ in 0..turns {
        yield_now().await;
    }
}
