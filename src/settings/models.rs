//! `[models.NAME]`: what holds for single models.

use super::error::{Problem, in_range};
use backsync_protocol::{ConflictPolicy, ModelName};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{collections::BTreeMap, num::NonZeroU32};

/// What holds for single models, by name; a model that is not named here has [`ModelSettings::default`].
///
/// By default it names `ServerLog`, with 10,000 records. A file adds to that, and changes `ServerLog` by naming it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelsSettings(pub BTreeMap<String, ModelSettings>);

/// What holds for one model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    /// Records the model keeps, the oldest go first; `None`, written 0, is no limit.
    #[serde(serialize_with = "none_as_zero", deserialize_with = "zero_as_none")]
    pub max_records: Option<NonZeroU32>,
    /// Seconds after its insertion a record goes; 0 is never.
    pub max_age_s: u64,
    /// Whether what goes because of these two is pushed as deletions.
    pub push_evictions: bool,
    /// What decides where a record is not as a writer knew it, and the write does not say.
    pub policy: ConflictPolicy,
    /// Whether a record belongs to the session that wrote it, and goes with it.
    pub ephemeral: bool,
    /// Models of one group may be written in one batch; empty is a group of its own.
    pub group: String,
    /// Attributes that name records, each as `attribute=Model` (one), `attribute=Model[]` (many) or `attribute=Model:other` (those
    /// whose `other` names this one).
    pub references: Vec<String>,
}

/// Longer than anything is kept: a hundred years in seconds.
const MAX_AGE: u64 = 100 * 366 * 24 * 3600;

impl Default for ModelsSettings {
    fn default() -> Self {
        Self(BTreeMap::from([(
            "ServerLog".to_owned(),
            ModelSettings { max_records: NonZeroU32::new(10_000), ..ModelSettings::default() },
        )]))
    }
}

impl ModelsSettings {
    /// What holds for `model`.
    pub fn of(&self, model: &str) -> ModelSettings {
        self.0.get(model).cloned().unwrap_or_default()
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        for (name, model) in &self.0 {
            if !ModelName::is_valid(name) {
                return Err(Problem::new(
                    &format!("models.{name}"),
                    format!(
                        "`{name}` is no name of a model, 1 to {} of letters, digits, _ - and . are",
                        ModelName::MAX_BYTES
                    ),
                ));
            }
            in_range(&format!("models.{name}.max_age_s"), model.max_age_s, 0, MAX_AGE)?;
            if let Some(wrong) = model.references.iter().find(|text| reference(text).is_none()) {
                let key = format!("models.{name}.references");
                let message = format!(
                    "`{wrong}` is none of `attribute=Model`, `attribute=Model[]` and `attribute=Model:attribute`, \
                     as in \"spouse=User\", \"friends=User[]\" and \"pets=Pet:owner\""
                );
                return Err(Problem::new(&key, message));
            }
        }
        Ok(())
    }
}

impl ModelSettings {
    /// [`Self::references`], understood.
    pub fn references(&self) -> impl Iterator<Item = ReferenceSettings<'_>> {
        self.references.iter().filter_map(|text| reference(text))
    }
}

/// An attribute that names records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceSettings<'a> {
    /// The attribute.
    pub attribute: &'a str,
    /// Whose records.
    pub model: ModelName,
    /// Whether it is an array of ids.
    pub many: bool,
    /// It is not stored: this attribute of the other model names the records here.
    pub through: Option<&'a str>,
}

fn reference(text: &str) -> Option<ReferenceSettings<'_>> {
    let is_attribute = |name: &str| !name.is_empty() && name != "id" && !name.starts_with('_') && !name.contains('.');
    let (attribute, target) = text.split_once('=')?;
    let (target, many) = target.strip_suffix("[]").map_or((target, false), |target| (target, true));
    let (model, through) = target.split_once(':').map_or((target, None), |(model, through)| (model, Some(through)));
    let usable = is_attribute(attribute) && through.is_none_or(|through| !many && is_attribute(through));
    usable.then(|| Some(ReferenceSettings { attribute, model: ModelName::parse(model).ok()?, many, through })).flatten()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_to_one_to_many_or_through_the_other_side() {
        let model = |name| ModelName::parse(name).unwrap();
        let of = |attribute, name, many, through| ReferenceSettings { attribute, model: model(name), many, through };
        assert_eq!(reference("spouse=User"), Some(of("spouse", "User", false, None)));
        assert_eq!(reference("friends=User[]"), Some(of("friends", "User", true, None)));
        assert_eq!(reference("pets=Pet:owner"), Some(of("pets", "Pet", false, Some("owner"))));
        assert_eq!(reference("tags=a.b[]"), Some(of("tags", "a.b", true, None)));
        for wrong in ["", "spouse", "=User", "id=User", "_x=User", "a.b=User", "x=", "x=User:y[]", "x=User:", "x=a b"] {
            assert_eq!(reference(wrong), None, "{wrong}");
        }
    }
}
