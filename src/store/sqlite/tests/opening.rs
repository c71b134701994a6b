use super::{Data, any};
use crate::store::{
    OpenError, Store,
    conformance::{all, block_on, commit, upsert},
    sqlite::{Sqlite, SqliteOptions},
};
use std::{fs, io::Write};

fn refusal(data: &Data) -> OpenError {
    data.try_open(SqliteOptions::default()).unwrap_err()
}

#[test]
fn a_second_opening_is_told_who_has_it() {
    let data = Data::new();
    let store = data.open();
    assert!(matches!(refusal(&data), OpenError::InUse { pid, .. } if pid == Some(std::process::id())));
    block_on(async {
        commit(&any(&store), vec![upsert(r#"{"id":"a"}"#)]).await;
        assert_eq!(all(&any(&store)).await.len(), 1);
    });
}

#[test]
fn a_lock_of_another_process_is_respected() {
    let data = Data::new();
    let mut lock = fs::File::create(data.file("lock")).unwrap();
    lock.try_lock().unwrap();
    lock.write_all(b"4242\n").unwrap();
    assert!(matches!(refusal(&data), OpenError::InUse { pid: Some(4242), .. }));
    lock.set_len(0).unwrap();
    assert!(matches!(refusal(&data), OpenError::InUse { pid: None, .. }));
    drop(lock);
    data.open();
}

#[test]
fn closing_and_dropping_let_the_next_one_in() {
    let data = Data::new();
    let closed = data.open();
    block_on(closed.close()).unwrap();
    drop(data.open());
    data.open();
    drop(closed);
}

#[test]
fn data_of_another_version_is_left_alone() {
    let data = Data::new();
    drop(data.open());
    for version in [1, 3] {
        data.tool().pragma_update(None, "user_version", version).unwrap();
        let before = data.bytes();
        assert!(matches!(refusal(&data), OpenError::OtherVersion { found, expected: 2, .. } if found == version));
        assert_eq!(data.bytes(), before);
    }
}

#[test]
fn another_version_shows_even_where_it_is_only_in_the_wal() {
    let data = Data::new();
    drop(data.open());
    let tool = data.tool();
    tool.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 7").unwrap();
    assert!(matches!(refusal(&data), OpenError::OtherVersion { found: 7, .. }));
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let other = {
        let data = Data::new();
        data.tool().execute_batch("PRAGMA application_id = 7; CREATE TABLE t (x); INSERT INTO t VALUES (1)").unwrap();
        fs::read(data.file("backsync.db")).unwrap()
    };
    for content in [other, b"a letter to a friend".to_vec(), Vec::new(), vec![0x53; 10_000]] {
        let data = Data::new();
        fs::write(data.file("backsync.db"), content).unwrap();
        let before = data.bytes();
        assert!(matches!(refusal(&data), OpenError::NotOurs { path } if path.ends_with("backsync.db")));
        assert_eq!(data.bytes(), before);
    }
}

#[test]
fn a_wal_without_its_database_is_not_played_into_a_new_one() {
    let data = Data::new();
    fs::write(data.file("backsync.db-wal"), b"the rest of something").unwrap();
    let before = data.bytes();
    assert!(matches!(refusal(&data), OpenError::NotOurs { path } if path.ends_with("backsync.db-wal")));
    assert_eq!(data.bytes(), before);
}

#[test]
fn a_database_that_was_not_finished_is_made_anew() {
    let data = Data::new();
    fs::write(data.file("backsync.db.new"), vec![7; 20_000]).unwrap();
    data.open();
    assert!(!data.file("backsync.db.new").exists());
}

#[test]
fn a_directory_that_cannot_be_is_said_to_be_unreachable() {
    let data = Data::new();
    fs::write(data.file("file"), "").unwrap();
    let error = Sqlite::open(&data.file("file/data"), SqliteOptions::default()).unwrap_err();
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("file/data"), "{error}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_look_into_a_new_directory() {
    use std::os::unix::fs::PermissionsExt;
    let data = Data::new();
    let directory = data.file("deep/down");
    let _store = Sqlite::open(&directory, SqliteOptions::default()).unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(directory.clone()), 0o700);
    for file in ["backsync.db", "backsync.db-wal", "backsync.db-shm", "lock"] {
        assert_eq!(mode(directory.join(file)), 0o600, "{file}");
    }
}
