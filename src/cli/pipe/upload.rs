//! Where batches go: a model of a server, or in tests something less reliable.

use super::batch::Batch;
use backsync_client::{Client, ClientError, RequestOptions};
use std::pin::Pin;

/// Completes when a batch is stored, or is not.
pub(super) type Acknowledgement = Pin<Box<dyn Future<Output = Result<(), ClientError>>>>;

/// Takes batches.
pub(super) trait Upload {
    /// Take a batch, behind those taken before; all of it is stored or nothing. The acknowledgement need not be polled
    /// for the batch to be on its way.
    ///
    /// # Errors
    /// Whatever says that no batch will ever be taken again.
    async fn start(&self, batch: &Batch) -> Result<Acknowledgement, ClientError>;
}

/// A model of a server.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) client: Client,
    /// `Model:upsert`.
    pub(super) event: String,
}

impl Upload for Model {
    async fn start(&self, batch: &Batch) -> Result<Acknowledgement, ClientError> {
        let reply = self.client.start(&self.event, &batch.json(), RequestOptions::default()).await?;
        Ok(Box::pin(async move { reply.await.map(drop) }))
    }
}
