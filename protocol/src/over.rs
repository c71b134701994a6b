//! What becomes of a stored record when attributes are set over its own.

use crate::{
    json::{self, Members, Raw},
    record::{Record, RecordInput, is_attribute},
    walk::{value_end, walk},
};
use std::borrow::Cow;

impl RecordInput {
    /// What a stored record becomes when these attributes are set over its own, or take their place (`replace`). `None`
    /// where that changes nothing.
    ///
    /// # Errors
    /// What `serde_json` says where the stored text is no JSON object: it was damaged.
    pub fn over(&self, stored: &Record, replace: bool) -> Result<Option<Cow<'_, Self>>, serde_json::Error> {
        // Most often the same attributes come again, in the same order, some with other values.
        if let Some(differs) = self.differs_in_values(stored) {
            return Ok(differs.then_some(Cow::Borrowed(self)));
        }
        let (old, new) = (Members::parse(stored.json())?, Members::parse(self.json())?);
        let (in_old, in_new) = (old.lookup(), new.lookup());
        let kept = || old.0.iter().filter(|(name, _)| is_attribute(name));
        let given = || new.0.iter().filter(|(name, _)| is_attribute(name));
        if given().all(|(name, value)| in_old.find(name).is_some_and(|old| json::same(old, *value)))
            && (!replace || kept().count() == given().count())
        {
            return Ok(None);
        }
        if replace {
            return Ok(Some(Cow::Borrowed(self)));
        }
        let kept = kept().map(|(name, old)| (name.as_ref(), in_new.find(name).unwrap_or(*old)));
        let added =
            given().filter(|(name, _)| in_old.find(name).is_none()).map(|(name, value)| (name.as_ref(), *value));
        Ok(Some(Cow::Owned(Self::from_members(self.id(), kept.chain(added), stored.json().len() + self.size()))))
    }

    /// Whether any value is another, where the attributes are the same in the same order; one pass over the two texts.
    fn differs_in_values(&self, stored: &Record) -> Option<bool> {
        if let Some(differs) = self.differs_in_one_value(stored) {
            return Some(differs);
        }
        let mut old = walk(stored.json()).skip(1).filter(|(name, _)| !name.starts_with("\"_"));
        let (mut new, mut differs) = (self.attributes(), false);
        loop {
            match (old.next(), new.next()) {
                (None, None) => return Some(differs),
                (Some((old_name, old)), Some((name, new))) if old_name == name => {
                    differs = differs || (old != new && !json::same(Raw::trusted(old), Raw::trusted(new)));
                }
                _ => return None,
            }
        }
    }

    /// The same where the texts differ within one value at the most, which is found without reading the others.
    fn differs_in_one_value(&self, stored: &Record) -> Option<bool> {
        let (new, old) = (self.json(), stored.json());
        let (new, old) = (&new[..new.len() - 1], &old[..old.len() - stored.tail().len()]);
        let differs_at = common_prefix(new.as_bytes(), old.as_bytes());
        if differs_at == new.len() && differs_at == old.len() {
            return Some(false);
        }
        let (name, value) = self.attributes().find(|(_, value)| end_in(new, value) >= differs_at)?;
        let (begin, end) = (end_in(new, value) - value.len(), end_in(new, value));
        let old_value = old.get(begin..(old.len() + end).checked_sub(new.len())?)?;
        let is_value = value_end(old.as_bytes().get(begin..)?).unwrap_or(old.len() - begin) == old_value.len();
        let rest_is_same = old.ends_with(&new[end..]);
        let is_one = differs_at >= begin && end_in(new, name) < begin && is_value && rest_is_same;
        is_one.then(|| !json::same(Raw::trusted(old_value), Raw::trusted(value)))
    }
}

/// How many bytes at the beginning are the same.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    const WIDE: usize = 32;
    let (wide_a, wide_b) = (a.as_chunks::<WIDE>().0, b.as_chunks::<WIDE>().0);
    let wide = wide_a.iter().zip(wide_b).take_while(|(a, b)| a == b).count() * WIDE;
    wide + a[wide..].iter().zip(&b[wide..]).take_while(|(a, b)| a == b).count()
}

