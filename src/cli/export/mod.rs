//! `backsync export`: the records of a model as lines, page by page, and on from where it was.

mod progress;
mod target;

use super::{
    exit::Failure,
    interrupt::{self, Interrupts},
    server::{self, ServerArgs},
};
use backsync_client::{Client, ClientError, PendingReply, RequestOptions, Retry};
use backsync_protocol::ModelName;
use progress::Progress;
use serde::Serialize;
use serde_json::{json, value::RawValue};
use std::path::PathBuf;
use target::{Source, Target};

/// Write the records of a model as lines of JSON
///
/// Writes each record as one line (NDJSON), in the order of insertion, to stdout or to a file; `backsync import` takes it in
/// again. What it has is the client's own: members that are the server's are left out, but for _lastChange, which says
/// when a record was edited.
///
/// The model is read page by page, so that memory stays the same however large it is, and others go on working with it.
/// A record that is there from the beginning to the end is written once, as it was when its page was read; what is
/// inserted meanwhile comes at the end.
///
/// With --output what is written goes to FILE.part, which becomes FILE when all is there; FILE.export says how far it is. An
/// export that ended before its end goes on there when it is started again in the same words.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  backsync export User > users.ndjson
  backsync export User --output users.ndjson
  backsync export Task --where '{\"done\":false}' | jq -r .title
  backsync export User | gzip > users.ndjson.gz")]
pub(super) struct Args {
    /// The model
    #[arg(value_parser = server::model)]
    model: ModelName,
    /// Only the records that match this filter, as JSON
    #[arg(long = "where", value_name = "JSON", value_parser = filter)]
    filter: Option<Box<RawValue>>,
    /// Write to a file, which is there when all is in it; `-`: to stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Most records in one page
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    page: u32,
    /// No progress and no summary
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    server: ServerArgs,
}

fn filter(text: &str) -> Result<Box<RawValue>, String> {
    RawValue::from_string(text.trim().to_owned()).map_err(|cause| format!("this is not JSON: {cause}"))
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    interrupt::run(|interrupts| export(args, interrupts))
}

async fn export(args: &Args, mut interrupts: Interrupts) -> Result<(), Failure> {
    let filter = args.filter.as_ref().map(|filter| filter.get().to_owned());
    let source = Source { model: args.model.to_string(), filter };
    let output = args.output.clone().filter(|path| path.as_os_str() != "-");
    let target = Target::open(output, source)?;
    let progress = Progress::new(args.quiet);
    let result = tokio::select! {
        result = copy(args, target, &progress) => result,
        () = interrupts.next() => Err(Failure::Interrupted),
    };
    progress.finish();
    result
}

async fn copy(args: &Args, mut target: Target, progress: &Progress) -> Result<(), Failure> {
    let client = args.server.connect(Retry::Repeat).await?;
    let mut page = ask(&client, args, target.after()).await?;
    loop {
        let reply = page.await?;
        // The next one is on its way while this one is written.
        let next = match &reply.next {
            Some(after) => Some((after, ask(&client, args, Some(after)).await?)),
            None => None,
        };
        let records: Vec<&RawValue> = serde_json::from_str(reply.data.get()).map_err(ClientError::Decode)?;
        let mut text = String::with_capacity(reply.data.get().len());
        for record in &records {
            append_line(record.get(), &mut text);
        }
        target.write(&text, next.as_ref().map(|(after, _)| after.as_str())).await?;
        progress.records(records.len());
        match next {
            Some((_, next)) => page = next,
            None => break,
        }
    }
    target.end()?;
    client.close().await;
    Ok(())
}

/// What a page is asked for by.
#[derive(Serialize)]
struct Page<'a> {
    limit: u32,
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    filter: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a str>,
}

async fn ask(client: &Client, args: &Args, after: Option<&str>) -> Result<PendingReply, ClientError> {
    let page = Page { limit: args.page, filter: args.filter.as_deref(), after };
    let options = RequestOptions::wire(&json!({"listen": false})).expect("a plain value is JSON");
    client.start(&format!("{}:read", args.model), &page, options).await
}

/// A record without its revision, which is that of this server alone. It stands at the end.
fn append_line(record: &str, out: &mut String) {
    let own = record.rfind(",\"_rev\":").filter(|at| {
        let number = record[*at..].trim_start_matches(",\"_rev\":");
        number.strip_suffix('}').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    });
    match own {
        Some(at) => {
            out.push_str(&record[..at]);
            out.push('}');
        }
        None => out.push_str(record),
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_written_without_its_revision() {
        let line = |record: &str| {
            let mut out = String::new();
            append_line(record, &mut out);
            out
        };
        assert_eq!(
            line(r#"{"id":"a","n":1.50,"_lastChange":5,"_rev":12}"#),
            "{\"id\":\"a\",\"n\":1.50,\"_lastChange\":5}\n"
        );
        assert_eq!(line(r#"{"id":"a","b":{"c":1,"_rev":3},"_rev":4}"#), "{\"id\":\"a\",\"b\":{\"c\":1,\"_rev\":3}}\n");
        assert_eq!(line(r#"{"id":"a","b":",\"_rev\":4"}"#), "{\"id\":\"a\",\"b\":\",\\\"_rev\\\":4\"}\n");
    }
}
