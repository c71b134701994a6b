//! Connections that read too slowly: what would pile up for them is let go, and when they have read what is there they are told
//! what became of everything meanwhile, in short.
//!
//! A connection that is behind is in no list of listeners, so it costs the others nothing; its requests wait. The replies it
//! is owed are never let go of.

use super::{
    Hub,
    connections::{ConnectionKey, Share},
};
use backsync_protocol::CloseCode;

/// Who is behind for so many heartbeats is let go.
const PATIENCE: u8 = 2;

impl Hub {
    /// More waits for a connection than may: let go of what was pushed.
    pub(super) fn fall_behind(&mut self, index: u32) {
        let key = self.connections.key(index);
        let connection = self.connections.at(index);
        connection.outbox.let_go();
        if connection.reading {
            // What was read meanwhile cannot be told apart from what is missing.
            return self.end_slow(key);
        }
        connection.behind = Some(0);
        connection.told = 0;
        let framing = connection.framing;
        let mut live = Vec::new();
        for listening in &mut connection.listening {
            if std::mem::replace(&mut listening.share, Share::Behind) == Share::Live {
                live.push((listening.model, listening.scope.clone(), listening.slot));
            }
        }
        for (model, scope, slot) in live {
            self.uninstall(index, model, &scope, slot, framing);
        }
    }

    /// A heartbeat has passed. Answers whether the connection was too long behind, and is ended.
    pub(super) fn is_too_slow(&mut self, key: ConnectionKey) -> bool {
        let Some(connection) = self.connections.find(key) else { return false };
        let Some(turns) = connection.behind.as_mut().filter(|_| !connection.closing) else { return false };
        *turns += 1;
        let over = *turns >= PATIENCE;
        if over {
            self.end_slow(key);
        }
        over
    }

    fn end_slow(&mut self, key: ConnectionKey) {
        self.close(key, CloseCode::TryAgainLater, "the connection reads too slowly", Some(("slow_consumer", true)));
    }

    /// A connection that was behind has read all that was there: it is told of one model after the other.
    pub(super) fn next_model(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.find(key).filter(|connection| connection.told == 0) else { return };
        let Some(behind) = connection.listening.iter().find(|listening| listening.share == Share::Behind) else {
            connection.behind = None;
            return self.wake(key);
        };
        let (model, sent) = (behind.model, behind.sent);
        let listeners = self.listeners_of(model);
        // Of an era that is over it may have had more than what was surely sent, which then does not count any more.
        let since = sent.filter(|sent| sent.era == listeners.stand.era).map(|sent| sent.position);
        let model = listeners.model.clone();
        self.tell(&model, vec![key], since, false);
    }
}
