use std::ops::Range;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::super::format::{grouped, number};
use super::super::growth::Curve;
use super::{GRID, INK, color};
use crate::bench::results::{Registry, Results, Row};

const COLUMNS: usize = 2;
const PANEL: (u32, u32) = (450, 300);

/// The height of the line that tells whose colour is whose.
const LEGEND: u32 = 40;

/// One panel for each kind of request: its cost against the size, both logarithmic.
pub(super) fn write(results: &Results, path: &Path) -> Result<()> {
    let Some(result) = results.rows.get(&Row::Growth) else {
        return Ok(());
    };
    let curves = Curve::all(result);
    let panels: Vec<&[Curve]> = curves.chunk_by(|a, b| a.case == b.case).collect();
    let rows = panels.len().div_ceil(COLUMNS);
    let size = (
        PANEL.0 * COLUMNS as u32,
        LEGEND + PANEL.1 * u32::try_from(rows)?,
    );
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE)?;
    let (top, rest) = area.split_vertically(LEGEND);
    legend(&top)?;
    for (panel, part) in panels.iter().zip(rest.split_evenly((rows, COLUMNS))) {
        draw(panel, &part).map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))?;
    }
    area.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn legend(area: &Area<'_>) -> Result<()> {
    let ink = ("sans-serif", 13).into_font().color(&INK);
    for (position, registry) in (0..).zip(Registry::ALL) {
        let (x, y) = (70 + position * 130, 20);
        let stroke = color(registry).stroke_width(2);
        area.draw(&PathElement::new([(x, y), (x + 18, y)], stroke))?;
        area.draw(&Text::new(registry.name(), (x + 26, y - 6), ink.clone()))?;
    }
    Ok(())
}

fn draw(curves: &[Curve], area: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let sizes = points().map(|point| point.size as f64);
    let costs = points().map(|point| point.cost);
    let title = curves.first().map_or("", |curve| &curve.case);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18).into_font().color(&INK))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(around(sizes).log_scale(), decades(costs).log_scale())?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .max_light_lines(0)
        .x_labels(4)
        .y_labels(5)
        .axis_style(INK)
        .x_desc("stored")
        .y_desc("ms")
        .x_label_formatter(&|size| power_of_ten(*size))
        .y_label_formatter(&|cost| number(*cost))
        .label_style(("sans-serif", 12).into_font().color(&INK))
        .draw()?;
    for curve in curves {
        let color = color(curve.registry);
        let points: Vec<(f64, f64)> = curve
            .points
            .iter()
            .map(|point| (point.size as f64, point.cost))
            .collect();
        let line = LineSeries::new(points.clone(), color.stroke_width(2));
        chart.draw_series(line)?;
        let dots = points
            .iter()
            .map(|point| Circle::new(*point, 3, color.filled()));
        chart.draw_series(dots)?;
    }
    Ok(())
}

/// A range with room around all values.
fn around(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = extremes(values);
    low * 0.7..high * 1.4
}

/// The powers of ten around all values; the lowest is inside, so that it has its label.
fn decades(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) = extremes(values);
    let (low, high) = (low.log10().floor(), high.log10().ceil());
    0.999 * 10_f64.powf(low)..10_f64.powf(high)
}

fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, 0.0), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

/// Sizes are labelled only at powers of ten: the marks between are too close together.
fn power_of_ten(size: f64) -> String {
    let power = size.log10();
    if (power - power.round()).abs() < 1e-6 {
        grouped(size)
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_powers_of_ten_are_labelled() {
        let labels = [100.0, 200.0, 1000.0, 100_000.0].map(power_of_ten);
        assert_eq!(labels, ["100", "", "1,000", "100,000"]);
    }

    #[test]
    fn a_range_has_room() {
        assert_eq!(around([10.0, 100.0].into_iter()), 7.0..140.0);
        assert_eq!(decades([0.2, 20.0].into_iter()), 0.0999..100.0);
    }
}
