//! All lines in one transaction.

use super::{Model, record::Recorder};
use crate::cli::{
    exit::Failure,
    upload::{Batch, Piece, Progress, Records, Upload},
};
use backsync_client::ClientError;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// More bytes than this no server takes at once.
const LARGEST: usize = 256 << 20;

/// Write all lines of the input, or none.
pub(super) async fn write(
    mut input: impl AsyncBufRead + Unpin,
    mut recorder: Recorder,
    model: &Model,
    progress: &Progress,
) -> Result<(), Failure> {
    let (mut batch, mut bytes, mut line) = (Batch::default(), Vec::new(), 0);
    let mut size = 0;
    loop {
        bytes.clear();
        let read = input.read_until(b'\n', &mut bytes).await;
        if read.map_err(|cause| Failure::failed(format!("cannot read the input: {cause}; nothing was written")))? == 0 {
            break;
        }
        line += 1;
        size += bytes.len();
        if size > LARGEST {
            return Err(too_large());
        }
        let text = String::from_utf8_lossy(&bytes);
        let replaced = matches!(text, std::borrow::Cow::Owned(_));
        let items = recorder.records(&Piece { line, text, replaced, ends: true });
        for item in items.map_err(|cause| Failure::failed(format!("line {line}: {cause}; nothing was written")))? {
            batch.push(item);
        }
        progress.bytes_read(bytes.len());
        progress.line_read();
    }
    if !batch.is_empty() {
        let answer = Upload::start(&model, &batch).await?.await;
        answer.map_err(|cause| match cause {
            ClientError::TooLarge { .. } => too_large(),
            ClientError::Refused(cause) => match cause.element.and_then(|element| batch.items().get(element)) {
                Some(item) => Failure::failed(format!("line {}: {cause}; nothing was written", item.line)),
                None => Failure::failed(format!("{cause}; nothing was written")),
            },
            other => other.into(),
        })?;
    }
    progress.lines_acknowledged(line);
    progress.finish();
    model.client.close().await;
    Ok(())
}

fn too_large() -> Failure {
    Failure::failed("this is more than the server takes at once (limits.message_bytes); nothing was written")
}
