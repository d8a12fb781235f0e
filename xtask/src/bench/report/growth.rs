use std::collections::BTreeSet;

use crate::bench::results::{Registry, RowResult};

use super::format::{NOTHING, grouped, header, line, number, optional};
use super::lines::Line;
use super::targets::{FLAT, yes_or_no};

/// The cost of one kind of request to one registry, at the sizes where it was measured.
pub(super) struct Curve {
    pub(super) case: String,
    pub(super) registry: Registry,
    /// Size and cost, from the smallest size.
    pub(super) points: Vec<(usize, f64)>,
}

impl Curve {
    pub(super) fn all(result: &RowResult) -> Vec<Self> {
        let lines = Line::all(&result.measurements);
        let mut cases: Vec<&str> = Vec::new();
        for line in &lines {
            if !cases.contains(&line.case.as_str()) {
                cases.push(&line.case);
            }
        }
        let pairs = cases
            .iter()
            .flat_map(|case| Registry::ALL.map(|registry| (*case, registry)));
        pairs
            .map(|(case, registry)| Self::of(&lines, case, registry))
            .filter(|curve| !curve.points.is_empty())
            .collect()
    }

    fn of(lines: &[Line], case: &str, registry: Registry) -> Self {
        let mut points: Vec<(usize, f64)> = lines
            .iter()
            .filter(|line| line.case == case)
            .filter_map(|line| Some((line.size?, line.of(registry)?)))
            .collect();
        points.sort_by_key(|(size, _)| *size);
        Self {
            case: case.to_owned(),
            registry,
            points,
        }
    }

    fn at(&self, size: usize) -> Option<f64> {
        let point = self.points.iter().find(|(known, _)| *known == size);
        point.map(|(_, cost)| *cost)
    }

    /// The cost at the largest size through that at the smallest.
    fn growth(&self) -> Option<f64> {
        let (first, last) = (self.points.first()?, self.points.last()?);
        (first.0 < last.0).then(|| last.1 / first.1)
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
        .flat_map(|curve| curve.points.iter().map(|(size, _)| *size))
        .collect();
    let columns: Vec<String> = sizes
        .iter()
        .map(|size| format!("at {}", grouped(*size as f64)))
        .collect();
    let mut cells = vec!["request", "registry"];
    cells.extend(columns.iter().map(String::as_str));
    cells.extend(["largest / smallest", "target", "reached"]);
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
            "| request | registry | at 100 | at 10,000 | largest / smallest | target | reached |"
        );
        assert_eq!(
            lines[2..5],
            [
                "| HEAD by tag | berth | 0.200 | 0.300 | 1.50× | ≤ 1.2× | **no** |",
                "| HEAD by tag | distribution | 1.00 | – | – | – | – |",
                "",
            ]
        );
    }
}
