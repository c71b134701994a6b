//! The SockJS `websocket` transport: a session that lives exactly as long as its socket.

use super::Receiver;
use crate::{
    sockjs,
    websocket::{Opcode, append_frame},
};
use backsync_protocol::CloseCode;

struct SockJs;

pub(super) fn receiver() -> Box<dyn Receiver> {
    Box::new(SockJs)
}

impl Receiver for SockJs {
    fn greeting(&mut self) -> Vec<u8> {
        let mut frame = Vec::new();
        append_frame(Opcode::Text, sockjs::GREETING.as_bytes(), &mut frame);
        frame
    }

    fn messages(&mut self, text: &str, each: &mut dyn FnMut(&str)) -> Result<(), (CloseCode, &'static str)> {
        match sockjs::messages_of_frame(text) {
            Ok(messages) => {
                messages.iter().for_each(|message| each(message));
                Ok(())
            }
            Err(_) => Err((CloseCode::ProtocolError, "broken framing: SockJS clients send a JSON array of strings")),
        }
    }
}
