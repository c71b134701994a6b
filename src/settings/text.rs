//! Keys and values that arrive as text: `--set KEY=VALUE` and environment variables.

use super::{
    Origin, SettingsError,
    keys::{Found, Keys, wrong_type},
    layer::Entry,
    redact,
};
use toml::Value;

/// Cut an argument to `--set` at its first `=` into key and value.
///
/// # Errors
/// [`SettingsError::NotAnAssignment`] without a `=` or without a key before it.
pub fn parse_set(argument: &str) -> Result<(String, String), SettingsError> {
    match argument.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err(SettingsError::NotAnAssignment { given: redact(argument) }),
    }
}

/// Cut a key at `separator`. All between `models` and the last word is the model's name, which may have the separator
/// in it.
pub(super) fn path_of(key: &str, separator: &str) -> Vec<String> {
    let mut path: Vec<String> = key.split(separator).map(str::to_owned).collect();
    if path.len() > 3 && path[0].eq_ignore_ascii_case("models") {
        let name = path[1..path.len() - 1].join(separator);
        path.splice(1..path.len() - 1, [name]);
    }
    path
}

/// Read `text` as the type that the key at `path` has.
///
/// # Errors
/// [`SettingsError::UnknownKey`], [`SettingsError::WrongType`].
pub(super) fn typed(path: Vec<String>, text: &str, origin: Origin, keys: &Keys) -> Result<Entry, SettingsError> {
    use super::keys::Kind::{Boolean, Integer, List, Text};

    let given = || Value::String(text.to_owned());
    let kind = match keys.find(&path) {
        Found::Value(kind) => kind,
        Found::Table => return Err(wrong_type(&path, &origin, &given(), "a key below it")),
        Found::Nothing => return Err(keys.unknown(&path, &origin)),
    };
    let bare = text.trim();
    let value = match kind {
        Text => Some(given()),
        List if !bare.starts_with('[') => Some(comma_separated(bare)),
        Boolean | Integer | List => bare.parse().ok(),
    };
    match value {
        Some(value) => {
            let entry = Entry { path, value, origin };
            keys.check(&entry)?;
            Ok(entry)
        }
        None => Err(wrong_type(&path, &origin, &given(), kind.expected())),
    }
}

fn comma_separated(text: &str) -> Value {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_cut_at_its_first_equals_sign() {
        assert_eq!(parse_set(" log.level = a=b").unwrap(), ("log.level".to_owned(), " a=b".to_owned()));
        assert_eq!(parse_set("bus.url=").unwrap(), ("bus.url".to_owned(), String::new()));
        for bad in ["", "limits.depth", "=3", " =3"] {
            assert!(matches!(parse_set(bad), Err(SettingsError::NotAnAssignment { .. })), "{bad}");
        }
    }

    #[test]
    fn the_name_of_a_model_may_hold_the_separator() {
        assert_eq!(path_of("models.a.b.max_records", "."), ["models", "a.b", "max_records"]);
        assert_eq!(path_of("MODELS__a__b__MAX_RECORDS", "__"), ["MODELS", "a__b", "MAX_RECORDS"]);
        assert_eq!(path_of("limits.depth", "."), ["limits", "depth"]);
    }
}
