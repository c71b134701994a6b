//! Handshakes that are refused, each with a status and a word of why; and doors that are full.

use crate::{
    client::{Client, Door},
    server::{Server, Setup},
    wire::{Answer, Wire, handshake},
};
use serde_json::json;

fn answer(server: &Server, lines: &[String]) -> Answer {
    Wire::connect(server.address()).ask(lines)
}

/// The handshake of `/ws` with another line for the one that begins like it.
fn with(line: &str) -> Vec<String> {
    let name = line.split(':').next().unwrap();
    let mut lines = handshake("/ws");
    lines.retain(|old| !old.starts_with(name));
    lines.push(line.to_owned());
    lines
}

fn without(name: &str) -> Vec<String> {
    let mut lines = handshake("/ws");
    lines.retain(|line| !line.starts_with(name));
    lines
}

#[test]
fn on_an_unknown_path_it_is_404_and_says_where_there_is_one() {
    let server = Server::memory();
    for path in ["/", "/w", "/ws/", "/backsync/a/b/xhr", "/sockjs/a/b.c/websocket", "/backsync//x/websocket"] {
        let answer = answer(&server, &handshake(path));
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("/ws"), "{answer:?}");
    }
    for door in Door::WEBSOCKETS {
        assert_eq!(answer(&server, &handshake(door.path())).status, 101, "{door:?}");
    }
}

#[test]
fn a_bad_handshake_is_400_and_another_version_426() {
    let server = Server::memory();
    for (lines, status, word) in [
        (without("Sec-WebSocket-Key"), 400, "sec-websocket-key"),
        (with("Sec-WebSocket-Key: short"), 400, "sec-websocket-key"),
        (with("Sec-WebSocket-Version: 8"), 426, "version 13"),
        (without("Sec-WebSocket-Version"), 426, "version 13"),
    ] {
        let answer = answer(&server, &lines);
        assert_eq!(answer.status, status, "{lines:?}: {answer:?}");
        assert!(answer.body.to_ascii_lowercase().contains(word), "{lines:?}: {answer:?}");
        assert_eq!(answer.head.contains("sec-websocket-version: 13"), status == 426, "{answer:?}");
    }
    let mut lines = handshake("/ws");
    lines[0] = "POST /ws HTTP/1.1".to_owned();
    let answer = answer(&server, &lines);
    assert_eq!(answer.status, 405, "{answer:?}");
    assert!(answer.head.contains("allow: get"), "{answer:?}");
}

#[test]
fn a_door_without_an_upgrade_is_400_and_says_what_it_wants() {
    let server = Server::memory();
    for door in Door::WEBSOCKETS {
        let plain = [format!("GET {} HTTP/1.1", door.path()), "Host: localhost".to_owned()];
        let mut other = handshake(door.path());
        other[3] = "Upgrade: h2c".to_owned();
        for lines in [&plain[..], &other] {
            let answer = answer(&server, lines);
            assert_eq!(answer.status, 400, "{lines:?}: {answer:?}");
            assert!(answer.body.contains("Can \"Upgrade\" only to \"WebSocket\"."), "{answer:?}");
        }
    }
}

#[test]
fn a_foreign_origin_is_403_on_every_door() {
    let server = Server::start(Setup::memory().set("server.allowed_origins", "https://app.example.com"));
    let port = server.address().port();
    for door in Door::WEBSOCKETS {
        for (origin, host, status) in [
            ("https://evil.example", "localhost", 403),
            ("null", "localhost", 403),
            ("https://app.example.com.evil.example", "localhost", 403),
            // Somebody's own name that points to this machine.
            ("http://evil.example", "evil.example", 403),
            ("https://app.example.com", "localhost", 101),
            ("http://localhost", "localhost", 101),
            (&format!("http://127.0.0.1:{port}"), &format!("127.0.0.1:{port}"), 101),
        ] {
            let mut lines = handshake(door.path());
            lines[1] = format!("Host: {host}");
            lines.push(format!("Origin: {origin}"));
            let answer = answer(&server, &lines);
            assert_eq!(answer.status, status, "{door:?} {origin} {host}");
            assert!(status == 101 || answer.body.contains("server.allowed_origins"), "{answer:?}");
        }
    }
}

#[test]
fn beyond_the_limit_of_connections_it_is_503_until_one_goes() {
    let server = Server::start(Setup::memory().set("limits.connections", 2));
    let mut first = Client::connect(&server);
    let second = Client::connect(&server);
    let refused = answer(&server, &handshake("/ws"));
    assert_eq!(refused.status, 503);
    assert!(refused.head.contains("retry-after: ") && refused.body.contains("connections"), "{refused:?}");
    // Who is in is not bothered, and plain requests are still answered.
    first.must("Kept:upsert", json!({"id": "x"}));
    let health = ["GET /healthz HTTP/1.1", "Host: localhost"].map(str::to_owned);
    assert_eq!(answer(&server, &health).status, 200);
    drop(second);
    // The server notices in its own time.
    let begin = std::time::Instant::now();
    while answer(&server, &handshake("/ws")).status != 101 {
        assert!(begin.elapsed() < crate::server::HUNG, "no place was given back");
    }
    first.must("Kept:upsert", json!({"id": "y"}));
}
