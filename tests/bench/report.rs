//! A figure, and how figures are written down.
//!
//! ```text
//! results.json   [ { "name", "value", "unit", "baseline", "baselineValue", "ratio" } … ]
//! ```
//!
//! `ratio` is value ÷ baseline; a figure without a peer leaves the last three out.

use std::{fmt::Write as _, fs, path::Path};

use serde::Serialize;

/// One measured number.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<Peer>,
}

/// What it is compared with.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Peer {
    pub(crate) baseline: String,
    pub(crate) baseline_value: f64,
    pub(crate) ratio: f64,
}

impl Figure {
    /// A figure without a peer.
    pub(crate) fn alone(name: &str, unit: &'static str, value: f64) -> Self {
        Self::new(name, unit, value, None)
    }

    /// A figure, compared or not.
    pub(crate) fn new(name: &str, unit: &'static str, value: f64, baseline: Option<(String, f64)>) -> Self {
        let peer = baseline.map(|(baseline, baseline_value)| Peer {
            baseline,
            baseline_value: rounded(baseline_value),
            ratio: rounded(value / baseline_value),
        });
        Self { name: name.to_owned(), value: rounded(value), unit, peer }
    }
}

/// Writes `results.json` into a directory.
pub(crate) fn write(directory: &Path, figures: &[Figure]) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join("results.json"), serde_json::to_string_pretty(figures)? + "\n")?;
    Ok(())
}

/// The figures for people.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut text =
        format!("{:<34} {:>14} {:<10} {:>14}  {:<16} {:>6}\n", "figure", "value", "unit", "peer's", "peer", "ratio");
    for Figure { name, value, unit, peer } in figures {
        let (baseline, baseline_value, ratio) = peer.as_ref().map_or_else(Default::default, |peer| {
            (peer.baseline.clone(), peer.baseline_value.to_string(), peer.ratio.to_string())
        });
        let line = format!("{name:<34} {value:>14} {unit:<10} {baseline_value:>14}  {baseline:<16} {ratio:>6}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// Four digits that mean something: more would be noise.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let scale = 10f64.powi(3 - value.abs().log10().floor() as i32);
    if scale < 1.0 { value.round() } else { (value * scale).round() / scale }
}
