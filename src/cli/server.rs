//! Which server a command talks to, and how patiently.

use super::{exit::Failure, style};
use backsync_client::{Client, ClientName, ClientOptions, Initial, Retry, ServerUrl};
use backsync_protocol::ModelName;
use std::{sync::Arc, time::Duration};

#[derive(Debug, clap::Args)]
pub(super) struct ServerArgs {
    /// The server; a bare HOST:PORT gets ws:// and /ws
    #[arg(long, value_name = "URL", default_value = "ws://127.0.0.1:9000/ws", value_parser = url)]
    url: ServerUrl,
    /// Wait for a server that is not there yet, instead of failing
    #[arg(long)]
    wait: bool,
    /// Give up after so long without a connection; a lost connection is otherwise tried for ever
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    give_up: Option<u64>,
}

impl ServerArgs {
    /// Connect. What the server says about unreadable messages goes to stderr.
    pub(super) async fn connect(&self, retry: Retry) -> Result<Client, Failure> {
        self.connect_as(ClientName::Random, retry).await
    }

    /// The same, under a name.
    pub(super) async fn connect_as(&self, name: ClientName, retry: Retry) -> Result<Client, Failure> {
        let options = ClientOptions {
            name,
            initial: if self.wait { Initial::KeepTrying } else { Initial::FailFast },
            retry,
            give_up_after: self.give_up.map(Duration::from_secs),
            on_session_error: Some(Arc::new(style::report)),
            ..ClientOptions::default()
        };
        Ok(Client::connect(self.url.as_str(), options).await?)
    }
}

fn url(text: &str) -> Result<ServerUrl, String> {
    ServerUrl::parse(text).map_err(|error| error.to_string())
}

/// For clap: the name of a model that can be read and written.
pub(super) fn model(name: &str) -> Result<ModelName, String> {
    ModelName::parse(name).map_err(|error| error.message)
}
