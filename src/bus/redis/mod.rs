//! The bus of `redis://`: what happened goes by publish and subscribe, a channel for each model.
//!
//! Only models that this node follows reach it. The connection is its own, made anew where it breaks; when all that is followed
//! is confirmed again, the node is told that anything may be missing. Publications are taken in by the thread that
//! reads them, one behind the other: who is slow lets Redis wait, and no queue grows here.

mod news;
#[cfg(test)]
mod tests;

use super::{Bus, Followed, Origin, Publication, Receiver};
use crate::link::{Ask, Connection, Lane, Link};
use backsync_protocol::{ModelName, Position};
use news::{News, Source};
use redis::{PushInfo, PushKind, Value, aio::SendError};
use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
#[cfg(test)]
pub(crate) use tests::over_redis;
use tokio::{
    sync::{Notify, oneshot},
    time::{sleep, timeout},
};

/// So long somebody waits for Redis to confirm that a channel is subscribed to. The log has what comes later.
const CONFIRMATION: Duration = Duration::from_millis(250);
/// A connection on which nothing moves is asked for a sign of life so often: what is silent may be cut.
const SILENCE: Duration = Duration::from_secs(5);
/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Channels that are subscribed to in one command.
const TOGETHER: usize = 500;

/// The bus of `redis://`. It has one node.
pub struct Redis(Arc<Inner>);

struct Inner {
    link: Arc<Link>,
    /// The name of this node.
    node: String,
    /// Models that are kept together: the channel of each is where its keys are.
    groups: HashMap<ModelName, String>,
    /// The store tells the others by itself, in the same step as it commits.
    store_publishes: bool,
    receiver: OnceLock<Weak<dyn Receiver>>,
    channels: Mutex<Channels>,
    /// Something is to be subscribed to or left, or the connection is gone.
    changed: Arc<Notify>,
    is_connected: AtomicBool,
}

/// What is to be subscribed to, and what is to be left before that. One task does both, one step behind the other, and looks
/// again after each: so what is followed again is never left afterwards.
#[derive(Default)]
struct Channels {
    followed: HashMap<Vec<u8>, Channel>,
    /// No more wanted, or to be made anew because nothing comes.
    left: HashSet<Vec<u8>>,
}

/// A model that is followed.
struct Channel {
    model: ModelName,
    is_confirmed: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").field("link", &self.0.link).finish_non_exhaustive()
    }
}

impl Redis {
    /// A bus over the Redis that a link leads to, for a node of this name. `store_publishes` where the store is in the same Redis and
    /// tells of commits by itself.
    pub fn new(link: Arc<Link>, node: &str, groups: HashMap<ModelName, String>, store_publishes: bool) -> Self {
        Self(Arc::new(Inner {
            link,
            node: node.to_owned(),
            groups,
            store_publishes,
            receiver: OnceLock::new(),
            channels: Mutex::default(),
            changed: Arc::default(),
            is_connected: AtomicBool::new(false),
        }))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Whoever waits finds that there is no bus any more.
        self.0.changed.notify_one();
    }
}

impl Bus for Redis {
    fn attach(&self, receiver: Weak<dyn Receiver>) -> Origin {
        assert!(self.0.receiver.set(receiver).is_ok(), "a bus over Redis has one node");
        let inner = Arc::downgrade(&self.0);
        // It runs as long as there are both, the bus and the link.
        drop(self.0.link.spawn(run(inner)));
        Origin::new(0)
    }

    fn publish(&self, _: Origin, publication: &Publication) {
        let inner = &self.0;
        let mut command = redis::cmd(if inner.link.is_cluster() { "SPUBLISH" } else { "PUBLISH" });
        command.arg(inner.channel(&publication.model)).arg(news::encode(&inner.node, publication));
        let link = inner.link.clone();
        drop(inner.link.spawn(async move {
            if let Err(error) = link.call(Lane::Write, &Ask::Command(command)).await {
                tracing::debug!(%error, "a publication was lost; the others find what it told of in the log");
            }
        }));
    }

