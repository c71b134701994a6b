//! The way of the lines: read, gather, send, see acknowledged.
//!
//! What must hold: every line that is read is acknowledged or reported before [`Flow::run`] returns well; memory is
//! bounded by [`WINDOW`] batches, since nothing is read while they are on their way; batches leave in the order of their
//! lines. Where the server refuses one, nothing new is sent until that is settled, so at most the batches that were on
//! their way with it are stored before it.

use super::{
    batch::Batch,
    lines::{Lines, Piece},
    progress::Progress,
    record::Recorder,
    upload::{Acknowledgement, Upload},
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
/// The longest time that a line waits for others.
const LINGER: Duration = Duration::from_millis(50);
/// Read at most so much at once.
const CHUNK: usize = 64 * 1024;
/// The first and the longest wait before a batch is repeated that the server could not take.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

pub(super) struct Flow<'p, R, U> {
    input: R,
    upload: U,
    recorder: Recorder,
    records: usize,
    progress: &'p Progress,
    stop: watch::Receiver<bool>,
    lines: Lines,
    batch: Batch,
    /// When the batch that is being gathered leaves at the latest.
    leaves_at: Option<Instant>,
    in_flight: VecDeque<(Batch, Acknowledgement)>,
}

impl<'p, R: AsyncRead + Unpin, U: Upload> Flow<'p, R, U> {
    /// From `input` to `upload`, at most `records` in a batch, until the input ends or `stop` becomes true.
    pub(super) fn new(
        input: R,
        upload: U,
        recorder: Recorder,
        records: usize,
        progress: &'p Progress,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let (lines, batch) = (Lines::new(), Batch::default());
        let in_flight = VecDeque::new();
        Self { input, upload, recorder, records, progress, stop, lines, batch, leaves_at: None, in_flight }
    }

    /// Run to the end.
    ///
    /// # Errors
    /// Lines that were refused, input that could not be read to its end, a connection that is lost for good.
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        let read = self.read_to_end().await?;
        while let Some(piece) = self.lines.last() {
            let items = record(&mut self.recorder, self.progress, &piece);
            self.gather(items).await?;
        }
        self.send().await?;
        self.settle_all().await?;
        if let Err(cause) = read {
            return Err(Failure::failed(format!("cannot read stdin: {cause}; what was read is acknowledged")));
        }
        match self.progress.refused() {
            0 => Ok(()),
            1 => Err(Failure::failed("1 line was refused")),
            refused => Err(Failure::failed(format!("{refused} lines were refused"))),
        }
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
                    Ok(_) => {}
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

    async fn gather(&mut self, items: Vec<super::record::Item>) -> Result<(), Failure> {
        for item in items {
            if !self.batch.has_room(item.json.len(), self.records) {
                self.send().await?;
            }
            self.batch.push(item);
            self.leaves_at.get_or_insert_with(|| Instant::now() + LINGER);
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
        let Some(refusal) = self.acknowledge(&batch, answer)? else { return Ok(()) };
        let mut refused = VecDeque::from([(batch, refusal)]);
        while let Some((batch, acknowledgement)) = self.in_flight.pop_front() {
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
        Ok(())
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

fn record(recorder: &mut Recorder, progress: &Progress, piece: &Piece<'_>) -> Vec<super::record::Item> {
    if piece.ends {
        progress.line_read();
    }
    recorder.records(piece)
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
