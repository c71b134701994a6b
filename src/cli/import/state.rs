//! How far an import is: kept in a file, so that it can go on.

use crate::cli::exit::Failure;
use backsync_protocol::ModelName;
use serde::{Deserialize, Serialize};
use std::{fs, io, path::PathBuf};
use uuid::Uuid;

/// What is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// The import as the server knows it. Its batches are named by their lines.
    name: String,
    model: String,
    /// Batches are cut alike each time.
    batch: u32,
    /// So many lines are done.
    lines: u64,
}

/// The state of an import, in a file where there is one.
#[derive(Debug)]
pub(super) struct State {
    path: Option<PathBuf>,
    kept: Kept,
}

impl State {
    /// Go on with the import of a file, or begin one where there is no such file.
    ///
    /// # Errors
    /// A file that is of something else, or cannot be read.
    pub(super) fn open(path: Option<PathBuf>, model: &ModelName, batch: u32) -> Result<Self, Failure> {
        let new = Kept { name: Uuid::new_v4().to_string(), model: model.to_string(), batch, lines: 0 };
        let text = match path.as_ref().map(fs::read) {
            None => return Ok(Self { path, kept: new }),
            Some(Err(cause)) if cause.kind() == io::ErrorKind::NotFound => return Ok(Self { path, kept: new }),
            Some(text) => text,
        };
        let shown = path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let text = text.map_err(|cause| Failure::failed(format!("cannot read {shown}: {cause}")))?;
        let kept: Kept = serde_json::from_slice(&text).map_err(|_| {
            Failure::failed(format!("{shown} is not the state of an import; --state takes another file"))
        })?;
        if kept.model != new.model || kept.batch != batch {
            return Err(Failure::usage(format!(
                "{shown} is of an import of {} with --batch {}: go on with these, or remove it to begin anew",
                kept.model, kept.batch
            )));
        }
        Ok(Self { path, kept })
    }

    pub(super) fn name(&self) -> &str {
        &self.kept.name
    }

    /// So many lines are done.
    pub(super) fn lines(&self) -> u64 {
        self.kept.lines
    }

    /// Keep that so many lines are done.
    ///
    /// # Errors
    /// Why that is not kept.
    pub(super) fn done(&mut self, lines: u64) -> Result<(), String> {
        self.kept.lines = lines;
        let Some(path) = &self.path else { return Ok(()) };
        // Beside it, and then in its place: there is always a whole one.
        let mut beside = path.clone().into_os_string();
        beside.push(".new");
        let json = serde_json::to_vec(&self.kept).expect("plain values");
        fs::write(&beside, json)
            .and_then(|()| fs::rename(&beside, path))
            .map_err(|cause| format!("cannot keep how far the import is in {}: {cause}", path.display()))
    }

    /// All is done.
    pub(super) fn end(&self) {
        if let Some(path) = &self.path {
            // There may be none, as after an import of nothing.
            let _ = fs::remove_file(path);
        }
    }
}
