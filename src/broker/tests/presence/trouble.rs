//! What goes wrong with nodes.

use super::*;

impl World {
    pub(super) fn kill(&mut self, node: usize) {
        if self.nodes[node].stopped.is_none() && self.running().len() < 2 {
            return;
        }
        let dead = &self.nodes[node];
        let last_seen = dead.stopped.map_or(NOW.get(), |(since, _)| since);
        self.killed.insert(dead.incarnation(), (last_seen, last_seen - dead.started));
        let is_waking = dead.woken == Some(NOW.get());
        dead.way.cut(&mut self.random);
        for client in &mut self.clients {
            let had = client.connections.len();
            if client.connections.last().is_some_and(|(at, _)| *at == node) {
                client.lost.get_or_insert(last_seen);
            }
            client.is_here &= client.connections.last().is_some_and(|(at, _)| *at != node);
            client.connections.retain(|(at, _)| *at != node);
            if client.connections.len() < had {
                client.left = last_seen;
                // What others have let go of is not there again at once.
                client.is_unsettled |= is_waking;
                if std::mem::take(&mut client.is_unsettled) {
                    client.records.clear();
                    client.deleted.clear();
                }
            }
        }
        self.nodes[node] = self.start();
        self.troubles.push(NOW.get());
    }

    pub(super) fn stop(&mut self, node: usize) {
        if self.nodes[node].stopped.is_some() || self.running().len() < 2 {
            return;
        }
        // Who is dead elsewhere could be taken for the one that is here.
        let is_elsewhere = |client: &Client| client.connections.len() > 1;
        if (0..self.clients.len()).any(|at| is_elsewhere(&self.clients[at]) && self.is_with_stopped(at)) {
            return;
        }
        for at in 0..self.clients.len() {
            while is_elsewhere(&self.clients[at]) {
                self.lose(at);
            }
        }
        let is_idle = self.is_idle(node);
        for client in &mut self.clients {
            client.is_doubtful |= !is_idle && client.connections.iter().any(|(at, _)| *at == node);
            // It may be on its way there though the connection is lost.
            if client.is_unsettled {
                client.records.clear();
                client.deleted.clear();
            }
        }
        self.nodes[node].stopped = Some((NOW.get(), NOW.get() + self.random.below(3 * LEASE)));
        self.troubles.push(NOW.get());
    }

    pub(super) fn wake(&mut self, node: usize) {
        (self.nodes[node].stopped, self.nodes[node].woken) = (None, Some(NOW.get()));
        self.troubles.push(NOW.get());
        for client in &mut self.clients {
            // For all it knows, who has gone elsewhere is still here, and has not deleted anything.
            let is_elsewhere = !client.is_here || client.connections.last().is_some_and(|(at, _)| *at != node);
            if is_elsewhere && client.connections.iter().any(|(at, _)| *at == node) {
                client.deleted.clear();
            }
        }
    }

    /// Whether a node goes on again, and has not looked around yet.
    pub(super) fn is_waking(&self, node: usize) -> bool {
        self.nodes[node].woken == Some(NOW.get()) && !self.is_idle(node)
    }
}
