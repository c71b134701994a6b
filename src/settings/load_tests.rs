use super::*;
use crate::settings::{LogFormat, StoreUrl};
use std::{collections::BTreeSet, num::NonZeroU32};

const EXAMPLE: &str = include_str!("../../deploy/backsync.toml");

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn load(file: &str, environment: &[(&str, &str)], overrides: &[(&str, &str)]) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backsync.toml");
    std::fs::write(&path, file).unwrap();
    let folder = format!("{}/", folder.path().display());
    Settings::load(Some(&path), pairs(environment).into_iter(), &pairs(overrides))
        .map_err(|error| error.to_string().replace(&folder, ""))
}

fn max_records(settings: &Settings, model: &str) -> Option<u32> {
    settings.models.of(model).max_records.map(NonZeroU32::get)
}

fn leaves(table: &toml::Table, above: &str) -> BTreeSet<String> {
    let below = |(key, value): (&String, &toml::Value)| match value {
        toml::Value::Table(inner) => leaves(inner, &format!("{above}{key}.")),
        _ => BTreeSet::from([format!("{above}{key}")]),
    };
    table.iter().flat_map(below).collect()
}

#[test]
fn without_layers_the_defaults_hold() {
    let settings = Settings::load(None, std::iter::empty(), &[]).unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!(settings.check().map_err(|error| error.to_string()), Ok(()));
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:9000");
    assert_eq!(max_records(&settings, "ServerLog"), Some(10_000));
    assert_eq!(max_records(&settings, "Anything"), None);
}

#[test]
fn the_example_file_names_every_key_with_its_default() {
    assert_eq!(load(EXAMPLE, &[], &[]).unwrap(), Settings::default());
    let written = toml::Table::try_from(Settings::default()).unwrap();
    assert_eq!(leaves(&EXAMPLE.parse().unwrap(), ""), leaves(&written, ""));
}

#[test]
fn each_layer_lies_over_the_one_before() {
    let file = "[limits]\ndepth = 10\nmodels = 10\nin_flight = 10";
    let environment = [("BACKSYNC_LIMITS__MODELS", "20"), ("BACKSYNC_LIMITS__IN_FLIGHT", "20"), ("HOME", "/")];
    let limits = load(file, &environment, &[("limits.in_flight", "29"), ("limits.in_flight", "30")]).unwrap().limits;
    assert_eq!((limits.depth, limits.models, limits.in_flight), (10, 20, 30));
    assert_eq!(limits.batch_records, 10_000);
}

