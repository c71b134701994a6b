//! The server's own log as the model `ServerLog`.

use crate::{
    broker::Broker,
    store::{Operation, Terms},
    telemetry::{Line, Lines},
};
use backsync_protocol::{ModelName, RecordId, RecordInput};

/// Lines that are written in one step.
const BATCH: usize = 256;

/// A line longer than this is not kept: it would be more than a message may be.
const MAX_BYTES: usize = 64 << 10;

/// Write lines as records, for as long as there are any. A failure is not logged: it would only make another line.
pub(super) async fn write(broker: Broker, mut lines: Lines) {
    let model = ModelName::parse("ServerLog").expect("letters are an allowed name");
    let mut batch = Vec::with_capacity(BATCH);
    while lines.next_batch(&mut batch, BATCH).await > 0 {
        let operations = batch.drain(..).filter_map(|line| operation(&line)).collect();
        let _ = broker.write(&model, operations).await;
    }
}

fn operation(line: &Line) -> Option<Operation> {
    let json = serde_json::value::to_raw_value(&line.to_json()).ok().filter(|json| json.get().len() <= MAX_BYTES)?;
    let id = RecordId::parse(&uuid::Uuid::now_v7().to_string()).ok()?;
    let record = RecordInput::parse((&*json).into(), || id).ok()?;
    Some(Operation::Upsert { record, replace: false, terms: Terms::default() })
}
