//! Text that may be shown: passwords inside URLs replaced.

/// What stands in for a password.
const HIDDEN: &str = "***";

/// `text` with the password of every URL in it, and the value of every `password=`, replaced by `***`.
///
/// Passwords are often pasted without the escapes a URL asks for, so where one ends cannot be known: everything from
/// the first `:` after `://` to the last `@` of the line goes. Too much may go, never too little.
pub fn redact(text: &str) -> String {
    text.split_inclusive('\n').map(|line| hide_parameter(&hide_userinfo(line))).collect()
}

fn hide_userinfo(line: &str) -> String {
    let Some(start) = line.find("://").map(|at| at + 3) else { return line.to_owned() };
    let Some(end) = line.rfind('@').filter(|end| *end > start) else { return line.to_owned() };
    match line[start..end].find(':') {
        Some(colon) => format!("{}{HIDDEN}{}", &line[..=start + colon], &line[end..]),
        None => line.to_owned(),
    }
}

fn hide_parameter(line: &str) -> String {
    const NAME: &str = "password=";
    let mut parts = line.split(NAME);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c == '&' || c.is_whitespace()).unwrap_or(part.len());
        shown.extend([NAME, HIDDEN, &part[end..]]);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_urls_are_hidden_and_the_rest_stays() {
        for (text, shown) in [
            ("redis://me:secret@host:1/0", "redis://me:***@host:1/0"),
            ("redis://:secret@host", "redis://:***@host"),
            ("a\nurl = \"postgres://me:se/c@r e't@host/db\" #x\nb", "a\nurl = \"postgres://me:***@host/db\" #x\nb"),
            ("postgres://host/db?user=me&password=secret&x=1", "postgres://host/db?user=me&password=***&x=1"),
            ("https://app.example.com:8443", "https://app.example.com:8443"),
            ("sqlite:./data@home", "sqlite:./data@home"),
        ] {
            assert_eq!(redact(text), shown);
        }
    }
}
