//! Who listens to what with a filter: each distinct filter is asked once, and those that want a value somewhere are found by it.

use crate::{
    broker::framing::Framing,
    store::{Change, ChangeKind},
};
use backsync_protocol::{Filter, filter::canonical_at};
use foldhash::HashMap;

/// Names a distinct filter of one model on one worker; none is used twice.
pub(super) type Number = u64;

#[derive(Debug, Default)]
pub(super) struct Filters {
    groups: HashMap<Number, Group>,
    numbers: HashMap<Filter, Number>,
    next: Number,
    /// By path, and by canonical value: the filters that match only where the value at the path is this one.
    indexed: HashMap<Box<str>, HashMap<Box<str>, Vec<Number>>>,
    /// The others.
    asked: Vec<Number>,
}

/// All who listen with one filter.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) filter: Filter,
    /// By framing.
    pub(super) live: [Vec<u32>; Framing::ALL.len()],
}

impl Filters {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Everybody who listens with one.
    pub(super) fn connections(&self) -> impl Iterator<Item = u32> {
        self.groups.values().flat_map(|group| group.live.iter().flatten().copied())
    }

    pub(super) fn group(&self, number: Number) -> &Group {
        &self.groups[&number]
    }

    pub(super) fn insert(&mut self, filter: &Filter, framing: Framing, connection: u32) {
        let number = match self.numbers.get(filter) {
            Some(number) => *number,
            None => self.add(filter),
        };
        let group = self.groups.get_mut(&number).expect("a numbered filter has a group");
        group.live[framing.index()].push(connection);
    }

    pub(super) fn remove(&mut self, filter: &Filter, framing: Framing, connection: u32) {
        let number = self.numbers[filter];
        let group = self.groups.get_mut(&number).expect("a numbered filter has a group");
        let live = &mut group.live[framing.index()];
        let at = live.iter().position(|other| *other == connection).expect("who is live is in the list");
        live.swap_remove(at);
        if group.live.iter().all(Vec::is_empty) {
            self.drop_group(filter, number);
        }
    }

    /// Find the filters that a change may concern.
    pub(super) fn candidates(&self, change: &Change, text: &mut String, found: &mut Vec<Number>) {
        found.clear();
        if change.kind == ChangeKind::Update && change.before.is_none() {
            // From where it comes is not known.
            found.extend(self.groups.keys());
            return;
        }
        found.extend(&self.asked);
        for (path, values) in &self.indexed {
            text.clear();
            let after = canonical_at(change.record.json(), path, text);
            let cut = text.len();
            let before = change.before.as_ref().is_some_and(|before| canonical_at(before.json(), path, text));
            let (now, then) = text.split_at(cut);
            if after {
                found.extend(values.get(now).into_iter().flatten());
            }
            if before && (!after || now != then) {
                found.extend(values.get(then).into_iter().flatten());
            }
        }
    }

    fn add(&mut self, filter: &Filter) -> Number {
        let number = self.next;
        self.next += 1;
        self.groups.insert(number, Group { filter: filter.clone(), live: Default::default() });
        self.numbers.insert(filter.clone(), number);
        match filter.equality() {
            Some((path, value)) => {
                self.indexed.entry(path.into()).or_default().entry(value.into()).or_default().push(number);
            }
            None => self.asked.push(number),
        }
        number
    }

    fn drop_group(&mut self, filter: &Filter, number: Number) {
        self.groups.remove(&number);
        self.numbers.remove(filter);
        let Some((path, value)) = filter.equality() else {
            self.asked.retain(|other| *other != number);
            return;
        };
        let values = self.indexed.get_mut(path).expect("an indexed filter is in the index");
        let numbers = values.get_mut(value).expect("an indexed filter is in the index");
        numbers.retain(|other| *other != number);
        if numbers.is_empty() {
            values.remove(value);
        }
        if values.is_empty() {
            self.indexed.remove(path);
        }
    }
}