#[test]
fn text_is_read_as_the_type_of_its_key() {
    let environment = [
        ("BACKSYNC_CONSOLE__ENABLED", "false"),
        ("BACKSYNC_LIMITS__QUEUE_BYTES", "1_048_576"),
        ("BACKSYNC_SERVER__ALLOWED_ORIGINS", "https://a.example, https://b.example"),
        ("BACKSYNC_STORE__URL", "memory:"),
        ("BACKSYNC_LOG__FORMAT", "json"),
    ];
    let settings = load("", &environment, &[("server.listen", "[::1]:80")]).unwrap();
    assert!(!settings.console.enabled);
    assert_eq!(settings.limits.queue_bytes, 1_048_576);
    assert_eq!(settings.server.allowed_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(settings.store.url, StoreUrl::Memory);
    assert_eq!(settings.log.format, LogFormat::Json);
    assert_eq!(settings.server.listen.to_string(), "[::1]:80");

    let origins = |text| load("", &environment, &[("server.allowed_origins", text)]).unwrap().server.allowed_origins;
    assert_eq!(origins("[\"https://c.example\"]"), ["https://c.example"]);
    assert_eq!(origins(""), Vec::<String>::new());
}

#[test]
fn models_add_up_and_keep_their_case() {
    let file = "[models.ChatMessage]\nmax_records = 5\n[models.\"a.b\"]\nmax_records = 6\n[models.Empty]";
    let environment = [
        ("BACKSYNC_MODELS__ToDo__MAX_RECORDS", "7"),
        ("BACKSYNC_MODELS__CHATMESSAGE__MAX_RECORDS", "8"),
        ("BACKSYNC_MODELS__a__b__max_records", "9"),
    ];
    let settings = load(file, &environment, &[("models.x.Y.max_records", "10"), ("models.empty.max_records", "11")]);
    let settings = settings.unwrap();
    let models: Vec<_> = settings.models.0.keys().map(|name| (&**name, max_records(&settings, name))).collect();
    let expected = [
        ("ChatMessage", Some(8)),
        ("Empty", None),
        ("ServerLog", Some(10_000)),
        ("ToDo", Some(7)),
        ("a.b", Some(6)),
        ("a__b", Some(9)),
        ("empty", Some(11)),
        ("x.Y", Some(10)),
    ];
    assert_eq!(models, expected);
}

#[test]
fn zero_records_lift_the_limit_of_a_model() {
    assert_eq!(max_records(&load("[models.ServerLog]\nmax_records = 0", &[], &[]).unwrap(), "ServerLog"), None);
    assert_eq!(max_records(&load("[models.ServerLog]", &[], &[]).unwrap(), "ServerLog"), Some(10_000));
}

#[test]
fn unknown_keys_are_refused_with_their_place_and_the_nearest() {
    for (file, message) in [
        (
            "[limits]\nmesage_bytes = 1",
            "unknown key `limits.mesage_bytes` in backsync.toml; did you mean `limits.message_bytes`?",
        ),
        ("[sever]\nlisten = \"x\"", "unknown key `sever.listen` in backsync.toml; did you mean `server.listen`?"),
        ("[sever]", "unknown key `sever` in backsync.toml; did you mean `server`?"),
        ("listen = \"x\"", "unknown key `listen` in backsync.toml; did you mean `server.listen`?"),
        (
            "[log]\ncolour = 1",
            "unknown key `log.colour` in backsync.toml; there are log.format, log.level, log.server_log",
        ),
        (
            "[models.A]\nmax_record = 1",
            "unknown key `models.A.max_record` in backsync.toml; did you mean `models.A.max_records`?",
        ),
        (
            "[models.a.b]\nmax_records = 1",
            "unknown key `models.a.b.max_records` in backsync.toml; a model's name that has a dot is written in quotes: [models.\"a.b\"]",
        ),
    ] {
        assert_eq!(load(file, &[], &[]).unwrap_err(), message);
    }
    assert_eq!(
        load("", &[("BACKSYNC_LIMITS__DEPHT", "3")], &[]).unwrap_err(),
        "unknown key `limits.depht` in the variable BACKSYNC_LIMITS__DEPHT; did you mean BACKSYNC_LIMITS__DEPTH?"
    );
    assert_eq!(
        load("", &[], &[("log.levle", "info")]).unwrap_err(),
        "unknown key `log.levle` on the command line; did you mean `log.level`?"
    );
}

#[test]
fn a_variable_that_lost_an_underscore_is_refused_and_a_strangers_is_let_be() {
    assert_eq!(
        load("", &[("BACKSYNC_SERVER_LISTEN", "x")], &[]).unwrap_err(),
        "unknown key `server_listen` in the variable BACKSYNC_SERVER_LISTEN; did you mean BACKSYNC_SERVER__LISTEN?"
    );
    let strangers = [("BACKSYNC_SERVICE_HOST", "10.0.0.1"), ("BACKSYNC_PORT", "tcp://x"), ("BACKSYNC_LOG__LEVEL", "")];
    assert_eq!(load("", &strangers, &[]).unwrap(), Settings::default());
}

#[test]
fn wrong_types_are_refused_with_what_was_given_and_what_is_right() {
    for (file, message) in [
        ("[limits]\ndepth = \"deep\"", "the text \"deep\" was given, a whole number of 0 or more is right"),
        ("[limits]\ndepth = 1.5", "the number 1.5 was given, a whole number of 0 or more is right"),
        ("[limits]\ndepth = true", "true was given, a whole number of 0 or more is right"),
        ("[limits]\ndepth = -1", "the number -1 was given, a whole number of 0 or more is right"),
        ("[limits.depth]\nx = 1", "a table was given, a whole number of 0 or more is right"),
    ] {
        let message = format!("wrong type for `limits.depth` in backsync.toml: {message}");
        assert_eq!(load(file, &[], &[]).unwrap_err(), message);
    }
    for (file, message) in [
        ("limits = 3", "wrong type for `limits` in backsync.toml: the number 3 was given, a table of keys is right"),
        (
            "[models]\nA = 3",
            "wrong type for `models.A` in backsync.toml: the number 3 was given, a table of keys is right",
        ),
        (
            "[server]\nallowed_origins = [1]",
            "wrong type for `server.allowed_origins` in backsync.toml: a list of other things than texts was given, a list of texts is right",
        ),
        ("[log]\nlevel = 3", "wrong type for `log.level` in backsync.toml: the number 3 was given, a text is right"),
    ] {
        assert_eq!(load(file, &[], &[]).unwrap_err(), message);
    }
    assert_eq!(
        load("", &[("BACKSYNC_CONSOLE__ENABLED", "yes")], &[]).unwrap_err(),
        "wrong type for `console.enabled` in the variable BACKSYNC_CONSOLE__ENABLED: the text \"yes\" was given, true or false is right"
    );
    assert_eq!(
        load("", &[], &[("limits", "3")]).unwrap_err(),
        "wrong type for `limits` on the command line: the text \"3\" was given, a key below it is right"
    );
}

#[test]
fn values_that_do_not_hold_are_refused_where_they_were_written() {
    let file = "[heartbeat]\ntimeout_s = 50\n[models.A]\nmax_records = 5_000_000_000";
    for (environment, overrides, message) in [
        (
            None,
            Some(("limits.depth", "200")),
            "invalid `limits.depth` on the command line: 200 is out of range, 1 to 120 are right",
        ),
        (
            Some(("BACKSYNC_SERVER__LISTEN", "localhost:9000")),
            None,
            "invalid `server.listen` in the variable BACKSYNC_SERVER__LISTEN: `localhost:9000` is no address to listen on, write IP:PORT like 127.0.0.1:9000, 0.0.0.0:9000 or [::1]:9000",
        ),
        (
            None,
            Some(("store.url", "postgres://me:secret@host")),
            "invalid `store.url` on the command line: `postgres:` is not in this build, which has memory:, sqlite:PATH, \
             redis://HOST:PORT, redis+sentinel:// and redis+cluster://",
        ),
        (
            None,
            Some(("log.format", "yaml")),
            "invalid `log.format` on the command line: `yaml` is no format, one of auto, pretty, json is right",
        ),
        (
            None,
            Some(("log.level", "inof")),
            "invalid `log.level` on the command line: `inof` is no level, did you mean `info`; a level is one of off, error, warn, info, debug, trace",
        ),
        (
            Some(("BACKSYNC_SERVER__ALLOWED_ORIGINS", "https://a.example/")),
            None,
            "invalid `server.allowed_origins` in the variable BACKSYNC_SERVER__ALLOWED_ORIGINS: `https://a.example/` can match no page: an origin has no path, write it without anything behind the host and port, not even a slash",
        ),
        (
            None,
            Some(("models.a b.max_records", "1")),
            "invalid `models.a b` on the command line: `a b` is no name of a model, 1 to 128 of letters, digits, _ - and . are",
        ),
    ] {
        let environment: Vec<_> = environment.into_iter().collect();
        let overrides: Vec<_> = overrides.into_iter().collect();
        assert_eq!(load("", &environment, &overrides).unwrap_err(), message);
    }
    assert_eq!(
        load(file, &[], &[]).unwrap_err(),
        "invalid `models.A.max_records` in backsync.toml: 5000000000 is out of range, 1 to 4294967295 are right, or 0 for no limit"
    );
    assert_eq!(
        load("", &[], &[("heartbeat.interval_s", "100")]).unwrap_err(),
        "invalid `heartbeat.timeout_s` by default: 60 would close every peer between two heartbeats, more than `heartbeat.interval_s`, which is 100, is right"
    );
}

#[test]
fn a_file_that_is_missing_or_is_not_toml_is_named() {
    let missing = Settings::load(Some(Path::new("/nowhere/backsync.toml")), std::iter::empty(), &[]).unwrap_err();
    assert!(missing.to_string().starts_with("cannot read the settings file /nowhere/backsync.toml: "), "{missing}");

    let message = load("[store]\nurl = \"redis://me:secret@host", &[], &[]).unwrap_err();
    assert!(message.starts_with("backsync.toml is not valid TOML: ") && message.contains("line 2"), "{message}");
    assert!(!message.contains("secret"), "{message}");
}
