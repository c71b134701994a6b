//! The keys there are and the type of each, read off the serialized defaults so that they are written down once.

use super::{ModelSettings, Origin, Settings, SettingsError, layer::Entry, layer::variable, nearest::nearest, redact};
use serde::Serialize;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// The type of a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Text,
    List,
}

/// What a path leads to.
pub(super) enum Found {
    Value(Kind),
    Table,
    Nothing,
}

/// The section whose second level is a name the user chose.
const MODELS: &str = "models";

/// Every key of [`Settings`], dotted.
pub(super) struct Keys {
    fixed: BTreeMap<String, Kind>,
    of_a_model: BTreeMap<String, Kind>,
}

impl Keys {
    pub(super) fn of_defaults() -> Self {
        let mut fixed = BTreeMap::new();
        for (section, keys) in table_of(&Settings::default()) {
            let Value::Table(keys) = keys else { unreachable!("settings are sections of keys") };
            if section != MODELS {
                fixed.extend(keys.iter().map(|(key, value)| (format!("{section}.{key}"), kind(value))));
            }
        }
        let of_a_model = table_of(&ModelSettings::default()).into_iter().map(|(key, value)| (key, kind(&value)));
        Self { fixed, of_a_model: of_a_model.collect() }
    }

    /// The keys outside `[models]`, dotted.
    pub(super) fn fixed(&self) -> impl Iterator<Item = &str> {
        self.fixed.keys().map(String::as_str)
    }

    pub(super) fn find(&self, path: &[String]) -> Found {
        let found = match path {
            [section] => return if self.is_section(section) { Found::Table } else { Found::Nothing },
            [models, _] if models == MODELS => return Found::Table,
            [models, _, key] if models == MODELS => self.of_a_model.get(key),
            _ => self.fixed.get(&path.join(".")),
        };
        found.map_or(Found::Nothing, |kind| Found::Value(*kind))
    }

    /// Refuse an entry whose key does not exist or whose value is not of the key's type.
    pub(super) fn check(&self, entry: &Entry) -> Result<(), SettingsError> {
        match self.find(&entry.path) {
            Found::Value(kind) if kind.takes(&entry.value) => Ok(()),
            Found::Value(kind) => Err(wrong_type(&entry.path, &entry.origin, &entry.value, kind.expected())),
            Found::Table if entry.value.is_table() => Ok(()),
            Found::Table => Err(wrong_type(&entry.path, &entry.origin, &entry.value, "a table of keys")),
            Found::Nothing => Err(self.unknown(&entry.path, &entry.origin)),
        }
    }

    /// The error for a path that leads nowhere.
    pub(super) fn unknown(&self, path: &[String], origin: &Origin) -> SettingsError {
        if let Some((_, parent)) = path.split_last()
            && let Found::Value(kind) = self.find(parent)
        {
            let table = Value::Table(Table::new());
            return wrong_type(parent, origin, &table, kind.expected());
        }
        SettingsError::UnknownKey { key: path.join("."), origin: origin.clone(), hint: self.hint(path, origin) }
    }

    fn hint(&self, path: &[String], origin: &Origin) -> String {
        if let [models, _, _, _, ..] = path
            && models == MODELS
        {
            return "a model's name that has a dot is written in quotes: [models.\"a.b\"]".to_owned();
        }
        let dotted = path.join(".");
        let near = self.nearest(path, &dotted).map(|key| match origin {
            Origin::Variable(_) => variable(&key),
            _ => format!("`{key}`"),
        });
        match near {
            Some(key) => format!("did you mean {key}?"),
            None => format!("there are {}", self.siblings(path).join(", ")),
        }
    }

    fn nearest(&self, path: &[String], dotted: &str) -> Option<String> {
        if let [models, name, key] = path
            && models == MODELS
        {
            return nearest(key, self.of_a_model.keys().map(String::as_str))
                .map(|key| format!("{MODELS}.{name}.{key}"));
        }
        let moved = || {
            let last = path.last()?;
            self.fixed().find(|key| key.rsplit_once('.').is_some_and(|(_, name)| name == last))
        };
        let known: Vec<&str> = if path.len() == 1 { self.sections() } else { self.fixed().collect() };
        nearest(dotted, known).or_else(moved).map(str::to_owned)
    }

    fn siblings(&self, path: &[String]) -> Vec<&str> {
        match path {
            [models, _, _, ..] if models == MODELS => self.of_a_model.keys().map(String::as_str).collect(),
            [section, _, ..] if self.is_section(section) => {
                self.fixed().filter(|key| key.split_once('.').is_some_and(|(of, _)| of == section)).collect()
            }
            _ => self.sections(),
        }
    }

    fn sections(&self) -> Vec<&str> {
        let mut sections: Vec<&str> = self.fixed().filter_map(|key| Some(key.split_once('.')?.0)).collect();
        sections.dedup();
        sections.push(MODELS);
        sections
    }

    fn is_section(&self, word: &str) -> bool {
        self.sections().contains(&word)
    }
}

impl Kind {
    fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Boolean, Value::Boolean(_)) | (Self::Text, Value::String(_)) => true,
            // Every number of the settings counts something.
            (Self::Integer, Value::Integer(number)) => *number >= 0,
            (Self::List, Value::Array(items)) => items.iter().all(Value::is_str),
            _ => false,
        }
    }

    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Integer => "a whole number of 0 or more",
            Self::Text => "a text",
            Self::List => "a list of texts",
        }
    }
}

pub(super) fn wrong_type(path: &[String], origin: &Origin, given: &Value, expected: &'static str) -> SettingsError {
    let given = match given {
        Value::String(text) => format!("the text \"{}\"", redact(text)),
        Value::Integer(number) => format!("the number {number}"),
        Value::Float(number) => format!("the number {number}"),
        Value::Boolean(truth) => format!("{truth}"),
        Value::Datetime(time) => format!("the time {time}"),
        Value::Array(items) if items.iter().all(Value::is_str) => "a list".to_owned(),
        Value::Array(_) => "a list of other things than texts".to_owned(),
        Value::Table(_) => "a table".to_owned(),
    };
    SettingsError::WrongType { key: path.join("."), origin: origin.clone(), given, expected }
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Boolean(_) => Kind::Boolean,
        Value::Integer(_) => Kind::Integer,
        Value::String(_) => Kind::Text,
        Value::Array(_) => Kind::List,
        other => unreachable!("no setting is a {}", other.type_str()),
    }
}

pub(super) fn table_of(settings: &impl Serialize) -> Table {
    Table::try_from(settings).expect("default settings are tables of plain values")
}
