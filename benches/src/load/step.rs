//! What a step of reading responses comes to.

/// What was at the front of what came.
pub(super) enum Step<'a> {
    /// There is not enough of it yet.
    More,
    /// Something to be passed over.
    Passed,
    /// The connection may be used.
    Opened,
    /// A message.
    Message(&'a [u8]),
    /// Several, as the inside of a JSON array.
    Messages(&'a [u8]),
    /// A response is over, and this asks for the next.
    Ended(String),
}
