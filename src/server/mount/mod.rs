//! The doors within somebody else's actix-web application.
//!
//! Each thread of theirs that serves connections gets a hub when the first one comes in. What is mounted several times on one
//! thread, because the application listens on several addresses, shares it.

mod connection;
mod pipe;

use super::{
    Doors,
    api::Api,
    party::{Host, Place},
    sockjs::Entrance,
    transports::Door,
    upgrade::{self, Refusal},
    worker::Worker,
};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, ServiceConfig},
};
use std::{
    cell::{OnceCell, RefCell},
    rc::{Rc, Weak},
    sync::{Arc, atomic::Ordering},
};

/// How to open the doors below `path`.
pub(super) fn mount(doors: Arc<Doors>, path: String) -> impl FnOnce(&mut ServiceConfig) + Clone + Send {
    move |config: &mut ServiceConfig| {
        let mount = Rc::new(Mount { doors: doors.clone(), worker: OnceCell::new() });
        let open = move |config: &mut ServiceConfig| {
            config.service(web::resource("/ws").app_data(mount.clone()).route(web::to(enter)));
            let of = mount.clone();
            Api::new(doors.clone(), true, move || of.worker()).open(config);
            for endpoint in &doors.endpoints {
                let (prefix, mount) = (endpoint.messages.path(), mount.clone());
                Entrance::new(endpoint.clone(), true, move || Ok(mount.worker()?)).open(prefix, config);
            }
        };
        if path.is_empty() {
            open(config);
        } else {
            config.service(web::scope(&path).configure(open));
        }
    }
}

/// The doors of one `App`.
struct Mount {
    doors: Arc<Doors>,
    worker: OnceCell<Rc<Worker>>,
}

thread_local! {
    /// The workers of this thread, one for each [`Doors`].
    static WORKERS: RefCell<Vec<Weak<Worker>>> = const { RefCell::new(Vec::new()) };
}

impl Mount {
    /// This thread's worker.
    ///
    /// # Errors
    /// Where there are as many as there may be.
    fn worker(&self) -> Result<Rc<Worker>, Refusal> {
        if let Some(worker) = self.worker.get() {
            return Ok(worker.clone());
        }
        let worker = WORKERS.with_borrow_mut(|workers| {
            workers.retain(|worker| worker.strong_count() > 0);
            let known = workers.iter().filter_map(Weak::upgrade).find(|known| Arc::ptr_eq(&known.doors, &self.doors));
            known.or_else(|| {
                let index = self.doors.options.workers + self.doors.mounted.fetch_add(1, Ordering::Relaxed);
                if index >= self.doors.options.hubs() {
                    tracing::error!("backsync is mounted on more threads than it can serve");
                    return None;
                }
                let worker = Worker::start(self.doors.clone(), index);
                workers.push(Rc::downgrade(&worker));
                Some(worker)
            })
        });
        let worker = worker.ok_or(Refusal::full())?;
        Ok(self.worker.get_or_init(|| worker).clone())
    }
}

/// Somebody comes to the WebSocket's door.
async fn enter(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let mount = request.app_data::<Rc<Mount>>().expect("a door is mounted with it");
    let local = request.app_config().local_addr().ip().is_loopback();
    let entered = mount.worker().and_then(|worker| {
        let origins = &mount.doors.options.origins;
        let (door, place) = upgrade::judge(Some(Door::PLAIN), &*worker, request.head(), origins, local)?;
        Ok(adopt(&request, payload, &*worker, place, &door, mount.doors.options.message_bytes))
    });
    entered.unwrap_or_else(|refusal| refusal.response())
}

/// Make a WebSocket of a request that may become one.
pub(super) fn adopt(
    request: &HttpRequest,
    payload: web::Payload,
    host: &dyn Host,
    place: Place,
    door: &Door,
    limit: usize,
) -> HttpResponse {
    match actix_ws::handle(request, payload) {
        Ok((response, _, messages)) => {
            let messages = messages.max_frame_size(limit).aggregate_continuations().max_continuation_size(limit);
            let client = upgrade::client(request.query_string());
            connection::Connection::adopt(host, place, door, messages, response, client.as_deref())
        }
        Err(cause) => cause.error_response(),
    }
}
