//! What goes over a channel: a line `<node> <source> <first revision> <last>`, and behind it each change as a line
//! `<kind> <the record's revision> <bytes of its id, of its JSON> <revision before, bytes of the JSON before>` and these bytes.
//! The source is `p` and the process of Redis that wrote, or `e` and the epoch. Without changes it says where a model stands.

use crate::{
    bus::Publication,
    link::LARGEST_PUBLICATION,
    store::{Change, ChangeKind, Process},
};
use backsync_protocol::{Epoch, Record, Revision};
use std::{fmt::Write, num::NonZeroU64};

/// It is not as the nodes write it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Damaged(&'static str);

/// Where changes were numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Process(Process),
    Epoch(Epoch),
}

#[derive(Debug)]
pub(super) struct News<'a> {
    pub(super) node: &'a str,
    pub(super) source: Source,
    pub(super) last: Revision,
    pub(super) changes: Vec<Change>,
}

impl<'a> News<'a> {
    pub(super) fn parse(payload: &'a [u8]) -> Result<Self, Damaged> {
        let text = std::str::from_utf8(payload).map_err(|_| Damaged("it is not UTF-8"))?;
        let (line, mut rest) = text.split_once('\n').ok_or(Damaged("it has no first line"))?;
        let mut words = line.split(' ');
        let mut next = || words.next().ok_or(Damaged("its first line ends early"));
        let (node, source) = (next()?, next()?);
        let (first, last) = (number(next()?)?, number(next()?)?);
        let source = match source.split_at_checked(1) {
            Some(("p", process)) => Source::Process(Process::parse(process).map_err(|_| Damaged("its process"))?),
            Some(("e", epoch)) => {
                let epoch = u64::from_str_radix(epoch, 16).ok().and_then(NonZeroU64::new);
                Source::Epoch(Epoch(epoch.ok_or(Damaged("its epoch"))?))
            }
            _ => return Err(Damaged("its source")),
        };
        let mut changes = Vec::new();
        while !rest.is_empty() {
            let revision = Revision(first + changes.len() as u64);
            let change;
            (change, rest) = change_of(revision, rest)?;
            changes.push(change);
        }
        if !changes.is_empty() && first + changes.len() as u64 != last + 1 {
            return Err(Damaged("it has not as many changes as it says"));
        }
        Ok(Self { node, source, last: Revision(last), changes })
    }
}

fn change_of(revision: Revision, text: &str) -> Result<(Change, &str), Damaged> {
    let (line, rest) = text.split_once('\n').ok_or(Damaged("a change has no line"))?;
    let mut words = line.split(' ');
    let mut next = || words.next().ok_or(Damaged("the line of a change ends early"));
    let kind = match next()? {
        "i" => ChangeKind::Insert,
        "u" => ChangeKind::Update,
        "d" => ChangeKind::Delete,
        "e" => ChangeKind::Evict,
        _ => return Err(Damaged("a change is of no kind")),
    };
    let own = number(next()?)?;
    let mut lengths = [0; 2];
    for length in &mut lengths {
        *length = size(next()?)?;
    }
    let (before_own, before_length) = (number(next()?)?, size(next()?)?);
    let cut =
        |text: &'_ str, length: usize| text.is_char_boundary(length).then_some(length).ok_or(Damaged("it ends early"));
    let (id, rest) = rest.split_at(cut(rest, lengths[0])?);
    let (json, rest) = rest.split_at(cut(rest, lengths[1])?);
    let (before, rest) = rest.split_at(cut(rest, before_length)?);
    let record = |json, own| Record::restore(id, json, Revision(own)).ok_or(Damaged("a record is not one"));
    let before = if before.is_empty() { None } else { Some(record(before, before_own)?) };
    Ok((Change { revision, kind, record: record(json, own)?, before }, rest))
}

fn number(text: &str) -> Result<u64, Damaged> {
    text.parse().map_err(|_| Damaged("a number is none"))
}

fn size(text: &str) -> Result<usize, Damaged> {
    text.parse().map_err(|_| Damaged("a length is none"))
}

/// A publication of a node, for a store that does not tell of commits by itself.
pub(super) fn encode(node: &str, publication: &Publication) -> String {
    let Publication { epoch, changes, .. } = publication;
    let (first, last) = (changes[0].revision, changes[changes.len() - 1].revision);
    let mut out = format!("{node} e{:016x} {first} {last}\n", epoch.0);
    let head = out.len();
    for Change { kind, record, before, .. } in changes.iter() {
        let kind = match kind {
            ChangeKind::Insert => 'i',
            ChangeKind::Update => 'u',
            ChangeKind::Delete => 'd',
            ChangeKind::Evict => 'e',
        };
        let (before_own, before) = before.as_ref().map_or((0, ""), |before| (before.revision().0, before.json()));
        let (id, json) = (record.id(), record.json());
        let lengths = format_args!("{} {} {before_own} {}", id.len(), json.len(), before.len());
        write!(out, "{kind} {} {lengths}\n{id}{json}{before}", record.revision()).expect("text takes text");
    }
    if out.len() > LARGEST_PUBLICATION {
        out.truncate(head);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use backsync_protocol::ModelName;

    fn record(id: &str, json: &str, revision: u64) -> Record {
        Record::restore(id, json, Revision(revision)).unwrap()
    }

    fn publication(size: usize) -> Publication {
        let before = record("é\n", r#"{"id":"é\n","x":"ü","_rev":3}"#, 3);
        let after = format!(r#"{{"id":"é\n","x":"{}","_rev":7}}"#, "x".repeat(size));
        let changes = [
            Change {
                revision: Revision(7),
                kind: ChangeKind::Update,
                record: record("é\n", &after, 7),
                before: Some(before),
            },
            Change {
                revision: Revision(8),
                kind: ChangeKind::Delete,
                record: record("a", r#"{"id":"a","_rev":2}"#, 2),
                before: None,
            },
        ];
        let model = ModelName::parse("M").unwrap();
        Publication { model, epoch: Epoch(NonZeroU64::new(0xab).unwrap()), changes: changes.into() }
    }

    #[test]
    fn what_is_written_is_read() {
        let publication = publication(10);
        let text = encode("me", &publication);
        let news = News::parse(text.as_bytes()).unwrap();
        assert_eq!((news.node, news.source, news.last), ("me", Source::Epoch(publication.epoch), Revision(8)));
        assert_eq!(news.changes, publication.changes.to_vec());
    }

    #[test]
    fn what_is_too_large_says_only_where_the_model_stands() {
        let text = encode("me", &publication(LARGEST_PUBLICATION));
        let news = News::parse(text.as_bytes()).unwrap();
        assert_eq!((news.last, news.changes.len()), (Revision(8), 0));
    }

    #[test]
    fn no_cut_and_no_flipped_byte_is_taken_for_another_publication() {
        let text = encode("me", &publication(10));
        let whole = News::parse(text.as_bytes()).unwrap().changes;
        let head = text.find('\n').unwrap() + 1;
        for cut in 0..text.len() {
            if let Ok(news) = News::parse(&text.as_bytes()[..cut]) {
                assert!(news.changes.is_empty() && cut == head, "{cut}");
            }
            for flip in [1, 0x20, 0x80] {
                let mut bytes = text.clone().into_bytes();
                bytes[cut] ^= flip;
                // It may be another text of a record, never one of another length.
                if let Ok(news) = News::parse(&bytes) {
                    assert_eq!(news.changes.len(), whole.len(), "{cut}");
                }
            }
        }
    }
}
