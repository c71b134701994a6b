//! One layer of settings: keys with values and where each was written, before layers are merged.

use super::{
    Origin, Settings, SettingsError,
    keys::{Keys, table_of},
    redact,
    text::{path_of, typed},
};
use config::{ConfigError, Map, Source, ValueKind};
use std::path::Path;
use toml::{Table, Value};

/// What environment variables that are settings begin with.
const PREFIX: &str = "BACKSYNC_";

/// What stands between section and key in the name of a variable.
const SEPARATOR: &str = "__";

/// One key with its value. Tables are entries only where they are empty.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) path: Vec<String>,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// Entries of one source, each known and of the right type.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    entries: Vec<Entry>,
}

impl Layer {
    pub(super) fn defaults() -> Self {
        Self::from_table(table_of(&Settings::default()), &Origin::Default)
    }

    /// # Errors
    /// Everything but [`SettingsError::Invalid`].
    pub(super) fn file(path: &Path, keys: &Keys) -> Result<Self, SettingsError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| SettingsError::File { path: path.to_owned(), source })?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| SettingsError::Syntax {
            path: path.to_owned(),
            message: redact(error.to_string().trim_end()),
        })?;
        let layer = Self::from_table(table, &Origin::File(path.to_owned()));
        layer.entries.iter().try_for_each(|entry| keys.check(entry))?;
        Ok(layer)
    }

    /// Variables that begin with `BACKSYNC_` and hold a `__`, but for empty ones, which count as not set. The name of a
    /// model is taken as written, unless only another spelling of it is among `models`.
    ///
    /// Without a `__` a variable is somebody else's: Kubernetes, for one, sets `BACKSYNC_PORT` and
    /// `BACKSYNC_SERVICE_HOST` where there is a service of that name. One that only lacks an underscore is refused.
    ///
    /// # Errors
    /// [`SettingsError::UnknownKey`], [`SettingsError::WrongType`].
    pub(super) fn environment(
        variables: impl Iterator<Item = (String, String)>,
        keys: &Keys,
        models: &[String],
    ) -> Result<Self, SettingsError> {
        let mut variables: Vec<_> = variables.filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort();
        let mut layer = Self::default();
        for (name, text) in variables {
            let key = &name[PREFIX.len()..];
            let origin = Origin::Variable(name.clone());
            if !key.contains(SEPARATOR) {
                refuse_lost_underscore(key, origin, keys)?;
            } else if !text.is_empty() {
                layer.entries.push(typed(path_of_variable(key, models), &text, origin, keys)?);
            }
        }
        Ok(layer)
    }

    /// # Errors
    /// [`SettingsError::UnknownKey`], [`SettingsError::WrongType`].
    pub(super) fn command_line(overrides: &[(String, String)], keys: &Keys) -> Result<Self, SettingsError> {
        let entry = |(key, text): &(String, String)| typed(path_of(key, "."), text, Origin::CommandLine, keys);
        Ok(Self { entries: overrides.iter().map(entry).collect::<Result<_, _>>()? })
    }

    /// The names of the models this layer has keys for.
    pub(super) fn models(&self) -> impl Iterator<Item = &String> {
        self.entries.iter().filter_map(|entry| match entry.path.as_slice() {
            [models, name, ..] if models == "models" => Some(name),
            _ => None,
        })
    }

    /// Where this layer sets `key` or something below it.
    pub(super) fn origin_of(&self, key: &str) -> Option<&Origin> {
        let sets = |entry: &&Entry| {
            let path = entry.path.join(".");
            path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.entries.iter().rev().find(sets).map(|entry| &entry.origin)
    }

    fn from_table(table: Table, origin: &Origin) -> Self {
        let mut entries = Vec::new();
        flatten(&mut entries, &mut Vec::new(), table, origin);
        Self { entries }
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    /// Sections as they are named, which has no character that `config` gives a meaning; below them it takes names as
    /// they are, so that models keep their case and their dots.
    fn collect(&self) -> Result<Map<String, config::Value>, ConfigError> {
        let mut root = Map::new();
        for entry in &self.entries {
            if let Some((last, parents)) = entry.path.split_last() {
                below(&mut root, parents).insert(last.clone(), to_config(&entry.value));
            }
        }
        Ok(root)
    }
}

/// The variable that sets `key`.
pub(super) fn variable(key: &str) -> String {
    let path: Vec<String> = match path_of(key, ".").as_slice() {
        [models, name, rest] if models == "models" => vec![models.to_uppercase(), name.clone(), rest.to_uppercase()],
        path => path.iter().map(|word| word.to_uppercase()).collect(),
    };
    format!("{PREFIX}{}", path.join(SEPARATOR))
}

fn path_of_variable(key: &str, models: &[String]) -> Vec<String> {
    let mut path = path_of(key, SEPARATOR);
    let is_model = path.len() > 1 && path[0].eq_ignore_ascii_case("models");
    for (depth, word) in path.iter_mut().enumerate() {
        if !(is_model && depth == 1) {
            *word = word.to_ascii_lowercase();
        } else if !models.contains(word)
            && let Some(known) = models.iter().find(|known| known.eq_ignore_ascii_case(word))
        {
            word.clone_from(known);
        }
    }
    path
}

fn refuse_lost_underscore(key: &str, origin: Origin, keys: &Keys) -> Result<(), SettingsError> {
    let lower = key.to_ascii_lowercase();
    match keys.fixed().find(|known| known.replace('.', "_") == lower) {
        None => Ok(()),
        Some(known) => {
            let hint = format!("did you mean {}?", variable(known));
            Err(SettingsError::UnknownKey { key: lower, origin, hint })
        }
    }
}

fn flatten(entries: &mut Vec<Entry>, path: &mut Vec<String>, table: Table, origin: &Origin) {
    for (key, value) in table {
        path.push(key);
        match value {
            Value::Table(inner) if !inner.is_empty() => flatten(entries, path, inner, origin),
            value => entries.push(Entry { path: path.clone(), value, origin: origin.clone() }),
        }
        path.pop();
    }
}

fn below<'a>(root: &'a mut Map<String, config::Value>, path: &[String]) -> &'a mut Map<String, config::Value> {
    path.iter().fold(root, |table, word| {
        let child = table.entry(word.clone()).or_insert_with(|| ValueKind::Table(Map::new()).into());
        match &mut child.kind {
            ValueKind::Table(inner) => inner,
            _ => unreachable!("checked entries have tables above them"),
        }
    })
}

fn to_config(value: &Value) -> config::Value {
    let kind = match value {
        Value::String(text) => ValueKind::String(text.clone()),
        Value::Integer(number) => ValueKind::I64(*number),
        Value::Float(number) => ValueKind::Float(*number),
        Value::Boolean(truth) => ValueKind::Boolean(*truth),
        Value::Datetime(time) => ValueKind::String(time.to_string()),
        Value::Array(items) => ValueKind::Array(items.iter().map(to_config).collect()),
        Value::Table(table) => {
            ValueKind::Table(table.iter().map(|(key, value)| (key.clone(), to_config(value))).collect())
        }
    };
    kind.into()
}
