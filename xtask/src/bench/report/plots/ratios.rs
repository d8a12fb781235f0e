use std::path::Path;

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::super::format::{name, number};
use super::super::lines::Line;
use super::{GRID, INK, color};
use crate::bench::results::{Registry, Results};

const WIDTH: i32 = 900;
const BAR: i32 = 26;
const TOP: i32 = 40;
/// Where the bars begin, right of their names.
const LEFT: i32 = 300;
/// Room for the number behind the longest bar.
const RIGHT: i32 = 70;

/// One bar for each throughput: berth's through that of the better peer, from the line at 1.
pub(super) fn write(results: &Results, path: &Path) -> Result<()> {
    let bars = bars(results);
    if bars.is_empty() {
        return Ok(());
    }
    let height = TOP + BAR * i32::try_from(bars.len())? + BAR;
    let size = (u32::try_from(WIDTH)?, u32::try_from(height)?);
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE)?;
    let ink = ("sans-serif", 13).into_font().color(&INK);
    let title = "berth / better peer (logarithmic; right of the line, berth is faster)";
    area.draw(&Text::new(title, (LEFT, 12), ink.clone()))?;
    let scale = Scale::of(&bars);
    let names = ink.pos(Pos::new(HPos::Right, VPos::Center));
    let numbers = ink.pos(Pos::new(HPos::Left, VPos::Center));
    for (position, (name, ratio)) in (0..).zip(&bars) {
        let middle = TOP + position * BAR + BAR / 2;
        let (one, end) = (scale.x(1.0), scale.x(*ratio));
        let corners = [
            (one.min(end), middle - BAR / 3),
            (one.max(end), middle + BAR / 3),
        ];
        let paint = if *ratio < 1.0 {
            color(Registry::Distribution)
        } else {
            color(Registry::Berth)
        };
        area.draw(&Rectangle::new(corners, paint.filled()))?;
        area.draw(&Text::new(name.clone(), (LEFT - 12, middle), names.clone()))?;
        let number = format!("{}×", number(*ratio));
        area.draw(&Text::new(
            number,
            (one.max(end) + 6, middle),
            numbers.clone(),
        ))?;
    }
    let line = [(scale.x(1.0), TOP - 6), (scale.x(1.0), height - BAR / 2)];
    area.draw(&PathElement::new(line, GRID.mix(1.0).stroke_width(1)))?;
    area.present()?;
    Ok(())
}

/// The names and the ratios of all throughputs.
pub(super) fn bars(results: &Results) -> Vec<(String, f64)> {
    let lines = results.rows.iter().flat_map(|(row, result)| {
        Line::all(&result.measurements)
            .into_iter()
            .map(|line| (*row, line))
    });
    lines
        .filter(|(_, line)| line.metric.is_throughput())
        .filter_map(|(row, line)| {
            let text = format!("{}, {}, {}", row.name(), line.case, name(line.metric));
            Some((text, line.ratio()?))
        })
        .collect()
}

/// Where a ratio is, from left to right, logarithmically.
struct Scale {
    lowest: f64,
    highest: f64,
}

impl Scale {
    /// A scale that holds all bars, and 1 at least.
    fn of(bars: &[(String, f64)]) -> Self {
        let ratios = || bars.iter().map(|(_, ratio)| *ratio);
        Self {
            lowest: ratios().fold(0.5, f64::min).ln(),
            highest: ratios().fold(2.0, f64::max).ln(),
        }
    }

    fn x(&self, ratio: f64) -> i32 {
        let share = (ratio.ln() - self.lowest) / (self.highest - self.lowest);
        LEFT + (share * f64::from(WIDTH - LEFT - RIGHT)).round() as i32
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;

    #[test]
    fn only_throughputs_are_drawn() {
        let bars = bars(&sample::results());
        assert_eq!(bars, [("pull, 1 connection, MB/s".to_owned(), 1.5)]);
    }

    #[test]
    fn equal_ratios_are_equally_far_apart() {
        let scale = Scale::of(&[("a".to_owned(), 4.0), ("b".to_owned(), 0.25)]);
        assert_eq!(scale.x(0.25), LEFT);
        assert_eq!(scale.x(4.0), WIDTH - RIGHT);
        let steps = [scale.x(0.5) - scale.x(0.25), scale.x(4.0) - scale.x(2.0)];
        assert!((steps[0] - steps[1]).abs() <= 1);
    }
}
