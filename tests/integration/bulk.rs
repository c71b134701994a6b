//! `import` and `export`: whole models as lines, each record once, also when they are ended in the middle.

use crate::{
    client::Client,
    random::Random,
    server::{Process, Server, Setup, client_command},
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};
use tempfile::TempDir;

fn run(server: &Server, arguments: &[&str]) -> Output {
    client_command(server, arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn file(folder: &TempDir, name: &str, lines: impl IntoIterator<Item = String>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, lines.into_iter().collect::<Vec<_>>().join("\n")).unwrap();
    path
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn records(server: &Server, model: &str) -> Vec<Value> {
    let records = Client::connect(server).must(&format!("{model}:read"), json!(null));
    serde_json::from_value(records).unwrap()
}

#[test]
fn an_import_that_is_killed_again_and_again_does_everything_once() {
    const LINES: u64 = 20_000;
    let (server, folder) = (Server::start(Setup::memory()), TempDir::new().unwrap());
    let path = file(&folder, "lines.ndjson", (0..LINES).map(|n| json!({"n": n}).to_string()));
    let command = || {
        let mut command = client_command(&server, &["import", "Line", shown(&path), "--quiet", "--batch", "50"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Process(command.spawn().unwrap())
    };
    let mut random = Random::seeded(7);
    let mut edited = Vec::new();
    for round in 0..6 {
        let mut import = command();
        let mut watcher = Client::connect(&server);
        watcher.must("Line:subscribe", json!(null));
        // In the middle of it: a batch is on its way.
        for _ in 0..random.below(1000) + 1 {
            watcher.receive();
        }
        import.0.kill().unwrap();
        import.wait();
        // Whoever goes on writes nothing over this.
        let last = records(&server, "Line").pop().unwrap();
        let edit = json!({"id": last["id"], "n": format!("edited in round {round}")});
        edited.push(edit.clone());
        Client::connect(&server).must("Line:upsert", edit);
    }
    assert_eq!(command().wait().code(), Some(0));
    let records = records(&server, "Line");
    let is_edited = |record: &Value| record["n"].is_string();
    assert_eq!(records.iter().filter(|record| is_edited(record)).count(), edited.len());
    let wrong = records.iter().zip(0..).find(|(record, n)| !is_edited(record) && record["n"] != json!(n));
    assert_eq!((records.len() as u64, wrong), (LINES, None), "not each line once and in order");
    let revision = records.iter().map(|record| record["_rev"].as_u64().unwrap()).max().unwrap();
    assert_eq!(revision, LINES + edited.len() as u64);
    assert_eq!(names(&folder), ["lines.ndjson"], "when all is done there is nothing to go on with");
}

#[test]
fn lines_that_are_no_records_are_named_and_the_others_go_on() {
    let (server, folder) = (Server::start(Setup::memory()), TempDir::new().unwrap());
    let long = json!({"id": "x".repeat(300)}).to_string();
    let lines = [r#"{"id":"a"}"#, "", "[1]", &long, r#"{"id":"b"}"#].map(str::to_owned);
    let path = file(&folder, "lines.ndjson", lines);
    let output = run(&server, &["import", "Line", shown(&path)]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("line 3 was refused: it is no JSON object"), "{said}");
    assert!(said.contains("line 4 was refused") && said.contains("2 lines were refused"), "{said}");
    assert_eq!(records(&server, "Line"), [json!({"id": "a", "_rev": 1}), json!({"id": "b", "_rev": 2})]);
}

#[test]
fn an_atomic_import_is_all_or_nothing() {
    let (server, folder) = (Server::start(Setup::memory()), TempDir::new().unwrap());
    let lines =
        |last: &str| (0..3000).map(|n| json!({"id": n}).to_string()).chain([last.to_owned()]).collect::<Vec<_>>();
    for wrong in ["{", r#"{"id":{}}"#] {
        let output = run(&server, &["import", "Line", shown(&file(&folder, "wrong", lines(wrong))), "--atomic"]);
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains("line 3001"), "{said}");
        assert_eq!(records(&server, "Line"), [Value::Null; 0]);
    }
    let output = run(&server, &["import", "Line", shown(&file(&folder, "right", lines("{}"))), "--atomic"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(records(&server, "Line").len(), 3001);
    let much = file(&folder, "much", (0..20_000).map(|n| json!({"id": n, "text": "x".repeat(100)}).to_string()));
    let output = run(&server, &["import", "Much", shown(&much), "--atomic"]);
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("more than the server takes at once"), "{said}");
}

#[test]
fn what_is_exported_is_imported_as_it_was() {
    let (server, folder) = (Server::start(Setup::memory()), TempDir::new().unwrap());
    let mut client = Client::connect(&server);
    let big = "123456789012345678901234567890.10";
    for n in 0..25 {
        client.must(
            "User:upsert",
            serde_json::from_str(&format!(r#"{{"id":"u{n}","n":{n},"team":{}}}"#, n % 2)).unwrap(),
        );
    }
    client.must("User:upsert", json!({"id": "u3", "name": "Ada \u{1b}[2J", "at": {"_rev": 1}}));
    let path = folder.path().join("users.ndjson");
    fs::write(folder.path().join("one.ndjson"), format!("{{\"id\":\"big\",\"n\":{big}}}")).unwrap();
    assert!(run(&server, &["import", "User", shown(&folder.path().join("one.ndjson"))]).status.success());
    let output = run(&server, &["export", "User", "--output", shown(&path), "--page", "4"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(names(&folder), ["one.ndjson", "users.ndjson"]);
    let lines = fs::read_to_string(&path).unwrap();
    assert!(lines.ends_with(&format!("{{\"id\":\"big\",\"n\":{big}}}\n")) && !lines.contains(",\"_rev\""), "{lines}");
    assert!(run(&server, &["import", "Copy", shown(&path)]).status.success());
    let copied = run(&server, &["export", "Copy", "--quiet"]);
    assert_eq!(text(&copied.stdout), lines);
    assert_eq!(text(&run(&server, &["export", "Copy", "--quiet", "--output", "-"]).stdout), lines);
    let even = run(&server, &["export", "User", "--where", r#"{"team":0}"#, "--quiet"]);
    assert_eq!(text(&even.stdout).lines().count(), 13);
    let wrong = run(&server, &["export", "User", "--where", r#"{"$near":0}"#]);
    assert!(wrong.status.code() == Some(1) && text(&wrong.stderr).contains("$near"), "{}", text(&wrong.stderr));
}

#[test]
fn an_export_that_is_killed_goes_on_where_it_was_while_others_write() {
    const RECORDS: u64 = 20_000;
    let (server, folder) = (Server::start(Setup::memory()), TempDir::new().unwrap());
    let lines = file(&folder, "lines.ndjson", (0..RECORDS).map(|n| json!({"id": n, "n": n}).to_string()));
    assert!(run(&server, &["import", "Line", shown(&lines), "--quiet"]).status.success());
    let path = folder.path().join("export.ndjson");
    let command = || {
        let mut command =
            client_command(&server, &["export", "Line", "--output", shown(&path), "--quiet", "--page", "10"]);
        Process(command.stdin(Stdio::null()).spawn().unwrap())
    };
    let mut writer = Client::connect(&server);
    let mut deleted = 0;
    for round in 0..4 {
        let mut export = command();
        let state = folder.path().join("export.ndjson.export");
        let before = fs::read(&state).ok();
        while fs::read(&state).ok() == before {
            std::thread::yield_now();
        }
        export.0.kill().unwrap();
        export.wait();
        // Before and behind where it is.
        for id in [round, RECORDS - 1 - round] {
            writer.must("Line:delete", json!({"id": id}));
        }
        deleted += 1;
        writer.must("Line:upsert", json!({"id": round + 10, "n": "changed"}));
    }
    writer.must("Line:upsert", json!({"id": "new"}));
    assert_eq!(command().wait().code(), Some(0));
    let exported = fs::read_to_string(&path).unwrap();
    let ids: Vec<Value> =
        exported.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
    let mut expected: Vec<Value> = (0..RECORDS - deleted).map(|n| json!(n.to_string())).collect();
    expected.push(json!("new"));
    assert_eq!(ids.len(), expected.len());
    assert!(ids == expected, "not each record once and in order");
    let other = run(&server, &["export", "Other", "--output", shown(&path)]);
    assert_eq!(other.status.code(), Some(0), "what ended well is not gone on with");
}
