//! SockJS for a service of one's own, as the protocol's test server has it: `cargo run --example sockjs_echo [PORT]`.
//!
//! `/echo` sends everything back, `/disabled_websocket_echo` does so without WebSockets, `/cookie_needed_echo` with cookies for load
//! balancers, and `/close` goes away at once. Any suite for SockJS servers can be pointed at it.

use actix_web::{App, HttpServer};
use backsync::server::{Message, Origins, Peer, ServiceOptions, SockJs, SockJsOptions, Talk};

struct Echo(Peer);

impl Talk for Echo {
    fn message(&mut self, message: Message<'_>) {
        match message {
            Message::Text(text) => self.0.send(text),
            Message::Binary(bytes) => drop(self.0.send_binary(bytes)),
        }
    }
}

struct Nothing;

impl Talk for Nothing {
    fn message(&mut self, _: Message<'_>) {}
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).map_or(Ok(8081), |port| port.parse());
    let port: u16 = port.map_err(|_| std::io::Error::other("the port is a number"))?;
    // Files of the client for the page that iframes use, from the folder that the environment names.
    let client_dir = std::env::var_os("SOCKJS_CLIENT_DIR").map(Into::into);
    let basic = SockJsOptions {
        // Small, so that every suite meets the end of a response.
        response_bytes: 4096,
        client_url: "/echo/client/sockjs.min.js".into(),
        client_dir,
        ..SockJsOptions::default()
    };
    let options = |sockjs: SockJsOptions| ServiceOptions {
        sockjs,
        // A test server is for all; yours lists the pages it knows.
        origins: Origins { allowed: vec!["*".into()], loopback: true },
        ..ServiceOptions::default()
    };
    let echo = |peer| Box::new(Echo(peer)) as Box<dyn Talk>;
    let plain = SockJs::new(echo, options(basic.clone()));
    let no_websocket = SockJs::new(echo, options(SockJsOptions { websocket: false, ..basic.clone() }));
    let cookie = SockJs::new(echo, options(SockJsOptions { cookie: true, ..basic.clone() }));
    let goes_away = |peer: Peer| {
        peer.close(3000, "Go away!");
        Box::new(Nothing) as Box<dyn Talk>
    };
    let close = SockJs::new(goes_away, options(basic));
    println!("SockJS at http://127.0.0.1:{port}/echo");
    let server = HttpServer::new(move || {
        App::new()
            .configure(plain.mount("/echo"))
            .configure(no_websocket.mount("/disabled_websocket_echo"))
            .configure(cookie.mount("/cookie_needed_echo"))
            .configure(close.mount("/close"))
    })
    // A client that goes away closes its half: its session ends at once, not at the next word to it.
    .h1_allow_half_closed(false)
    // Longer than clients keep a connection that they do not use, so that what they send does not meet its end.
    .keep_alive(std::time::Duration::from_secs(75))
    .bind(("127.0.0.1", port))?;
    actix_web::rt::System::new().block_on(server.run())
}
