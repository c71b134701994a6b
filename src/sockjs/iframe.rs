//! The page that clients of other origins talk through, in a frame of their own page.

/// The page, which loads the client's script from `script`.
pub fn iframe(script: &str) -> String {
    let mut escaped = String::new();
    for c in script.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    // The shape is prescribed: clients of all versions know it.
    format!(
        r#"<!DOCTYPE html>
<html>
<head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
  <script src="{escaped}"></script>
  <script>
    document.domain = document.domain;
    SockJS.bootstrap_iframe();
  </script>
</head>
<body>
  <h2>Don't panic!</h2>
  <p>This is a SockJS hidden iframe. It's used for cross domain magic.</p>
</body>
</html>"#
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_address_of_the_script_stays_an_address() {
        let page = super::iframe("/a.js?x=1&y=\"><script>");
        assert!(page.contains(r#"<script src="/a.js?x=1&amp;y=&quot;&gt;&lt;script&gt;"></script>"#), "{page}");
    }
}
