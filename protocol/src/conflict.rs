//! Conflicts: what may decide between two edits of one record, and the merge of them by attribute.

use crate::{
    json::{self, Members, Raw},
    record::{Record, RecordInput, is_attribute},
};
use serde::{Deserialize, Serialize};

/// What decides when a write was made from another state than the one it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum ConflictPolicy {
    /// The last write to arrive wins.
    #[default]
    ClientWins,
    /// A write made from another state than the present one is refused.
    ServerWins,
    /// The edit with the later `_lastChange` wins.
    LatestWins,
    /// What only one side changed is kept of both, attribute by attribute.
    Merge,
}

impl ConflictPolicy {
    /// All of them, in the order of `PROTOCOL.md`.
    pub const ALL: [Self; 4] = [Self::ClientWins, Self::ServerWins, Self::LatestWins, Self::Merge];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientWins => "client-wins",
            Self::ServerWins => "server-wins",
            Self::LatestWins => "latest-wins",
            Self::Merge => "merge",
        }
    }

    /// The policy of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

impl From<ConflictPolicy> for &'static str {
    fn from(policy: ConflictPolicy) -> Self {
        policy.name()
    }
}

impl TryFrom<String> for ConflictPolicy {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::parse(&name).ok_or_else(|| format!("{} is none of {}", json::excerpt(&name), names()))
    }
}

/// Whose value is taken where both sides changed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// That of the write.
    Client,
    /// That of the stored record.
    Server,
}

impl Side {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// The side of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Client, Self::Server].into_iter().find(|side| side.name() == name)
    }
}

/// What came of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Both sides' changes together; where both changed an attribute and nobody is preferred, the stored value.
    pub record: RecordInput,
    /// Names of the attributes that both sides changed, to different values, and nobody was preferred for.
    pub conflicts: Vec<String>,
}

/// Put the change from `base` to `given` over the change from `base` to `stored`, attribute by attribute of the outermost
/// level. Attributes that are not given were not changed, or were removed if the write is a `replace`. Without the `base`, which
/// may have been forgotten, every given value that is not the stored one counts as changed by both.
///
/// # Errors
/// What `serde_json` says where a stored text is no JSON object: it was damaged.
pub fn merge(
    given: &RecordInput,
    base: Option<&Record>,
    stored: &Record,
    replace: bool,
    prefer: Option<Side>,
) -> Result<Merged, serde_json::Error> {
    let (given_members, stored_members) = (Members::parse(given.json())?, Members::parse(stored.json())?);
    let base_members = base.map(|base| Members::parse(base.json())).transpose()?;
    let (in_given, in_stored) = (given_members.lookup(), stored_members.lookup());
    let in_base = base_members.as_ref().map(Members::lookup);
    let mut conflicts = Vec::new();
    let mut choose = |name: &str| -> Option<Raw<'_>> {
        let (given, stored) = (in_given.find(name), in_stored.find(name));
        if alike(given, stored) || (given.is_none() && !replace) {
            return stored;
        }
        if let Some(in_base) = &in_base {
            let base = in_base.find(name);
            if alike(stored, base) {
                return given;
            }
            if alike(given, base) {
                return stored;
            }
        }
        match prefer {
            Some(Side::Client) => given,
            Some(Side::Server) => stored,
            None => {
                conflicts.push(name.to_owned());
                stored
            }
        }
    };
    let mut members = Vec::new();
    let added = given_members.0.iter().filter(|(name, _)| in_stored.find(name).is_none());
    for (name, _) in stored_members.0.iter().chain(added).filter(|(name, _)| is_attribute(name)) {
        members.extend(choose(name).map(|value| (name.as_ref(), value)));
    }
    let record = RecordInput::from_members(given.id(), members.into_iter(), given.size() + stored.json().len());
    Ok(Merged { record, conflicts })
}

fn alike(a: Option<Raw<'_>>, b: Option<Raw<'_>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => json::same(a, b),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{name::RecordId, position::Revision};

    fn input(attributes: &str) -> RecordInput {
        let text = format!(r#"{{"id":"x"{}{attributes}}}"#, if attributes.is_empty() { "" } else { "," });
        RecordInput::parse(serde_json::from_str(&text).unwrap(), || RecordId::parse("x").unwrap()).unwrap()
    }

    fn stored(attributes: &str) -> Record {
        Record::new(&input(attributes), Revision(1), None)
    }

    fn merged(base: Option<&str>, server: &str, client: &str, replace: bool, prefer: Option<Side>) -> (String, String) {
        let base = base.map(stored);
        let merged = merge(&input(client), base.as_ref(), &stored(server), replace, prefer).unwrap();
        (
            merged.record.json()[1..].trim_start_matches("\"id\":\"x\"").trim_matches([',', '}']).to_owned(),
            merged.conflicts.join(" "),
        )
    }

    #[test]
    fn what_one_side_changed_is_kept_of_both() {
        let base = r#""a":1,"b":1,"c":1"#;
        let of = |server, client, replace| merged(Some(base), server, client, replace, None);
        let both = (r#""a":2,"b":3,"c":1"#.to_owned(), String::new());
        assert_eq!(of(r#""a":2,"b":1,"c":1"#, r#""b":3"#, false), both);
        assert_eq!(of(r#""a":2,"b":1,"c":1"#, r#""a":1,"b":3,"c":1"#, false), both);
        assert_eq!(of(r#""a":2,"b":1,"c":1"#, r#""a":1,"b":3,"c":1"#, true), both);
        assert_eq!(
            of(r#""a":1,"b":1,"c":1,"d":4"#, r#""a":1,"b":1"#, true),
            (r#""a":1,"b":1,"d":4"#.into(), String::new())
        );
        assert_eq!(of(r#""a":1,"b":1"#, r#""a":1,"c":1,"e":5"#, false), (r#""a":1,"b":1,"e":5"#.into(), String::new()));
        assert_eq!(of(r#""a":7,"b":1,"c":1"#, r#""a":7"#, false), (r#""a":7,"b":1,"c":1"#.into(), String::new()));
    }

    #[test]
    fn what_both_changed_is_told_or_decided() {
        let of = |prefer| merged(Some(r#""a":1,"b":1"#), r#""a":2,"b":1"#, r#""a":3,"b":4"#, false, prefer);
        assert_eq!(of(None), (r#""a":2,"b":4"#.into(), "a".into()));
        assert_eq!(of(Some(Side::Client)), (r#""a":3,"b":4"#.into(), String::new()));
        assert_eq!(of(Some(Side::Server)), (r#""a":2,"b":4"#.into(), String::new()));
        let removed = merged(Some(r#""a":1"#), r#""a":2"#, "", true, None);
        assert_eq!(removed, (r#""a":2"#.into(), "a".into()));
    }

    #[test]
    fn without_the_base_what_differs_is_a_conflict() {
        assert_eq!(
            merged(None, r#""a":2,"b":1"#, r#""a":3,"b":1"#, false, None),
            (r#""a":2,"b":1"#.into(), "a".into())
        );
    }
}