    fn has_others(&self, _: Origin) -> bool {
        // Who else listens to a Redis, nobody knows.
        true
    }

    fn carries_commits(&self, _: Origin) -> bool {
        !self.0.store_publishes
    }

    fn follow(&self, _: Origin, model: &ModelName) -> Followed {
        let name = self.0.channel(model);
        let Channels { followed, left } = &mut *self.0.channels();
        let channel = followed.entry(name).or_insert_with_key(|name| {
            left.remove(name);
            Channel { model: model.clone(), is_confirmed: false, waiting: Vec::new() }
        });
        if channel.is_confirmed {
            return None;
        }
        self.0.changed.notify_one();
        if !self.0.is_connected.load(Ordering::Acquire) {
            // It is subscribed to as soon as there is a connection.
            return None;
        }
        let (sender, confirmed) = oneshot::channel();
        channel.waiting.push(sender);
        Some(Box::pin(async {
            // Whether it was confirmed, given up or took too long: the log has what does not come this way.
            let _ = timeout(CONFIRMATION, confirmed).await;
        }))
    }

    fn unfollow(&self, _: Origin, model: &ModelName) {
        let name = self.0.channel(model);
        let mut channels = self.0.channels();
        if channels.followed.remove(&name).is_some() {
            channels.left.insert(name);
            self.0.changed.notify_one();
        }
    }

    fn mend(&self, _: Origin, model: &ModelName) {
        let name = self.0.channel(model);
        let Channels { followed, left } = &mut *self.0.channels();
        if let Some(channel) = followed.get_mut(&name).filter(|channel| channel.is_confirmed) {
            channel.is_confirmed = false;
            left.insert(name);
            self.0.changed.notify_one();
        }
    }
}

impl Inner {
    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn channel(&self, model: &ModelName) -> Vec<u8> {
        let tag = self.groups.get(model).map_or(model.as_str(), String::as_str);
        self.link.channel(tag, model)
    }

    /// What comes over the connection without being asked for.
    fn hear(&self, push: PushInfo) {
        match push.kind {
            PushKind::Message | PushKind::SMessage => {
                let mut data = push.data.into_iter();
                if let (Some(Value::BulkString(channel)), Some(Value::BulkString(payload))) = (data.next(), data.next())
                {
                    self.take_in(&channel, &payload);
                }
            }
            // The channel's slot has gone to another node of the cluster.
            PushKind::SUnsubscribe => {
                if let Some(Value::BulkString(channel)) = push.data.first()
                    && let Some(channel) = self.channels().followed.get_mut(channel)
                    && channel.is_confirmed
                {
                    channel.is_confirmed = false;
                    self.changed.notify_one();
                }
            }
            PushKind::Disconnection => {
                self.is_connected.store(false, Ordering::Release);
                self.changed.notify_one();
            }
            _ => {}
        }
    }

    fn take_in(&self, channel: &[u8], payload: &[u8]) {
        let Some(receiver) = self.receiver.get().and_then(Weak::upgrade) else { return };
        let Some(model) = self.followed(channel) else { return };
        match News::parse(payload) {
            Ok(news) if news.node == self.node => {}
            Ok(news) => {
                let epoch = match news.source {
                    Source::Process(process) => process.epoch(&model),
                    Source::Epoch(epoch) => epoch,
                };
                if news.changes.is_empty() {
                    receiver.stands(&model, Position { epoch, revision: news.last });
                } else {
                    receiver.receive(Publication { model, epoch, changes: news.changes.into() });
                }
            }
            Err(damaged) => tracing::warn!(%model, %damaged, "a publication cannot be read"),
        }
    }

    /// The model of a channel. One that is not followed is left: it may be on its way out, or a cluster's connection that was
    /// made anew has subscribed to it by itself.
    fn followed(&self, channel: &[u8]) -> Option<ModelName> {
        let mut channels = self.channels();
        if let Some(channel) = channels.followed.get(channel) {
            return Some(channel.model.clone());
        }
        channels.left.insert(channel.to_owned());
        self.changed.notify_one();
        None
    }

