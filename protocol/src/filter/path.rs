//! Paths into a record, and reading the values at many of them in one pass over its text.

use super::text;
use crate::{json, walk::walk};

/// The most names that a path may have.
const MAX_NAMES: usize = 16;

/// One or more names joined by `.`, each a member of what the one before it names. Never leads into arrays.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path(String);

impl Path {
    /// Read a path; on failure, what is wrong with it and what would be right.
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        let quoted = json::excerpt(path);
        if path.split('.').any(str::is_empty) {
            return Err(format!("the path {quoted} has an empty name; a path is names joined by '.', such as \"a.b\""));
        }
        if path.starts_with('_') {
            return Err(format!(
                "the path {quoted} begins with '_': such members are the server's, name one of your own"
            ));
        }
        let count = path.split('.').count();
        if count > MAX_NAMES {
            return Err(format!("the path {quoted} has {count} names; {MAX_NAMES} are allowed"));
        }
        Ok(Self(path.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the record's identity, which is always a string.
    pub(super) fn is_id(&self) -> bool {
        self.0 == "id"
    }
}

/// The value at one path of a record.
pub(super) fn value_at<'r>(record: &'r str, path: &str) -> Option<&'r str> {
    let mut names = path.split('.');
    let (_, value) = names.next().and_then(|first| walk(record).find(|(quoted, _)| is_named(quoted, first)))?;
    names.try_fold(value, |object, name| {
        walk(object).filter(|(quoted, _)| is_named(quoted, name)).last().map(|(_, value)| value)
    })
}

fn is_named(quoted: &str, name: &str) -> bool {
    match has_escapes(quoted) {
        false => quoted.len() == name.len() + 2 && quoted[1..].starts_with(name),
        true => *text::decoded(quoted) == *name.as_bytes(),
    }
}

/// Names are too short for a search that is made for long texts.
fn has_escapes(quoted: &str) -> bool {
    quoted.bytes().any(|byte| byte == b'\\')
}

/// Several paths, and a slot for the value at each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Paths {
    branches: Branches,
    slots: usize,
}

/// The names that paths go on with from one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Branches(Vec<Branch>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Branch {
    /// As it is nearly always spelled in a record's text: quoted, and escaped only where it must be.
    name: Box<str>,
    slot: usize,
    branches: Branches,
}

impl Paths {
    /// Add a path, if it is not there yet; the slot of its value.
    pub(super) fn add(&mut self, path: &Path) -> usize {
        let (mut branches, mut slot) = (&mut self.branches, 0);
        for name in path.0.split('.') {
            let mut quoted = String::with_capacity(name.len() + 2);
            json::append_string(name, &mut quoted);
            let at = branches.search(&quoted).unwrap_or_else(|at| {
                let branch = Branch { name: quoted.into(), slot: self.slots, branches: Branches::default() };
                self.slots += 1;
                branches.0.insert(at, branch);
                at
            });
            let branch = &mut branches.0[at];
            (branches, slot) = (&mut branch.branches, branch.slot);
        }
        slot
    }

    /// How many slots [`Self::read`] needs.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// Put into the slots what the record has at the paths. Of a record's own members each is there once, so that there is
    /// nothing to look for when all have been found.
    pub(super) fn read<'r>(&self, record: &'r str, slots: &mut [Option<&'r str>]) {
        slots.fill(None);
        let wanted = walk(record).filter_map(|(name, value)| Some((self.branches.find(name)?, value)));
        for (branch, value) in wanted.take(self.branches.0.len()) {
            slots[branch.slot] = Some(value);
        }
        self.branches.read_nested(slots);
    }
}

impl Branches {
    /// Shorter names first: most names differ in length.
    fn search(&self, quoted: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|branch| branch.name.len().cmp(&quoted.len()).then_with(|| (*branch.name).cmp(quoted)))
    }

    fn find(&self, quoted: &str) -> Option<&Branch> {
        match self.search(quoted) {
            Ok(at) => Some(&self.0[at]),
            Err(_) if has_escapes(quoted) => {
                let name = text::decoded(quoted);
                self.0.iter().find(|branch| text::decoded(&branch.name) == name)
            }
            Err(_) => None,
        }
    }

    /// Read what is in the objects that were found at these names.
    fn read_nested(&self, slots: &mut [Option<&str>]) {
        for Branch { slot, branches, .. } in &self.0 {
            let Some(object) = slots[*slot].filter(|_| !branches.0.is_empty()) else { continue };
            // To the end, and only then deeper: the last of a repeated name counts.
            for (name, value) in walk(object) {
                if let Some(branch) = branches.find(name) {
                    slots[branch.slot] = Some(value);
                }
            }
            branches.read_nested(slots);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"id":"x","a":{"b":1,"b":{"c":2}}, "a\"":[{"b":3}] ,"\u0062":"last","a.b":4,"_rev":5}"#;

    #[test]
    fn one_pass_finds_what_one_look_each_finds() {
        let paths = ["a.b.c", "a\"", "a", "b", "id", "a.b", "a\".b", "id.b", "c", "a.b.c.d"];
        let found = [Some("2"), Some(r#"[{"b":3}]"#), Some(r#"{"b":1,"b":{"c":2}}"#), Some("\"last\"")];
        let found = found.into_iter().chain([Some("\"x\""), Some(r#"{"c":2}"#), None, None, None, None]);
        let mut all = Paths::default();
        let slots = paths.map(|path| all.add(&Path::parse(path).unwrap()));
        assert_eq!(slots, paths.map(|path| all.add(&Path::parse(path).unwrap())));
        let mut values = vec![Some("left over"); all.slots()];
        all.read(RECORD, &mut values);
        for ((path, slot), found) in paths.into_iter().zip(slots).zip(found) {
            assert_eq!(values[slot], found, "{path}");
            assert_eq!(value_at(RECORD, path), found, "{path}");
        }
    }

    #[test]
    fn an_object_that_a_later_member_replaces_is_not_read() {
        let mut paths = Paths::default();
        let slot = paths.add(&Path::parse("o.a.b").unwrap());
        let mut values = vec![None; paths.slots()];
        paths.read(r#"{"o":{"a":{"b":1},"a":2}}"#, &mut values);
        assert_eq!(values[slot], None);
        assert_eq!(value_at(r#"{"o":{"a":{"b":1},"a":2}}"#, "o.a.b"), None);
    }
}
