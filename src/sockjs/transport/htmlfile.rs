//! `htmlfile`: frames as scripts in a page that does not end.

use super::{Receiving, script_string};
use bytes::Bytes;

pub(super) const STREAMING: Receiving = Receiving {
    method: "GET",
    content_type: "text/html; charset=UTF-8",
    is_poll: false,
    has_callback: true,
    prelude: page,
    frame: script,
};

/// Some browsers run nothing of a page before they have so much of it.
const PAGE_BYTES: usize = 1024;

/// The beginning of the page; `callback` is a name.
fn page(callback: &str) -> Bytes {
    let page = format!(
        r#"<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.{callback};
    c.start();
    function p(d) {{c.message(d);}};
    window.onload = function() {{c.stop();}};
  </script>"#
    );
    format!("{page:PAGE_BYTES$}\r\n\r\n").into()
}

fn script(line: Bytes, _: &str) -> Bytes {
    format!("<script>\np({});\n</script>\r\n", script_string(&line)).into()
}
