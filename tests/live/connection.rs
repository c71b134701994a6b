//! A WebSocket to one of the nodes, as a client has it that is patient with the server and not with the test.

use crate::server::HUNG;
use serde_json::Value;
use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};
use tungstenite::{Message, WebSocket, protocol::WebSocketConfig};

/// So long is waited for a message, before one looks after other things.
const A_MOMENT: Duration = Duration::from_millis(5);

/// What there is to see.
pub(crate) enum Next {
    Message(Value),
    /// Not at the moment.
    Nothing,
    /// The end of the connection.
    Lost,
}

pub(crate) struct Connection {
    socket: WebSocket<TcpStream>,
}

impl Connection {
    /// None where nobody is there, or not for long.
    pub(crate) fn open(address: SocketAddr, client: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(HUNG)).ok()?;
        stream.set_write_timeout(Some(HUNG)).ok()?;
        // A model in the end is one message.
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let url = format!("ws://{address}/ws?client={client}");
        let (socket, _) = tungstenite::client::client_with_config(url, stream, Some(config)).ok()?;
        socket.get_ref().set_read_timeout(Some(A_MOMENT)).ok()?;
        Some(Self { socket })
    }

    /// Whether it was taken, as far as one can know.
    pub(crate) fn send(&mut self, text: &str) -> bool {
        self.socket.send(Message::text(text)).is_ok()
    }

    pub(crate) fn next(&mut self) -> Next {
        match self.socket.read() {
            Ok(Message::Text(text)) => Next::Message(serde_json::from_str(text.as_str()).unwrap()),
            Ok(Message::Close(_)) => Next::Lost,
            Ok(_) => Next::Nothing,
            Err(tungstenite::Error::Io(cause))
                if matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
            {
                Next::Nothing
            }
            Err(_) => Next::Lost,
        }
    }

    /// The reply to a request that has an id of its own; pushes before it are let go of. None where the connection ends.
    pub(crate) fn ask(&mut self, request: &Value) -> Option<Value> {
        let begin = Instant::now();
        self.send(&request.to_string());
        loop {
            match self.next() {
                Next::Message(reply) if reply["id"] == request["id"] => return Some(reply),
                Next::Message(_) | Next::Nothing => assert!(begin.elapsed() < HUNG, "no reply to {request}"),
                Next::Lost => return None,
            }
        }
    }
}
