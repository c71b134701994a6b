//! Asking the handlers of models about what a client wants, before it is begun.

use crate::{
    broker::{
        Caller, error,
        handler::{Decision, Handler, decide},
        hub::{ConnectionKey, Hub},
        inbox::{Answered, Asked, ReplyTo},
        model::Model,
        turns::{Completion, Write},
    },
    store::{Commit, Few, Operation},
};
use backsync_protocol::{ErrorObject, Query, Record};
use std::sync::Arc;

/// Ask what is to be read.
pub(super) async fn read(
    caller: Option<Caller>,
    model: Arc<Model>,
    query: Query,
) -> Result<Decision<Query, Vec<Record>>, ErrorObject> {
    match (&model.handler, &caller) {
        (None, _) => Ok(Decision::Continue(query)),
        (Some(handler), Some(caller)) => decide(caller, "read", || handler.read(caller, query)).await,
        (Some(_), None) => Err(error::of_handler("the connection is gone")),
    }
}

/// Ask about every record of a write, and begin what is left of it. The connection's further requests wait meanwhile.
pub(super) fn write(hub: &mut Hub, key: ConnectionKey, mut commit: Commit, mut to: Box<ReplyTo>, caller: Caller) {
    let ephemeral = to.models.iter().any(|model| model.rules.ephemeral);
    let (id, event) = (to.id.clone(), to.event().to_owned());
    hub.set_reading(key, true);
    let asking = async move {
        about(&caller, &mut commit, &mut to).await?;
        to.caller = Some(Box::new(caller));
        Ok((commit, to))
    };
    hub.when_decided(asking, move |hub, decided| {
        hub.set_reading(key, false);
        match decided {
            Ok(_) if ephemeral && !hub.connection_is_open(key) => {}
            Ok((mut commit, to)) => {
                commit.now = hub.broker.now();
                if commit.parts.iter().all(|part| part.operations.is_empty()) {
                    // Nothing is stored that a repetition could be told by.
                    commit.transaction = None;
                }
                hub.submit(key, Write { commit, completion: Completion::Reply(to) });
            }
            Err(error) => hub.when_settled(key, move |hub| hub.fail(key, id.as_deref(), &event, &error)),
        }
    });
}

/// Ask about the elements in the order in which they were sent, and leave in the commit what is to be done.
async fn about(caller: &Caller, commit: &mut Commit, to: &mut ReplyTo) -> Result<(), ErrorObject> {
    let models = &to.models;
    match &mut to.asked {
        Asked::One { method, form, answered } => {
            let operations = &mut commit.parts[0].operations;
            let given = std::mem::take(operations);
            elements(&caller.of(&models[0].name, *method), &models[0], form.batch, given, operations, answered).await
        }
        Asked::Batch(entries) => {
            let parts = &mut commit.parts;
            let take = |part: &mut crate::store::Part| std::mem::take(&mut part.operations).into_iter();
            let mut given: Vec<_> = parts.iter_mut().map(take).collect();
            for (at, entry) in entries.iter_mut().enumerate() {
                let these: Few<Operation> = given[entry.part].by_ref().take(entry.operations.len()).collect();
                let left = &mut parts[entry.part].operations;
                let from = left.len();
                let model = &models[entry.part];
                let caller = caller.of(&model.name, entry.method);
                elements(&caller, model, entry.form.batch, these, left, &mut entry.answered)
                    .await
                    .map_err(|error| error.of_element(at))?;
                entry.operations = from..left.len();
            }
            Ok(())
        }
    }
}

async fn elements(
    caller: &Caller,
    model: &Model,
    batch: bool,
    given: Few<Operation>,
    left: &mut Few<Operation>,
    answered: &mut Answered,
) -> Result<(), ErrorObject> {
    let Some(handler) = &model.handler else {
        left.extend(given);
        return Ok(());
    };
    for (at, operation) in given.into_iter().enumerate() {
        let decided = element(&**handler, caller, operation).await;
        match decided.map_err(|error| if batch { error.of_element(at) } else { error })? {
            Decision::Continue(operation) => left.push(operation),
            Decision::Answer(record) => answered.push((at, record)),
        }
    }
    Ok(())
}

async fn element(
    handler: &dyn Handler,
    caller: &Caller,
    operation: Operation,
) -> Result<Decision<Operation, Option<Record>>, ErrorObject> {
    Ok(match operation {
        Operation::Upsert { record, replace, terms } => {
            let caller = Caller { replaces: replace, ..caller.clone() };
            match decide(&caller, "upsert", || handler.upsert(&caller, record)).await? {
                Decision::Continue(record) => Decision::Continue(Operation::Upsert { record, replace, terms }),
                Decision::Answer(record) => Decision::Answer(Some(record)),
            }
        }
        Operation::Delete { id, terms } => match decide(caller, "delete", || handler.delete(caller, id)).await? {
            Decision::Continue(id) => Decision::Continue(Operation::Delete { id, terms }),
            Decision::Answer(()) => Decision::Answer(None),
        },
        // No client asks for the others.
        others => Decision::Continue(others),
    })
}
