//! A receiver comes: its session is found or opened, and the response is what the session has to say.

use super::{
    Entrance,
    actor::Fallback,
    answers::{NEVER, plain},
    body::Body,
    session::{Session, Way},
};
use crate::{
    server::{
        conversation::Conversation,
        transports::Door,
        upgrade::{self, Refusal},
    },
    sockjs::{Attached, Receiving, is_callback},
};
use actix::{Actor, AsyncContext};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, Version, header},
    web::Query,
};
use std::{cell::Cell, collections::BTreeMap, rc::Rc, sync::Arc};

pub(super) fn receive(
    entrance: &Entrance,
    name: &str,
    receiving: &'static Receiving,
    request: &HttpRequest,
) -> HttpResponse {
    let callback = match callback(receiving, request) {
        Ok(callback) => callback,
        Err(message) => return plain(StatusCode::INTERNAL_SERVER_ERROR, message),
    };
    let client = upgrade::client(request.query_string());
    let opened = entrance.endpoint.sessions.find_or(name, || open(entrance, name, client.as_deref()));
    let session = match opened {
        Ok(session) => session,
        Err(refusal) => return refusal.response(),
    };
    let (session, first) = match session.attach() {
        Attached::Greeting(greeting) => (Some(session), Some(greeting.to_owned())),
        Attached::Messages | Attached::Closed(_) => (Some(session), None),
        Attached::Refused(frame) => (None, Some(frame)),
    };
    let body = Body::new(session, first, receiving, callback, entrance.endpoint.options.response_bytes);
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, NEVER)).content_type(receiving.content_type);
    if receiving.has_callback {
        answer.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    }
    let is_old = request.version() < Version::HTTP_11;
    if is_old {
        answer.force_close();
    }
    let mut response = answer.body(body);
    // Those before 1.1 know no chunks, and read to the end of the connection.
    response.head_mut().no_chunking(is_old);
    response
}

fn callback(receiving: &Receiving, request: &HttpRequest) -> Result<String, &'static str> {
    if !receiving.has_callback {
        return Ok(String::new());
    }
    let query = Query::<BTreeMap<String, String>>::from_query(request.query_string()).map(Query::into_inner);
    match query.ok().and_then(|mut query| query.remove("c").or_else(|| query.remove("callback"))) {
        None => Err("\"callback\" parameter required"),
        Some(callback) if is_callback(&callback) => Ok(callback),
        Some(_) => Err("invalid \"callback\" parameter"),
    }
}

/// Open a session, which lives on this thread.
fn open(entrance: &Entrance, name: &str, client: Option<&str>) -> Result<Arc<Session>, Refusal> {
    let host = (entrance.host)()?;
    let place = host.place()?;
    let mut opened = None;
    Fallback::create(|context| {
        let session = Session::new(context.address());
        opened = Some(session.clone());
        let paused: Rc<Cell<bool>> = Rc::default();
        let door = Door::lines(entrance.endpoint.messages);
        let way = Rc::new(Way(session.clone()));
        let mut conversation = Conversation::open(&*host, place, &door, way, paused.clone(), &[], client);
        conversation.flush();
        let endpoint = entrance.endpoint.clone();
        Fallback { conversation, session, endpoint, name: name.into(), paused, waiting: Vec::new(), expiry: None }
    });
    Ok(opened.expect("an actor is made at once"))
}
