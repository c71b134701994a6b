//! `[models.NAME]`: what holds for single models.

use super::error::Problem;
use backsync_protocol::ModelName;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{collections::BTreeMap, num::NonZeroU32};

/// What holds for single models, by name; a model that is not named here has [`ModelSettings::default`].
///
/// By default it names `ServerLog`, with 10,000 records. A file adds to that, and changes `ServerLog` by naming it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelsSettings(pub BTreeMap<String, ModelSettings>);

/// What holds for one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    /// Records the model keeps, the oldest go first; `None`, written 0, is no limit.
    #[serde(serialize_with = "none_as_zero", deserialize_with = "zero_as_none")]
    pub max_records: Option<NonZeroU32>,
}

impl Default for ModelsSettings {
    fn default() -> Self {
        Self(BTreeMap::from([("ServerLog".to_owned(), ModelSettings { max_records: NonZeroU32::new(10_000) })]))
    }
}

impl ModelsSettings {
    /// What holds for `model`.
    pub fn of(&self, model: &str) -> ModelSettings {
        self.0.get(model).copied().unwrap_or_default()
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        match self.0.keys().find(|name| !ModelName::is_valid(name)) {
            None => Ok(()),
            Some(name) => Err(Problem::new(
                &format!("models.{name}"),
                format!(
                    "`{name}` is no name of a model, 1 to {} of letters, digits, _ - and . are",
                    ModelName::MAX_BYTES
                ),
            )),
        }
    }
}

fn none_as_zero<S: Serializer>(records: &Option<NonZeroU32>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u32(records.map_or(0, NonZeroU32::get))
}

fn zero_as_none<'de, D: Deserializer<'de>>(value: D) -> Result<Option<NonZeroU32>, D::Error> {
    let records = u64::deserialize(value)?;
    u32::try_from(records).map(NonZeroU32::new).map_err(|_| {
        D::Error::custom(format!("{records} is out of range, 1 to {} are right, or 0 for no limit", u32::MAX))
    })
}
