//! The way of the lines: read, gather, send, see acknowledged.
//!
//! What must hold: every line that is read is acknowledged or reported before [`Flow::run`] returns well; memory is
//! bounded by [`WINDOW`] batches, since nothing is read while they are on their way; batches leave in the order of their
//! lines. Where the server refuses one, nothing new is sent until that is settled, so at most the batches that were on
//! their way with it are stored before it.

use super::{
    Acknowledgement, Item, Records, Upload,
    batch::Batch,
    lines::{Lines, Piece},
    progress::Progress,
};
use crate::cli::exit::Failure;
use backsync_client::{ClientError, ServerError};
use backsync_protocol::ErrorCode;
use std::{collections::VecDeque, io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

/// Batches that may be on their way at once.
const WINDOW: usize = 8;
/// Read at most so much at once.
const CHUNK: usize = 64 * 1024;
/// The first and the longest wait before a batch is repeated that the server could not take.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// How lines are gathered to batches.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Gathering {
    /// The number of the first line.
    pub(in crate::cli) first_line: u64,
    /// A batch leaves when it has so many records,
    pub(in crate::cli) records: usize,
    /// or one of them has waited so long for others; none where that depends on the lines alone.
    pub(in crate::cli) linger: Option<Duration>,
}

pub(in crate::cli) struct Flow<'p, R, M, U> {
    input: R,
    recorder: M,
    upload: U,
    records: usize,
    linger: Option<Duration>,
    progress: &'p Progress,
    stop: watch::Receiver<bool>,
    lines: Lines,
    batch: Batch,
    /// When the batch that is being gathered leaves at the latest.
    leaves_at: Option<Instant>,
    in_flight: VecDeque<(Batch, Acknowledgement)>,
}

impl<'p, R: AsyncRead + Unpin, M: Records, U: Upload> Flow<'p, R, M, U> {
    /// From `input` by `recorder` to `upload`, until the input ends or `stop` becomes true.
    pub(in crate::cli) fn new(
        input: R,
        recorder: M,
        upload: U,
        Gathering { first_line, records, linger }: Gathering,
        progress: &'p Progress,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let (lines, batch, in_flight) = (Lines::new(first_line), Batch::default(), VecDeque::new());
        Self { input, recorder, upload, records, linger, progress, stop, lines, batch, leaves_at: None, in_flight }
    }

    /// Run to the end.
    ///
    /// # Errors
    /// Input that could not be read to its end, a connection that is lost for good. Lines that were refused are in the progress.
    pub(in crate::cli) async fn run(mut self) -> Result<(), Failure> {
        let read = self.read_to_end().await?;
        while let Some(piece) = self.lines.last() {
            let items = record(&mut self.recorder, self.progress, &piece);
            self.gather(items).await?;
        }
        self.send().await?;
        self.settle_all().await?;
        if let Err(cause) = read {
            return Err(Failure::failed(format!("cannot read the input: {cause}; what was read is acknowledged")));
        }
        Ok(())
    }

    /// The inner result is the input's.
    async fn read_to_end(&mut self) -> Result<io::Result<()>, Failure> {
        loop {
            while self.in_flight.len() < WINDOW
                && let Some(piece) = self.lines.next()
            {
                let items = record(&mut self.recorder, self.progress, &piece);
                self.gather(items).await?;
            }
            let has_room = self.in_flight.len() < WINDOW;
            let leaves_at = self.leaves_at.filter(|_| has_room);
            let has_batches = !self.in_flight.is_empty();
            tokio::select! {
                answer = oldest(&mut self.in_flight), if has_batches => self.settle(answer).await?,
                read = read(&mut self.input, &mut self.lines), if has_room => match read {
                    Ok(0) => return Ok(Ok(())),
                    Ok(bytes) => self.progress.bytes_read(bytes),
                    Err(cause) => return Ok(Err(cause)),
                },
                () = sleep_until(leaves_at.unwrap_or_else(Instant::now)), if leaves_at.is_some() => self.send().await?,
                () = stopped(&mut self.stop) => return self.rest_of_buffer().await,
            }
        }
    }

    /// Stopped: what is read already still leaves.
    async fn rest_of_buffer(&mut self) -> Result<io::Result<()>, Failure> {
        while let Some(piece) = self.lines.next() {
            let items = record(&mut self.recorder, self.progress, &piece);
            self.gather(items).await?;
            while self.in_flight.len() >= WINDOW {
                let answer = oldest(&mut self.in_flight).await;
                self.settle(answer).await?;
            }
        }
        Ok(Ok(()))
    }

    async fn gather(&mut self, items: Vec<Item>) -> Result<(), Failure> {
        for item in items {
            if !self.batch.has_room(item.json.len(), self.records) {
                self.send().await?;
            }
            self.batch.push(item);
            self.leaves_at = self.leaves_at.or_else(|| self.linger.map(|linger| Instant::now() + linger));
        }
        if !self.batch.has_room(0, self.records) {
            self.send().await?;
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), Failure> {
        self.leaves_at = None;
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            let acknowledgement = self.upload.start(&batch).await?;
            self.in_flight.push_back((batch, acknowledgement));
        }
        Ok(())
    }

