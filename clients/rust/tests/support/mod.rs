//! A server that does what a test says, over real sockets: nothing is answered unless the test answers it.

use backsync_client::{Client, ClientOptions, Subscription};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{future::Future, time::Duration};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

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
        Peer { socket: soon(accept_async(stream)).await.unwrap() }
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
}

impl Peer {
    /// The next request.
    pub async fn request(&mut self) -> Value {
        loop {
            match soon(self.socket.next()).await.expect("the client is there").expect("the client is well") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
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
        self.send(json!({"id": id, "event": "A:x", "data": data, "position": "p"})).await;
    }

    pub async fn push(&mut self, event: &str, data: Value) {
        self.send(json!({"event": event, "data": data, "position": "p"})).await;
    }

    /// Answer the read that a listener asks.
    pub async fn answer_read(&mut self, model: &str, records: Value) {
        let id = self.expect(&format!("{model}:read")).await;
        self.reply(&id, records).await;
    }
}

/// The next event, written short.
pub async fn heard(subscription: &mut Subscription) -> String {
    use backsync_client::Event;
    match soon(subscription.next()).await {
        Some(Event::Snapshot { records, .. }) => format!("snapshot {}", ids(&records)),
        Some(Event::Reset { records, .. }) => format!("reset {}", ids(&records)),
        Some(Event::Upsert { record, .. }) => format!("upsert {}", ids(&[record])),
        Some(Event::Delete { record, .. }) => format!("delete {}", ids(&[record])),
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