/// Where a part of a text ends in it.
fn end_in(text: &str, part: &str) -> usize {
    part.as_ptr() as usize - text.as_ptr() as usize + part.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{name::RecordId, position::Revision, random::Random};

    fn input(text: &str) -> RecordInput {
        RecordInput::parse(serde_json::from_str(text).unwrap(), || RecordId::parse("made").unwrap()).unwrap()
    }

    fn stored(text: &str) -> Record {
        Record::new(&input(text), Revision(1), None)
    }

    #[test]
    fn setting_over_keeps_the_rest_and_replacing_does_not() {
        let id = r#""id":"i\"d""#;
        let of = |rest: &str| input(&format!("{{{id}{rest}}}"));
        let old = Record::new(&of(r#","a":1,"b":{"x":1},"c":"k""#), Revision(1), None);
        let over = |rest, replace| of(rest).over(&old, replace).unwrap().map(Cow::into_owned);
        assert_eq!(over(r#","d":4,"b":null"#, false), Some(of(r#","a":1,"b":null,"c":"k","d":4"#)));
        assert_eq!(over(r#","d":4,"b":null"#, true), Some(of(r#","d":4,"b":null"#)));
        assert_eq!(over(r#","b":{"x": 1},"c":"\u006b""#, false), None);
        assert_eq!(over("", false), None);
        assert_eq!(over("", true), Some(of("")));
        assert_eq!(over(r#","c":"k","b":{"x":1},"a":1"#, true), None);
        assert_eq!(over(r#","a":1,"b":{"x":1}"#, true), Some(of(r#","a":1,"b":{"x":1}"#)));
        // What begins as the stored one does is not yet the same.
        let longer = stored(r#"{"id":"x","a":1,"b":2}"#);
        let shorter = input(r#"{"id":"x","a":1}"#);
        assert_eq!(shorter.over(&longer, true).unwrap().as_deref(), Some(&shorter));
        assert_eq!(shorter.over(&longer, false).unwrap(), None);
    }

    /// Records that are alike: whatever the quick look says is what the thorough one says.
    #[test]
    fn a_change_of_one_value_is_seen_as_the_thorough_look_sees_it() {
        let pieces =
            ["1", "12", "\"a\"", "\"a,\\\"b\\\":1\"", "{\"b\":1}", "[1,2]", "[1]", "null", "1,\"b\":1", "\"\\u0061\""];
        let mut random = Random::new(0);
        let mut below = |bound: usize| random.below(bound);
        let (mut quick, mut changed) = (0, 0);
        for _ in 0..50_000 {
            let names: Vec<&str> = ["a", "b", "c", "ab"].into_iter().filter(|_| below(4) > 0).collect();
            let of = |below: &mut dyn FnMut(usize) -> usize, other: bool| {
                let mut text = "{\"id\":\"x\"".to_owned();
                for name in &names {
                    let name = if other && below(9) == 0 { "d" } else { name };
                    text.push_str(&format!(",\"{name}\":{}", pieces[below(pieces.len())]));
                }
                text + "}"
            };
            let old = of(&mut below, false);
            let new = if below(2) == 0 {
                of(&mut below, true)
            } else {
                let (from, to) = (pieces[below(pieces.len())], pieces[below(pieces.len())]);
                old.replacen(&format!(":{from}"), &format!(":{to}"), 1)
            };
            // A number may have been cut in two.
            if serde_json::from_str::<Raw<'_>>(&new).is_err() {
                continue;
            }
            let (old, new) = (input(&old), input(&new));
            let last_change = (below(2) == 0).then_some(17);
            let stored = Record::new(&old, Revision(3), last_change);
            let Some(differs) = new.differs_in_one_value(&stored) else { continue };
            let members = |json: &str| -> Vec<(String, String)> {
                let Members(members) = Members::parse(json).unwrap();
                let own = members.into_iter().filter(|(name, _)| !name.starts_with('_'));
                own.map(|(name, value)| (name.into_owned(), value.get().to_owned())).collect()
            };
            let (old, new) = (members(stored.json()), members(new.json()));
            quick += 1;
            changed += usize::from(differs);
            assert!(old.iter().map(|(name, _)| name).eq(new.iter().map(|(name, _)| name)), "{old:?} {new:?}");
            let same = |a: &str, b: &str| json::same(Raw::trusted(a), Raw::trusted(b));
            assert_eq!(differs, !old.iter().zip(&new).all(|((_, a), (_, b))| same(a, b)), "{old:?} {new:?}");
        }
        assert!(quick > 10_000 && changed > 2_000 && changed < quick, "{changed} of {quick}");
    }
}
