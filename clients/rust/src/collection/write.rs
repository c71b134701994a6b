//! Writing through a collection.

use super::Collection;
use crate::{
    batch::Batch,
    error::ClientError,
    reply::Reply,
    write::{WriteOptions, update},
};
use serde::{Serialize, de::DeserializeOwned};
use std::marker::PhantomData;

impl<T: Serialize + DeserializeOwned> Collection<T> {
    /// Update or insert a record. Answers it as it is then on the server; where the write lost to another
    /// ([`ConflictPolicy::LatestWins`](crate::ConflictPolicy::LatestWins)) that is the other's, and `None` where the record was
    /// deleted.
    ///
    /// # Errors
    /// As [`Client::upsert_with`](crate::Client::upsert_with); with [`ClientError::Decode`] it was done, and the answer is no
    /// `T`.
    pub async fn upsert(&self, record: &T) -> Result<Option<T>, ClientError> {
        self.upsert_with(record, WriteOptions::default()).await
    }

    /// The same on other terms.
    ///
    /// # Errors
    /// As [`Self::upsert`].
    pub async fn upsert_with(&self, record: &T, terms: WriteOptions) -> Result<Option<T>, ClientError> {
        self.client.upsert_with(&self.model, record, terms).await?.parse()
    }

    /// The writes of a batch of this model.
    pub fn batch(&self) -> CollectionBatch<'_, T> {
        CollectionBatch { batch: self.client.batch(), model: &self.model, record: PhantomData }
    }
}

impl<T: DeserializeOwned> Collection<T> {
    /// Set these attributes of a record; the others stay. A record that is not there is inserted.
    ///
    /// # Errors
    /// As [`Self::upsert`]; [`ClientError::Encode`] where the changes are no object.
    pub async fn update(&self, id: &str, changes: impl Serialize) -> Result<Option<T>, ClientError> {
        self.update_with(id, changes, WriteOptions::default()).await
    }

    /// The same on other terms.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub async fn update_with(
        &self,
        id: &str,
        changes: impl Serialize,
        terms: WriteOptions,
    ) -> Result<Option<T>, ClientError> {
        self.client.upsert_with(&self.model, &update(id, &changes)?, terms).await?.parse()
    }

    /// Remove a record. Succeeds where there is none.
    ///
    /// # Errors
    /// As [`Client::delete_with`](crate::Client::delete_with).
    pub async fn delete(&self, id: &str) -> Result<(), ClientError> {
        self.delete_with(id, WriteOptions::default()).await
    }

    /// The same on other terms.
    ///
    /// # Errors
    /// As [`Self::delete`].
    pub async fn delete_with(&self, id: &str, terms: WriteOptions) -> Result<(), ClientError> {
        self.client.delete_with(&self.model, id, terms).await.map(drop)
    }
}

/// Writes to the model of a collection that are done all or not at all; see [`Batch`].
#[derive(Debug)]
#[must_use = "nothing is written before commit"]
pub struct CollectionBatch<'c, T> {
    batch: Batch,
    model: &'c str,
    record: PhantomData<fn(&T)>,
}

impl<T: Serialize> CollectionBatch<'_, T> {
    /// Also update or insert a record.
    pub fn upsert(self, record: &T) -> Self {
        self.upsert_with(record, WriteOptions::default())
    }

    /// The same on other terms.
    pub fn upsert_with(self, record: &T, terms: WriteOptions) -> Self {
        Self { batch: self.batch.upsert_with(self.model, record, terms), ..self }
    }

    /// Also set these attributes of a record; the others stay.
    pub fn update(self, id: &str, changes: impl Serialize) -> Self {
        self.update_with(id, changes, WriteOptions::default())
    }

    /// The same on other terms.
    pub fn update_with(self, id: &str, changes: impl Serialize, terms: WriteOptions) -> Self {
        Self { batch: self.batch.update_with(self.model, id, &changes, terms), ..self }
    }

    /// Also remove a record.
    pub fn delete(self, id: &str) -> Self {
        self.delete_with(id, WriteOptions::default())
    }

    /// The same on other terms.
    pub fn delete_with(self, id: &str, terms: WriteOptions) -> Self {
        Self { batch: self.batch.delete_with(self.model, id, terms), ..self }
    }

    /// Do it.
    ///
    /// # Errors
    /// As [`Batch::commit`].
    pub async fn commit(self) -> Result<Vec<Reply>, ClientError> {
        self.batch.commit().await
    }
}
