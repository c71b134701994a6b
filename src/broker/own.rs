//! What the server's own code does with models: as a client would, in the same order with everybody else's writes, and heard
//! by the same listeners.

use super::{Broker, Reference, error, methods};
use crate::store::{Done, Few, Operation};
use backsync_protocol::{ErrorCode, ErrorObject, ModelName, Query, Record, RecordId, RecordInput, Which, json};
use serde::Serialize;
use smallvec::smallvec;
use std::{future::Future, pin::Pin};

/// What the server's own code waits for, or does not: dropping it takes nothing back.
pub type Answering<T> = Pin<Box<dyn Future<Output = Result<T, ErrorObject>> + Send>>;

/// Writes begin with the call, and are done whether or not the answer is waited for; those to one model in the order of the
/// calls. No policy and no handler is asked. They have to be called within a tokio runtime.
///
/// # Errors
/// For all of them: `invalid_model`, `invalid_data` for what is no record, `limit_exceeded` where the model would be one too
/// many, `conflict` as a client would get it, and what the store says.
impl Broker {
    /// Have a model be there from now on, though nothing is in it.
    pub fn declare(&self, model: &str) -> Result<(), ErrorObject> {
        self.model(model).map(drop)
    }

    /// What an attribute of a model's records leads to.
    ///
    /// # Errors
    /// `not_found`, with those that there are.
    pub fn reference(&self, model: &str, attribute: &str) -> Result<Reference, ErrorObject> {
        let name = ModelName::parse(model)?;
        let references = self.0.parts.rules.get(&name).map(|rules| &rules.references);
        let reference = references.and_then(|references| references.get(attribute));
        reference.cloned().ok_or_else(|| {
            let known: Vec<&str> = references.into_iter().flat_map(|known| known.keys().map(String::as_str)).collect();
            let known =
                if known.is_empty() { "it has none".to_owned() } else { format!("there are {}", known.join(", ")) };
            let message = format!("{model} has no reference {}; {known}", json::excerpt(attribute));
            ErrorObject::new(ErrorCode::NotFound, message)
        })
    }

    /// Update or insert a record, which is broadcast like any other write. Members given are set, others kept; without an `id`
    /// it gets one. Answers the record as it is then.
    ///
    /// ```
    /// # async fn example(broker: &backsync::broker::Broker) -> Result<(), backsync_protocol::ErrorObject> {
    /// let record = broker.upsert("ChatMessage", &serde_json::json!({"from": "server", "text": "hello"})).await?;
    /// broker.delete("ChatMessage", record.id()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn upsert(&self, model: &str, record: &(impl Serialize + ?Sized)) -> Answering<Record> {
        let records = self.put(model, std::iter::once(record), false);
        Box::pin(async { records.await.map(|mut records| records.remove(0)) })
    }

    /// The same, with the record in the place of the whole stored one.
    pub fn replace(&self, model: &str, record: &(impl Serialize + ?Sized)) -> Answering<Record> {
        let records = self.put(model, std::iter::once(record), true);
        Box::pin(async { records.await.map(|mut records| records.remove(0)) })
    }

    /// Update or insert records, all or none.
    pub fn upsert_all<R: Serialize>(
        &self,
        model: &str,
        records: impl IntoIterator<Item = R>,
    ) -> Answering<Vec<Record>> {
        self.put(model, records.into_iter(), false)
    }

    /// Delete a record; where there is none, nothing happens.
    pub fn delete(&self, model: &str, id: &str) -> Answering<()> {
        let begun = self.model(model).and_then(|model| {
            let operation = Operation::Delete { id: RecordId::parse(id)?, terms: model.rules.terms() };
            Ok(self.write(&model.name, smallvec![operation]))
        });
        Box::pin(async { begun?.await.map(drop) })
    }

    /// The records that a query asks for, as they all are at one position. With [`Query::since`] only those that were inserted or
    /// changed since; `populate` is not heeded.
    pub fn read(&self, model: &str, query: Query) -> Answering<Vec<Record>> {
        let name = ModelName::parse(model);
        let store = self.store().clone();
        Box::pin(async move {
            let name = name?;
            let snapshot = store.read(&name, methods::wanted(&query)).await;
            snapshot.map(|snapshot| snapshot.records).map_err(|cause| {
                tracing::error!(model = %name, error = %cause, "the store did not answer a read");
                error::of_store(&cause)
            })
        })
    }

    /// The record with this id, if there is one.
    pub fn read_one(&self, model: &str, id: &str) -> Answering<Option<Record>> {
        let query = RecordId::parse(id).map(|id| Query { which: Which::One(id), ..Query::default() });
        let records = query.map(|query| self.read(model, query));
        Box::pin(async { Ok(records?.await?.pop()) })
    }

    fn put<R: Serialize>(
        &self,
        model: &str,
        records: impl Iterator<Item = R>,
        replace: bool,
    ) -> Answering<Vec<Record>> {
        let begun = self.model(model).and_then(|model| {
            let operation = |record: R| {
                let record = record_of(&record)?;
                Ok(methods::upsert(record, replace, model.rules.terms()))
            };
            let operations: Few<Operation> = records.map(operation).collect::<Result<_, ErrorObject>>()?;
            Ok(self.write(&model.name, operations))
        });
        Box::pin(async { stored(begun?.await?) })
    }
}

/// A record out of whatever becomes a JSON object; where that has no `id`, it gets one.
///
/// # Errors
/// `invalid_data` where it becomes something else.
pub fn record_of(value: &(impl Serialize + ?Sized)) -> Result<RecordInput, ErrorObject> {
    let json = serde_json::value::to_raw_value(value);
    let json = json.map_err(|cause| ErrorObject::new(ErrorCode::InvalidData, format!("this is no record: {cause}")))?;
    RecordInput::parse((&*json).into(), methods::new_id)
}

fn stored(done: Done) -> Result<Vec<Record>, ErrorObject> {
    let gone = || ErrorObject::new(ErrorCode::Conflict, "a later change has deleted the record");
    done.records.into_iter().map(|record| record.ok_or_else(gone)).collect()
}
