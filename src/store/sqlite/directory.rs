//! The data directory: whose it is, and whether what lies in it is ours.
//!
//! Nothing but the `lock` file is touched before the database is known to be ours. SQLite never sees another program's
//! file, because opening alone may make it repair that file.

use super::schema;
use crate::store::OpenError;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

const DATABASE: &str = "backsync.db";
const LOCK: &str = "lock";
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;

/// A data directory that nobody else works with for as long as this lives.
#[derive(Debug)]
pub(super) struct Directory {
    database: PathBuf,
    _lock: Lock,
}

impl Directory {
    /// Make the directory and its database where they are missing, and keep others out.
    ///
    /// # Errors
    /// Every kind of [`OpenError`].
    pub(super) fn claim(path: &Path) -> Result<Self, OpenError> {
        let unreachable = |error| unreachable(path, error);
        create(path).map_err(unreachable)?;
        // Absolute, so that it stays right wherever the process goes, and no name is taken for a `file:` address.
        let path = path.canonicalize().map_err(unreachable)?;
        let database = path.join(DATABASE);
        let (lock, made) = lock(&path)?;
        // The database is looked at under the lock only: to close a file drops every POSIX lock this process has on it,
        // also those of a store that is open.
        if let Err(error) = prepare(&path, &database) {
            if made {
                // It was left in a directory that is not ours.
                let _ = fs::remove_file(path.join(LOCK));
            }
            return Err(error);
        }
        Ok(Self { database, _lock: lock })
    }

    /// The database's file.
    pub(super) fn database(&self) -> &Path {
        &self.database
    }
}

/// Held, with this process's number in its file.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // So that the next owner is not taken for this one before its number is written.
        let _ = self.0.set_len(0);
    }
}

pub(super) fn unreachable(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> OpenError {
    OpenError::Unreachable { path: path.to_owned(), source: source.into() }
}

fn create(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A file that only its owner may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Take the lock; whether its file is new, too.
fn lock(directory: &Path) -> Result<(Lock, bool), OpenError> {
    let path = directory.join(LOCK);
    let unreachable = |error| unreachable(&path, error);
    let (mut file, made) = match private().create_new(true).open(&path) {
        Ok(file) => (file, true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            (private().create(true).truncate(false).open(&path).map_err(unreachable)?, false)
        }
        Err(error) => return Err(unreachable(error)),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let read = file.take(20).read_to_string(&mut pid);
            let pid = read.ok().and_then(|_| pid.trim().parse().ok());
            return Err(OpenError::InUse { path: directory.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(unreachable(error)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(unreachable)?;
    Ok((Lock(file), made))
}

/// See to it that there is a database of ours.
fn prepare(directory: &Path, database: &Path) -> Result<(), OpenError> {
    match File::open(database) {
        Ok(file) => check(database, file),
        Err(error) if error.kind() == ErrorKind::NotFound => make(directory, database),
        Err(error) => Err(unreachable(database, error)),
    }
}

/// Judge a database by its first bytes.
fn check(path: &Path, file: File) -> Result<(), OpenError> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    file.take(HEADER_BYTES as u64).read_to_end(&mut header).map_err(|error| unreachable(path, error))?;
    // https://www.sqlite.org/fileformat2.html#the_database_header
    let number = |at: usize| {
        header.get(at..at + 4).map(|bytes| i32::from_be_bytes(bytes.try_into().expect("a slice of four bytes")))
    };
    if !header.starts_with(MAGIC) || number(68) != Some(schema::APPLICATION) {
        return Err(OpenError::NotOurs { path: path.to_owned() });
    }
    match number(60) {
        Some(schema::FORMAT) => Ok(()),
        found => Err(other_version(path, found.unwrap_or_default())),
    }
}

pub(super) fn other_version(path: &Path, found: i32) -> OpenError {
    OpenError::OtherVersion { path: path.to_owned(), found: found.into(), expected: schema::FORMAT.into() }
}

/// Make the database under another name and then give it its own, so that there is never half a database.
fn make(directory: &Path, database: &Path) -> Result<(), OpenError> {
    let wal = directory.join(format!("{DATABASE}-wal"));
    if wal.metadata().is_ok_and(|found| found.len() > 0) {
        // The rest of some database that went away: SQLite would play it into the new one.
        return Err(OpenError::NotOurs { path: wal });
    }
    let draft = directory.join(format!("{DATABASE}.new"));
    let unreachable = |error| unreachable(&draft, error);
    let file = private().create(true).truncate(true).open(&draft).map_err(unreachable)?;
    schema::create(&draft).map_err(|error| self::unreachable(&draft, error))?;
    file.sync_all().map_err(unreachable)?;
    fs::rename(&draft, database).map_err(unreachable)?;
    #[cfg(unix)]
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(unreachable)?;
    Ok(())
}
