//! The other nodes, where any of them may get the next request of a session: who has it is looked up, and asked.
//!
//! A session that is here is never looked up. A directory that fails locks nobody out: new sessions are opened here, and
//! become known when it answers again.

use super::{
    Endpoint, answers,
    forward::{Failure, Forwarder},
};
use crate::directory::{Claim, Directory, DirectoryError, LIFE, Lookup, Node, SessionKey};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use bytes::Bytes;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::MissedTickBehavior;

/// How long the directory may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many nodes are asked for one session. More than one is where one has gone and others see that at once.
const ATTEMPTS: usize = 3;

/// Sessions that are kept in one call.
const BATCH: usize = 1000;

/// What one node needs to know about the others.
#[derive(Debug)]
pub(crate) struct Neighbours {
    directory: Arc<dyn Directory>,
    /// This one.
    node: Node,
    /// Whether the log has that a node was replaced: often it is many sessions at once.
    told: AtomicBool,
}

impl Neighbours {
    /// Of a node that the others reach at this address.
    pub(crate) fn new(directory: Arc<dyn Directory>, address: String) -> Self {
        Self { directory, node: Node::new(address), told: AtomicBool::new(false) }
    }

    /// Whether a request that was forwarded with this token is for this node.
    pub(super) fn are_meant_by(&self, token: &[u8]) -> bool {
        self.node.token().as_bytes() == token
    }

    /// A receiver comes whose session is not here: what the node that has it answers. `None` where it is to be opened here, which
    /// `may_open` says is possible.
    pub(super) async fn receive(
        &self,
        session: SessionKey,
        may_open: bool,
        forwarder: &Forwarder,
        request: &HttpRequest,
    ) -> Option<HttpResponse> {
        let mut gone = None;
        for _ in 0..ATTEMPTS {
            let node = match self.owner(session, may_open, gone.as_ref()).await {
                Ok(Some(node)) if gone.as_ref() != Some(&node) => node,
                Ok(_) | Err(_) => return None,
            };
            match forwarder.ask(&node, request, Bytes::new()).await {
                Ok(response) => return Some(response),
                Err(Failure::Silent) => return Some(silent()),
                Err(Failure::Gone) => {}
                Err(Failure::Replaced) => self.tell_replaced(&node),
            }
            gone = Some(node);
        }
        None
    }

    /// Messages come whose session is not here: what the node that has it answers.
    pub(super) async fn send(
        &self,
        session: SessionKey,
        forwarder: &Forwarder,
        request: &HttpRequest,
        body: Bytes,
    ) -> HttpResponse {
        match self.owner(session, false, None).await {
            Ok(None) => answers::not_found(),
            Ok(Some(node)) => match forwarder.ask(&node, request, body).await {
                Ok(response) => response,
                Err(Failure::Gone | Failure::Replaced) => answers::not_found(),
                Err(Failure::Silent) => silent(),
            },
            Err(_) => {
                answers::plain(StatusCode::SERVICE_UNAVAILABLE, "where this session is cannot be looked up now\n")
            }
        }
    }

    fn tell_replaced(&self, node: &Node) {
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                node = node.address(),
                "a node with SockJS sessions is not at its address any more: it was started anew, or its server.advertise \
                 leads to other nodes too, which breaks sessions all the time"
            );
        }
    }

    /// The other node that has a session. Where there is none, and this one `claims` it, it is this one's.
    async fn owner(
        &self,
        session: SessionKey,
        claims: bool,
        gone: Option<&Node>,
    ) -> Result<Option<Node>, DirectoryError> {
        let found = if claims {
            match in_time(self.directory.claim(session, &self.node, gone)).await? {
                Claim::Ours => None,
                Claim::Theirs(node) => Some(node),
            }
        } else {
            in_time(self.directory.find(session)).await?
        };
        Ok(found.filter(|node| *node != self.node))
    }
}

fn silent() -> HttpResponse {
    answers::plain(StatusCode::BAD_GATEWAY, "the node that has this session does not answer\n")
}

async fn in_time<T>(lookup: Lookup<'_, T>) -> Result<T, DirectoryError> {
    let answer = tokio::time::timeout(PATIENCE, lookup).await;
    answer.unwrap_or_else(|_| Err(DirectoryError::new("it did not answer in time")))
}

/// Keep what the directory says about the sessions of these endpoints, for as long as this is awaited.
pub(crate) async fn keep(endpoints: &[Arc<Endpoint>]) {
    let mut clock = tokio::time::interval(LIFE / 3);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut fails = false;
    loop {
        clock.tick().await;
        let kept = keep_all(endpoints).await;
        match &kept {
            Ok(()) if fails => tracing::info!("the directory of SockJS sessions answers again"),
            Err(cause) if !fails => tracing::error!(
                error = %cause,
                "SockJS sessions over HTTP are not found from other nodes until the directory answers again"
            ),
            Ok(()) | Err(_) => {}
        }
        fails = kept.is_err();
    }
}

async fn keep_all(endpoints: &[Arc<Endpoint>]) -> Result<(), DirectoryError> {
    for endpoint in endpoints {
        let Some(neighbours) = endpoint.neighbours() else { continue };
        for batch in endpoint.sessions.keys(endpoint.messages.path()).chunks(BATCH) {
            in_time(neighbours.directory.keep(batch, &neighbours.node)).await?;
        }
    }
    Ok(())
}
