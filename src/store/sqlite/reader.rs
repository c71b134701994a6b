//! Reading: each answer from one short read transaction, on threads of its own.
//!
//! A transaction begins after the question was asked, and sees what was committed until then. It ends with its answer in
//! memory, so that nobody's slowness keeps the write-ahead log from being emptied.
//!
//! The queue has room for [`ROOM`] questions. Who finds it full waits, without holding up the executor, for those before.

use super::failure::{gone, outside};
use crate::store::{Answer, StoreError};
use rusqlite::Connection;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::error;

/// Questions that may wait.
const ROOM: usize = 1024;

type Question = Box<dyn FnOnce(&Connection) + Send>;

/// The way to the threads that read.
#[derive(Debug)]
pub(super) struct Readers {
    way: Arc<Mutex<Option<mpsc::Sender<Question>>>>,
    room: Arc<Semaphore>,
}

impl Readers {
    /// A way, and its other end for [`serve`].
    pub(super) fn new() -> (Self, mpsc::Receiver<Question>) {
        let (way, questions) = mpsc::channel();
        (Self { way: Arc::new(Mutex::new(Some(way))), room: Arc::new(Semaphore::new(ROOM)) }, questions)
    }

    /// What was asked is answered still, and nothing after it.
    pub(super) fn close(&self) {
        self.way.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Have something read within one transaction.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        let question = |room: OwnedSemaphorePermit| -> Question {
            Box::new(move |connection| {
                let _room = room;
                if !answer.is_closed() {
                    // Who has gone meanwhile does not need it.
                    let _ = answer.send(within_transaction(connection, work));
                }
            })
        };
        let way = self.way.clone();
        let send = move |question| match &*way.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Err(StoreError::Closed),
            Some(way) => way.send(question).map_err(|_| gone()),
        };
        match self.room.clone().try_acquire_owned() {
            Ok(room) => {
                let sent = send(question(room));
                Answer::later(async move {
                    sent?;
                    answered.await.unwrap_or_else(|_| Err(gone()))
                })
            }
            Err(_) => {
                let room = self.room.clone();
                Answer::later(async move {
                    let room = room.acquire_owned().await.expect("nobody closes the semaphore");
                    send(question(room))?;
                    answered.await.unwrap_or_else(|_| Err(gone()))
                })
            }
        }
    }
}

/// Answer until there are no more questions.
pub(super) fn serve(connection: &Connection, questions: &Mutex<mpsc::Receiver<Question>>) {
    loop {
        let next = questions.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(question) = next else { return };
        question(connection);
    }
}

fn within_transaction<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    let read = || {
        let transaction = connection.unchecked_transaction()?;
        let answer = work(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    };
    read().map_err(|error| {
        error!(%error, "the database cannot be read");
        outside(&Arc::new(error))
    })
}
