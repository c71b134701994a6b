//! JSON laid out for people. It works on the text, so that numbers and the order of members stay as they are.

/// Lay out valid JSON text: two spaces a level, a space after each `:`, empty arrays and objects closed at once.
pub(super) fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut chars = json.chars().filter(|c| *c != '\n' && *c != '\r').peekable();
    let new_line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(c) = chars.next() {
        if in_string {
            out.push(c);
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match c {
            ' ' | '\t' => {}
            '"' => {
                in_string = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                if let Some(close) = chars.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_changes_nothing_but_the_layout() {
        let json = r#"{"b":[ ],"a":{"n":1.50,"s":"x, {\"y\": [z]}"},"l":[1,{}]}"#;
        let laid_out = "{\n  \"b\": [],\n  \"a\": {\n    \"n\": 1.50,\n    \"s\": \"x, {\\\"y\\\": [z]}\"\n  },\n  \"l\": [\n    1,\n    {}\n  ]\n}";
        assert_eq!(pretty(json), laid_out);
        assert_eq!(pretty(laid_out), laid_out);
        assert_eq!(pretty("null"), "null");
    }
}
