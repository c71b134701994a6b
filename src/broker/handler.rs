//! Model behaviour in code: what the server's own code has to say to what clients ask of a model.

use super::{Caller, error, model::Model};
use crate::store::{Change, Committed, Few};
use backsync_protocol::{ErrorCode, ErrorObject, Query, Record, RecordId, RecordInput};
use std::{
    any::Any,
    fmt,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::Poll,
};

/// The behaviour of a model. Every method has a default that does the ordinary thing.
///
/// What a method is given is what a client asked for; what it answers is a [`Step`]: go on with it as it is or changed, refuse
/// it, answer it, or say so later. It is asked after the [`Policy`](crate::auth::Policy) and before the store.
///
/// ```
/// use backsync::broker::{Caller, Handler, Step};
/// use backsync_protocol::{ErrorCode, Record, RecordInput};
///
/// struct ChatMessages;
///
/// impl Handler for ChatMessages {
///     fn upsert(&self, caller: &Caller, mut message: RecordInput) -> Step<RecordInput, Record> {
///         if message.get("text").is_some_and(|text| text.as_str().is_none_or(str::is_empty)) {
///             return Step::reject(ErrorCode::InvalidData, "a message has a text");
///         }
///         message.set("from", caller.principal().unwrap_or("somebody"));
///         Step::Continue(message)
///     }
/// }
/// ```
///
/// # What is asked, and what is not
/// - `read`, `subscribe`, `upsert`, `delete` and the entries of `$batch:commit`, when they come from a client. What the server
///   does by itself is not: its own code's writes ([`Broker::upsert`](super::Broker::upsert) and the others), so that a method
///   that writes is not asked about that in turn; records that go by a model's bounds, or with their session; and what other
///   nodes wrote, which their handlers were asked about.
/// - Pushes to those who listen are not: who may hear only a part of a model listens with a narrowed query.
/// - A request that a client repeats because it got no answer is a request like any other here. If the client has a name,
///   the store still applies the write once, and gives the first outcome.
///
/// # Order
/// A request is asked about once. While one waits for a [`Step::Later`], further requests of its connection wait; those of
/// others do not. Requests of one connection take effect, and are answered, in the order in which they were sent. If the
/// connection goes meanwhile, a write goes on, but for those of ephemeral models, whose owner is gone.
///
/// # Faults
/// Methods run on the threads that serve the connections: they must not block. One that panics is logged, its request fails
/// with `internal`, and nothing of it is stored. A step that is not there after a minute fails the same.
#[allow(unused_variables)]
pub trait Handler: Send + Sync + 'static {
    /// A client reads, or begins to listen; [`Caller::method`] says which.
    ///
    /// [`Step::Continue`] with another query reads, and listens to, what that one says: see [`Query::narrow`]. The end of
    /// listening to a part of the model is asked about as well (method `unsubscribe`), so that what was narrowed is found
    /// again: for the same query the answer has to be the same. A refusal of that is not heeded.
    ///
    /// [`Step::Answer`] is the reply to a read; the store is not asked. The client listens as it would have, and hears all that
    /// changed since the question. To a client that asks for changes since a position, the answer is everything (`reset`).
    fn read(&self, caller: &Caller, query: Query) -> Step<Query, Vec<Record>> {
        Step::Continue(query)
    }

    /// A client writes a record; [`Caller::replaces`] says whether attributes that it does not give go. Of a batch each record
    /// is asked about by itself; one that is rejected rejects the whole.
    ///
    /// [`Step::Answer`] is what the client is told became of the record; nothing is stored for it.
    fn upsert(&self, caller: &Caller, record: RecordInput) -> Step<RecordInput, Record> {
        Step::Continue(record)
    }

    /// A client deletes a record. [`Step::Answer`] says that it is done.
    fn delete(&self, caller: &Caller, id: RecordId) -> Step<RecordId, ()> {
        Step::Continue(id)
    }

    /// Something that a client wrote has changed a record: after the commit, in the order of the revisions of this model, also
    /// for each change of a batch, and for what went because the model was full.
    ///
    /// Listeners do not wait for this, but further writes to the model do. It can start writes of its own without waiting
    /// for them.
    fn changed(&self, caller: &Caller, change: &Change) {}

    /// A connection is there, whatever it is going to ask for: every handler is told of every connection. The client's name is
    /// known where the URL gives it; nobody has authenticated yet.
    fn on_open(&self, caller: &Caller) {}

    /// A connection that was opened is gone. Nobody is left to tell this when the process dies.
    fn on_close(&self, caller: &Caller) {}
}

