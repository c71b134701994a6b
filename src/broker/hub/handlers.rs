//! What handlers are told of connections, and waiting for what they decide.

use super::{
    Hub,
    connections::{Connection, ConnectionKey},
};
use crate::broker::{
    Broker, Caller, ConnectionId, error,
    handler::{Handler, guarded},
};
use backsync_protocol::{ErrorObject, Method, ModelName};
use std::{
    fmt,
    future::Future,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// How long a handler may take to decide. Meanwhile its connection's requests wait, and changes of what it reads are kept for it.
const PATIENCE: Duration = if cfg!(test) { Duration::from_secs(1) } else { Duration::from_secs(60) };

/// Something that is done for a connection when none of its writes is on its way.
pub(super) struct Then(pub(super) Box<dyn FnOnce(&mut Hub)>);

impl fmt::Debug for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Then")
    }
}

impl Hub {
    /// Tell all handlers of a connection that has said what it has to say of itself. One that is not announced is not told of
    /// when it goes, either.
    pub fn announce(&mut self, key: ConnectionKey) {
        if self.broker.0.parts.handlers.is_empty() {
            return;
        }
        let (broker, worker) = (self.broker.clone(), self.worker);
        let Some(connection) = self.connections.find(key).filter(|connection| !connection.announced) else { return };
        connection.announced = true;
        tell_all(&broker, worker, key, connection, "on_open", |handler, caller| handler.on_open(caller));
    }

    /// A connection that was announced is gone.
    pub(super) fn tell_of_end(&self, key: ConnectionKey, connection: &Connection) {
        if connection.announced {
            let close = |handler: &dyn Handler, caller: &Caller| handler.on_close(caller);
            tell_all(&self.broker, self.worker, key, connection, "on_close", close);
        }
    }

    /// Who asks, for a handler to know; none where the connection is gone.
    pub(crate) fn caller(
        &mut self,
        key: ConnectionKey,
        model: &ModelName,
        method: Option<Method>,
        request: Option<&str>,
    ) -> Option<Caller> {
        let (broker, worker) = (self.broker.clone(), self.worker);
        let connection = self.connections.find(key)?;
        let request = request.map(Arc::from);
        Some(Caller { method, request, ..caller(&broker, worker, key, connection, model) })
    }

    /// Go on with what is being asked: at once where it is there, which costs no task; else when it is, if the hub still lives.
    /// The caller sees to it that the connection's further requests wait.
    pub(crate) fn when_decided<T: 'static>(
        &mut self,
        asking: impl Future<Output = Result<T, ErrorObject>> + 'static,
        then: impl FnOnce(&mut Self, Result<T, ErrorObject>) + 'static,
    ) {
        let mut asking = Box::pin(asking);
        // Whoever is to be woken is told when the task polls again.
        if let Poll::Ready(decided) = asking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return then(self, decided);
        }
        let hub = self.handle();
        tokio::task::spawn_local(async move {
            let decided = tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| {
                tracing::error!(seconds = PATIENCE.as_secs(), "a handler did not decide, and its request is given up");
                Err(error::of_handler("the server's own code for this model did not answer in time"))
            });
            if let Some(hub) = hub.upgrade() {
                let mut hub = hub.borrow_mut();
                then(&mut hub, decided);
                hub.flush();
            }
        });
    }

    /// Do something for a connection when none of its writes is on its way, so that replies keep their order; until then nothing
    /// else of it is begun. Nothing happens where it is gone. What is done may not look into the inbox.
    pub(crate) fn when_settled(&mut self, key: ConnectionKey, then: impl FnOnce(&mut Self) + 'static) {
        let in_flight = |hub: &mut Self| hub.connections.find(key).map(|connection| connection.in_flight);
        if in_flight(self).is_some_and(|writes| writes > 0) {
            // The outcome may be there already.
            self.drain();
        }
        match in_flight(self) {
            None => {}
            Some(0) => then(self),
            Some(_) => {
                self.set_reading(key, true);
                let then = Then(Box::new(move |hub| {
                    hub.set_reading(key, false);
                    then(hub);
                }));
                if let Some(connection) = self.connections.find(key) {
                    connection.then = Some(then);
                }
            }
        }
    }
}

fn caller(broker: &Broker, worker: usize, key: ConnectionKey, connection: &Connection, model: &ModelName) -> Caller {
    Caller {
        broker: broker.clone(),
        model: model.clone(),
        connection: ConnectionId { worker, key },
        identity: connection.identity.clone(),
        client: connection.client.clone(),
        method: None,
        request: None,
        replaces: false,
    }
}

fn tell_all(
    broker: &Broker,
    worker: usize,
    key: ConnectionKey,
    connection: &Connection,
    hook: &'static str,
    tell: impl Fn(&dyn Handler, &Caller),
) {
    for (model, handler) in &broker.0.parts.handlers {
        let caller = caller(broker, worker, key, connection, model);
        // What went wrong is logged; there is no request to fail.
        let _ = guarded(&caller, hook, || tell(&**handler, &caller));
    }
}
