//! A server that does what a test says, over real sockets: nothing is answered unless the test answers it.

use backsync_client::{Client, ClientOptions, Subscription};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{future::Future, time::Duration};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
    },
};

/// Nothing in a test takes so long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens soon")
}

pub struct MockServer {
    listener: TcpListener,
}

impl MockServer {
    pub async fn bind() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// The next connection, after its handshake.
    pub async fn accept(&self) -> Peer {
        let (stream, _) = soon(self.listener.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut query = String::new();
        // The library's type of an error is large.
        #[allow(clippy::result_large_err)]
        let note = |request: &Request, response: Response| {
            query = request.uri().query().unwrap_or_default().to_owned();
            Ok(response)
        };
        let socket = soon(accept_hdr_async(stream, note)).await.unwrap();
        Peer { socket, query, revision: 0 }
    }

    /// The next connection, which is then never spoken to.
    pub async fn accept_silently(&self) -> TcpStream {
        soon(self.listener.accept()).await.unwrap().0
    }

    /// A client with short waits, and its first connection.
    pub async fn client(&self, options: ClientOptions) -> (Client, Peer) {
        let address = self.address();
        let (client, peer) = tokio::join!(Client::connect(&address, options), self.accept());
        (client.unwrap(), peer)
    }
}

pub fn quick() -> ClientOptions {
    ClientOptions {
        backoff_base: Duration::from_millis(1),
        backoff_max: Duration::from_millis(5),
        ..ClientOptions::default()
    }
}

/// The server's side of one connection. Dropping it is a crash: no close frame.
pub struct Peer {
    socket: WebSocketStream<TcpStream>,
    /// The query of the URL that it came with.
    pub query: String,
    /// What the next position follows.
    pub revision: u64,
}

impl Peer {
    /// The next request.
    pub async fn request(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// The same, as it was written.
    pub async fn text(&mut self) -> String {
        loop {
            match soon(self.socket.next()).await.expect("the client is there").expect("the client is well") {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("a request, not {other:?}"),
            }
        }
    }

    /// The next request, which must be of this event; its id.
    pub async fn expect(&mut self, event: &str) -> Value {
        let request = self.request().await;
        assert_eq!(request["event"], event, "{request}");
        request["id"].clone()
    }

    /// Whatever comes next, down to the frames.
    pub async fn frame(&mut self) -> Option<Message> {
        soon(self.socket.next()).await.and_then(Result::ok)
    }

    pub async fn send(&mut self, message: Value) {
        soon(self.socket.send(Message::text(message.to_string()))).await.unwrap();
    }

    pub async fn send_frame(&mut self, message: Message) {
        soon(self.socket.send(message)).await.unwrap();
    }

    pub async fn reply(&mut self, id: &Value, data: Value) {
        self.reply_with(id, data, json!({})).await;
    }

    /// A reply with further members.
    pub async fn reply_with(&mut self, id: &Value, data: Value, more: Value) {
        let position = position(self.revision);
        self.send(with(json!({"id": id, "event": "A:x", "data": data, "position": position}), more)).await;
    }

    /// The next change.
    pub async fn push(&mut self, event: &str, data: Value) {
        self.push_with(event, data, json!({})).await;
    }

    /// The same with further members.
    pub async fn push_with(&mut self, event: &str, data: Value, more: Value) {
        self.revision += 1;
        let position = position(self.revision);
        self.send(with(json!({"event": event, "data": data, "position": position}), more)).await;
    }

    /// Answer the read that a listener asks.
    pub async fn answer_read(&mut self, model: &str, records: Value) {
        let id = self.expect(&format!("{model}:read")).await;
        self.reply(&id, records).await;
    }

    /// Answer what a listener asks when it comes back: it has to go on from this revision. What was missed is told, and that
    /// the model stands now at another.
    pub async fn answer_since(&mut self, from: u64, now: u64, upserts: Value, deleted: Value) {
        let request = self.request().await;
        assert_eq!(request["data"]["since"], position(from), "{request}");
        self.revision = now;
        self.reply_with(&request["id"], upserts, json!({"deleted": deleted})).await;
    }
}

/// A position in the history that the mock server tells of.
pub fn position(revision: u64) -> String {
    format!("00000000000000e1.{revision}")
}

fn with(mut message: Value, more: Value) -> Value {
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    message
}

/// The next event, written short.
pub async fn heard(subscription: &mut Subscription) -> String {
    use backsync_client::Event;
    match soon(subscription.next()).await {
        Some(Event::Reset { records, .. }) => format!("reset {}", ids(&records)),
        Some(Event::Upsert { record, .. }) => format!("upsert {}", ids(&[record])),
        Some(Event::Delete { id, left, .. }) => format!("delete {id}{}", if left { " left" } else { "" }),
        Some(Event::Reconnected { .. }) => "reconnected".to_owned(),
        Some(Event::Failed(error)) => format!("failed {}", error.code),
        Some(other) => format!("{other:?}").to_lowercase(),
        None => "end".to_owned(),
    }
}

fn ids(records: &[Box<serde_json::value::RawValue>]) -> String {
    let id = |record: &serde_json::value::RawValue| {
        serde_json::from_str::<Value>(record.get()).unwrap()["id"].as_str().unwrap().to_owned()
    };
    records.iter().map(|record| id(record)).collect::<Vec<_>>().join(",")
}
