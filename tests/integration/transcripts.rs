//! Replays the golden dialogues of `protocol/transcripts`. `PROTOCOL.md` describes their format.

use crate::{
    client::{Client, Door, Seen},
    server::{Server, Setup, StoreKind},
};
use backsync_protocol::Position;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry},
    fs,
    path::PathBuf,
};

#[test]
fn over_a_plain_websocket() {
    replay_all(Door::Plain);
}

#[test]
fn over_the_raw_websocket_of_a_sockjs_prefix() {
    replay_all(Door::Raw);
}

#[test]
fn over_sockjs_with_values() {
    replay_all(Door::Values);
}

#[test]
fn over_sockjs_with_strings() {
    replay_all(Door::Strings);
}

#[test]
fn over_sockjs_with_streaming_responses() {
    replay_all(Door::Streaming);
}

#[test]
fn over_sockjs_with_polling() {
    replay_all(Door::Polling);
}

#[test]
fn each_has_models_of_its_own_and_says_what_it_shows() {
    let mut owners: HashMap<String, String> = HashMap::new();
    for transcript in transcripts() {
        assert!(matches!(transcript.steps.first(), Some(Step::Note)), "{} begins with a note", transcript.name);
        for model in transcript.models() {
            if let Some(other) = owners.insert(model.clone(), transcript.name.clone()) {
                panic!("{other} and {} both use the model {model}", transcript.name);
            }
        }
    }
}

#[test]
fn every_error_that_a_dialogue_can_provoke_has_one() {
    // What these need is no message: a store or a server that fails or stops.
    let others = ["store_full", "store_unavailable", "shutting_down", "internal"];
    let text: String = transcripts().iter().map(|transcript| transcript.text.as_str()).collect();
    let source = include_str!("../../protocol/PROTOCOL.md");
    let codes: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .filter(|(_, rest)| rest.starts_with("yes |") || rest.starts_with("no |"))
        .map(|(code, _)| code)
        .collect();
    assert!(codes.len() >= 20, "the table of errors in PROTOCOL.md has {codes:?}");
    for code in codes {
        serde_json::from_value::<backsync_protocol::ErrorCode>(code.into()).expect("PROTOCOL.md lists real codes");
        let shown = text.contains(&format!("\"code\":\"{code}\""));
        assert_eq!(shown, !others.contains(&code), "{code}");
    }
}

/// A dialogue of our own, with a first message that listens and a second one that is pushed to it.
fn replay(after: &str) {
    let before = r#"
        {"note":"A dialogue of which nobody knows how it ends."}
        {"on":"a","send":{"id":1,"event":"Wrong:read"}}
        {"on":"a","receive":{"id":1,"event":"Wrong:read","data":[],"position":"<position:none>"}}
        {"on":"b","send":{"id":2,"event":"Wrong:upsert","data":{"id":"x"}}}
        {"on":"b","receive":{"id":2,"event":"Wrong:upsert","data":{"id":"x","_rev":1},"position":"<position:one>"}}"#;
    let transcript = Transcript::parse("own".to_owned(), format!("{before}\n{after}").trim().to_owned());
    transcript.replay(Door::Plain, StoreKind::Memory, &Server::memory());
}

#[test]
fn a_replay_sees_that_all_is_well() {
    replay(
        r#"{"on":"a","receive":{"event":"Wrong:upsert","data":{"_rev":1,"id":"<id:x>"},"position":"<position:one>"}}"#,
    );
}

