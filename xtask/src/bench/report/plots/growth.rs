use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::super::format::{grouped, number};
use super::super::growth::Curve;
use super::{GRID, INK, color};
use crate::bench::results::{Results, Row};

const COLUMNS: usize = 2;
const PANEL: (u32, u32) = (450, 300);

/// One panel for each kind of request: its cost against the size, both logarithmic.
pub(super) fn write(results: &Results, path: &Path) -> Result<()> {
    let Some(result) = results.rows.get(&Row::Growth) else {
        return Ok(());
    };
    let curves = Curve::all(result);
    let panels: Vec<&[Curve]> = curves.chunk_by(|a, b| a.case == b.case).collect();
    let rows = panels.len().div_ceil(COLUMNS);
    let size = (PANEL.0 * COLUMNS as u32, PANEL.1 * u32::try_from(rows)?);
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE)?;
    for (panel, part) in panels.iter().zip(area.split_evenly((rows, COLUMNS))) {
        draw(panel, &part).map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))?;
    }
    area.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw(curves: &[Curve], area: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let sizes = points().map(|(size, _)| *size as f64);
    let costs = points().map(|(_, cost)| *cost);
    let title = curves.first().map_or("", |curve| &curve.case);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18).into_font().color(&INK))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(around(sizes).log_scale(), around(costs).log_scale())?;
    chart
        .configure_mesh()
        .bold_line_style(GRID)
        .max_light_lines(0)
        .axis_style(INK)
        .x_desc("stored")
        .y_desc("ms")
        .x_label_formatter(&|size| grouped(*size))
        .y_label_formatter(&|cost| number(*cost))
        .label_style(("sans-serif", 12).into_font().color(&INK))
        .draw()?;
    for curve in curves {
        let color = color(curve.registry);
        let points: Vec<(f64, f64)> = curve
            .points
            .iter()
            .map(|(size, cost)| (*size as f64, *cost))
            .collect();
        let line = LineSeries::new(points.clone(), color.stroke_width(2));
        chart
            .draw_series(line)?
            .label(curve.registry.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        let dots = points
            .iter()
            .map(|point| Circle::new(*point, 3, color.filled()));
        chart.draw_series(dots)?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .label_font(("sans-serif", 12).into_font().color(&INK))
        .draw()?;
    Ok(())
}

/// A range with room around all values.
fn around(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    low * 0.7..high * 2.0
}
