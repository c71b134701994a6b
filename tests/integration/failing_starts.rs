//! Starts that must fail: by exit code 1 or 2, with one line that says what to do, and without touching what is there.

use crate::{
    client::Client,
    server::{Process, Server, Setup, program, run},
};
use serde_json::json;
use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    process::Command,
};

/// The exit code, and what stands on stderr.
fn failure(command: &mut Command) -> (Option<i32>, String) {
    let output = run(command);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[track_caller]
fn says(stderr: &str, words: &[&str]) {
    for word in words {
        assert!(stderr.contains(word), "no {word:?} in {stderr:?}");
    }
}

/// A data directory that was used and left in order.
fn used() -> Setup {
    let mut server = Server::start(Setup::sqlite());
    Client::connect(&server).must("Kept:upsert", json!({"id": "x"}));
    server.ask_to_stop();
    assert!(server.ended().success());
    server.setup().clone()
}

#[test]
fn a_data_directory_has_one_owner() {
    let server = Server::start(Setup::sqlite());
    let mut client = Client::connect(&server);
    client.must("Kept:upsert", json!({"id": "x"}));
    let (code, stderr) = failure(&mut server.setup().command());
    assert_eq!(code, Some(1), "{stderr}");
    says(&stderr, &["in use", &format!("process {}", server.pid()), &server.setup().data().display().to_string()]);
    // The first one did not notice.
    assert_eq!(client.must("Kept:upsert", json!({"id": "y"}))["_rev"], 2);
}

#[test]
fn a_killed_owner_does_not_keep_its_directory() {
    let mut server = Server::start(Setup::sqlite().on_a_lasting_port());
    Client::connect(&server).must("Kept:upsert", json!({"id": "x"}));
    server.kill();
    server.restart();
    assert_eq!(Client::connect(&server).must("Kept:read", json!(null)), json!([{"id": "x", "_rev": 1}]));
}

#[test]
fn data_of_another_version_is_left_as_it_is() {
    let setup = used();
    let database = setup.data().join("backsync.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute_batch("PRAGMA user_version = 7").unwrap();
    drop(connection);
    let before = fs::read(&database).unwrap();
    let (code, stderr) = failure(&mut setup.command());
    assert_eq!(code, Some(1), "{stderr}");
    says(&stderr, &["format 7", "format 2", "backsync.db"]);
    assert_eq!(fs::read(&database).unwrap(), before);
}

#[test]
fn what_is_not_ours_is_left_as_it_is() {
    let somebodys = |path: &std::path::Path| {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)").unwrap();
    };
    let contents: [&dyn Fn(&std::path::Path); 3] =
        [&|path| fs::write(path, "my notes").unwrap(), &|path| fs::write(path, "").unwrap(), &|path| somebodys(path)];
    for content in contents {
        let setup = Setup::sqlite();
        fs::create_dir(setup.data()).unwrap();
        let database = setup.data().join("backsync.db");
        content(&database);
        let before = fs::read(&database).unwrap();
        let (code, stderr) = failure(&mut setup.command());
        assert_eq!(code, Some(1), "{stderr}");
        says(&stderr, &["is not a backsync database", "backsync.db"]);
        assert_eq!(fs::read(&database).unwrap(), before);
        assert_eq!(fs::read_dir(setup.data()).unwrap().count(), 1, "nothing was left there");
    }
}

#[test]
fn a_data_directory_that_is_a_file_is_told() {
    let setup = Setup::sqlite();
    fs::write(setup.data(), "x").unwrap();
    let (code, stderr) = failure(&mut setup.command());
    assert_eq!(code, Some(1), "{stderr}");
    says(&stderr, &["cannot open", &setup.data().display().to_string()]);
}

#[test]
fn a_port_in_use_is_told_with_the_way_out() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    for setup in [Setup::memory(), Setup::sqlite()] {
        let (code, stderr) = failure(&mut setup.clone().listen_on(address).command());
        assert_eq!(code, Some(1), "{stderr}");
        says(&stderr, &[&format!("cannot listen on {address}"), "--listen"]);
        // The directory was not kept.
        Server::start(setup);
    }
}

#[test]
fn an_unknown_key_is_told_with_the_nearest_one() {
    let setup = Setup::memory();
    let (code, stderr) = failure(&mut setup.clone().set("limits.dept", 3).command());
    assert_eq!(code, Some(2), "{stderr}");
    says(&stderr, &["unknown key `limits.dept`", "did you mean `limits.depth`?"]);
    let (code, stderr) = failure(setup.command().env("BACKSYNC_SERVER__LISTN", "127.0.0.1:0"));
    assert_eq!(code, Some(2), "{stderr}");
    says(&stderr, &["did you mean BACKSYNC_SERVER__LISTEN?"]);
    let file = setup.folder().join("backsync.toml");
    fs::write(&file, "[heartbeat]\ninterval = 3\n").unwrap();
    let (code, stderr) = failure(setup.command().arg("--config").arg(&file));
    assert_eq!(code, Some(2), "{stderr}");
    says(&stderr, &["unknown key `heartbeat.interval`", "did you mean `heartbeat.interval_s`?", "backsync.toml"]);
}

#[test]
fn a_wrong_value_is_told_with_the_right_ones() {
    for (key, value, right) in [
        ("limits.depth", "400", "1 to 120 are right"),
        ("limits.depth", "deep", "a whole number"),
        ("store.max_bytes", "-1", "a whole number of 0 or more"),
        ("log.level", "lod", "is no level"),
        ("models.a/b.max_records", "3", "is no name of a model"),
    ] {
        let (code, stderr) = failure(&mut Setup::memory().set(key, value).command());
        assert_eq!(code, Some(2), "{key}={value}: {stderr}");
        says(&stderr, &[right]);
    }
    let (code, stderr) = failure(program().args(["serve", "--config", "/nowhere/backsync.toml"]));
    assert_eq!(code, Some(2), "{stderr}");
    says(&stderr, &["cannot read the settings file /nowhere/backsync.toml"]);
}

#[test]
fn a_client_without_a_server_ends_with_3() {
    // Nobody listens where nobody accepts.
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("ws://{}/ws", taken.local_addr().unwrap());
    drop(taken);
    let mut send = Process(program().args(["send", "Kept:read", "--url", &url]).spawn().unwrap());
    assert_eq!(send.wait().code(), Some(3));
}