impl fmt::Debug for dyn Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handler")
    }
}

/// What a handler decides.
pub enum Step<I, O> {
    /// Do the ordinary thing with this.
    Continue(I),
    /// This is the result.
    Answer(O),
    /// The request fails with this.
    Reject(ErrorObject),
    /// It takes a while. Made by [`Step::later`].
    Later(Pin<Box<dyn Future<Output = Self> + Send>>),
}

impl<I, O> Step<I, O> {
    /// A step that takes a while, such as one that reads something first.
    pub fn later(step: impl Future<Output = Self> + Send + 'static) -> Self {
        Self::Later(Box::pin(step))
    }

    /// The same for a future that may fail, which rejects.
    pub fn try_later(step: impl Future<Output = Result<Self, ErrorObject>> + Send + 'static) -> Self {
        Self::later(async { step.await.into() })
    }

    /// A refusal.
    pub fn reject(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::Reject(ErrorObject::new(code, message))
    }
}

/// An error rejects.
impl<I, O> From<Result<Self, ErrorObject>> for Step<I, O> {
    fn from(step: Result<Self, ErrorObject>) -> Self {
        step.unwrap_or_else(Self::Reject)
    }
}

impl<I: fmt::Debug, O: fmt::Debug> fmt::Debug for Step<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Continue(input) => f.debug_tuple("Continue").field(input).finish(),
            Self::Answer(output) => f.debug_tuple("Answer").field(output).finish(),
            Self::Reject(error) => f.debug_tuple("Reject").field(error).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// A step that is no refusal and does not wait.
#[derive(Debug)]
pub(crate) enum Decision<I, O> {
    Continue(I),
    Answer(O),
}

/// Ask a handler, and wait for what it decides. A panic is an error.
pub(crate) async fn decide<I, O>(
    caller: &Caller,
    hook: &'static str,
    ask: impl FnOnce() -> Step<I, O>,
) -> Result<Decision<I, O>, ErrorObject> {
    let mut step = guarded(caller, hook, ask)?;
    loop {
        step = match step {
            Step::Continue(input) => return Ok(Decision::Continue(input)),
            Step::Answer(output) => return Ok(Decision::Answer(output)),
            Step::Reject(error) => return Err(error),
            Step::Later(mut later) => {
                let decided = poll_fn(|context| match guarded(caller, hook, || later.as_mut().poll(context)) {
                    Ok(Poll::Ready(step)) => Poll::Ready(Ok(step)),
                    Ok(Poll::Pending) => Poll::Pending,
                    Err(error) => Poll::Ready(Err(error)),
                });
                let decided = decided.await;
                guarded(caller, hook, || drop(later))?;
                decided?
            }
        }
    }
}

/// What handlers are to be told of: models that have one, and what changed.
pub(super) fn to_tell(committed: &Committed, models: &[Arc<Model>]) -> Vec<(Arc<Model>, Few<Change>)> {
    let handled = committed.parts.iter().zip(models).filter(|(_, model)| model.handler.is_some());
    handled.map(|(done, model)| (model.clone(), done.changes.clone())).collect()
}

/// Tell them.
pub(super) fn tell(caller: &Caller, told: &[(Arc<Model>, Few<Change>)]) {
    for (model, changes) in told {
        let Some(handler) = &model.handler else { continue };
        let caller = Caller { model: model.name.clone(), ..caller.clone() };
        for change in changes {
            // What went wrong is logged; it is stored already.
            let _ = guarded(&caller, "changed", || handler.changed(&caller, change));
        }
    }
}

/// Call a handler's code. If it panics, that is logged, and becomes an error for the client.
pub(crate) fn guarded<T>(caller: &Caller, hook: &'static str, call: impl FnOnce() -> T) -> Result<T, ErrorObject> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        tracing::error!(model = %caller.model(), hook, panic = words(&*panic), "a handler panicked");
        error::of_handler("the server's own code for this model failed; what went wrong is in the server's log")
    })
}

/// What a panic says, if it is text.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words")
}
