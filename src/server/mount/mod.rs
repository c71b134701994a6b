//! The doors within somebody else's actix-web application.
//!
//! Each thread of theirs that serves connections gets a hub when the first one comes in. What is mounted several times on one
//! thread, because the application listens on several addresses, shares it.

mod connection;
mod pipe;

use super::{Doors, routes, transports, upgrade, worker::Worker};
use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, ServiceConfig},
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
            config.app_data(Data::from(doors)).app_data(mount);
            config.configure(routes::sockjs_pages);
            config.route("/ws", web::to(enter)).route("/{prefix:backsync|sockjs}/{rest:.*}", web::to(enter));
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
    /// This thread's worker; none where there are as many as there may be.
    fn worker(&self) -> Option<Rc<Worker>> {
        if let Some(worker) = self.worker.get() {
            return Some(worker.clone());
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
        })?;
        Some(self.worker.get_or_init(|| worker).clone())
    }
}

/// Where the doors are mounted: whether the application was reached on a loopback address.
pub(super) fn reached_locally(request: &HttpRequest) -> Option<bool> {
    request.app_data::<Rc<Mount>>()?;
    Some(request.app_config().local_addr().ip().is_loopback())
}

/// Somebody comes to a WebSocket's door.
async fn enter(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let mount = request.app_data::<Rc<Mount>>().expect("a door is mounted with it");
    let path = match (request.match_info().get("prefix"), request.match_info().get("rest")) {
        (Some(prefix), Some(rest)) => format!("/{prefix}/{rest}"),
        _ => "/ws".to_owned(),
    };
    if transports::door(&path).is_none() {
        return HttpResponse::NotFound().content_type("text/plain; charset=UTF-8").body("not found\n");
    }
    if *mount.doors.stopping.borrow() {
        return upgrade::Refusal::ending().response();
    }
    let Some(worker) = mount.worker() else { return upgrade::Refusal::full().response() };
    let local = reached_locally(&request).unwrap_or_default();
    let (door, place) = match upgrade::judge(&worker, request.head(), &path, local) {
        Ok(admitted) => admitted,
        Err(refusal) => return refusal.response(),
    };
    match actix_ws::handle(&request, payload) {
        Ok((response, _, messages)) => {
            let client = upgrade::client(request.query_string());
            connection::Connection::adopt(worker, place, &door, messages, response, client.as_deref())
        }
        Err(cause) => cause.error_response(),
    }
}
