//! `backsync tail`: the end of a model, and then what happens to it.

mod changes;
mod human;
mod seen;

use super::{
    exit::Failure,
    interrupt::{self, Interrupts},
    output::Output,
    server::{self, ServerArgs},
    style,
};
use backsync_client::{Event, Listen, Retry, Status, Subscription};
use backsync_protocol::{Filter, FilterLimits, ModelName, json};
use changes::{Change, Changes};
use serde_json::value::RawValue;
use std::{io, str::FromStr};

/// Watch a model
///
/// Prints the last records of a model and then every change as it happens. Records that have a message are printed as
/// log lines, with their time as the record gives it; others as JSON on one line. When the connection is lost it comes
/// back by itself and prints exactly what was missed, nothing twice: each record that changed as it is now, and what was
/// deleted. Where the server no longer knows what that was, it says so on stderr and finds out by comparing. What a
/// terminal would act on (colours and other escapes within a record) is written out.
///
/// With --json each change is one line {"event","data","position"}: a "Model:upsert" with the whole record, or a
/// "Model:delete" with its last state and, where it only no longer matches --where, "left":true. What was missed is one
/// step: only its last line has a position, and its deletes have only the id. It begins with the last records, as
/// upserts.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  backsync tail ServerLog
  backsync tail ServerLog --lines all --no-follow
  backsync tail ChatMessage --json | jq .data.text
  backsync tail Person --where '{\"age\":{\"$gte\":18}}' --deletes
  backsync tail ServerLog --url broker.example.com:9000")]
pub(super) struct Args {
    /// The model
    #[arg(value_parser = server::model)]
    model: ModelName,
    /// How many records to begin with: a number or 'all'
    #[arg(short = 'n', long, value_name = "N", default_value = "10")]
    lines: Lines,
    /// Only records that match this filter
    #[arg(long = "where", value_name = "JSON", value_parser = criteria)]
    criteria: Option<String>,
    /// Print each change as one line of JSON
    #[arg(long)]
    json: bool,
    /// Also print deletions, as '- ID' (with --json they are always there)
    #[arg(long)]
    deletes: bool,
    /// Print what is there and end
    #[arg(long)]
    no_follow: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// How many records to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lines(usize);

impl FromStr for Lines {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self(usize::MAX)),
            number => number.parse().map(Self).map_err(|_| "a number of records, or 'all'".to_owned()),
        }
    }
}

/// For clap: a filter.
fn criteria(text: &str) -> Result<String, String> {
    let no_json = |cause| format!("not JSON: {cause}; {} was given", json::excerpt(text));
    let raw: &RawValue = serde_json::from_str(text).map_err(no_json)?;
    Filter::parse(raw.into(), &FilterLimits::default()).map_err(|error| error.message)?;
    Ok(text.to_owned())
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    interrupt::run(|interrupts| follow(args, interrupts))
}

async fn follow(args: &Args, mut interrupts: Interrupts) -> Result<(), Failure> {
    let watching = async {
        let client = args.server.connect(Retry::Repeat).await?;
        let mut what = Listen::to(args.model.as_str());
        if let Some(criteria) = &args.criteria {
            what = what.filter(&serde_json::from_str::<&RawValue>(criteria).map_err(Failure::usage)?);
        }
        let mut events = client.listen(what).await?;
        let ended = print(args, &mut events).await?;
        match (&*client.status().borrow(), ended) {
            (Status::Ended(end), Ended::ByClient) => Err(Failure::from(end.clone())),
            _ => Ok(()),
        }
    };
    tokio::select! {
        result = watching => result,
        () = interrupts.next() => Err(Failure::Interrupted),
    }
}

enum Ended {
    AsAsked,
    ByClient,
}

async fn print(args: &Args, events: &mut Subscription) -> Result<Ended, Failure> {
    let mut output = Output::stdout();
    let coloured = style::wanted(&io::stdout());
    let mut changes = Changes::new(args.lines.0);
    let mut began = false;
    while let Some(first) = events.next().await {
        let mut text = String::new();
        // Whatever else is here already leaves in the same write; the buffer of events bounds it.
        let mut next = Some(first);
        while let Some(event) = next {
            match &event {
                Event::Disconnected => style::note("connection lost; connecting again"),
                Event::Reconnected { .. } => style::note("connected again"),
                Event::Reset { .. } if began => {
                    style::note("the server no longer knows what was missed; comparing with all records");
                }
                Event::Reset { .. } => began = true,
                Event::Failed(error) => return Err(Failure::failed(error)),
                _ => {}
            }
            for change in changes.of(event) {
                write_change(args, &change, coloured, &mut text);
            }
            if began && args.no_follow {
                output.write(&text).await?;
                return Ok(Ended::AsAsked);
            }
            next = if text.len() < 1 << 20 { events.try_next() } else { None };
        }
        output.write(&text).await?;
    }
    Ok(Ended::ByClient)
}

fn write_change(args: &Args, change: &Change, coloured: bool, out: &mut String) {
    if args.json {
        change.write_json(args.model.as_str(), out);
    } else if !change.deleted {
        human::record(&change.data, coloured, out);
    } else if args.deletes {
        human::deletion(&change.id, coloured, out);
    }
}
