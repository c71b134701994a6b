//! Every test that `docs/invariants.md` names is there, and every line of it names one.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the simulation is told of as such.
const SIMULATION: &str = "every_listener_sees_the_log_as_it_is_whatever_goes_wrong";

fn texts(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(fs::read_to_string(&path).unwrap());
        }
    }
}

/// Whether a test of this name is run: marked as one, or listed among those that every store runs.
fn is_test(name: &str, sources: &[String], listed: &str) -> bool {
    let is_marked = |text: &String| {
        text.match_indices(&format!("fn {name}(")).any(|(at, _)| {
            let before = text[..at].trim_end_matches(|c: char| c != '\n').trim_end();
            before.lines().next_back().is_some_and(|line| line.trim().starts_with("#[") && line.contains("test"))
        })
    };
    listed.lines().any(|line| line.trim() == format!("{name},")) || sources.iter().any(is_marked)
}

#[test]
fn every_promise_has_a_test_that_exists() {
    let root: PathBuf = env!("CARGO_MANIFEST_DIR").into();
    let mut sources = Vec::new();
    for folder in ["src", "tests", "protocol/src", "clients/rust"] {
        texts(&root.join(folder), &mut sources);
    }
    let listed = fs::read_to_string(root.join("src/store/conformance/mod.rs")).unwrap();
    assert!(!is_test("no_test_is_called_so", &sources, &listed));
    let page = fs::read_to_string(root.join("docs/invariants.md")).unwrap();
    assert!(page.contains(SIMULATION) && is_test(SIMULATION, &sources, &listed));
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | "));
    let mut promises = 0;
    for (promise, tests) in rows.skip(1) {
        promises += 1;
        for test in tests.split(", ").filter(|test| *test != "simulation") {
            let name = test.strip_prefix('`').and_then(|test| test.strip_suffix('`'));
            let name = name.unwrap_or_else(|| panic!("{promise}: {test} is no test's name"));
            assert!(is_test(name, &sources, &listed), "{promise}: there is no test {name}");
        }
    }
    assert!(promises > 10, "{promises}");
}
