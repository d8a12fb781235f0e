//! The plots. Their texts are texts of the SVG, so no font is needed to make them.

mod growth;
mod ratios;

use std::path::Path;

use anyhow::Result;
use plotters::style::RGBColor;

use crate::bench::results::{Registry, Results};

const INK: RGBColor = RGBColor(45, 45, 45);
const GRID: RGBColor = RGBColor(225, 225, 225);

/// Writes every plot into this folder.
pub(super) fn write(results: &Results, folder: &Path) -> Result<()> {
    growth::write(results, &folder.join("growth.svg"))?;
    ratios::write(results, &folder.join("ratios.svg"))
}

/// Whether there is a plot of ratios.
pub(super) fn has_ratios(results: &Results) -> bool {
    !ratios::bars(results).is_empty()
}

/// Colours that remain apart for those who do not see all of them.
fn color(registry: Registry) -> RGBColor {
    match registry {
        Registry::Berth => RGBColor(0, 114, 178),
        Registry::Distribution => RGBColor(213, 94, 0),
        Registry::Zot => RGBColor(0, 158, 115),
    }
}
