//! Where an export goes: to stdout, or to a file that is there when it is whole.

use crate::cli::{exit::Failure, output::Output};
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// What is exported.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) model: String,
    /// As it was given.
    #[serde(rename = "where")]
    pub(super) filter: Option<String>,
}

/// How far an export is.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    source: Source,
    /// Where the next page begins, and
    after: Option<String>,
    /// where in the file that is.
    bytes: u64,
}

/// What is written to.
#[derive(Debug)]
pub(super) enum Target {
    /// Whoever reads it.
    Stdout(Output),
    /// A file.
    File(Part),
}

/// A file that is not whole yet.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    file: File,
    kept: Kept,
}

impl Target {
    /// Begin, or go on where an export of the same to the same file was.
    ///
    /// # Errors
    /// Where a file is of another export, or cannot be read or written.
    pub(super) fn open(path: Option<PathBuf>, source: Source) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self::Stdout(Output::stdout())) };
        let failed = |cause: io::Error| cannot_write(&path, &cause);
        let kept = match fs::read(beside(&path, "export")) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Kept { source, after: None, bytes: 0 },
            Err(cause) => return Err(failed(cause)),
            Ok(text) => {
                let state = beside(&path, "export");
                let other =
                    || Failure::failed(format!("{} is of another export; remove it to begin anew", state.display()));
                serde_json::from_slice::<Kept>(&text).ok().filter(|kept| kept.source == source).ok_or_else(other)?
            }
        };
        let mut file =
            File::options().create(true).write(true).truncate(false).open(beside(&path, "part")).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        if length < kept.bytes {
            let (part, state) = (beside(&path, "part"), beside(&path, "export"));
            let message =
                format!("{} is shorter than {} says; remove both to begin anew", part.display(), state.display());
            return Err(Failure::failed(message));
        }
        file.set_len(kept.bytes).and_then(|()| file.seek(SeekFrom::End(0))).map_err(failed)?;
        Ok(Self::File(Part { path, file, kept }))
    }

    /// Where the next page begins; none at the beginning.
    pub(super) fn after(&self) -> Option<&str> {
        match self {
            Self::Stdout(_) => None,
            Self::File(part) => part.kept.after.as_deref(),
        }
    }

    /// Write a page, behind which another one begins, if there is one.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) async fn write(&mut self, text: &str, next: Option<&str>) -> Result<(), Failure> {
        match self {
            Self::Stdout(output) => output.write(text).await,
            Self::File(part) => part.write(text, next).map_err(|cause| cannot_write(&part.path, &cause)),
        }
    }

    /// All is there.
    ///
    /// # Errors
    /// Where the file cannot be given its name.
    pub(super) fn end(self) -> Result<(), Failure> {
        let Self::File(part) = self else { return Ok(()) };
        let path = &part.path;
        let named = part.file.sync_all().and_then(|()| fs::rename(beside(path, "part"), path));
        named.map_err(|cause| cannot_write(path, &cause))?;
        // There is none of an export that was one page.
        let _ = fs::remove_file(beside(path, "export"));
        Ok(())
    }
}

impl Part {
    fn write(&mut self, text: &str, next: Option<&str>) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        let Some(next) = next else { return Ok(()) };
        self.kept.bytes += u64::try_from(text.len()).expect("a length fits");
        self.kept.after = Some(next.to_owned());
        let json = serde_json::to_vec(&self.kept).expect("plain values");
        // There is always a whole one.
        fs::write(beside(&self.path, "export.new"), json)?;
        fs::rename(beside(&self.path, "export.new"), beside(&self.path, "export"))
    }
}

fn beside(path: &Path, what: impl AsRef<OsStr>) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}

fn cannot_write(path: &Path, cause: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {cause}", path.display()))
}
