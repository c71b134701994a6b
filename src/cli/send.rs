//! `backsync send`: one request and its reply.

use super::{
    exit::Failure,
    interrupt::{self, Interrupts},
    output::{Output, json_for_terminal},
    pretty::pretty,
    server::ServerArgs,
};
use backsync_client::{RequestOptions, Retry};
use backsync_protocol::{Event, json};
use serde_json::value::RawValue;
use std::io::{self, IsTerminal};

/// Send one request and print its reply
///
/// Sends any request of the protocol and prints the data of the reply: laid out on a terminal, as one line of JSON
/// otherwise. Where the server refuses, its reason goes to stderr and the exit code is 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  backsync send ChatMessage:upsert '{\"id\":\"m1\",\"text\":\"hi\"}'
  backsync send ChatMessage:read
  backsync send ChatMessage:read '{\"id\":\"m1\"}'
  backsync send ChatMessage:delete '{\"id\":\"m1\"}'
  backsync send ChatMessage:upsert '{\"id\":\"m1\"}' --options '{\"replace\":true}'
  jq -c . records.json | backsync send ChatMessage:upsert -")]
pub(super) struct Args {
    /// What to ask of which model: read, upsert, delete
    #[arg(value_name = "MODEL:METHOD", value_parser = event)]
    event: String,
    /// The data, as JSON; - reads it from stdin
    #[arg(value_name = "JSON", allow_hyphen_values = true)]
    data: Option<String>,
    /// The options of the request, as JSON
    #[arg(long, value_name = "JSON")]
    options: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
}

fn event(text: &str) -> Result<String, String> {
    Event::parse(text).map(|_| text.to_owned()).map_err(|error| error.message)
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let data = match args.data.as_deref() {
        None => RawValue::NULL.to_owned(),
        Some("-") => {
            let text = io::read_to_string(io::stdin())
                .map_err(|cause| Failure::failed(format!("cannot read stdin: {cause}")))?;
            json_argument("stdin", &text)?
        }
        Some(text) => json_argument("the data", text)?,
    };
    let wire = args.options.as_deref().map(|text| json_argument("--options", text)).transpose()?;
    interrupt::run(|interrupts| ask(args, data, wire, interrupts))
}

fn json_argument(what: &str, text: &str) -> Result<Box<RawValue>, Failure> {
    RawValue::from_string(text.trim().to_owned())
        .map_err(|cause| Failure::usage(format!("{what} is not JSON: {cause}; {} was given", json::excerpt(text))))
}

async fn ask(
    args: &Args,
    data: Box<RawValue>,
    wire: Option<Box<RawValue>>,
    mut interrupts: Interrupts,
) -> Result<(), Failure> {
    // Only what changes nothing may be sent twice without a word.
    let retry = if args.event.ends_with(":read") { Retry::Repeat } else { Retry::Fail };
    let exchange = async {
        let client = args.server.connect(retry).await?;
        let options = RequestOptions { wire, ..RequestOptions::default() };
        let reply = client.request(&args.event, &data, options).await?;
        client.close().await;
        Ok::<_, Failure>(reply)
    };
    let reply = tokio::select! {
        reply = exchange => reply?,
        () = interrupts.next() => return Err(Failure::Interrupted),
    };
    let mut text = String::new();
    json::append_one_line(reply.data.get(), &mut text);
    let mut text = json_for_terminal(&text).into_owned();
    if io::stdout().is_terminal() {
        text = pretty(&text);
    }
    text.push('\n');
    Output::stdout().write(&text).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_a_usage_error() {
        assert_eq!(json_argument("the data", " {\"a\":1}\n").unwrap().get(), "{\"a\":1}");
        assert!(matches!(json_argument("the data", "{a}"), Err(Failure::Usage(_))));
        assert!(event("A:read").is_ok() && event("A").is_err());
    }
}
