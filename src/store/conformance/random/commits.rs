//! What is done in a random history: commits of every kind.

use super::*;

impl History {
    pub(super) fn commit(&mut self) -> Commit {
        self.now += match self.dice.below(8) {
            0 | 1 => 0,
            7 => self.dice.below(2 * MINUTE),
            _ => self.dice.below(4) * 1000,
        };
        if self.dice.one_in(6)
            && let Some(repeated) = self.repeated()
        {
            return repeated;
        }
        let (mut names, both) = (MODELS.to_vec(), self.dice.one_in(4));
        names.rotate_left(usize::try_from(self.dice.below(2)).unwrap());
        names.truncate(if both { 2 } else { 1 });
        let mut step = Step(Commit { parts: Vec::new(), transaction: None, now: self.now });
        for name in names {
            let count = self.dice.pick(&[0, 1, 1, 1, 2, 3, 5]);
            let operations: Vec<_> = (0..count).map(|_| self.operation(name)).collect();
            step = step.and(name, operations).bounded(self.bounds());
        }
        if self.dice.one_in(3) {
            step = step.once(self.dice.pick(&["me", "you"]), &self.named.len().to_string());
            self.named.push(step.0.clone());
        }
        step.0
    }

    /// A transaction that the store has to remember, or another under its name.
    fn repeated(&mut self) -> Option<Commit> {
        let within = self.named.len().min(self.kind.repeats);
        let back = usize::try_from(self.dice.below(within.max(1) as u64)).unwrap() + 1;
        let named = self.named.len().checked_sub(back).map(|at| self.named[at].clone())?;
        if self.now - named.now > self.kind.retention.outcome_age / 2 {
            return None;
        }
        let mut step = Step(Commit { now: self.now, ..named });
        if self.dice.one_in(4) {
            let Transaction { client, id, .. } = *step.0.transaction.clone().unwrap();
            step = step.and("O", [delete("other")]).once(&client, &id);
        }
        Some(step.0)
    }

    fn operation(&mut self, name: &str) -> Operation {
        let mut json = serde_json::json!({"id": self.dice.pick(&RECORDS)});
        for attribute in ["x", "y", "z"] {
            if !self.dice.one_in(3) {
                json[attribute] = self.dice.below(3).into();
            }
        }
        let terms = self.terms(name);
        let text = json["id"].as_str().unwrap();
        match self.dice.below(11) {
            8 => adopt(text, self.owner(), self.dice.pick(&NODES)),
            9 => release(text, self.owner()),
            10 => restore(&json.to_string(), self.owner(), self.dice.pick(&NODES)),
            0 | 1 => on(&terms, delete(text)),
            2 | 3 => on(&terms, replace(&json.to_string())),
            _ => on(&terms, upsert(&json.to_string())),
        }
    }

    fn owner(&mut self) -> Owner {
        owner(self.dice.pick(&SESSIONS), self.dice.pick(&NODES))
    }

    fn terms(&mut self, name: &str) -> Terms {
        if self.dice.one_in(3) {
            return Terms::default();
        }
        let head = self.head(name);
        let base = match self.dice.below(4) {
            0 if self.dice.one_in(2) => None,
            0 => Some(0),
            1 => Some((head + 2).saturating_sub(self.dice.below(self.kind.reach.min(head + 2)))),
            // Most writers know the record.
            _ => self.twin.models.get(name).and_then(|model| {
                let records: Vec<u64> = model.records.iter().map(|record| record.revision).collect();
                let known = (!records.is_empty()).then(|| self.dice.pick(&records))?;
                (head - known < self.kind.reach).then_some(known)
            }),
        };
        let mut terms = Terms { base: base.map(Revision), ..under(self.dice.pick(self.kind.policies)) };
        terms.prefer = self.dice.pick(&[None, None, Some(Side::Client), Some(Side::Server)]);
        terms.last_change = match self.dice.below(8) {
            0..4 => None,
            4 => Some(self.now + MINUTE),
            _ => Some(self.now - 10_000 + self.dice.below(9) * 2500),
        };
        if self.dice.one_in(5) {
            terms.owner = Some(self.owner());
        }
        terms
    }

    fn bounds(&mut self) -> Bounds {
        if !self.dice.one_in(4) {
            return Bounds::default();
        }
        Bounds {
            max_records: NonZeroU32::new(self.dice.pick(&[0, 3, 5])),
            max_age: NonZeroU64::new(self.dice.pick(&[0, 30_000, 2 * MINUTE])),
        }
    }

    /// A filter, and the `x` that it asks for.
    pub(super) fn filter(&mut self) -> (Filter, u64) {
        let x = self.dice.below(3);
        let text = format!(r#"{{"x":{x}}}"#);
        (Filter::parse(serde_json::from_str(&text).unwrap(), &FilterLimits::default()).unwrap(), x)
    }
}
