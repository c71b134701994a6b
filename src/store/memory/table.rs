//! A hash table that grows in parts. None is ever moved as a whole, so that no write waits for that, and it has little more memory than
//! it needs.
//!
//! The upper bits of a hash lead to a part, and its lower bits to where in the part its entry stands, or behind which others. A part
//! that is full is split in two, by one bit more. All of an entry is in one line of the processor's cache: the line that was fetched
//! to see that a name is new is the one that is written to when it is entered.

use std::num::NonZeroU32;

/// Entries that a part has places for at most. Beyond it, it is split.
const MOST: usize = 4096;

/// So many places are looked at together.
const NEAR: usize = 4;

/// Of a name; more than one name may have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash(NonZeroU32);

impl Hash {
    /// Of all bits the upper ones.
    pub(super) fn new(hash: u64) -> Self {
        Self(NonZeroU32::new((hash >> u32::BITS) as u32).unwrap_or(NonZeroU32::MIN))
    }

    /// So many of the upper bits.
    fn upper(self, bits: u32) -> usize {
        (u64::from(self.0.get()) << bits >> u32::BITS) as usize
    }
}

/// Leads from hashes to numbers.
#[derive(Debug)]
pub(super) struct Table {
    /// By the upper `bits` of a hash, which part it is in.
    directory: Vec<u32>,
    bits: u32,
    parts: Vec<Part>,
    len: usize,
}

#[derive(Debug)]
struct Part {
    /// By how many of the upper bits it is told apart from the others.
    bits: u32,
    len: usize,
    /// So many that it is a power of two; some are always free.
    places: Box<[Option<Entry>]>,
}

/// That there is no entry, and where it is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vacant {
    hash: Hash,
    part: usize,
    place: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    hash: Hash,
    number: u32,
}

impl Default for Table {
    fn default() -> Self {
        Self { directory: vec![0], bits: 0, parts: vec![Part::new(0, 8)], len: 0 }
    }
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The number with this hash that is the right one; where there is none, what [`Self::insert`] needs.
    pub(super) fn find(&self, hash: Hash, mut is_it: impl FnMut(u32) -> bool) -> Result<u32, Vacant> {
        let part = self.part(hash);
        let found = self.parts[part].find(hash, |entry| entry.hash == hash && is_it(entry.number));
        found.map(|(_, entry)| entry.number).map_err(|place| Vacant { hash, part, place })
    }

    /// Look at the first place of this hash, which is in the processor's cache then. What is seen there means nothing.
    pub(super) fn touch(&self, hash: Hash) -> u32 {
        let part = &self.parts[self.part(hash)];
        bits(part.places[part.home(hash)])
    }

    /// The number of an entry with this hash, if it stands at its first place or close behind.
    pub(super) fn glance(&self, hash: Hash) -> Option<u32> {
        let part = &self.parts[self.part(hash)];
        let home = part.home(hash);
        let mut near = (0..NEAR).map(|behind| part.places[part.wrap(home + behind)]);
        near.find(|place| bits(*place) == hash.0.get())?.map(|entry| entry.number)
    }

    /// Enter what was not found just now.
    pub(super) fn insert(&mut self, mut vacant: Vacant, number: u32) {
        while self.parts[vacant.part].is_full() {
            self.make_room(vacant.hash);
            vacant = self.vacant(vacant.hash);
        }
        self.parts[vacant.part].put(vacant.place, Entry { hash: vacant.hash, number });
        self.len += 1;
    }

    /// Where one more of this hash may be entered.
    pub(super) fn vacant(&self, hash: Hash) -> Vacant {
        let part = self.part(hash);
        Vacant { hash, part, place: self.parts[part].vacant(hash) }
    }

    /// Answers whether it was there.
    pub(super) fn remove(&mut self, hash: Hash, number: u32) -> bool {
        let part = self.part(hash);
        let was_there = self.parts[part].remove(Entry { hash, number });
        self.len -= usize::from(was_there);
        was_there
    }

    /// Give every number another.
    pub(super) fn renumber(&mut self, another: impl Fn(u32) -> u32) {
        let entries = self.parts.iter_mut().flat_map(|part| part.places.iter_mut().flatten());
        entries.for_each(|entry| entry.number = another(entry.number));
    }

    fn part(&self, hash: Hash) -> usize {
        self.directory[hash.upper(self.bits)] as usize
    }

    /// Have the part of this hash grow, or be split.
    #[cold]
    fn make_room(&mut self, hash: Hash) {
        let at = self.part(hash);
        let part = &mut self.parts[at];
        // The bits that lead to a part and those within it are different ones.
        if part.places.len() < MOST || part.bits + MOST.ilog2() == u32::BITS {
            let mut wider = Part::new(part.bits, 2 * part.places.len());
            part.entries().for_each(|entry| wider.enter(entry));
            *part = wider;
            return;
        }
        let bits = part.bits + 1;
        let mut halves = [Part::new(bits, MOST), Part::new(bits, MOST)];
        part.entries().for_each(|entry| halves[entry.hash.upper(bits) % 2].enter(entry));
        let [lower, upper] = halves;
        *part = lower;
        if bits > self.bits {
            self.directory = self.directory.iter().flat_map(|part| [*part; 2]).collect();
            self.bits = bits;
        }
        // Those of a part are side by side.
        let width = 1 << (self.bits - bits);
        let from = (hash.upper(bits) | 1) * width;
        self.directory[from..from + width].fill(self.parts.len() as u32);
        self.parts.push(upper);
    }
}

