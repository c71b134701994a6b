//! A WebSocket without further framing: one message, or an array of messages, per text frame; or each frame as it is.

use super::Receiver;
use backsync_protocol::CloseCode;
use serde_json::value::RawValue;

struct Plain;

pub(super) fn receiver() -> Box<dyn Receiver> {
    Box::new(Plain)
}

impl Receiver for Plain {
    fn messages(&mut self, text: &str, each: &mut dyn FnMut(&str)) -> Result<(), (CloseCode, &'static str)> {
        if text.trim_ascii_start().starts_with('[')
            && let Ok(messages) = serde_json::from_str::<Vec<&RawValue>>(text)
        {
            messages.into_iter().for_each(|message| each(message.get()));
        } else {
            // Whatever it is: the broker says what is wrong with it.
            each(text);
        }
        Ok(())
    }
}

struct Raw;

pub(super) fn raw() -> Box<dyn Receiver> {
    Box::new(Raw)
}

impl Receiver for Raw {
    fn messages(&mut self, text: &str, each: &mut dyn FnMut(&str)) -> Result<(), (CloseCode, &'static str)> {
        each(text);
        Ok(())
    }
}