    /// Leave what is to be left, and subscribe to what is followed and not confirmed. Answers whether something was made anew.
    async fn subscribe(&self, connection: &mut Connection) -> redis::RedisResult<bool> {
        let mut had_doubts = false;
        loop {
            let (wanted, leaving): (Vec<Vec<u8>>, Vec<Vec<u8>>) = {
                let Channels { followed, left } = &mut *self.channels();
                let is_open = |(name, channel): &(&Vec<u8>, &Channel)| !channel.is_confirmed && !left.contains(*name);
                let wanted = followed.iter().filter(is_open).take(TOGETHER).map(|(name, _)| name.clone());
                let wanted: Vec<_> = wanted.collect();
                // Somebody waits for those; for these nobody does.
                let most = if wanted.is_empty() { TOGETHER } else { 0 };
                let leaving: Vec<_> = left.iter().take(most).cloned().collect();
                for name in &leaving {
                    left.remove(name);
                    had_doubts |= followed.contains_key(name);
                }
                (wanted, leaving)
            };
            if wanted.is_empty() && leaving.is_empty() {
                return Ok(had_doubts);
            }
            if wanted.is_empty() {
                connection.unsubscribe(&leaving).await?;
                continue;
            }
            connection.subscribe(&wanted).await?;
            let mut channels = self.channels();
            for name in &wanted {
                if let Some(channel) = channels.followed.get_mut(name) {
                    channel.is_confirmed = true;
                    for waiting in channel.waiting.drain(..) {
                        // Whoever waited may have given up.
                        let _ = waiting.send(());
                    }
                }
            }
        }
    }

    /// Nothing is subscribed to any more, and nobody is to wait for it.
    fn lose(&self) {
        self.is_connected.store(false, Ordering::Release);
        let mut channels = self.channels();
        channels.left.clear();
        for channel in channels.followed.values_mut() {
            channel.is_confirmed = false;
            channel.waiting.clear();
        }
    }
}

/// Keep the bus connected for as long as it is there.
async fn run(bus: Weak<Inner>) {
    let mut pause = PAUSE;
    while let Some(inner) = bus.upgrade() {
        inner.lose();
        let ear = bus.clone();
        let connecting = inner.link.subscriber(move |push| {
            if let Some(inner) = ear.upgrade() {
                inner.hear(push);
            }
            Ok::<(), SendError>(())
        });
        let lost = match connecting.await {
            Err(error) => Some(error),
            Ok(connection) => {
                inner.is_connected.store(true, Ordering::Release);
                drop(inner);
                let began = tokio::time::Instant::now();
                let lost = stay(&bus, connection).await.err();
                if began.elapsed() > LONGEST_PAUSE {
                    pause = PAUSE;
                }
                lost
            }
        };
        if let Some(error) = lost {
            tracing::debug!(%error, "the bus is away");
        }
        sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

/// Listen on a connection until it is lost, or the bus is gone.
async fn stay(bus: &Weak<Inner>, mut connection: Connection) -> redis::RedisResult<()> {
    let Some(changed) = bus.upgrade().map(|inner| inner.changed.clone()) else { return Ok(()) };
    let mut is_new = true;
    loop {
        let Some(inner) = bus.upgrade() else { return Ok(()) };
        if !inner.is_connected.load(Ordering::Acquire) && !inner.link.is_cluster() {
            return Ok(());
        }
        // A cluster's connection mends itself, and tells that something was lost.
        let was_away = inner.link.is_cluster() && !inner.is_connected.swap(true, Ordering::AcqRel);
        let had_doubts = inner.subscribe(&mut connection).await?;
        if (std::mem::take(&mut is_new) || had_doubts || was_away)
            && let Some(receiver) = inner.receiver.get().and_then(Weak::upgrade)
        {
            receiver.doubt();
        }
        drop(inner);
        if timeout(SILENCE, changed.notified()).await.is_err() {
            connection.ping().await?;
        }
    }
}
