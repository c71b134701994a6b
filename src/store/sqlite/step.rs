//! What a commit does to one model: its operations decided, applied, numbered and logged.

use super::{
    epoch::Opening,
    failure::damaged,
    graves, log,
    models::Model,
    records::{self, Stored, time},
    retention::Retention,
};
use crate::store::{
    Bounds, Change, ChangeKind, Done, Few, Millis, Operation, Owner, Part, Rejection,
    decide::{self, Found, Verdict},
};
use backsync_protocol::{ModelName, Record, RecordInput, Revision};
use rusqlite::Connection;

/// One model within a commit. On a refusal it is left as it is then: whoever asked undoes what was written.
pub(super) struct Step<'a> {
    pub(super) connection: &'a Connection,
    pub(super) opening: Opening,
    pub(super) retention: Retention,
    pub(super) name: &'a ModelName,
    pub(super) model: Model,
    pub(super) now: Millis,
    /// Bytes of records written so far.
    pub(super) written: usize,
}

impl Step<'_> {
    /// Apply a part. A refusal names its operation; nothing of that one was written.
    pub(super) fn apply(&mut self, part: &Part) -> rusqlite::Result<Result<Done, (usize, Rejection)>> {
        let mut done = Done {
            records: Few::with_capacity(part.operations.len()),
            changes: Few::with_capacity(part.operations.len()),
            position: self.opening.position(self.name, self.model.revision()),
        };
        for (at, operation) in part.operations.iter().enumerate() {
            if let Err(why) = self.operate(operation, &mut done)? {
                return Ok(Err((at, why)));
            }
        }
        self.evict(part.bounds, &mut done.changes)?;
        if !done.changes.is_empty() {
            self.retention.settle(self.connection, &mut self.model, time(self.now))?;
            done.position.revision = self.model.revision();
        }
        Ok(Ok(done))
    }

    fn operate(&mut self, operation: &Operation, done: &mut Done) -> rusqlite::Result<Result<(), Rejection>> {
        let (id, owner) = (operation.id(), operation.owner());
        let stored = self.model.row.map_or(Ok(None), |row| records::find(self.connection, row, id))?;
        let found = Found {
            record: stored.as_ref().map(|stored| &stored.record),
            owner: stored.as_ref().and_then(|stored| stored.owner.as_ref()),
            buried: match stored {
                None => graves::last_change(self.connection, &self.model, id)?,
                Some(_) => None,
            },
        };
        let base = |revision| match self.model.row {
            None => Ok(None),
            Some(row) => log::written(self.connection, row, revision, id),
        };
        let verdict = decide::operation(operation, found, self.now, base)?;
        match (verdict, stored) {
            (Verdict::Reject(why), _) => return Ok(Err(why)),
            (Verdict::Keep, stored) => done.records.push(stored.map(|stored| stored.record)),
            (Verdict::Claim, stored) => {
                let stored = stored.expect("what is claimed is there");
                records::claim(self.connection, &stored, owner)?;
                done.records.push(Some(stored.record));
            }
            (Verdict::Set(input, last_change), stored) => {
                let change = self.set(&input, last_change, stored, owner)?;
                done.records.push(Some(change.record.clone()));
                done.changes.push(change);
            }
            (Verdict::Remove(last_change), Some(stored)) => {
                records::delete(self.connection, &stored)?;
                done.changes.push(self.removed(ChangeKind::Delete, stored.record, last_change)?);
                done.records.push(None);
            }
            (Verdict::Remove(_), None) => unreachable!("what is not there is not removed"),
        }
        Ok(Ok(()))
    }

    fn set(
        &mut self,
        input: &RecordInput,
        last_change: Option<Millis>,
        stored: Option<Stored>,
        owner: Option<&Owner>,
    ) -> rusqlite::Result<Change> {
        let row = self.model.created(self.connection, self.name)?;
        let record = Record::new(input, self.model.revision().next(), last_change);
        let (kind, before) = match stored {
            None => {
                records::insert(self.connection, row, &record, owner, time(self.now))?;
                self.model.records += 1;
                (ChangeKind::Insert, None)
            }
            Some(stored) => {
                records::update(self.connection, &stored, &record, owner)?;
                (ChangeKind::Update, Some(stored.record))
            }
        };
        let revision = self.log(row, kind, &record)?;
        Ok(Change { revision, kind, record, before })
    }

    fn evict(&mut self, bounds: Bounds, changes: &mut Few<Change>) -> rusqlite::Result<()> {
        let Some(row) = self.model.row else { return Ok(()) };
        let most = bounds.max_records.map_or(i64::MAX, |most| i64::from(most.get()));
        // What is as old as is allowed stays.
        let too_old = bounds.max_age.map(|age| time(self.now).saturating_sub(time(age.get())).saturating_sub(1));
        while self.model.records > 0 {
            let is_full = self.model.records > most;
            let Some(until) = (if is_full { Some(i64::MAX) } else { too_old }) else { break };
            match records::take_oldest(self.connection, row, until)? {
                Some(record) => changes.push(self.removed(ChangeKind::Evict, record, None)?),
                None if is_full => return Err(damaged(0, "a model has fewer records than were counted")),
                None => break,
            }
        }
        Ok(())
    }

    /// A record was removed.
    fn removed(&mut self, kind: ChangeKind, record: Record, last_change: Option<Millis>) -> rusqlite::Result<Change> {
        let row = self.model.row.ok_or_else(|| damaged(0, "a model without a row has records"))?;
        self.model.records -= 1;
        let revision = self.log(row, kind, &record)?;
        graves::bury(self.connection, &mut self.model, record.id(), revision, last_change, time(self.now))?;
        Ok(Change { revision, kind, record, before: None })
    }

    /// Number a change.
    fn log(&mut self, row: i64, kind: ChangeKind, record: &Record) -> rusqlite::Result<Revision> {
        self.retention.pay(self.connection, &mut self.model)?;
        self.model.head += 1;
        let revision = self.model.revision();
        log::append(self.connection, row, revision, kind, time(self.now), record)?;
        self.written += 2 * record.json().len();
        self.retention.trim(self.connection, &mut self.model)?;
        Ok(revision)
    }
}
