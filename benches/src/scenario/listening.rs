//! Making connections listen.

use std::ops::Range;

use crate::dialect::{Dialect, Topic};
use crate::failure::Failure;
use crate::load::Load;

/// Subscriptions on their way at one time.
const AT_ONCE: usize = 256;

/// Makes each connection of `listeners` listen to what `topic_of` names, and waits until all do.
///
/// # Errors
/// When one is answered with anything else than success.
pub(super) fn listen(
    load: &mut Load,
    dialect: Dialect,
    listeners: Range<usize>,
    topic_of: impl Fn(usize) -> Topic,
) -> Result<(), Failure> {
    let mut next = listeners.start;
    let mut answered = listeners.start;
    while answered < listeners.end {
        while next < listeners.end && next - answered < AT_ONCE {
            load.queue(next, dialect.subscribe(topic_of(next)).as_bytes())?;
            load.send(next)?;
            next += 1;
        }
        load.turn("answers to subscriptions", |arrival| {
            answered += 1;
            dialect.check_subscribed(arrival.text)
        })?;
    }
    Ok(())
}
