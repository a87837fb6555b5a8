//! Reads criterion's results.
//!
//! ```text
//! criterion/FIGURE/FUNCTION/new/estimates.json    { "median": { "point_estimate": nanoseconds an iteration } … }
//!                               benchmark.json    { "throughput": { "Elements": n } … }
//! ```

use std::{fs, path::Path};

use anyhow::Context as _;
use serde::Deserialize;

use crate::report::Figure;

/// In what a figure is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Nanoseconds,
    Milliseconds,
    PerSecond,
}

/// The function of a group that is ours.
const OURS: &str = "rustorium";

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

#[derive(Deserialize)]
struct Benchmark {
    throughput: Option<Throughput>,
}

#[derive(Deserialize)]
enum Throughput {
    Elements(u64),
    #[serde(untagged)]
    Other(#[expect(dead_code, reason = "bytes and the like: told an iteration")] serde_json::Value),
}

/// Those of the figures whose results are there.
pub(crate) fn collect(criterion: &Path, names: &[(&str, Unit)]) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for &(name, unit) in names {
        let group = criterion.join(name);
        let Some(value) = measured(&group.join(OURS), unit)? else { continue };
        figures.push(Figure::new(name, unit.text(), value, baseline(&group, unit)?));
    }
    Ok(figures)
}

/// The group's other function, if there is one.
fn baseline(group: &Path, unit: Unit) -> anyhow::Result<Option<(String, f64)>> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == OURS || name == "report" {
            continue;
        }
        if let Some(value) = measured(&entry.path(), unit)? {
            return Ok(Some((name, value)));
        }
    }
    Ok(None)
}

fn measured(function: &Path, unit: Unit) -> anyhow::Result<Option<f64>> {
    let results = function.join("new");
    let path = results.join("estimates.json");
    if !path.is_file() {
        return Ok(None);
    }
    let estimates: Estimates = read(&path)?;
    let benchmark: Benchmark = read(&results.join("benchmark.json"))?;
    let elements = match benchmark.throughput {
        Some(Throughput::Elements(elements)) => elements as f64,
        _ => 1.0,
    };
    Ok(Some(unit.of(estimates.median.point_estimate / elements)))
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> anyhow::Result<T> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

impl Unit {
    const fn text(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Milliseconds => "ms",
            Self::PerSecond => "per second",
        }
    }

    fn of(self, nanoseconds: f64) -> f64 {
        match self {
            Self::Nanoseconds => nanoseconds,
            Self::Milliseconds => nanoseconds / 1e6,
            Self::PerSecond => 1e9 / nanoseconds,
        }
    }
}
