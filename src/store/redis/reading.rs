//! Reads: in pages, so that no call takes Redis long, and put right by the log, so that all is of one position.

use super::{
    Damaged, Inner,
    keys::Keys,
    stand::Stand,
    unavailable,
    value::{self, Stored, exactly, list, number, optional, text},
    view::View,
};
use crate::{
    link::{Ask, Lane},
    store::{Change, ChangeKind, Read, Selection, Snapshot, StoreError, shape},
};
use backsync_protocol::{ModelName, Position, RecordId, Revision};
use redis::{Script, ToRedisArgs, Value};

/// Records, changes or graves of a page, at the most so many,
const PAGE: usize = 1000;
/// and so many bytes, and the one that exceeds it.
const BYTES: usize = 4 << 20;

/// So often a read begins anew because Redis was another, or forgot too fast.
const ATTEMPTS: usize = 8;

/// Why a read has to begin anew.
struct Moved;

/// An attempt to read.
type Attempt<T> = Result<Result<T, Moved>, StoreError>;

/// A step of an attempt.
macro_rules! unless_moved {
    ($attempt:expr) => {
        match $attempt {
            Ok(value) => value,
            Err(moved) => return Ok(Err(moved)),
        }
    };
}

impl Inner {
    pub(super) async fn read(&self, model: &ModelName, read: &Read) -> Result<Snapshot, StoreError> {
        for _ in 0..ATTEMPTS {
            if let Ok(snapshot) = self.read_once(model, read).await? {
                return Ok(snapshot);
            }
        }
        Err(unavailable(
            "Redis forgets changes faster than the model can be read; keep more of them (store.log_entries)",
        ))
    }

    async fn read_once(&self, model: &ModelName, read: &Read) -> Attempt<Snapshot> {
        let Some(since) = read.since else {
            return self.select(model, read, false).await;
        };
        let became = match self.log(model, since.revision, PAGE).await? {
            (stand, _) if !stand.has(model, since) => None,
            (stand, page) if since.revision >= stand.log_floor => {
                Some(unless_moved!(self.by_log(model, read, since.revision, stand, page).await?))
            }
            (stand, _) if since.revision >= stand.graves_floor => {
                Some(unless_moved!(self.by_graves(model, read, since.revision, stand).await?))
            }
            _ => None,
        };
        match became {
            Some((view, position)) => {
                let (records, deleted) = view.became(read);
                Ok(Ok(Snapshot { records, deleted, reset: false, next: None, position }))
            }
            None => self.select(model, read, true).await,
        }
    }

    /// Records as they are.
    async fn select(&self, model: &ModelName, read: &Read, reset: bool) -> Attempt<Snapshot> {
        let mut view = View::of(&read.selection);
        let first = match &read.selection {
            Selection::Ids(ids) => self.some(model, ids, Revision(0), &mut view).await?,
            Selection::All => {
                // The first ones are enough where nothing is chosen among them.
                let enough = if read.filter.is_none() { shape::enough(read) } else { usize::MAX };
                let after =
                    read.after.as_ref().filter(|_| read.sort.is_none()).map_or(Revision(0), |after| after.inserted);
                self.pages(model, Revision(0), after, enough, &mut view).await?
            }
        };
        let (first, last) = unless_moved!(first);
        let position = unless_moved!(self.follow(model, &last, first.revision, &mut view).await?);
        let (records, next) = view.select(read);
        Ok(Ok(Snapshot { records, deleted: Vec::new(), reset, next, position }))
    }

    /// What became of records after a revision, all of which is in the log.
    async fn by_log(
        &self,
        model: &ModelName,
        read: &Read,
        since: Revision,
        stand: Stand,
        page: Vec<(ChangeKind, Stored)>,
    ) -> Attempt<(View, Position)> {
        let mut view = View::of(&read.selection);
        let reached = apply(page, since, stand.revision, &mut view);
        self.follow(model, &stand, reached, &mut view).await.map(|followed| followed.map(|position| (view, position)))
    }

    /// The same, where records and graves have to tell it.
    async fn by_graves(
        &self,
        model: &ModelName,
        read: &Read,
        since: Revision,
        stand: Stand,
    ) -> Attempt<(View, Position)> {
        let mut view = View::of(&read.selection);
        let (first, last) = match &read.selection {
            Selection::Ids(ids) => unless_moved!(self.some(model, ids, since, &mut view).await?),
            Selection::All => {
                let (first, _) = unless_moved!(self.pages(model, since, Revision(0), usize::MAX, &mut view).await?);
                let (_, last) = unless_moved!(self.graves(model, since, &mut view).await?);
                (first, last)
            }
        };
        if first.process != stand.process || last.process != stand.process || last.graves_floor > since {
            return Ok(Err(Moved));
        }
        let position = unless_moved!(self.follow(model, &last, first.revision, &mut view).await?);
        Ok(Ok((view, position)))
    }

