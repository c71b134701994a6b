//! HTTP/1.1 (RFC 9112) as the load generator reads it: the head of a response, and the chunks of a body without a length.

/// The head of a response, whole.
#[derive(Debug)]
pub(super) struct Head {
    text: String,
    /// Where the body begins.
    pub(super) end: usize,
}

impl Head {
    /// The one that `bytes` begin with, or nothing while it is not there as a whole.
    pub(super) fn first(bytes: &[u8]) -> Option<Self> {
        let end = find(bytes, b"\r\n\r\n")?;
        Some(Self { text: String::from_utf8_lossy(&bytes[..end]).into_owned(), end: end + 4 })
    }

    /// What it says first: version, status and its name.
    pub(super) fn status(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// Whether the status is one of these, by number.
    pub(super) fn is(&self, statuses: &[&str]) -> bool {
        let status = self.status().strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        status.is_some_and(|status| statuses.contains(&status))
    }

    /// A header's value, by its name in small letters.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let mut headers = self.text.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.find_map(|(named, value)| named.eq_ignore_ascii_case(name).then_some(value.trim()))
    }

    /// Whether the body comes in chunks.
    pub(super) fn is_chunked(&self) -> bool {
        self.value("transfer-encoding") == Some("chunked")
    }
}

/// The line before a chunk: where the chunk begins, and how long it is; nothing while the line is not there as a whole.
///
/// # Errors
/// What is there instead.
pub(super) fn chunk(bytes: &[u8]) -> Result<Option<(usize, usize)>, String> {
    let Some(line) = find(bytes, b"\r\n") else { return Ok(None) };
    let size = std::str::from_utf8(&bytes[..line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
    let size = size.ok_or_else(|| format!("no chunk: {}", bytes[..line].escape_ascii()))?;
    Ok(Some((line + 2, size)))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|part| part == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_its_status_and_its_headers() {
        let bytes = b"HTTP/1.1 201 Created\r\nContent-Length: 12\r\ndate: today\r\n\r\nrest";
        let head = Head::first(bytes).unwrap();
        assert_eq!((head.is(&["200", "201"]), head.is(&["200"])), (true, false));
        assert_eq!((head.value("content-length"), head.value("etag")), (Some("12"), None));
        assert_eq!(&bytes[head.end..], b"rest");
        assert!(Head::first(&bytes[..head.end - 1]).is_none());
    }
}
