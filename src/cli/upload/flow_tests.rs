//! The flow against a store that refuses, loses and delays.

use super::{Acknowledgement, Batch, Flow, Gathering, Item, Piece, Progress, Records, Upload};
use crate::cli::exit::Failure;
use backsync_client::{ClientError, End, ServerError};
use serde_json::Value;
use std::{cell::RefCell, rc::Rc, time::Duration};
use tokio::sync::watch;

/// Each line is a message.
struct Messages;

impl Records for Messages {
    fn records(&mut self, piece: &Piece<'_>) -> Result<Vec<Item>, String> {
        let json = serde_json::json!({"message": piece.text}).to_string();
        Ok(vec![Item { json, line: piece.line, ends_line: piece.ends }])
    }
}

const GATHERING: Gathering = Gathering { first_line: 1, records: 10, linger: Some(Duration::from_millis(50)) };

/// Stores what its rule does not refuse. The rule sees the messages of a batch and the number of the attempt.
struct Store<F> {
    stored: Rc<RefCell<Vec<String>>>,
    attempts: RefCell<usize>,
    rule: F,
}

impl<F: Fn(&[String], usize) -> Option<ClientError>> Upload for Store<F> {
    async fn start(&self, batch: &Batch) -> Result<Acknowledgement, ClientError> {
        let records: Vec<Value> = serde_json::from_str(batch.json().get()).unwrap();
        let messages: Vec<String> =
            records.iter().map(|record| record["message"].as_str().unwrap().to_owned()).collect();
        *self.attempts.borrow_mut() += 1;
        let refusal = (self.rule)(&messages, *self.attempts.borrow());
        if refusal.is_none() {
            self.stored.borrow_mut().extend(messages);
        }
        Ok(Box::pin(async move {
            tokio::task::yield_now().await;
            refusal.map_or(Ok(()), Err)
        }))
    }
}

fn refusal(code: &str, retry: bool) -> Option<ClientError> {
    Some(ClientError::Refused(ServerError::new(code, "no", retry)))
}

/// Pipe the numbers below `count`, 10 a batch; what is stored, the refused, the result. Pauses take no time.
fn pipe(
    count: usize,
    rule: impl Fn(&[String], usize) -> Option<ClientError>,
) -> (Vec<String>, u64, Result<(), Failure>) {
    let input: String = (0..count).map(|n| format!("{n}\n")).collect();
    let stored = Rc::new(RefCell::new(Vec::new()));
    let store = Store { stored: Rc::clone(&stored), attempts: RefCell::new(0), rule };
    let progress = Progress::new(true, None);
    let (_stop, stopped) = watch::channel(false);
    let flow = Flow::new(input.as_bytes(), Messages, store, GATHERING, &progress, stopped);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let result = runtime.block_on(flow.run()).and_then(|()| progress.verdict());
    if result != Err(Failure::NoConnection(End::Closed.to_string()))
        && !matches!(&result, Err(Failure::Failed(why)) if why.contains("forbidden"))
    {
        assert_eq!(progress.outstanding(), 0);
    }
    (stored.take(), refused(&progress), result)
}

/// How many lines were refused, as the verdict says it.
fn refused(progress: &Progress) -> u64 {
    let Err(Failure::Failed(verdict)) = progress.verdict() else { return 0 };
    verdict.split(' ').next().unwrap().parse().unwrap()
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|n| n.to_string()).collect()
}

#[test]
fn every_line_is_stored_once_and_in_order() {
    for count in [0, 1, 9, 10, 11, 80, 81, 1005] {
        let (stored, refused, result) = pipe(count, |batch, _| {
            assert!(batch.len() <= 10);
            None
        });
        assert_eq!((stored, refused, result), (numbers(count), 0, Ok(())));
    }
}

#[test]
fn a_full_store_is_tried_again_and_nothing_is_lost() {
    // The first three attempts, whatever they are.
    let (mut stored, refused, result) =
        pipe(200, |_, attempt| if attempt <= 3 { refusal("store_full", true) } else { None });
    let order = stored.clone();
    stored.sort_by_key(|number| number.parse::<usize>().unwrap());
    assert_eq!((stored, refused, result), (numbers(200), 0, Ok(())));
    // Only what was on its way with the refused ones came before them; they themselves kept their order.
    let place = |number: &str| order.iter().position(|other| other == number).unwrap();
    assert!(place("0") < place("10") && place("10") < place("20") && place("29") < place("80"));
}

#[test]
fn a_refused_line_is_singled_out_and_the_others_go_on() {
    let (mut stored, refused, result) = pipe(100, |batch, _| {
        if batch.iter().any(|line| line == "17" || line == "55") { refusal("invalid_data", false) } else { None }
    });
    stored.sort_by_key(|number| number.parse::<usize>().unwrap());
    let expected: Vec<String> = numbers(100).into_iter().filter(|line| line != "17" && line != "55").collect();
    assert_eq!((stored, refused), (expected, 2));
    assert_eq!(result, Err(Failure::Failed("2 lines were refused".to_owned())));
}

#[test]
fn a_line_too_large_is_singled_out() {
    let (stored, refused, _) =
        pipe(10, |batch, _| batch.iter().any(|line| line == "3").then_some(ClientError::TooLarge { bytes: 9 }));
    assert_eq!((stored.len(), refused), (9, 1));
}

#[test]
fn batches_become_smaller_where_they_are_too_many() {
    let attempts = RefCell::new(0);
    let (stored, refused, result) = pipe(1000, |batch, attempt| {
        *attempts.borrow_mut() = attempt;
        if batch.len() > 5 { refusal("limit_exceeded", false) } else { None }
    });
    assert_eq!((stored.len(), refused, result), (1000, 0, Ok(())));
    // 200 batches of 5, and what the first window cost; not three for every ten lines.
    assert!(attempts.take() < 230);
}

#[test]
fn what_would_be_refused_for_every_line_ends_at_once() {
    let attempts = RefCell::new(0);
    let (stored, _, result) = pipe(100_000, |_, attempt| {
        *attempts.borrow_mut() = attempt;
        refusal("forbidden", false)
    });
    assert_eq!((stored.len(), result), (0, Err(Failure::Failed("no (forbidden)".to_owned()))));
    assert!(attempts.take() <= 8);
    let (_, _, result) = pipe(100, |_, _| Some(ClientError::Ended(End::Closed)));
    assert!(matches!(result, Err(Failure::NoConnection(_))));
}

#[test]
fn a_line_leaves_though_no_other_follows_and_a_stop_flushes_what_was_read() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let stored = Rc::new(RefCell::new(Vec::new()));
    let store = Store { stored: Rc::clone(&stored), attempts: RefCell::new(0), rule: |_: &[String], _| None };
    let progress = Progress::new(true, None);
    let (stop, stopped) = watch::channel(false);
    runtime.block_on(async {
        use tokio::io::AsyncWriteExt;
        let (mut writer, reader) = tokio::io::duplex(1024);
        let flow = Flow::new(reader, Messages, store, GATHERING, &progress, stopped);
        let feed = async {
            writer.write_all(b"one\ntw").await.unwrap();
            while stored.borrow().is_empty() {
                tokio::task::yield_now().await;
            }
            assert_eq!(*stored.borrow(), ["one"]);
            writer.write_all(b"o\nthree").await.unwrap();
            while stored.borrow().len() < 2 {
                tokio::task::yield_now().await;
            }
            stop.send_replace(true);
        };
        let (result, ()) = tokio::join!(flow.run(), feed);
        assert_eq!(result, Ok(()));
    });
    assert_eq!(*stored.borrow(), ["one", "two", "three"]);
}
