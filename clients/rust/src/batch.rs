//! Several writes, all or nothing.

use crate::{
    client::Client,
    error::ClientError,
    options::RequestOptions,
    reply::Reply,
    write::{WriteOptions, update},
};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

/// Writes that are gathered here and done in one step, in their order, by [`Self::commit`]. The models have to be of one
/// group, which the server's settings say; one model always is.
///
/// ```no_run
/// # use backsync_client::{Client, ClientError};
/// # use serde_json::json;
/// # async fn example(client: Client) -> Result<(), ClientError> {
/// let batch = client.batch().upsert("Order", &json!({"id": "o1", "paid": true})).delete("Cart", "c1");
/// let replies = batch.commit().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is written before commit"]
pub struct Batch {
    client: Client,
    entries: Vec<Entry>,
    failed: Option<ClientError>,
}

#[derive(Debug, Serialize)]
struct Entry {
    event: String,
    data: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Done {
    data: Box<RawValue>,
    position: Option<String>,
}

impl Batch {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, entries: Vec::new(), failed: None }
    }

    /// Also update or insert a record, or an array of them.
    pub fn upsert(self, model: &str, record: &(impl Serialize + ?Sized)) -> Self {
        self.upsert_with(model, record, WriteOptions::default())
    }

    /// The same on other terms.
    pub fn upsert_with(self, model: &str, record: &(impl Serialize + ?Sized), terms: WriteOptions) -> Self {
        self.entry(format!("{model}:upsert"), record, terms.of_upsert())
    }

    /// Also set these attributes of a record; the others stay.
    pub fn update(self, model: &str, id: &str, changes: &impl Serialize) -> Self {
        self.update_with(model, id, changes, WriteOptions::default())
    }

    /// The same on other terms.
    pub fn update_with(self, model: &str, id: &str, changes: &impl Serialize, terms: WriteOptions) -> Self {
        match update(id, changes) {
            Ok(record) => self.upsert_with(model, &record, terms),
            Err(cause) => self.fail(cause),
        }
    }

    /// Also remove a record.
    pub fn delete(self, model: &str, id: &str) -> Self {
        self.delete_with(model, id, WriteOptions::default())
    }

    /// The same on other terms; `replace` has no meaning here.
    pub fn delete_with(self, model: &str, id: &str, terms: WriteOptions) -> Self {
        self.entry(format!("{model}:delete"), &json!({"id": id}), terms.of_delete())
    }

    fn entry(mut self, event: String, data: &(impl Serialize + ?Sized), options: Option<Box<RawValue>>) -> Self {
        match serde_json::value::to_raw_value(data) {
            Ok(data) => {
                self.entries.push(Entry { event, data, options });
                self
            }
            Err(cause) => self.fail(ClientError::Encode(cause)),
        }
    }

    fn fail(mut self, cause: ClientError) -> Self {
        self.failed.get_or_insert(cause);
        self
    }

    /// How many writes there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Do it. There is a reply for each write, in their order; an empty batch is done at once.
    ///
    /// # Errors
    /// As [`Client::request`], and then nothing was done, unless the error says that this is not known. Of
    /// [`ClientError::Refused`], `element` says which write it was. [`ClientError::Encode`] for the first that could not be
    /// written.
    pub async fn commit(self) -> Result<Vec<Reply>, ClientError> {
        if let Some(cause) = self.failed {
            return Err(cause);
        }
        if self.entries.is_empty() {
            return Ok(Vec::new());
        }
        let reply = self.client.request("$batch:commit", &self.entries, RequestOptions::default()).await?;
        let done: Vec<Done> = reply.parse()?;
        Ok(done.into_iter().map(|Done { data, position }| Reply { data, position, next: None }).collect())
    }
}