/// The hash at a place: 0 where there is none, which it is not asked for, as nobody can foretell it, nor the processor.
fn bits(place: Option<Entry>) -> u32 {
    place.map_or(0, |entry| entry.hash.0.get())
}

impl Part {
    fn new(bits: u32, places: usize) -> Self {
        Self { bits, len: 0, places: vec![None; places].into() }
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        self.places.iter().flatten().copied()
    }

    fn enter(&mut self, entry: Entry) {
        self.put(self.vacant(entry.hash), entry);
    }

    fn put(&mut self, place: usize, entry: Entry) {
        self.places[place] = Some(entry);
        self.len += 1;
    }

    fn is_full(&self) -> bool {
        self.len >= self.places.len() / 4 * 3
    }

    /// Where an entry stands if nothing stands there before it.
    fn home(&self, hash: Hash) -> usize {
        self.wrap(hash.0.get() as usize)
    }

    fn wrap(&self, place: usize) -> usize {
        place & (self.places.len() - 1)
    }

    /// Where it is, and what; else where it would be.
    fn find(&self, hash: Hash, mut is_it: impl FnMut(&Entry) -> bool) -> Result<(usize, Entry), usize> {
        let mut at = self.home(hash);
        while let Some(entry) = &self.places[at] {
            if is_it(entry) {
                return Ok((at, *entry));
            }
            at = self.wrap(at + 1);
        }
        Err(at)
    }

    fn vacant(&self, hash: Hash) -> usize {
        self.find(hash, |_| false).expect_err("no entry is it")
    }

    fn remove(&mut self, entry: Entry) -> bool {
        let Ok((mut free, _)) = self.find(entry.hash, |other| *other == entry) else { return false };
        let mut at = free;
        loop {
            at = self.wrap(at + 1);
            let Some(other) = self.places[at] else { break };
            // It may stand at any place from its home on.
            let (from_home, from_free) = (at.wrapping_sub(self.home(other.hash)), at.wrapping_sub(free));
            if self.wrap(from_home) >= self.wrap(from_free) {
                self.places[free] = Some(other);
                free = at;
            }
        }
        self.places[free] = None;
        self.len -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// The same numbers are found as in a map, whatever was entered and removed.
    fn compare(hash: impl Fn(u32) -> u64, numbers: u32) {
        let (mut table, mut map) = (Table::default(), HashMap::new());
        let hash = |number| Hash::new(hash(number));
        for number in 0..numbers {
            table.insert(table.vacant(hash(number)), number);
            map.insert(number, ());
            if number % 3 == 1 {
                let gone = number / 2;
                assert_eq!(table.remove(hash(gone), gone), map.remove(&gone).is_some(), "{gone}");
            }
        }
        assert_eq!(table.len(), map.len());
        let found = |table: &Table, number| table.find(hash(number), |other| other == number).ok();
        for number in 0..numbers {
            assert_eq!(found(&table, number).is_some(), map.contains_key(&number), "{number}");
        }
        table.renumber(|number| number + numbers);
        for number in map.into_keys() {
            assert_eq!(table.find(hash(number), |other| other == number + numbers).unwrap(), number + numbers);
            assert!(table.remove(hash(number), number + numbers), "{number}");
        }
        assert_eq!(table.len(), 0);
        assert!(table.parts.iter().all(|part| part.len == 0 && part.places.iter().all(Option::is_none)));
    }

    #[test]
    fn what_was_entered_is_found_until_it_is_removed() {
        compare(|number| u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15), 100_000);
    }

    #[test]
    fn whoever_has_the_same_place_stands_behind() {
        // At the end of a part, so that some stand at its beginning.
        compare(|number| u64::from(((number % 7) << 20) | (0xffe + number % 3)) << 32, 2000);
    }

    #[test]
    fn names_of_one_hash_are_told_apart() {
        // More than fit into a part, which no bit splits.
        compare(|_| 7 << 32, 6000);
        compare(|_| 0, 1000);
    }

    #[test]
    fn a_part_is_split_by_itself() {
        let mut table = Table::default();
        // All begin with a bit that is set.
        for number in 0..20_000_u32 {
            let hash = Hash::new(u64::from(number).reverse_bits() >> 1 | 1 << 63);
            table.insert(table.vacant(hash), number);
        }
        let bits: Vec<_> = table.parts.iter().map(|part| part.bits).collect();
        assert!(bits.contains(&1) && bits.iter().all(|of| *of <= table.bits), "{bits:?}");
        assert!(table.parts.iter().all(|part| part.places.len() == MOST));
    }
}