#[test]
#[should_panic(expected = "a also gets")]
fn a_replay_sees_what_was_not_received() {
    replay(r#"{"note":"The push is missing."}"#);
}

#[test]
#[should_panic(expected = "the members are")]
fn a_replay_sees_a_member_too_many() {
    replay(r#"{"on":"a","receive":{"event":"Wrong:upsert","data":{"id":"x"},"position":"<position>"}}"#);
}

#[test]
#[should_panic(expected = "is not <position:none>")]
fn a_replay_sees_another_value_for_the_same_name() {
    replay(r#"{"on":"a","receive":{"event":"Wrong:upsert","data":"<any>","position":"<position:none>"}}"#);
}

fn replay_all(door: Door) {
    let transcripts = transcripts();
    assert!(transcripts.len() >= 30, "the transcripts are there");
    for store in StoreKind::ALL {
        let shared = Server::start(Setup::new(store));
        for transcript in &transcripts {
            if transcript.settings.is_empty() {
                transcript.replay(door, store, &shared);
            } else {
                let setup = Setup::new(store);
                let setup = transcript.settings.iter().fold(setup, |setup, (key, value)| match value {
                    Value::String(text) => setup.set(key, text),
                    value => setup.set(key, value),
                });
                transcript.replay(door, store, &Server::start(setup));
            }
        }
    }
}

struct Transcript {
    name: String,
    text: String,
    settings: BTreeMap<String, Value>,
    steps: Vec<Step>,
}

enum Step {
    Note,
    Settings,
    Open { on: String, query: String },
    Send { on: String, message: Value },
    SendText { on: String, text: String },
    SendBinary { on: String, text: String },
    Receive { on: String, pattern: Value },
    Closed { on: String, code: u16 },
    Leave { on: String },
}

fn transcripts() -> Vec<Transcript> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("protocol/transcripts");
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    paths.into_iter().map(Transcript::read).collect()
}

impl Transcript {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        Self::parse(path.file_name().unwrap().to_string_lossy().into_owned(), text)
    }

    fn parse(name: String, text: String) -> Self {
        let (mut settings, mut steps) = (BTreeMap::new(), Vec::new());
        for (at, line) in text.lines().enumerate() {
            let wrong = |why: &str| -> ! { panic!("{name}:{}: {why}: {line}", at + 1) };
            let Ok(Value::Object(mut line)) = serde_json::from_str(line) else { wrong("not a JSON object") };
            let on =
                line.remove("on").map(|on| on.as_str().unwrap_or_else(|| wrong("on names a connection")).to_owned());
            let (kind, value) = line.into_iter().next().unwrap_or_else(|| wrong("nothing happens"));
            let text = |value: &Value| value.as_str().unwrap_or_else(|| wrong("text is a string")).to_owned();
            steps.push(match (kind.as_str(), on) {
                ("note", None) => Step::Note,
                ("settings", None) => {
                    settings.extend(value.as_object().unwrap_or_else(|| wrong("an object of keys")).clone());
                    Step::Settings
                }
                ("open", Some(on)) => Step::Open { on, query: text(&value) },
                ("send", Some(on)) => Step::Send { on, message: value },
                ("sendText", Some(on)) => Step::SendText { on, text: text(&value) },
                ("sendBinary", Some(on)) => Step::SendBinary { on, text: text(&value) },
                ("receive", Some(on)) => Step::Receive { on, pattern: value },
                ("closed", Some(on)) => {
                    let code = value.as_u64().and_then(|code| u16::try_from(code).ok());
                    Step::Closed { on, code: code.unwrap_or_else(|| wrong("a close code")) }
                }
                ("leave", Some(on)) if value == true => Step::Leave { on },
                _ => wrong("not a kind of line"),
            });
        }
        Self { name, text, settings, steps }
    }

    /// The models that its good messages name.
    fn models(&self) -> BTreeSet<String> {
        let of = |message: &Value| {
            let (model, _) = message["event"].as_str()?.split_once(':')?;
            backsync_protocol::ModelName::is_valid(model).then(|| model.to_owned())
        };
        let messages = self.steps.iter().flat_map(|step| match step {
            Step::Send { message: Value::Array(messages), .. } => messages.iter().collect(),
            Step::Send { message, .. } | Step::Receive { pattern: message, .. } => vec![message],
            _ => Vec::new(),
        });
        messages.filter_map(of).collect()
    }

    fn replay(&self, door: Door, store: StoreKind, server: &Server) {
        if !door.has_frames() && self.steps.iter().any(|step| matches!(step, Step::SendBinary { .. })) {
            return;
        }
        let mut connections: BTreeMap<&str, Option<Client>> = BTreeMap::new();
        let mut bound = HashMap::new();
        for (at, step) in self.steps.iter().enumerate() {
            let place = format!("{}:{} over {door:?} on {store:?}", self.name, at + 1);
            let (Step::Open { on, .. }
            | Step::Send { on, .. }
            | Step::SendText { on, .. }
            | Step::SendBinary { on, .. }
            | Step::Receive { on, .. }
            | Step::Closed { on, .. }
            | Step::Leave { on }) = step
            else {
                continue;
            };
            let query = if let Step::Open { query, .. } = step { query } else { "" };
            let connection = connections.entry(on);
            assert!(query.is_empty() || matches!(&connection, Entry::Vacant(_)), "{place}: {on} is open already");
            let connection =
                connection.or_insert_with(|| Some(Client::with_query(door, server.address(), query))).as_mut();
            let client = connection.unwrap_or_else(|| panic!("{place}: {on} is closed already"));
            match step {
                Step::Note | Step::Settings | Step::Open { .. } => {}
                Step::Send { message, .. } => match filled(message, &bound) {
                    Value::Array(messages) => client.send_all(&messages),
                    message => client.send(&message),
                },
                Step::SendText { text, .. } => client.send_text(text),
                Step::SendBinary { text, .. } => client.send_binary(text.as_bytes()),
                Step::Receive { pattern, .. } => {
                    let seen = client.see();
                    let Seen::Message(message) = &seen else { panic!("{place}: {seen:?} instead of {pattern}") };
                    matches(pattern, message, &mut bound)
                        .unwrap_or_else(|why| panic!("{place}: {why}\nexpected {pattern}\nreceived {message}"));
                }
                Step::Closed { code, .. } => {
                    let seen = client.see();
                    assert!(matches!(&seen, Seen::Closed { code: found, .. } if found == code), "{place}: {seen:?}");
                    connections.insert(on, None);
                }
                Step::Leave { .. } => drop(connections.insert(on, None)),
            }
        }
        for (on, client) in &mut connections {
            let Some(client) = client else { continue };
            for model in self.models() {
                // Whatever changed before this read stands before its answer.
                let id = json!(["the end", model]).to_string();
                let data = json!({"ids": ["the end"]});
                let options = json!({"listen": false});
                client.send(&json!({"id": id, "event": format!("{model}:read"), "data": data, "options": options}));
                let seen = client.see();
                let ended = matches!(&seen, Seen::Message(message) if message["id"] == id);
                assert!(ended, "{} over {door:?} on {store:?}: {on} also gets {seen:?}", self.name);
            }
        }
    }
}

/// What a word in angle brackets stands for.
fn wildcard(text: &str) -> Option<(&str, Option<&str>)> {
    let inner = text.strip_prefix('<')?.strip_suffix('>')?;
    let (kind, name) = inner.split_once(':').map_or((inner, None), |(kind, name)| (kind, Some(name)));
    matches!(kind, "position" | "id" | "any").then_some((kind, name))
}

/// A message with the values that were bound so far in their places.
fn filled(message: &Value, bound: &HashMap<String, Value>) -> Value {
    match message {
        Value::String(text) if wildcard(text).is_some() => {
            bound.get(text).unwrap_or_else(|| panic!("{text} is not bound yet")).clone()
        }
        Value::Array(values) => values.iter().map(|value| filled(value, bound)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), filled(value, bound)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

fn matches(pattern: &Value, value: &Value, bound: &mut HashMap<String, Value>) -> Result<(), String> {
    match (pattern, value) {
        (Value::String(text), _) if wildcard(text).is_some() => {
            let (kind, name) = wildcard(text).expect("looked at in the guard");
            let fits = match kind {
                "position" => value.as_str().is_some_and(|text| text.parse::<Position>().is_ok()),
                "id" => value.as_str().is_some_and(|text| !text.is_empty()),
                _ => true,
            };
            if !fits {
                return Err(format!("{value} is no {kind}"));
            }
            if name.is_some() && bound.entry(text.clone()).or_insert_with(|| value.clone()) != value {
                return Err(format!("{value} is not {text}, which is {}", bound[text]));
            }
            Ok(())
        }
        (Value::Array(patterns), Value::Array(values)) if patterns.len() == values.len() => {
            patterns.iter().zip(values).try_for_each(|(pattern, value)| matches(pattern, value, bound))
        }
        (Value::Object(patterns), Value::Object(values)) => {
            let names = |members: &serde_json::Map<String, Value>| members.keys().cloned().collect::<BTreeSet<_>>();
            if names(patterns) != names(values) {
                return Err(format!("the members are {:?}, not {:?}", names(values), names(patterns)));
            }
            patterns.iter().try_for_each(|(name, pattern)| matches(pattern, &values[name], bound))
        }
        _ if pattern == value => Ok(()),
        _ => Err(format!("{value} is not {pattern}")),
    }
}
