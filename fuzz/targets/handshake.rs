//! The extensions that a handshake offers: what is agreed to was offered, and can be kept.
#![no_main]

use backsync::websocket::negotiate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let Ok(Some(agreed)) = negotiate(input.lines()) else { return };
    assert!(input.contains("permessage-deflate"));
    let answer = agreed.header();
    assert_eq!(
        answer.contains("server_max_window_bits"),
        input.contains("server_max_window_bits") && answer.contains('=')
    );
    // What is answered could have been offered.
    let again = negotiate([&*answer]).expect("the answer is a list of extensions").expect("and it can be kept");
    assert_eq!(again.sends(), agreed.sends());
    assert_eq!(again.header(), answer);
});
