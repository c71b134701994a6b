//! When to ping and when a silent connection is lost; time is an argument.

use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug)]
pub(crate) struct Heartbeat {
    ping_after: Duration,
    idle_timeout: Duration,
    heard: Instant,
    pinged: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Ping,
    Lost,
    Wait,
}

impl Heartbeat {
    pub(crate) fn new(ping_after: Duration, idle_timeout: Duration, now: Instant) -> Self {
        Self { ping_after, idle_timeout, heard: now, pinged: false }
    }

    /// Something came, or nobody could have heard it: the silence begins now.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = false;
    }

    /// When [`Self::beat`] has something to say next.
    pub(crate) fn next(&self) -> Instant {
        let ping = self.heard + self.ping_after;
        let lost = self.heard + self.idle_timeout;
        if self.pinged { lost } else { ping.min(lost) }
    }

    pub(crate) fn beat(&mut self, now: Instant) -> Beat {
        if now >= self.heard + self.idle_timeout {
            Beat::Lost
        } else if !self.pinged && now >= self.heard + self.ping_after {
            self.pinged = true;
            Beat::Ping
        } else {
            Beat::Wait
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_first_asked_then_ended() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut heartbeat = Heartbeat::new(Duration::from_secs(10), Duration::from_secs(30), start);
        assert_eq!((heartbeat.next(), heartbeat.beat(at(9))), (at(10), Beat::Wait));
        assert_eq!((heartbeat.beat(at(10)), heartbeat.beat(at(11))), (Beat::Ping, Beat::Wait));
        heartbeat.heard(at(12));
        assert_eq!((heartbeat.next(), heartbeat.beat(at(22))), (at(22), Beat::Ping));
        assert_eq!((heartbeat.next(), heartbeat.beat(at(42))), (at(42), Beat::Lost));
    }
}
