//! A receiver comes: its session is found or opened, and the response is what the session has to say.

use super::{
    Entrance,
    actor::Fallback,
    answers::{NEVER, plain, suit_version},
    body::Body,
    neighbours::Neighbours,
    session::{Session, Way},
};
use crate::{
    server::{
        conversation::Conversation,
        party::Place,
        transports::Door,
        upgrade::{self, Refusal},
    },
    sockjs::{Attached, Receiving, is_callback},
};
use actix::{Actor, AsyncContext};
use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Query,
};
use std::{cell::Cell, collections::BTreeMap, rc::Rc, sync::Arc};

/// `neighbours` may have the session, if it is not here.
pub(super) async fn receive(
    entrance: &Entrance,
    name: &str,
    receiving: &'static Receiving,
    request: &HttpRequest,
    neighbours: Option<&Neighbours>,
) -> HttpResponse {
    let callback = match callback(receiving, request) {
        Ok(callback) => callback,
        Err(message) => return plain(StatusCode::INTERNAL_SERVER_ERROR, message),
    };
    let mut place = None;
    if let Some(neighbours) = neighbours
        && entrance.endpoint.sessions.find(name).is_none()
    {
        // Only who has a place here leaves an entry in the directory.
        place = (entrance.host)().and_then(|host| host.place()).ok();
        let key = entrance.endpoint.key(name);
        if let Some(answer) = neighbours.receive(key, place.is_some(), &entrance.forwarder, request).await {
            return answer;
        }
    }
    let client = upgrade::client(request.query_string());
    let opened = entrance.endpoint.sessions.find_or(name, || open(entrance, name, client.as_deref(), place));
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
    let mut response = answer.body(body);
    suit_version(request, &mut response);
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
fn open(entrance: &Entrance, name: &str, client: Option<&str>, place: Option<Place>) -> Result<Arc<Session>, Refusal> {
    let host = (entrance.host)()?;
    let place = place.map_or_else(|| host.place(), Ok)?;
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
