//! Merging the layers of a configuration: file, environment, flags.
//!
//! The settings that exist are read off the default configuration, so there is no second list to keep in step.
//! The type of a setting's default says how its text in a variable or flag is read.

use std::path::Path;

use toml::{Table, Value};

use super::{Config, ConfigError};

const PREFIX: &str = "RUSTORIUM_";
/// Edits at which a variable still counts as a misspelt setting, not as some other program's.
const MISSPELT: usize = 2;

/// A setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its dotted key in the file.
    pub path: String,
    /// Its variable.
    pub environment: String,
    /// Its default, as the file would write it.
    pub default: String,
}

pub(super) fn keys() -> Vec<Key> {
    let mut keys = Vec::new();
    leaves("", &defaults(), &mut |path, value| {
        keys.push(Key { path: path.into(), environment: variable(path), default: value.to_string() });
    });
    keys
}

pub(super) fn merge(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[(&str, String)],
) -> Result<Config, ConfigError> {
    let mut table = match file {
        None => Table::new(),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?
            .parse()
            .map_err(|error| ConfigError::Syntax(Box::new(error)))?,
    };
    let known = keys();
    let mut unknown = None;
    leaves("", &table, &mut |path, _| {
        if unknown.is_none() && !known.iter().any(|key| key.path == path) {
            unknown = Some(path.to_owned());
        }
    });
    if let Some(key) = unknown {
        let nearest = nearest(&key, known.iter().map(|key| key.path.as_str()));
        return Err(ConfigError::UnknownKey { key, nearest });
    }
    for (name, text) in environment {
        if !name.starts_with(PREFIX) {
            continue;
        }
        if let Some(key) = known.iter().find(|key| key.environment == name) {
            set(&mut table, &key.path, &text)?;
            continue;
        }
        let nearest = nearest(&name, known.iter().map(|key| key.environment.as_str()));
        if distance(&name, &nearest) <= MISSPELT {
            return Err(ConfigError::UnknownKey { key: name, nearest });
        }
    }
    for (path, text) in flags {
        if !known.iter().any(|key| key.path == *path) {
            let nearest = nearest(path, known.iter().map(|key| key.path.as_str()));
            return Err(ConfigError::UnknownKey { key: (*path).to_owned(), nearest });
        }
        set(&mut table, path, text)?;
    }
    typed(table)
}

/// Decodes the table, and finds the key that is to blame if it does not.
fn typed(table: Table) -> Result<Config, ConfigError> {
    let error = match table.clone().try_into() {
        Ok(config) => return Ok(config),
        Err(error) => error,
    };
    let mut blamed = None;
    leaves("", &table, &mut |path, value| {
        let mut alone = Table::new();
        insert(&mut alone, path, value.clone());
        if blamed.is_none() && alone.try_into::<Config>().is_err() {
            blamed = Some(path.to_owned());
        }
    });
    Err(ConfigError::Value { key: blamed.unwrap_or_default(), reason: error.message().to_owned() })
}

fn defaults() -> Table {
    Table::try_from(Config::default()).unwrap_or_default()
}

fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_uppercase())
}

fn leaves(prefix: &str, table: &Table, visit: &mut impl FnMut(&str, &Value)) {
    for (name, value) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => leaves(&path, inner, visit),
            value => visit(&path, value),
        }
    }
}

fn set(table: &mut Table, path: &str, text: &str) -> Result<(), ConfigError> {
    let mut default = None;
    leaves("", &defaults(), &mut |known, value| {
        if known == path {
            default = Some(value.clone());
        }
    });
    let wrong = |reason: String| ConfigError::Value { key: path.into(), reason };
    let value = match default {
        Some(Value::Integer(_)) => {
            Value::Integer(text.replace('_', "").parse().map_err(|_| wrong(format!("`{text}` is not a whole number")))?)
        }
        Some(Value::Boolean(_)) => {
            Value::Boolean(text.parse().map_err(|_| wrong(format!("`{text}` is neither true nor false")))?)
        }
        Some(Value::Array(_)) => {
            Value::Array(text.split(',').map(|part| Value::String(part.trim().to_owned())).collect())
        }
        _ => Value::String(text.to_owned()),
    };
    insert(table, path, value);
    Ok(())
}

fn insert(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> String {
    known.min_by_key(|known| distance(given, known)).unwrap_or_default().to_owned()
}

/// Levenshtein's distance: edits of one character that turn one text into the other.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = i;
        let mut before = i + 1;
        for (cell, b) in row[1..].iter_mut().zip(right.chars()) {
            let replaced = diagonal + usize::from(a != b);
            diagonal = *cell;
            before = replaced.min(before + 1).min(diagonal + 1);
            *cell = before;
        }
        row[0] = i + 1;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (left, right, edits) in [("", "abc", 3), ("kitten", "sitting", 3), ("same", "same", 0), ("ab", "ba", 2)] {
            assert_eq!(distance(left, right), edits, "{left} {right}");
        }
    }
}
