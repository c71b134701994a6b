//! From the layers to settings that hold, or to one error that says which line of which layer to change.

use super::{Origin, Settings, SettingsError, error::Problem, keys::Keys, layer::Layer};
use config::{Config, ConfigError};
use std::path::Path;

impl Settings {
    /// Read the defaults, under `file` (TOML), under `environment`, under `overrides`.
    ///
    /// - `environment` is all of a process' variables ([`process_environment`]); settings are `BACKSYNC_` and the path
    ///   of the key with `__` between its levels, `BACKSYNC_SERVER__LISTEN`. Empty ones count as not set. The name of a
    ///   model keeps its case, `BACKSYNC_MODELS__ChatMessage__MAX_RECORDS`; where the defaults or the file have the
    ///   model in another case only, that one is meant. A name with `-` or `.` can be set only by what can put such a
    ///   variable into the environment, which a shell cannot.
    /// - `overrides` are dotted keys with their values, from flags and from `--set` ([`parse_set`](super::parse_set));
    ///   the last of one key wins.
    ///
    /// Both carry text, read as the type of the key: `true` or `false`, a number as in TOML, a list as
    /// `a,b` or as `["a", "b"]`, anything else as it stands. A list replaces the list of the layer below; a table of
    /// `[models]` adds to it.
    ///
    /// # Errors
    /// The first thing that is wrong in the lowest layer that has something wrong; then the first value that does not
    /// hold. Each names the key and where it was written.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        overrides: &[(String, String)],
    ) -> Result<Self, SettingsError> {
        let keys = Keys::of_defaults();
        let mut layers = vec![Layer::defaults()];
        if let Some(path) = file {
            layers.push(Layer::file(path, &keys)?);
        }
        let models: Vec<String> = layers.iter().flat_map(Layer::models).cloned().collect();
        layers.push(Layer::environment(environment, &keys, &models)?);
        layers.push(Layer::command_line(overrides, &keys)?);

        let settings: Result<Self, Problem> = merge(layers.clone()).and_then(|settings: Self| {
            settings.find_problem()?;
            Ok(settings)
        });
        settings.map_err(|problem| {
            let origin = layers.iter().rev().find_map(|layer| layer.origin_of(&problem.key));
            let origin = origin.cloned().unwrap_or(Origin::Default);
            problem.with_origin(origin)
        })
    }
}

/// The variables of this process, for [`Settings::load`]. What is not Unicode in them arrives as `U+FFFD`: refused by
/// name where it matters, harmless where not.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    let text = |word: std::ffi::OsString| word.to_string_lossy().into_owned();
    std::env::vars_os().map(move |(name, value)| (text(name), text(value)))
}

fn merge(layers: Vec<Layer>) -> Result<Settings, Problem> {
    layers
        .into_iter()
        .fold(Config::builder(), |builder, layer| builder.add_source(layer))
        .build()
        .and_then(Config::try_deserialize)
        .map_err(problem)
}

/// Types are checked before; what is left is a value that its own type refuses, with a message of ours.
fn problem(error: ConfigError) -> Problem {
    match error {
        ConfigError::At { error, key: Some(key), .. } => {
            Problem { key: key.split('[').next().unwrap_or_default().to_owned(), what: error.to_string() }
        }
        other => Problem { key: String::new(), what: other.to_string() },
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
