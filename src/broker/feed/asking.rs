//! The feed as a client of a connection asks for it: where it may, and as far as the model's handler lets it.

use super::{FeedError, Update};
use crate::{
    broker::{ConnectionKey, Hub, handler::Decision, methods},
    store::Millis,
};
use backsync_protocol::{ErrorCode, ErrorObject, Revision};

impl Hub {
    /// What became of a model since a time that was answered before; everything since 0. What a handler makes of a read holds, but
    /// for its order.
    pub fn updates(
        &mut self,
        key: ConnectionKey,
        model: &str,
        since: Millis,
    ) -> impl Future<Output = Result<Update, FeedError>> + use<> {
        let asked = self.model(model).and_then(|model| {
            let asking = methods::may_read(self, key, &model)?;
            Ok((self.broker.clone(), model, asking))
        });
        async move {
            let (broker, model, asking) = asked?;
            match asking.await? {
                Decision::Continue(query) if query.skip == 0 && query.limit.is_none() && query.after.is_none() => {
                    broker.tell(&model, &query, since).await
                }
                _ => {
                    let message = "the server's own code answers reads of this model, and there is no feed of it";
                    Err(ErrorObject::new(ErrorCode::Forbidden, message).into())
                }
            }
        }
    }

    /// Give the changes of a write, of which these are the first and the last, a time of their own, and answer it.
    pub fn date(
        &mut self,
        model: &str,
        batch: Option<(Revision, Revision)>,
    ) -> impl Future<Output = Result<Millis, FeedError>> + use<> {
        let (broker, model) = (self.broker.clone(), self.model(model));
        async move { broker.date(&*model?, batch).await }
    }
}
