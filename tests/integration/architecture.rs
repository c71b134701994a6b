//! Who may import whom, held by reading the source. The table is that of `docs/architecture.md`.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// Each module of the package, and the modules of this project that it may name beside itself and the protocol.
const TABLE: [(&str, &[&str]); 15] = [
    // For tests.
    ("random", &[]),
    ("auth", &[]),
    ("sockjs", &[]),
    ("websocket", &[]),
    ("settings", &[]),
    // The way to Redis, which whatever is there needs.
    ("link", &[]),
    ("store", &["link"]),
    // What it carries are the store's changes.
    ("bus", &["store", "link"]),
    ("directory", &["link"]),
    ("telemetry", &["settings"]),
    ("broker", &["store", "bus", "auth", "sockjs", "websocket"]),
    ("server", &["broker", "directory", "sockjs", "websocket", "auth", "settings"]),
    ("app", EVERYTHING),
    ("cli", EVERYTHING),
    // One call.
    ("main", EVERYTHING),
];

const EVERYTHING: &[&str] = &[
    "auth",
    "sockjs",
    "websocket",
    "settings",
    "link",
    "store",
    "bus",
    "directory",
    "telemetry",
    "broker",
    "server",
    "app",
    "cli",
];

/// An `open.rs` knows its siblings, and the settings that choose one of them.
const OPEN: &str = "settings";

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// Every Rust file below a folder, with its path from there.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = code_of(&fs::read_to_string(&path).unwrap());
                files.push((path.strip_prefix(folder).unwrap().to_owned(), text));
            }
        }
    }
    files.sort();
    assert!(!files.is_empty());
    files
}

/// The text with comments, strings and characters blanked out. Lines and places stay.
fn code_of(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let end = literal_end(&characters, at);
        if end == at {
            code.push(characters[at]);
            at += 1;
        } else {
            code.extend(characters[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// Where the comment, string or character ends that begins here; `at` where none does.
fn literal_end(text: &[char], at: usize) -> usize {
    let find = |from: usize, what: &[char]| {
        (from..text.len()).find(|at| text[*at..].starts_with(what)).map_or(text.len(), |found| found + what.len())
    };
    let in_word = at > 0 && (text[at - 1].is_alphanumeric() || text[at - 1] == '_');
    match text[at..] {
        ['/', '/', ..] => find(at, &['\n']) - 1,
        ['/', '*', ..] => find(at + 2, &['*', '/']),
        ['r', '"' | '#', ..] if !in_word => {
            let hashes = text[at + 1..].iter().take_while(|c| **c == '#').count();
            if text.get(at + 1 + hashes) != Some(&'"') {
                return at;
            }
            let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
            find(at + 2 + hashes, &close)
        }
        ['"', ..] => quoted_end(text, at, '"'),
        // Not a lifetime.
        ['\'', '\\', ..] | ['\'', _, '\'', ..] => quoted_end(text, at, '\''),
        _ => at,
    }
}

fn quoted_end(text: &[char], at: usize, quote: char) -> usize {
    let mut next = at + 1;
    while next < text.len() && text[next] != quote {
        next += if text[next] == '\\' { 2 } else { 1 };
    }
    (next + 1).min(text.len())
}

/// The modules that `crate::…` paths name, each with the line it stands on.
fn named_modules(code: &str) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let line = |at: usize| code[..at].matches('\n').count() + 1;
        let start = at + "crate::".len();
        let word =
            |from: usize| -> String { code[from..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
        if !code[start..].starts_with('{') {
            named.push((line(start), word(start)));
            continue;
        }
        let (mut depth, mut expected) = (0, true);
        for (offset, c) in code[start..].char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => expected = true,
                c if depth == 1 && expected && (c.is_alphabetic() || c == '_') => {
                    named.push((line(start + offset), word(start + offset)));
                    expected = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    named
}

#[test]
fn modules_import_only_whom_they_may() {
    let mut wrong = String::new();
    for (path, code) in sources(&root().join("src")) {
        let module = path.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
        if module == "lib" {
            continue;
        }
        let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == module) else {
            panic!("src/{}: the module {module} has no row in the table of imports", path.display());
        };
        let opens = path.file_name().is_some_and(|name| name == "open.rs");
        for (line, named) in named_modules(&code) {
            let may = named == module
                || allowed.contains(&named.as_str())
                || (opens && named == OPEN)
                || !EVERYTHING.contains(&named.as_str());
            if !may {
                writeln!(wrong, "src/{}:{line}: {module} may not know {named}", path.display()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Where a word stands in the code, as `file:line`.
fn places(code: &str, path: &Path, word: &str) -> Vec<String> {
    let found = |(at, _): (usize, &str)| {
        let before = code[..at].chars().next_back();
        (!before.is_some_and(|c| c.is_alphanumeric() || c == '_'))
            .then(|| format!("src/{}:{}", path.display(), code[..at].matches('\n').count() + 1))
    };
    code.match_indices(word).filter_map(found).collect()
}

#[test]
fn only_the_server_knows_actix() {
    let mut wrong = Vec::new();
    for (path, code) in sources(&root().join("src")) {
        if path.starts_with("server") {
            continue;
        }
        // The composition root starts actix's runtime, and knows no more of it.
        let code =
            if path == Path::new("app.rs") || path.starts_with("app") { code.replace("actix_rt", "") } else { code };
        wrong.extend(places(&code, &path, "actix"));
    }
    assert!(wrong.is_empty(), "actix is named in {wrong:#?}");
}

#[test]
fn only_the_command_line_is_a_client() {
    let mut wrong = Vec::new();
    for (path, code) in sources(&root().join("src")) {
        if !path.starts_with("cli") {
            wrong.extend(places(&code, &path, "backsync_client"));
        }
    }
    assert!(wrong.is_empty(), "the client is named in {wrong:#?}");
}

#[test]
fn the_protocol_stands_on_nothing_of_the_project_and_does_no_io() {
    let manifest = fs::read_to_string(root().join("protocol/Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
    for forbidden in ["backsync", "tokio", "actix", "futures", "path ="] {
        assert!(!dependencies.contains(forbidden), "protocol/Cargo.toml depends on {forbidden}");
    }
    for (path, code) in sources(&root().join("protocol/src")) {
        for forbidden in ["std::net", "std::fs", "std::io", "std::time", "async fn"] {
            assert!(!code.contains(forbidden), "protocol/src/{} uses {forbidden}", path.display());
        }
    }
}

#[test]
fn the_reader_of_source_understands_it() {
    let imports = "use crate::{a, // crate::x\n b::{c, d},\n e};\n";
    let literals = "let s = \"crate::f\"; let c = '\"'; $crate::g::h(); r#\"crate::i\"#;";
    let code = code_of(&format!("{imports}{literals}"));
    let named = named_modules(&code);
    let expected = [(1, "a"), (2, "b"), (3, "e"), (4, "g")].map(|(line, name)| (line, name.to_owned()));
    assert_eq!(named, expected);
}