    /// Put right what changed behind a revision, up to where a page found the model: commits end there, and none is torn.
    async fn follow(&self, model: &ModelName, last: &Stand, reached: Revision, view: &mut View) -> Attempt<Position> {
        let mut reached = reached;
        while reached < last.revision {
            let (stand, page) = self.log(model, reached, PAGE).await?;
            if stand.process != last.process || reached < stand.log_floor {
                return Ok(Err(Moved));
            }
            reached = apply(page, reached, last.revision, view);
        }
        Ok(Ok(last.position(model)))
    }

    /// Records beyond a revision in the order of their insertion, from behind one on, until there are enough. Answers where the
    /// model stood at the first page and at the last.
    async fn pages(
        &self,
        model: &ModelName,
        beyond: Revision,
        behind: Revision,
        enough: usize,
        view: &mut View,
    ) -> Attempt<(Stand, Stand)> {
        let keys = self.keys(model);
        let keys = vec![keys.head, keys.log, keys.records, keys.order];
        let (mut first, mut after): (Option<Stand>, String) = (None, behind.to_string());
        loop {
            let most = PAGE.min(enough.saturating_sub(view.len())).max(1);
            let arguments = [after, most.to_string(), BYTES.to_string(), beyond.to_string()];
            let answer = self.script(&self.scripts.page, &keys, &arguments).await?;
            let read = |answer, view: &mut View| -> Result<(Stand, String), Damaged> {
                let [stand, end, found] = exactly(answer)?;
                let mut found = list(found)?.into_iter();
                while let (Some(id), Some(value)) = (found.next(), found.next()) {
                    view.put(value::stored(&text(id)?, &text(value)?)?);
                }
                Ok((Stand::read(stand)?, text(end)?))
            };
            let (stand, end) = read(answer, view).map_err(unavailable)?;
            let began = first.get_or_insert_with(|| stand.clone());
            if began.process != stand.process {
                return Ok(Err(Moved));
            }
            // Where something changed the first ones may be others.
            if end.is_empty() || (view.len() >= enough && began.revision == stand.revision) {
                return Ok(Ok((began.clone(), stand)));
            }
            after = end;
        }
    }

    /// Records of some ids beyond a revision, and which of them were deleted since.
    async fn some(
        &self,
        model: &ModelName,
        ids: &[RecordId],
        beyond: Revision,
        view: &mut View,
    ) -> Attempt<(Stand, Stand)> {
        let keys = self.keys(model);
        let keys = vec![keys.head, keys.log, keys.records, keys.graves];
        let mut first: Option<Stand> = None;
        let mut chunks = ids.chunks(PAGE);
        let mut next = Some(chunks.next().unwrap_or_default());
        while let Some(chunk) = next {
            let arguments: Vec<&str> = chunk.iter().map(RecordId::as_str).collect();
            let answer = self.script(&self.scripts.some, &keys, &arguments).await?;
            let read = |answer, view: &mut View| -> Result<Stand, Damaged> {
                let [stand, found] = exactly(answer)?;
                for (id, found) in chunk.iter().zip(list(found)?) {
                    let [record, grave] = exactly(found)?;
                    if let Some(record) = optional(record)? {
                        let stored = value::stored(id.as_str(), &record)?;
                        if stored.record.revision() > beyond {
                            view.put(stored);
                        }
                    } else if grave != Value::Nil {
                        let grave = Revision(number(grave)?);
                        if grave > beyond {
                            view.bury(id.as_str(), grave);
                        }
                    }
                }
                Stand::read(stand)
            };
            let stand = read(answer, view).map_err(unavailable)?;
            let began = first.get_or_insert_with(|| stand.clone());
            if began.process != stand.process {
                return Ok(Err(Moved));
            }
            next = chunks.next();
            if next.is_none() {
                return Ok(Ok((began.clone(), stand)));
            }
        }
        unreachable!("there is at least one chunk")
    }

    /// What was deleted after a revision.
    async fn graves(&self, model: &ModelName, since: Revision, view: &mut View) -> Attempt<(Stand, Stand)> {
        let keys = self.keys(model);
        let keys = vec![keys.head, keys.log, keys.graves];
        let (mut first, mut after): (Option<Stand>, Revision) = (None, since);
        loop {
            let arguments = [after.to_string(), PAGE.to_string()];
            let answer = self.script(&self.scripts.graves, &keys, &arguments).await?;
            let read = |answer, view: &mut View| -> Result<(Stand, Vec<Revision>), Damaged> {
                let [stand, gone] = exactly(answer)?;
                let (mut gone, mut revisions) = (list(gone)?.into_iter(), Vec::new());
                while let (Some(id), Some(revision)) = (gone.next(), gone.next()) {
                    let revision = Revision(number(revision)?);
                    view.bury(&text(id)?, revision);
                    revisions.push(revision);
                }
                Ok((Stand::read(stand)?, revisions))
            };
            let (stand, revisions) = read(answer, view).map_err(unavailable)?;
            let began = first.get_or_insert_with(|| stand.clone());
            match revisions.last() {
                Some(last) if revisions.len() == PAGE => after = *last,
                _ => return Ok(Ok((began.clone(), stand))),
            }
        }
    }

