//! The nodes, each of which has several lives.

use crate::server::{Server, Setup};
use std::{
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

pub(crate) struct Fleet {
    nodes: Vec<Node>,
}

struct Node {
    address: SocketAddr,
    server: Mutex<Server>,
    kills: AtomicUsize,
}

impl Fleet {
    pub(crate) fn start(setups: impl IntoIterator<Item = Setup>) -> Self {
        let start = |setup: Setup| {
            let server = Server::start(setup.on_a_lasting_port());
            Node { address: server.address(), server: server.into(), kills: 0.into() }
        };
        Self { nodes: setups.into_iter().map(start).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn address(&self, node: usize) -> SocketAddr {
        self.nodes[node].address
    }

    /// How often a node has been killed; counted before it is.
    pub(crate) fn kills(&self, node: usize) -> usize {
        self.nodes[node].kills.load(Ordering::SeqCst)
    }

    pub(crate) fn kill(&self, node: usize) {
        self.nodes[node].kills.fetch_add(1, Ordering::SeqCst);
        self.nodes[node].server.lock().unwrap().kill();
    }

    pub(crate) fn restart(&self, node: usize) {
        self.nodes[node].server.lock().unwrap().restart();
    }

    /// What the nodes have logged lately in their present lives, for the message of a failing test.
    pub(crate) fn log(&self) -> String {
        let mut text = String::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let log = node.server.lock().unwrap().log();
            for line in &log[log.len().saturating_sub(20)..] {
                text += &format!("node {number}: {line}\n");
            }
        }
        text
    }
}
