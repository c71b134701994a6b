//! The HTTP the bare server knows: the WebSocket upgrade (RFC 6455, section 4.2.2) and a sign of life.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// What every WebSocket server appends to the key (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a request head is answered with.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) head: String,
    /// Frames follow; otherwise the connection ends with the answer.
    pub(super) upgraded: bool,
}

/// The answer to the request that `bytes` are, or nothing while its head is not there as a whole.
pub(super) fn answer(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let key = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| name.eq_ignore_ascii_case("sec-websocket-key").then_some(value.trim()));
    Some(match key {
        Some(key) => Answer {
            head: format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {}\r\n\r\n",
                STANDARD.encode(Sha1::digest(format!("{key}{GUID}")))
            ),
            upgraded: true,
        },
        None => {
            let status = if head.starts_with("GET /healthz ") { "200 OK" } else { "404 Not Found" };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            Answer { head, upgraded: false }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_key_of_the_rfc_gets_the_example_answer() {
        let request = "GET /ws HTTP/1.1\r\nHost: here\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let answer = answer(request.as_bytes()).unwrap();
        assert!(answer.upgraded);
        assert!(answer.head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    }

    #[test]
    fn half_a_head_is_waited_for() {
        assert!(answer(b"GET /healthz HTTP/1.1\r\nHost: here\r\n").is_none());
    }
}
