use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::bench::http::{Connection, Request};
use crate::bench::push;
use crate::bench::results::{Measurements, Metric, Registry};
use crate::bench::statistics::{median, median_ratio};

/// How long after a turn of both sides the next begins: whatever else the machine does for a moment
/// must not be there all the time.
const PAUSE: Duration = Duration::from_millis(20);

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// What stays small.
    Control,
    /// What has grown to the size that is measured.
    Grown,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Control, Self::Grown];

    fn metric(self) -> Metric {
        match self {
            Self::Control => Metric::ControlMilliseconds,
            Self::Grown => Metric::Milliseconds,
        }
    }
}

/// Where both sides are: often the same.
#[derive(Clone, Copy)]
pub(super) struct Addresses {
    pub(super) control: SocketAddr,
    pub(super) grown: SocketAddr,
}

/// One kind of request, at one size.
#[derive(Clone, Copy)]
pub(super) struct Probe<'a> {
    pub(super) case: &'a str,
    pub(super) size: usize,
    /// How often it is the turn of each side.
    pub(super) turns: usize,
    /// How many requests each turn makes.
    pub(super) requests: usize,
}

impl Probe<'_> {
    /// Makes requests one after the other, in short turns of both sides: a machine that becomes
    /// faster or slower meanwhile does so for both. Who begins changes, because the first finds less in
    /// the caches. Adds the median cost of each turn. The request is
    /// told its number among all of its side, and whether it succeeded is its answer: `false` is a
    /// registry that does not know this kind of request.
    pub(super) async fn measure(
        &self,
        registry: Registry,
        addresses: Addresses,
        measurements: &mut Measurements,
        request: impl AsyncFn(Side, &mut Connection, usize) -> Result<bool>,
    ) -> Result<()> {
        let mut control = Lane::open(Side::Control, addresses.control).await?;
        let mut grown = Lane::open(Side::Grown, addresses.grown).await?;
        for turn in 0..self.turns {
            let mut lanes = [&mut control, &mut grown];
            lanes.rotate_left(turn % 2);
            for lane in lanes {
                if !lane.take_turn(turn, self.requests, &request).await? {
                    self.tell(registry, "not supported");
                    return Ok(());
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        for lane in [&control, &grown] {
            for cost in &lane.costs {
                let (size, metric) = (Some(self.size), lane.side.metric());
                measurements.add_at(registry, self.case, size, metric, *cost);
            }
        }
        let cost = median(&grown.costs).unwrap_or_default();
        let ratio = median_ratio(&grown.costs, &control.costs).unwrap_or_default();
        self.tell(
            registry,
            &format!("{cost:.3} ms, {ratio:.2} times the control"),
        );
        Ok(())
    }

    /// Measures GETs of these targets: of the control's, and of what has grown.
    pub(super) async fn measure_get(
        &self,
        registry: Registry,
        addresses: Addresses,
        measurements: &mut Measurements,
        targets: [String; 2],
    ) -> Result<()> {
        let [control, grown] = targets.map(|target| Request::get(&target));
        let work = async |side: Side, connection: &mut Connection, _| {
            let request = match side {
                Side::Control => &control,
                Side::Grown => &grown,
            };
            push::is_served(&connection.send(request).await?, self.case)
        };
        self.measure(registry, addresses, measurements, work).await
    }

    fn tell(&self, registry: Registry, text: &str) {
        let case = format!("{} at {}", self.case, self.size);
        println!("{:<12}  {case:<42}  {text}", registry.name());
    }
}

/// One side, while it is measured.
struct Lane {
    side: Side,
    connection: Connection,
    /// The median of each turn, in milliseconds.
    costs: Vec<f64>,
}

impl Lane {
    async fn open(side: Side, address: SocketAddr) -> Result<Self> {
        Ok(Self {
            side,
            connection: Connection::open(address).await?,
            costs: Vec::new(),
        })
    }

    /// Makes the requests of one turn; answers whether the registry knows them.
    async fn take_turn(
        &mut self,
        turn: usize,
        requests: usize,
        request: impl AsyncFn(Side, &mut Connection, usize) -> Result<bool>,
    ) -> Result<bool> {
        let mut costs = Vec::new();
        for number in turn * requests..(turn + 1) * requests {
            let started = Instant::now();
            if !request(self.side, &mut self.connection, number).await? {
                return Ok(false);
            }
            costs.push(started.elapsed().as_secs_f64() * 1e3);
        }
        self.costs.extend(median(&costs));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::bench::results::Measurement;

    const PROBE: Probe<'_> = Probe {
        case: "case",
        size: 1000,
        turns: 2,
        requests: 3,
    };

    /// Measures requests that are never sent.
    async fn measure(
        request: impl AsyncFn(Side, &mut Connection, usize) -> Result<bool>,
    ) -> Vec<Measurement> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let addresses = Addresses {
            control: address,
            grown: address,
        };
        let mut measurements = Measurements::default();
        PROBE
            .measure(Registry::Zot, addresses, &mut measurements, request)
            .await
            .unwrap();
        measurements.0
    }

    #[tokio::test]
    async fn both_sides_take_turns_and_begin_in_turn() {
        let made = RefCell::new(Vec::new());
        let measured = measure(async |side, _, number| {
            made.borrow_mut().push((side, number));
            Ok(true)
        })
        .await;
        let turn = |side, first| (first..first + 3).map(move |number| (side, number));
        let expected: Vec<(Side, usize)> = [
            turn(Side::Control, 0),
            turn(Side::Grown, 0),
            turn(Side::Grown, 3),
            turn(Side::Control, 3),
        ]
        .into_iter()
        .flatten()
        .collect();
        assert_eq!(made.into_inner(), expected);
        let metrics: Vec<_> = measured
            .iter()
            .map(|one| (one.metric, one.size, one.values.len()))
            .collect();
        let expected = [Metric::ControlMilliseconds, Metric::Milliseconds]
            .map(|metric| (metric, Some(1000), 2));
        assert_eq!(metrics, expected);
    }

    #[tokio::test]
    async fn of_what_a_registry_does_not_know_nothing_is_told() {
        let measured = measure(async |side, _, _| Ok(side == Side::Control)).await;
        assert_eq!(measured, []);
    }
}
