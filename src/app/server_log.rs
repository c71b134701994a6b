//! The lines of a log as records of a model.

use crate::{
    broker::{Broker, record_of},
    store::{Operation, Terms},
    telemetry::{Line, Lines},
};
use backsync_protocol::ModelName;
use std::time::Duration;

/// Lines that are written in one step.
const BATCH: usize = 256;

/// A line longer than this is not kept: it would be more than a message may be.
const MAX_BYTES: usize = 64 << 10;

/// After a failure. What comes meanwhile waits in the layer's queue, and is dropped and counted when that is full.
const PAUSE: Duration = Duration::from_secs(1);

/// Write lines as records, for as long as there are any. A failure is not logged: it would only make another line.
pub(super) async fn write(broker: Broker, model: ModelName, mut lines: Lines) {
    let mut batch = Vec::with_capacity(BATCH);
    while lines.next_batch(&mut batch, BATCH).await > 0 {
        let operations = batch.drain(..).filter_map(|line| operation(&line)).collect();
        if broker.write(&model, operations).await.is_err() {
            // The broker has logged that, which is the next line to be written: one a second is enough.
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn operation(line: &Line) -> Option<Operation> {
    let record = record_of(&line.to_json()).ok().filter(|record| record.size() <= MAX_BYTES)?;
    Some(Operation::Upsert { record, replace: false, terms: Terms::default() })
}