    /// A page of the log, and where the model stands.
    pub(super) async fn log(
        &self,
        model: &ModelName,
        after: Revision,
        most: usize,
    ) -> Result<(Stand, Vec<(ChangeKind, Stored)>), StoreError> {
        let keys = self.keys(model);
        // Beyond what Lua counts nothing is.
        let from = after.0.min(1 << 53).to_string();
        let arguments = [from, most.min(PAGE).to_string(), BYTES.to_string()];
        let answer = self.script(&self.scripts.log, &[keys.head, keys.log], &arguments).await?;
        let read = |answer| -> Result<_, Damaged> {
            let [stand, entries] = exactly(answer)?;
            let (mut entries, mut changes) = (list(entries)?.into_iter(), Vec::new());
            while let (Some(kind), Some(entry)) = (entries.next(), entries.next()) {
                changes.push(value::entry(&text(kind)?, &text(entry)?)?);
            }
            Ok((Stand::read(stand)?, changes))
        };
        read(answer).map_err(unavailable)
    }

    /// The changes after a revision, and where the model stands; none where the log does not reach back so far.
    pub(super) async fn changes(
        &self,
        model: &ModelName,
        after: Revision,
        limit: usize,
    ) -> Result<Option<(Vec<Change>, Stand)>, StoreError> {
        let (mut changes, mut process): (Vec<Change>, _) = (Vec::new(), None);
        loop {
            let reached = Revision(after.0 + changes.len() as u64);
            let (stand, page) = self.log(model, reached, limit - changes.len()).await?;
            let is_another = process.is_some_and(|process| process != stand.process);
            if is_another || reached < stand.log_floor || reached > stand.revision {
                return Ok(None);
            }
            process = Some(stand.process);
            let numbered = (reached.0 + 1..).zip(page);
            changes.extend(numbered.map(|(revision, (kind, stored))| Change {
                revision: Revision(revision),
                kind,
                record: stored.record,
                before: None,
            }));
            if changes.len() >= limit || after.0 + changes.len() as u64 >= stand.revision.0 {
                return Ok(Some((changes, stand)));
            }
        }
    }

    /// What the log has at a revision, where it does.
    pub(super) async fn change_at(&self, model: &ModelName, revision: Revision) -> Result<Option<Change>, StoreError> {
        let Some(before) = revision.0.checked_sub(1) else { return Ok(None) };
        let changes = self.changes(model, Revision(before), 1).await?;
        Ok(changes.and_then(|(mut changes, _)| changes.pop()))
    }

    /// Where models stand.
    pub(super) async fn positions(&self, models: &[ModelName]) -> Result<Vec<Position>, StoreError> {
        let mut positions = Vec::with_capacity(models.len());
        // In a cluster a script has the keys of one slot.
        let many = if self.link.is_cluster() { 1 } else { PAGE };
        for models in models.chunks(many) {
            let keys: Vec<_> =
                models.iter().map(|model| self.keys(model)).flat_map(|keys| [keys.head, keys.log]).collect();
            let answer = self.script(&self.scripts.stands, &keys, &[""; 0]).await?;
            let read = |answer| -> Result<Vec<Position>, Damaged> {
                let stands = list(answer)?.into_iter().zip(models);
                stands.map(|(stand, model)| Ok(Stand::read(stand)?.position(model))).collect()
            };
            positions.extend(read(answer).map_err(unavailable)?);
        }
        Ok(positions)
    }

    pub(super) fn keys(&self, model: &ModelName) -> Keys {
        Keys::of(&self.link, &self.options.groups, model)
    }

    pub(super) async fn script(
        &self,
        script: &Script,
        keys: &[Vec<u8>],
        arguments: &[impl ToRedisArgs],
    ) -> Result<Value, StoreError> {
        self.ask(Lane::Read, &Ask::script(script, keys, arguments)).await
    }
}

/// Changes behind a revision, up to another. Answers the last.
fn apply(page: Vec<(ChangeKind, Stored)>, after: Revision, target: Revision, view: &mut View) -> Revision {
    let mut reached = after;
    for (kind, stored) in page {
        if reached == target {
            break;
        }
        reached = reached.next();
        view.apply(reached, kind, stored);
    }
    reached
}
