//! A commit within the writer's transaction: whole or not at all, and once.

use super::{
    epoch::Opening,
    models::{Model, Models},
    outcomes::{Outcomes, Seen},
    retention::Retention,
    step::Step,
};
use crate::store::{Commit, Committed, Few, Outcome, Rejected, Rejection};
use rusqlite::Connection;

/// What is undone where a commit is refused, without the commits before it.
const BEGIN: &str = "SAVEPOINT one";
const KEEP: &str = "RELEASE one";
const UNDO: &str = "ROLLBACK TO one";

/// What the commits of a transaction share.
pub(super) struct Applying<'a> {
    pub(super) connection: &'a Connection,
    pub(super) models: &'a mut Models,
    pub(super) outcomes: &'a mut Outcomes,
    pub(super) opening: Opening,
    /// Bytes written so far, about.
    pub(super) written: usize,
}

impl Applying<'_> {
    /// Apply a commit, unless it is the repetition of one.
    pub(super) fn apply(&mut self, commit: &Commit, retention: Retention) -> rusqlite::Result<Outcome> {
        let Some(transaction) = &commit.transaction else { return self.apply_anew(commit, retention) };
        match self.outcomes.look_up(self.connection, transaction)? {
            Seen::Before(outcome) => return Ok(outcome),
            Seen::Otherwise => {
                return Ok(Err(Box::new(Rejected { part: 0, operation: 0, why: Rejection::TransactionReused })));
            }
            Seen::Never => {}
        }
        let outcome = self.apply_anew(commit, retention)?;
        let models = commit.parts.iter().map(|part| self.models.find(self.connection, &part.model));
        let models = models.collect::<rusqlite::Result<Few<Model>>>()?;
        self.written += self.outcomes.remember(self.connection, transaction, &outcome, &models, commit.now)?;
        Ok(outcome)
    }

    fn apply_anew(&mut self, commit: &Commit, retention: Retention) -> rusqlite::Result<Outcome> {
        // An operation is refused before anything of it is written, so one alone leaves nothing behind.
        if let [part] = commit.parts.as_slice()
            && part.operations.len() <= 1
        {
            return self.apply_parts(commit, retention);
        }
        let run = |sql| self.connection.prepare_cached(sql)?.execute([]);
        run(BEGIN)?;
        let outcome = self.apply_parts(commit, retention)?;
        let run = |sql| self.connection.prepare_cached(sql)?.execute([]);
        if outcome.is_err() {
            run(UNDO)?;
        }
        run(KEEP)?;
        Ok(outcome)
    }

    fn apply_parts(&mut self, commit: &Commit, retention: Retention) -> rusqlite::Result<Outcome> {
        let mut parts = Vec::with_capacity(commit.parts.len());
        let mut changed: Few<Option<Model>> = Few::with_capacity(commit.parts.len());
        for (at, part) in commit.parts.iter().enumerate() {
            let model = self.models.find(self.connection, &part.model)?;
            let mut step = Step {
                connection: self.connection,
                opening: self.opening,
                retention,
                name: &part.model,
                model,
                now: commit.now,
                written: 0,
            };
            let applied = step.apply(part)?;
            self.written += step.written;
            match applied {
                Ok(done) => parts.push(done),
                Err((operation, why)) => return Ok(Err(Box::new(Rejected { part: at, operation, why }))),
            }
            changed.push((step.model != model).then_some(step.model));
        }
        // Only now: what is refused leaves no trace here either.
        for (part, model) in commit.parts.iter().zip(changed) {
            if let Some(model) = model {
                self.models.set(&part.model, model);
            }
        }
        Ok(Ok(Committed { parts }))
    }
}
