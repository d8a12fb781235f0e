use std::collections::BTreeSet;

use crate::bench::results::{Measurement, Metric, Registry, RowResult};
use crate::bench::statistics::{median, median_ratio};

use super::format::{NOTHING, grouped, header, line, number, optional};
use super::targets::{FLAT, yes_or_no};

/// The cost of one kind of request to one registry, at the sizes where it was measured.
pub(super) struct Curve {
    pub(super) case: String,
    pub(super) registry: Registry,
    /// From the smallest size.
    pub(super) points: Vec<Point>,
}

/// What a request costs at one size.
pub(super) struct Point {
    pub(super) size: usize,
    /// The median, in milliseconds.
    pub(super) cost: f64,
    /// The median of the control in the same moments.
    control: Option<f64>,
    /// The cost through that of the control, turn by turn.
    ratio: Option<f64>,
}

impl Point {
    fn of(grown: &Measurement, control: Option<&Measurement>) -> Option<Self> {
        Some(Self {
            size: grown.size?,
            cost: median(&grown.values)?,
            control: control.and_then(|control| median(&control.values)),
            ratio: control.and_then(|control| median_ratio(&grown.values, &control.values)),
        })
    }
}

impl Curve {
    pub(super) fn all(result: &RowResult) -> Vec<Self> {
        let measured = &result.measurements.0;
        let mut cases: Vec<&str> = Vec::new();
        for one in measured {
            if !cases.contains(&one.case.as_str()) {
                cases.push(&one.case);
            }
        }
        let pairs = cases
            .iter()
            .flat_map(|case| Registry::ALL.map(|registry| (*case, registry)));
        pairs
            .map(|(case, registry)| Self::of(measured, case, registry))
            .filter(|curve| !curve.points.is_empty())
            .collect()
    }

    fn of(measured: &[Measurement], case: &str, registry: Registry) -> Self {
        let of_metric = |metric| {
            let is_asked = move |one: &&Measurement| {
                one.case == case && one.registry == registry && one.metric == metric
            };
            measured.iter().filter(is_asked)
        };
        let point = |grown: &Measurement| {
            let mut controls = of_metric(Metric::ControlMilliseconds);
            Point::of(grown, controls.find(|control| control.size == grown.size))
        };
        let mut points: Vec<Point> = of_metric(Metric::Milliseconds).filter_map(point).collect();
        points.sort_by_key(|point| point.size);
        Self {
            case: case.to_owned(),
            registry,
            points,
        }
    }

    fn at(&self, size: usize) -> Option<f64> {
        let point = self.points.iter().find(|point| point.size == size);
        point.map(|point| point.cost)
    }

    /// The cost of the control, while the largest size was measured.
    fn control(&self) -> Option<f64> {
        self.points.last()?.control
    }

    /// The cost at the largest size through that of the control.
    fn growth(&self) -> Option<f64> {
        self.points.last()?.ratio
    }

    /// Whether the target is reached; only berth has one.
    pub(super) fn is_flat(&self) -> Option<bool> {
        let growth = self.growth().filter(|_| self.registry == Registry::Berth)?;
        Some(growth <= FLAT)
    }
}

/// The table of costs: one line for each kind of request and registry.
pub(super) fn render(result: &RowResult) -> String {
    let curves = Curve::all(result);
    let sizes: BTreeSet<usize> = curves
        .iter()
        .flat_map(|curve| curve.points.iter().map(|point| point.size))
        .collect();
    let columns: Vec<String> = sizes
        .iter()
        .map(|size| format!("at {}", grouped(*size as f64)))
        .collect();
    let mut cells = vec!["request", "registry"];
    cells.extend(columns.iter().map(String::as_str));
    cells.extend([
        "control beside the largest",
        "largest / control",
        "target",
        "reached",
    ]);
    let mut text = header(&cells, 2);
    for curve in &curves {
        text.push_str(&line(&cells_of(curve, &sizes)));
    }
    text.push_str("\n![Cost of a request against what is stored](performance/growth.svg)\n");
    text
}

fn cells_of(curve: &Curve, sizes: &BTreeSet<usize>) -> Vec<String> {
    let growth = curve.growth();
    let mut cells = vec![curve.case.clone(), curve.registry.name().to_owned()];
    cells.extend(sizes.iter().map(|size| optional(curve.at(*size))));
    cells.push(optional(curve.control()));
    cells.push(growth.map_or(NOTHING.to_owned(), |growth| format!("{}×", number(growth))));
    let target = match curve.registry {
        Registry::Berth => format!("≤ {FLAT}×"),
        Registry::Distribution | Registry::Zot => NOTHING.to_owned(),
    };
    let is_reached = curve.is_flat().map_or(NOTHING, yes_or_no);
    cells.extend([target, is_reached.to_owned()]);
    cells
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::bench::results::Row;

    #[test]
    fn growth_is_told_for_each_registry() {
        let text = render(&sample::results().rows[&Row::Growth]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "| request | registry | at 100 | at 10,000 | control beside the largest | largest / control | target | reached |"
        );
        assert_eq!(
            lines[2..5],
            [
                "| HEAD by tag | berth | 0.200 | 0.300 | 0.250 | 1.20× | ≤ 1.2× | yes |",
                "| HEAD by tag | distribution | 1.00 | – | 0.500 | 2.00× | – | – |",
                "",
            ]
        );
    }

    #[test]
    fn without_a_control_no_growth_is_told() {
        let mut result = sample::results().rows[&Row::Growth].clone();
        let measurements = &mut result.measurements.0;
        measurements.retain(|one| one.metric != Metric::ControlMilliseconds);
        for curve in Curve::all(&result) {
            assert_eq!(
                (curve.control(), curve.growth(), curve.is_flat()),
                (None, None, None)
            );
        }
    }
}
