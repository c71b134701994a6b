//! A server that knows who somebody is by a token: everybody may read, those who are known may write, and a note bears the name
//! of who wrote it last.
//!
//! ```sh
//! cargo run --example tokens -- 127.0.0.1:9000 ada=secret bob=hidden &
//! API=http://127.0.0.1:9000/api/Note JSON='content-type: application/json'
//! curl $API -H "$JSON" -d '{"text":"mine"}'                                       # 403
//! curl $API -H "$JSON" -H 'authorization: Bearer secret' -d '{"text":"mine"}'     # by ada
//! ```
//!
//! A program of one's own would look into a signed token in the place of a list, which takes no waiting either.

use backsync::{
    Backsync,
    auth::{Action, Authenticator, Denied, Identity, Policy},
    broker::{Caller, Handler, Step},
    protocol::{Method, Record, RecordInput},
    store::Memory,
};
use std::{collections::HashMap, net::SocketAddr, sync::Arc};

/// Who has which token.
struct Tokens(HashMap<String, Arc<str>>);

impl Authenticator for Tokens {
    fn authenticate(&self, token: &str) -> Result<Identity, Denied> {
        match self.0.get(token) {
            Some(name) => Ok(Identity { principal: Some(name.clone()) }),
            None => Err(Denied { reason: "nobody has this token".to_owned() }),
        }
    }
}

/// What the anonymous may do.
struct Readers;

impl Policy for Readers {
    fn check(&self, identity: &Identity, action: Action<'_>) -> Result<(), Denied> {
        match action.method {
            Method::Upsert | Method::Delete if identity.principal.is_none() => {
                Err(Denied { reason: format!("to write {} takes a token", action.model) })
            }
            _ => Ok(()),
        }
    }
}

/// The model `Note`.
struct Notes;

impl Handler for Notes {
    fn upsert(&self, caller: &Caller, mut note: RecordInput) -> Step<RecordInput, Record> {
        note.set("by", caller.principal());
        Step::Continue(note)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().as_deref().unwrap_or("127.0.0.1:9000").parse()?;
    let tokens = arguments.map(|pair| match pair.split_once('=') {
        Some((name, token)) => Ok((token.to_owned(), name.into())),
        None => Err(format!("{pair} is no NAME=TOKEN")),
    });
    let tokens = Tokens(tokens.collect::<Result<_, _>>()?);
    actix_rt::System::new().block_on(async {
        let server = Backsync::builder().store(Memory::default()).authenticator(tokens).policy(Readers);
        let serving = server.handler("Note", Notes).listen(address).build()?.start()?;
        println!("http://{}", serving.address());
        actix_rt::signal::ctrl_c().await?;
        Ok(serving.stop().await?)
    })
}
