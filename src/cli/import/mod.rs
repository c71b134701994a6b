//! `backsync import`: a file of records into a model, each once, and on from where it was.

mod once;
mod record;
mod state;

use super::{
    exit::Failure,
    interrupt::{self, Interrupts},
    server::{self, ServerArgs},
    upload::{self, Acknowledgement, Batch, Flow, Gathering, Progress, Upload},
};
use backsync_client::{Client, ClientError, ClientName, RequestOptions, Retry};
use backsync_protocol::ModelName;
use record::Recorder;
use serde_json::json;
use state::State;
use std::{cell::RefCell, io, path::PathBuf};
use tokio::{
    fs::File,
    io::{AsyncBufReadExt, AsyncRead, BufReader},
};

/// Read so much at once.
const CHUNK: usize = 64 * 1024;

/// Write a file of records into a model
///
/// Reads one JSON object a line (NDJSON; lines of white space are passed over) and upserts each, in the order of the lines. A
/// record without an id gets one that follows from the import and the number of its line. Lines leave in batches of
/// --batch, several at once; memory stays the same however long the file is. While the server is away or full it is tried
/// again.
///
/// How far it is is kept in a file beside the input (FILE.import, or what --state names): an import that ended before its
/// end goes on there when it is started again in the same words. Nothing is done twice: the server knows the batches
/// that were on their way (it remembers as much as it does for every client, by default the last 100,000 records and a day;
/// beyond that they are written again). The file must be the same, and may have become longer. When all is done the state
/// goes. What is read from stdin has a state only where --state says.
///
/// A line that is no record, or that the server refuses for itself, is reported with its number; the others go on, and
/// the exit code is 1. Ctrl-C sends what was read and ends; a second one ends at once with 130.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  backsync import User users.ndjson
  backsync export User --url old:9000 | backsync import User --url new:9000
  zcat users.ndjson.gz | backsync import User --state users.import
  backsync import Price prices.ndjson --atomic
  jq -c '.[]' users.json | backsync import User")]
pub(super) struct Args {
    /// The model
    #[arg(value_parser = server::model)]
    model: ModelName,
    /// The file; stdin where none is given
    file: Option<PathBuf>,
    /// All lines or none, in one transaction. A server takes 10,000 records and 1 MiB of them at once, unless it is
    /// configured otherwise
    #[arg(long, conflicts_with_all = ["state", "batch"])]
    atomic: bool,
    /// Each record takes the place of the stored one, whose other members go
    #[arg(long)]
    replace: bool,
    /// Where to keep how far it is
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Most records in one message
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,
    /// No progress and no summary
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    interrupt::run(|interrupts| import(args, interrupts))
}

async fn import(args: &Args, mut interrupts: Interrupts) -> Result<(), Failure> {
    let (input, bytes): (Box<dyn AsyncRead + Unpin>, _) = match &args.file {
        None => (Box::new(tokio::io::stdin()), None),
        Some(path) => {
            let unreadable = |cause: io::Error| Failure::failed(format!("cannot read {}: {cause}", path.display()));
            let file = File::open(path).await.map_err(unreadable)?;
            let bytes = file.metadata().await.map_err(unreadable)?.len();
            (Box::new(file), Some(bytes))
        }
    };
    let beside = || {
        let mut path = args.file.clone()?.into_os_string();
        path.push(".import");
        Some(PathBuf::from(path))
    };
    let path = args.state.clone().or_else(beside).filter(|_| !args.atomic);
    let state = State::open(path, &args.model, args.batch)?;
    let client = tokio::select! {
        client = args.server.connect_as(ClientName::Named(state.name().to_owned()), Retry::Repeat) => client?,
        () = interrupts.next() => return Err(Failure::Interrupted),
    };
    let mut input = BufReader::with_capacity(CHUNK, input);
    let progress = Progress::new(args.quiet, bytes);
    let done = state.lines();
    skip(&mut input, done, &progress).await?;
    let recorder = Recorder::new(state.name());
    let options = RequestOptions::wire(&json!({"replace": args.replace, "return": "minimal"}));
    let options = options.expect("a plain value is JSON");
    let event = format!("{}:upsert", args.model);
    let model = Model { client: client.clone(), event, options, state: RefCell::new(state) };
    if args.atomic {
        return once::write(input, recorder, &model, &progress).await;
    }
    let records = usize::try_from(args.batch).expect("a batch is bounded");
    let gathering = Gathering { first_line: done + 1, records, linger: None };
    let flow = |stopped| Flow::new(input, recorder, &model, gathering, &progress, stopped).run();
    if !upload::watch(flow, &client, &progress, &mut interrupts).await? {
        return Err(Failure::Interrupted);
    }
    model.state.borrow().end();
    progress.verdict()
}

/// A model of a server, and how far its import is.
#[derive(Debug)]
struct Model {
    client: Client,
    /// `Model:upsert`.
    event: String,
    options: RequestOptions,
    state: RefCell<State>,
}

impl Upload for &Model {
    async fn start(&self, batch: &Batch) -> Result<Acknowledgement, ClientError> {
        let lines = batch.lines();
        // The lines name the write, in this life of the program and in the next.
        let id = Some(format!("{}-{}", lines.start(), lines.end()));
        let options = RequestOptions { id, ..self.options.clone() };
        let reply = self.client.start(&self.event, &batch.json(), options).await?;
        Ok(Box::pin(async move { reply.await.map(drop) }))
    }

    fn settled(&self, line: u64) -> Result<(), String> {
        self.state.borrow_mut().done(line)
    }
}

/// Pass over the lines that are done.
async fn skip(input: &mut (impl AsyncBufReadExt + Unpin), lines: u64, progress: &Progress) -> Result<(), Failure> {
    let mut line = Vec::new();
    for _ in 0..lines {
        line.clear();
        match input.read_until(b'\n', &mut line).await {
            Ok(0) => {
                return Err(Failure::failed("the input is shorter than what of it is done already; is it the same?"));
            }
            Ok(bytes) => progress.bytes_read(bytes),
            Err(cause) => return Err(Failure::failed(format!("cannot read the input: {cause}"))),
        }
    }
    Ok(())
}