    async fn settle_all(&mut self) -> Result<(), Failure> {
        while !self.in_flight.is_empty() {
            let answer = oldest(&mut self.in_flight).await;
            self.settle(answer).await?;
        }
        Ok(())
    }

    /// The answer for the oldest batch. If it was refused, all others are waited for, and then those that were refused
    /// are sent again, one at a time in the order of their lines, until each record is stored or refused for itself.
    async fn settle(&mut self, answer: Result<(), ClientError>) -> Result<(), Failure> {
        let (batch, _) = self.in_flight.pop_front().expect("the oldest batch has answered");
        let mut settled = *batch.lines().end();
        let Some(refusal) = self.acknowledge(&batch, answer)? else { return self.note(settled) };
        let mut refused = VecDeque::from([(batch, refusal)]);
        while let Some((batch, acknowledgement)) = self.in_flight.pop_front() {
            settled = *batch.lines().end();
            let answer = acknowledgement.await;
            refused.extend(self.acknowledge(&batch, answer)?.map(|refusal| (batch, refusal)));
        }
        let mut pause = PAUSES.0;
        while let Some((batch, refusal)) = refused.pop_front() {
            match refusal {
                Refusal::ForNow(cause) => {
                    self.progress.waits_for_server(&cause);
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                    self.again(batch, &mut refused).await?;
                }
                Refusal::OfRecord(cause) if batch.len() == 1 => {
                    self.progress.line_refused(batch.items()[0].line, cause);
                }
                Refusal::OfRecord(cause) => {
                    if is_too_many(&cause) {
                        self.records = batch.len().div_ceil(2);
                    }
                    let (first, second) = batch.halves();
                    // Should the first half be refused too, it comes before the second again.
                    refused.push_front((second, Refusal::Unsent));
                    self.again(first, &mut refused).await?;
                }
                Refusal::Unsent => {
                    pause = PAUSES.0;
                    self.again(batch, &mut refused).await?;
                }
            }
        }
        self.note(settled)
    }

    fn note(&self, settled: u64) -> Result<(), Failure> {
        self.upload.settled(settled).map_err(Failure::Failed)
    }

    async fn again(&mut self, batch: Batch, refused: &mut VecDeque<(Batch, Refusal)>) -> Result<(), Failure> {
        let answer = self.upload.start(&batch).await?.await;
        if let Some(refusal) = self.acknowledge(&batch, answer)? {
            refused.push_front((batch, refusal));
        }
        Ok(())
    }

    /// Count what is stored, or say how it was refused.
    fn acknowledge(&self, batch: &Batch, answer: Result<(), ClientError>) -> Result<Option<Refusal>, Failure> {
        match answer {
            Ok(()) => {
                let lines = batch.items().iter().filter(|item| item.ends_line).count();
                self.progress.lines_acknowledged(u64::try_from(lines).expect("a count fits"));
                Ok(None)
            }
            Err(ClientError::Refused(cause)) if cause.retry => Ok(Some(Refusal::ForNow(cause))),
            Err(ClientError::Refused(cause)) if concerns_all(&cause) => Err(Failure::failed(cause)),
            Err(cause @ (ClientError::Refused(_) | ClientError::TooLarge { .. })) => Ok(Some(Refusal::OfRecord(cause))),
            Err(fatal) => Err(fatal.into()),
        }
    }
}

/// Why a batch is not stored.
enum Refusal {
    /// The same may succeed later.
    ForNow(ServerError),
    /// Something in it is wrong.
    OfRecord(ClientError),
    /// It was not tried by itself yet.
    Unsent,
}

/// Refused for what it is, not for what is in it: every other line would be refused too.
fn concerns_all(cause: &ServerError) -> bool {
    use ErrorCode::{Forbidden, InvalidEvent, InvalidModel, InvalidOptions, UnknownMethod};
    matches!(cause.known_code(), Some(Forbidden | InvalidEvent | InvalidModel | InvalidOptions | UnknownMethod))
}

fn is_too_many(cause: &ClientError) -> bool {
    matches!(cause, ClientError::Refused(cause) if cause.known_code() == Some(ErrorCode::LimitExceeded))
}

fn record(recorder: &mut impl Records, progress: &Progress, piece: &Piece<'_>) -> Vec<Item> {
    if piece.ends {
        progress.line_read();
    }
    match recorder.records(piece) {
        Ok(items) => {
            if items.is_empty() && piece.ends {
                progress.lines_acknowledged(1);
            }
            items
        }
        Err(cause) => {
            progress.line_refused(piece.line, cause);
            Vec::new()
        }
    }
}

async fn oldest(in_flight: &mut VecDeque<(Batch, Acknowledgement)>) -> Result<(), ClientError> {
    match in_flight.front_mut() {
        Some((_, acknowledgement)) => acknowledgement.await,
        None => std::future::pending().await,
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Who could stop it is gone, which is no reason to.
        std::future::pending::<()>().await;
    }
}

/// Cancel safe, as reading into the input's own buffer is.
async fn read(input: &mut (impl AsyncRead + Unpin), lines: &mut Lines) -> io::Result<usize> {
    let buffer = lines.buffer();
    buffer.reserve(CHUNK);
    input.take(u64::try_from(CHUNK).expect("a chunk is small")).read_buf(buffer).await
}
