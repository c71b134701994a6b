//! Records of a model as values of a type, kept as they are on the server.

mod changes;
mod feed;
mod view;
mod write;

pub use changes::{Change, Changes};
pub use write::CollectionBatch;

use crate::{
    client::Client,
    error::{ClientError, ServerError},
    listen::Listen,
    reply::ended,
    subscription::Event,
};
use feed::Shared;
use serde::{Serialize, de::DeserializeOwned};
use std::{marker::PhantomData, sync::Arc, vec};
use tokio::task::JoinHandle;
use view::View;

/// The changes that may wait for one reader.
const CHANGES: usize = 1024;

/// What a [`Collection`] is to be; from [`Client::collection`].
#[derive(Debug)]
#[must_use = "nothing is read before open"]
pub struct CollectionBuilder<T> {
    client: Client,
    listen: Listen,
    buffer: usize,
    record: PhantomData<fn() -> T>,
}

impl<T> CollectionBuilder<T> {
    pub(crate) fn new(client: Client, listen: Listen) -> Self {
        Self { client, listen: listen.without_since(), buffer: CHANGES, record: PhantomData }
    }

    /// Only what matches; see [`Listen::filter`].
    pub fn filter(self, criteria: impl Serialize) -> Self {
        Self { listen: self.listen.filter(&criteria), ..self }
    }

    /// Only these; see [`Listen::ids`].
    pub fn ids<I: Into<String>>(self, ids: impl IntoIterator<Item = I>) -> Self {
        Self { listen: self.listen.ids(ids), ..self }
    }

    /// So many changes may wait for each reader of [`Collection::changes`]. Default 1024.
    pub fn change_buffer(self, changes: usize) -> Self {
        Self { buffer: changes, ..self }
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> CollectionBuilder<T> {
    /// Read, and listen from then on. Records that cannot be read as a `T` are left out; see
    /// [`Collection::unreadable`] and [`Change::Invalid`].
    ///
    /// # Errors
    /// As [`Client::listen`]; where the server refuses, [`ClientError::Refused`].
    pub async fn open(self) -> Result<Collection<T>, ClientError> {
        let mut subscription = self.client.listen(self.listen).await?;
        let mut view = View::default();
        loop {
            match subscription.next().await {
                Some(Event::Failed(error)) => return Err(ClientError::Refused(error)),
                None => return Err(ended(&self.client.status())),
                Some(event) => {
                    let began = matches!(event, Event::Reset { .. });
                    view.apply(event, &mut Vec::new());
                    if began {
                        break;
                    }
                }
            }
        }
        let model = subscription.model().to_owned();
        let shared = Shared::new(view, subscription);
        let task = tokio::spawn(Arc::clone(&shared).run());
        Ok(Collection { client: self.client, model, shared, task, buffer: self.buffer })
    }
}

/// A live view of a model, or of a part of it: its records as values of `T`, in the order of their insertion, followed over
/// lost connections. When it is dropped the listening ends.
///
/// What was written by this client and is answered is in the view. Memory is bounded by the records; nothing waits for
/// readers of [`Self::changes`].
///
/// **Order.** That of insertion on the server; a record that comes to match a filter later is behind those that did before.
/// One that was deleted and inserted again while the connection was lost keeps its old place, unless what came with it shows
/// that it was.
///
/// **Bounded models.** Where the whole of a model with `max_records` is viewed, the oldest goes with one record more, as on the
/// server. What goes because it is too old, or out of a view with a filter or ids, the server tells only where the operator
/// has set `push_evictions`; else it stays here until the connection is lost and back.
///
/// ```no_run
/// use backsync_client::{Change, Client, ClientOptions};
/// use serde::{Deserialize, Serialize};
/// use serde_json::json;
///
/// #[derive(Serialize, Deserialize)]
/// struct Person {
///     id: String,
///     age: u32,
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::connect("127.0.0.1:9000", ClientOptions::default()).await?;
/// let adults = client.collection::<Person>("Person").filter(json!({"age": {"$gte": 18}})).open().await?;
/// adults.upsert(&Person { id: "ada".into(), age: 36 }).await?;
/// assert_eq!(adults.get("ada").unwrap().age, 36);
///
/// let mut changes = adults.changes();
/// while let Some(change) = changes.next().await {
///     match change {
///         Change::Reset { records } => println!("{} adults", records.len()),
///         Change::Insert { id, .. } => println!("{id} grew up"),
///         Change::Remove { id, left, .. } => println!("{id} is {}", if left { "young again" } else { "gone" }),
///         Change::Invalid { json, error, .. } => println!("{json} is no person: {error}"),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Collection<T> {
    client: Client,
    model: String,
    shared: Arc<Shared<T>>,
    task: JoinHandle<()>,
    buffer: usize,
}

impl<T: DeserializeOwned> Collection<T> {
    /// The record with this id.
    pub fn get(&self, id: &str) -> Option<Arc<T>> {
        self.shared.current().view.find(id).cloned()
    }

    /// The `_rev` of the record with this id: a [`base`](crate::WriteOptions::base) for an edit.
    pub fn revision(&self, id: &str) -> Option<u64> {
        self.shared.current().view.revision(id)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.shared.current().view.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many more there are that cannot be read as a `T`.
    pub fn unreadable(&self) -> usize {
        self.shared.current().view.unreadable()
    }

    /// All records of one moment, in the order of their insertion.
    pub fn records(&self) -> Vec<Arc<T>> {
        self.shared.current().view.records().map(|(_, record)| record.clone()).collect()
    }

    /// The same, with their ids.
    pub fn entries(&self) -> Vec<(Arc<str>, Arc<T>)> {
        self.shared.current().view.records().map(|(id, record)| (id.clone(), record.clone())).collect()
    }

    /// All records of one moment.
    pub fn iter(&self) -> vec::IntoIter<Arc<T>> {
        self.records().into_iter()
    }

    /// What becomes of it from now on, beginning with a [`Change::Reset`] of what there is. There may be several readers, each
    /// with a buffer of its own.
    pub fn changes(&self) -> Changes<T> {
        self.shared.reader(self.buffer)
    }

    /// Whether it is followed just now; otherwise the connection is lost, or the client has ended.
    pub fn is_live(&self) -> bool {
        self.shared.current().view.live && !self.task.is_finished()
    }

    /// Why the server does not let this client listen any more, where that is so.
    pub fn failure(&self) -> Option<ServerError> {
        self.shared.current().view.failed.clone()
    }

    /// The model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

impl<T: DeserializeOwned> IntoIterator for &Collection<T> {
    type Item = Arc<T>;
    type IntoIter = vec::IntoIter<Arc<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> Drop for Collection<T> {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.end();
    }
}
