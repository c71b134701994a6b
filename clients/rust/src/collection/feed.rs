//! From the subscription into the view, and on to those who hear of changes.
//!
//! A task of the collection takes events in as they come; whoever asks for records first takes in what is here already. So
//! what a reply says is in the collection when the reply is: the push of a write stands before its reply.

use super::{
    changes::{Change, Changes},
    view::View,
};
use crate::subscription::{Event, Subscription};
use serde::de::DeserializeOwned;
use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};
use tokio::sync::mpsc;

#[derive(Debug)]
pub(super) struct Shared<T>(Mutex<Feed<T>>);

#[derive(Debug)]
pub(super) struct Feed<T> {
    pub(super) view: View<T>,
    /// None when it has ended.
    subscription: Option<Subscription>,
    readers: Vec<Reader<T>>,
    last_reader: u64,
}

#[derive(Debug)]
struct Reader<T> {
    number: u64,
    /// None when nothing comes any more.
    changes: Option<mpsc::Sender<Change<T>>>,
    /// It had no room for a change.
    behind: bool,
}

impl<T> Shared<T> {
    pub(super) fn new(view: View<T>, subscription: Subscription) -> Arc<Self> {
        let feed = Feed { view, subscription: Some(subscription), readers: Vec::new(), last_reader: 0 };
        Arc::new(Self(Mutex::new(feed)))
    }

    /// Never held while anything is waited for.
    pub(super) fn lock(&self) -> MutexGuard<'_, Feed<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stop listening; readers end when they have read what they have.
    pub(super) fn end(&self) {
        let mut feed = self.lock();
        feed.readers.iter_mut().for_each(|reader| reader.changes = None);
        let subscription = feed.subscription.take();
        drop(feed);
        // It knows its client, and may be the last to do so.
        drop(subscription);
    }
}

impl<T: DeserializeOwned> Shared<T> {
    /// Take events in until there are no more.
    pub(super) async fn run(self: Arc<Self>) {
        poll_fn(|cx| self.lock().poll(cx)).await;
        self.end();
    }

    /// With everything that is here already taken in.
    pub(super) fn current(&self) -> MutexGuard<'_, Feed<T>> {
        let mut feed = self.lock();
        while let Some(event) = feed.subscription.as_mut().and_then(Subscription::try_next) {
            feed.take_in(event);
        }
        feed
    }

    /// Somebody more who hears of changes, from what there is now.
    pub(super) fn reader(self: &Arc<Self>, buffer: usize) -> Changes<T> {
        let (sender, changes) = mpsc::channel(buffer.max(1));
        let mut feed = self.current();
        feed.last_reader += 1;
        let number = feed.last_reader;
        let sender = feed.subscription.is_some().then_some(sender);
        feed.readers.push(Reader { number, changes: sender, behind: true });
        Changes { changes, number, shared: self.clone() }
    }
}

impl<T: DeserializeOwned> Feed<T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(subscription) = &mut self.subscription {
            match subscription.poll(cx) {
                Poll::Ready(Some(event)) => self.take_in(event),
                Poll::Ready(None) => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }

    fn take_in(&mut self, event: Event) {
        let mut changes = Vec::new();
        self.view.apply(event, &mut changes);
        for change in &changes {
            self.readers.retain_mut(|reader| reader.tell(change));
        }
    }
}

impl<T> Feed<T> {
    /// What a reader gets in the place of what it missed, when it has read all that it has.
    pub(super) fn catch_up(&mut self, number: u64, unread: &mpsc::Receiver<Change<T>>) -> Option<Change<T>> {
        let reader = self.readers.iter_mut().find(|reader| reader.number == number && reader.behind)?;
        if !unread.is_empty() {
            return None;
        }
        reader.behind = false;
        Some(self.view.reset())
    }
}

impl<T> Reader<T> {
    /// Whether it is still there.
    fn tell(&mut self, change: &Change<T>) -> bool {
        let Some(changes) = &self.changes else { return true };
        if !self.behind {
            self.behind = matches!(changes.try_send(change.clone()), Err(mpsc::error::TrySendError::Full(_)));
        }
        !changes.is_closed()
    }
}
