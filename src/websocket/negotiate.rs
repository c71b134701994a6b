//! What a client's `Sec-WebSocket-Extensions` offers (RFC 6455, section 9.1), and what is made of it (RFC 7692, section 7.1).

use super::deflate::WINDOW_BITS;

/// Messages may be compressed, each for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// The window that the client wants the server's messages to fit in, as a power of two.
    window: Option<u8>,
}

impl Agreed {
    /// Whether messages to this client may be compressed. Who wants a smaller window than others get the same bytes with,
    /// may send compressed messages, and is sent plain ones.
    pub fn sends(self) -> bool {
        self.window.is_none_or(|bits| bits >= WINDOW_BITS)
    }

    /// What `Sec-WebSocket-Extensions` of the response says.
    pub fn header(self) -> String {
        let answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        match self.window {
            None => answer.to_owned(),
            Some(bits) => format!("{answer}; server_max_window_bits={}", bits.min(WINDOW_BITS)),
        }
    }
}

/// An extension header that does not keep to its grammar; the handshake is to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sec-websocket-extensions is no list of extensions")]
pub struct BrokenHeader;

/// The first offer that can be taken, of all headers in order.
///
/// # Errors
/// [`BrokenHeader`].
pub fn negotiate<'a>(headers: impl IntoIterator<Item = &'a str>) -> Result<Option<Agreed>, BrokenHeader> {
    let mut agreed = None;
    for header in headers {
        let mut rest = Cursor(header);
        loop {
            // Empty elements of a list are nothing.
            while rest.take(',') {}
            if rest.0.is_empty() {
                break;
            }
            let offer = rest.extension()?;
            agreed = agreed.or(offer);
            if !rest.0.is_empty() && !rest.0.starts_with(',') {
                return Err(BrokenHeader);
            }
        }
    }
    Ok(agreed)
}

/// What is left of a header.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    /// Take a separator and the space around it, if it is next.
    fn take(&mut self, separator: char) -> bool {
        let text = self.0.trim_start_matches(SPACE);
        let rest = text.strip_prefix(separator);
        self.0 = rest.unwrap_or(text).trim_start_matches(SPACE);
        rest.is_some()
    }

    fn token(&mut self) -> Result<&'a str, BrokenHeader> {
        let end = self.0.find(|c| !is_token(c)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        if token.is_empty() { Err(BrokenHeader) } else { Ok(token) }
    }

    /// A token, or one in quotes.
    fn value(&mut self) -> Result<String, BrokenHeader> {
        let Some(quoted) = self.0.strip_prefix('"') else { return self.token().map(str::to_owned) };
        let (mut value, mut characters) = (String::new(), quoted.chars());
        loop {
            match characters.next().ok_or(BrokenHeader)? {
                '"' if value.is_empty() => return Err(BrokenHeader),
                '"' => break,
                '\\' => value.push(characters.next().ok_or(BrokenHeader)?),
                c => value.push(c),
            }
        }
        self.0 = characters.as_str();
        if value.chars().all(is_token) { Ok(value) } else { Err(BrokenHeader) }
    }

    /// One extension with its parameters; none where it is not one that can be agreed to.
    fn extension(&mut self) -> Result<Option<Agreed>, BrokenHeader> {
        let mut offer = Offer::new(self.token()?);
        while self.take(';') {
            let name = self.token()?;
            let value = if self.take('=') { Some(self.value()?) } else { None };
            offer.parameter(name, value.as_deref());
        }
        Ok(offer.good.then_some(Agreed { window: offer.window }))
    }
}

struct Offer<'a> {
    good: bool,
    window: Option<u8>,
    seen: Vec<&'a str>,
}

impl<'a> Offer<'a> {
    fn new(extension: &str) -> Self {
        Self { good: extension == "permessage-deflate", window: None, seen: Vec::new() }
    }

    fn parameter(&mut self, name: &'a str, value: Option<&str>) {
        let new = !self.seen.contains(&name);
        let known = match (name, value) {
            // Both are so in any case,
            ("server_no_context_takeover" | "client_no_context_takeover", None) => true,
            // and any window that a client uses is understood.
            ("client_max_window_bits", value) => value.is_none_or(|value| bits(value).is_some()),
            ("server_max_window_bits", Some(value)) => {
                self.window = bits(value);
                self.window.is_some()
            }
            _ => false,
        };
        self.good &= new && known;
        // An offer that is declined needs no memory.
        if self.good {
            self.seen.push(name);
        }
    }
}

