//! The SockJS `websocket` transport: a session that lives exactly as long as its socket.

use super::Receiver;
use crate::{
    sockjs::Session,
    websocket::{Opcode, append_frame},
};
use backsync_protocol::CloseCode;

pub(super) fn receiver() -> Box<dyn Receiver> {
    Box::new(Session::default())
}

impl Receiver for Session {
    fn greeting(&mut self) -> Vec<u8> {
        let mut frame = Vec::new();
        if let Some(greeting) = self.attach() {
            append_frame(Opcode::Text, greeting.as_bytes(), &mut frame);
        }
        frame
    }

    fn messages(&mut self, text: &str, each: &mut dyn FnMut(&str)) -> Result<(), (CloseCode, &'static str)> {
        match self.receive(text) {
            Ok(messages) => {
                messages.iter().for_each(|message| each(message));
                Ok(())
            }
            Err(_) => Err((CloseCode::ProtocolError, "broken framing: SockJS clients send a JSON array of strings")),
        }
    }
}
