//! Upserts and deletions of one model, and on which terms they are made.

use crate::{client::Client, error::ClientError, options::RequestOptions, reply::Reply};
use backsync_protocol::{ConflictPolicy, Side};
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

/// On which terms something is written. What is `None` is the server's default for the model.
///
/// ```
/// use backsync_client::{ConflictPolicy, WriteOptions};
///
/// // Refused with code `conflict` where the record is no longer at revision 7.
/// let terms = WriteOptions { policy: Some(ConflictPolicy::ServerWins), base: Some(7), ..WriteOptions::default() };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteOptions {
    /// What decides where the record is not as the writer knew it.
    pub policy: Option<ConflictPolicy>,
    /// The record's `_rev` as the writer knew it; goes with one record, and before a `_rev` within it.
    pub base: Option<u64>,
    /// Whose value a merge takes where both sides changed one.
    pub prefer: Option<Side>,
    /// Of an upsert: attributes that are not given go, instead of staying.
    pub replace: bool,
}

impl WriteOptions {
    /// As the `options` of an upsert.
    pub(crate) fn of_upsert(self) -> Option<Box<RawValue>> {
        self.json(self.replace)
    }

    /// As the `options` of a deletion.
    pub(crate) fn of_delete(self) -> Option<Box<RawValue>> {
        self.json(false)
    }

    fn json(self, replace: bool) -> Option<Box<RawValue>> {
        let mut members = serde_json::Map::new();
        let mut member = |name: &str, value: Option<Value>| {
            members.extend(value.map(|value| (name.to_owned(), value)));
        };
        member("policy", self.policy.map(|policy| policy.name().into()));
        member("base", self.base.map(Value::from));
        member("prefer", self.prefer.map(|side| side.name().into()));
        member("replace", replace.then_some(Value::Bool(true)));
        let raw = |members| serde_json::value::to_raw_value(&members).expect("an object of plain values is JSON");
        (!members.is_empty()).then(|| raw(Value::Object(members)))
    }
}

impl Client {
    /// Update or insert one record, or an array of them as one atomic batch. The reply is the full record, or the array
    /// of them, after the change. A record without `id` gets one from the server.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn upsert(&self, model: &str, record: &(impl Serialize + ?Sized)) -> Result<Reply, ClientError> {
        self.upsert_with(model, record, WriteOptions::default()).await
    }

    /// The same on other terms.
    ///
    /// ```no_run
    /// # use backsync_client::{Client, ClientError, ConflictPolicy, WriteOptions};
    /// # async fn example(client: Client) -> Result<(), ClientError> {
    /// let terms = WriteOptions { policy: Some(ConflictPolicy::Merge), base: Some(7), ..WriteOptions::default() };
    /// let edit = serde_json::json!({"id": "m1", "text": "hello!"});
    /// match client.upsert_with("ChatMessage", &edit, terms).await {
    ///     Err(ClientError::Refused(error)) if error.is_conflict() => {
    ///         let theirs: Option<serde_json::Value> = error.current()?;
    ///         println!("somebody else changed {:?}: {theirs:?}", error.properties);
    ///     }
    ///     other => drop(other?),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Self::request`]; a conflict is [`ClientError::Refused`], and
    /// [`ServerError::is_conflict`](crate::ServerError::is_conflict) says so.
    pub async fn upsert_with(
        &self,
        model: &str,
        record: &(impl Serialize + ?Sized),
        terms: WriteOptions,
    ) -> Result<Reply, ClientError> {
        let options = RequestOptions { wire: terms.of_upsert(), ..RequestOptions::default() };
        self.request(&format!("{model}:upsert"), record, options).await
    }

    /// Remove a record. Succeeds where there is none.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub async fn delete(&self, model: &str, id: &str) -> Result<Reply, ClientError> {
        self.delete_with(model, id, WriteOptions::default()).await
    }

    /// The same on other terms; `replace` has no meaning here.
    ///
    /// # Errors
    /// As [`Self::upsert_with`].
    pub async fn delete_with(&self, model: &str, id: &str, terms: WriteOptions) -> Result<Reply, ClientError> {
        let options = RequestOptions { wire: terms.of_delete(), ..RequestOptions::default() };
        self.request(&format!("{model}:delete"), &json!({"id": id}), options).await
    }
}

/// `{"id":…, …}`: the changes of one record.
pub(crate) fn update(id: &str, changes: &impl Serialize) -> Result<Value, ClientError> {
    match serde_json::to_value(changes).map_err(ClientError::Encode)? {
        Value::Object(mut members) => {
            members.insert("id".to_owned(), id.into());
            Ok(Value::Object(members))
        }
        _ => Err(ClientError::Encode(serde::ser::Error::custom("the changes of a record are an object"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_given_is_written() {
        assert!(WriteOptions::default().of_upsert().is_none());
        let all = WriteOptions {
            policy: Some(ConflictPolicy::LatestWins),
            base: Some(7),
            prefer: Some(Side::Client),
            replace: true,
        };
        let value = |raw: Option<Box<RawValue>>| serde_json::from_str::<Value>(raw.unwrap().get()).unwrap();
        let mut wanted = json!({"policy": "latest-wins", "base": 7, "prefer": "client", "replace": true});
        assert_eq!(value(all.of_upsert()), wanted);
        wanted.as_object_mut().unwrap().remove("replace");
        assert_eq!(value(all.of_delete()), wanted);
    }

    #[test]
    fn an_update_is_an_object_with_the_id() {
        assert_eq!(update("x", &json!({"n": 1, "id": "y"})).unwrap(), json!({"id": "x", "n": 1}));
        assert!(matches!(update("x", &json!([1])), Err(ClientError::Encode(_))));
    }
}