/// From 8 to 15, without zeros before it.
fn bits(value: &str) -> Option<u8> {
    let bits = (8..=15_u8).find(|bits| bits.to_string() == value)?;
    Some(bits)
}

const SPACE: [char; 2] = [' ', '\t'];

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    fn answer(headers: &[&str]) -> Option<String> {
        negotiate(headers.iter().copied()).unwrap().map(Agreed::header)
    }

    #[test]
    fn what_browsers_and_libraries_offer_is_agreed_to() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate;client_max_window_bits=10",
            "permessage-deflate ; client_no_context_takeover\t;server_no_context_takeover",
            "permessage-deflate; client_max_window_bits=\"15\"",
            "permessage-deflate; client_max_window_bits = \"1\\5\"",
            ", ,permessage-deflate,,",
            "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits",
            "permessage-deflate; mystery, permessage-deflate",
            "foo; bar=\"baz\"; bar, permessage-deflate",
        ] {
            assert_eq!(answer(&[offer]).as_deref(), Some(BOTH), "{offer}");
            assert!(negotiate([offer]).unwrap().unwrap().sends());
        }
        assert_eq!(answer(&["foo", "", "permessage-deflate; client_max_window_bits"]).as_deref(), Some(BOTH));
        assert_eq!(answer(&[]), None);
        assert_eq!(answer(&[""]), None);
    }

    #[test]
    fn a_window_is_kept_to_and_a_small_one_by_sending_plain() {
        for (offered, answered, sends) in
            [(8, 8, false), (9, 9, false), (11, 11, false), (12, 12, true), (15, 12, true)]
        {
            let offer = format!("permessage-deflate; server_max_window_bits={offered}");
            let agreed = negotiate([&*offer]).unwrap().unwrap();
            assert_eq!(agreed.header(), format!("{BOTH}; server_max_window_bits={answered}"));
            assert_eq!(agreed.sends(), sends);
        }
        // The first good offer counts.
        let offers = ["permessage-deflate; server_max_window_bits=9, permessage-deflate", "permessage-deflate"];
        assert!(!negotiate(offers).unwrap().unwrap().sends());
        let offers = ["permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=15"];
        assert!(negotiate(offers).unwrap().unwrap().sends());
    }

    #[test]
    fn an_offer_that_cannot_be_kept_is_declined() {
        for offer in [
            "permessage-bzip2",
            "PERMESSAGE-deflate; x",
            "permessage-deflate; mystery",
            "permessage-deflate; mystery=1",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=09",
            "permessage-deflate; server_max_window_bits=+9",
            "permessage-deflate; client_max_window_bits=0",
            "permessage-deflate; client_max_window_bits=a",
            "permessage-deflate; client_max_window_bits=99999999999999999999",
            "permessage-deflate; client_max_window_bits; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=9; server_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover=true",
        ] {
            assert_eq!(answer(&[offer]), None, "{offer}");
        }
    }

    #[test]
    fn what_is_no_list_of_extensions_is_refused() {
        for header in [
            ";",
            "=",
            "permessage-deflate;",
            "permessage-deflate; ;",
            "permessage-deflate; =1",
            "permessage-deflate; client_max_window_bits=",
            "permessage-deflate; client_max_window_bits=\"",
            "permessage-deflate; client_max_window_bits=\"\"",
            "permessage-deflate; client_max_window_bits=\"1 5\"",
            "permessage-deflate; client_max_window_bits=\"15\\",
            "permessage-deflate permessage-deflate",
            "permessage-deflate, (x)",
            "permessage-deflate; a=b c",
            "p\u{e4}",
        ] {
            assert_eq!(negotiate([header]), Err(BrokenHeader), "{header}");
        }
    }

    #[test]
    fn nothing_makes_it_panic() {
        let letters = ["a", ";", ",", "=", "\"", "\\", " ", "permessage-deflate", "15", "\u{20ac}"];
        for number in 0..100_000_usize {
            let header: String = (0..5).map(|place| letters[number / 10_usize.pow(place) % 10]).collect();
            let _ = negotiate([&*header]);
        }
    }
}
