//! `backsync pipe`: lines of text become records of a model, each once and in order.

mod record;

use super::{
    exit::Failure,
    interrupt::{self, Interrupts},
    server::{self, ServerArgs},
    upload::{self, Acknowledgement, Batch, Flow, Gathering, Progress, Upload},
};
use backsync_client::{Client, ClientError, RequestOptions, Retry};
use backsync_protocol::ModelName;
use record::Recorder;
use serde_json::json;
use std::time::Duration;

/// The longest time that a line waits for others.
const LINGER: Duration = Duration::from_millis(50);

/// Make records of lines
///
/// Reads lines from stdin and upserts each as a record. A line that is a JSON object is stored as it is (where it has
/// an id, that is the record's, and a later line with the same id changes the same record). Of other lines the time and
/// the level are read where they are plain to see (RFC 3339, syslog, web servers, logfmt, kernel, glog and what
/// programs commonly write); the rest is the message, and no text is lost. A line without a time gets that of its
/// arrival. What is not UTF-8 is replaced and the record marked "invalid_utf8"; a line too long for one message becomes
/// several records with the same "line", numbered "part" 1, 2, 3 …, the last with "parts", how many there are.
///
/// Lines leave in batches of --batch, or after 50 ms, so that a followed file is live. Several batches are on their way
/// at once, and while the server does not keep up no more is read. When the connection breaks or the server restarts
/// nothing is lost or doubled: what is not acknowledged is sent again, in order, and the server knows what it has done
/// already. (It forgets after a day, or 100,000 records of other writers; but every record gets its id here, so that what
/// is stored twice even then is the same record.) While the store is full or away it is tried again. A line that the server refuses for itself is reported with its number,
/// the others go on, and the exit code is 1.
///
/// Ctrl-C ends the reading, sends what was read and ends with 0 when all of it is acknowledged; a second one ends at
/// once with 130.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  journalctl -f | backsync pipe ServerLog
  tail -F /var/log/nginx/access.log | backsync pipe Access
  ./server 2>&1 | backsync pipe ServerLog --quiet
  jq -c '.[]' users.json | backsync pipe User
  backsync pipe Notes --raw < notes.txt")]
pub(super) struct Args {
    /// The model
    #[arg(value_parser = server::model)]
    model: ModelName,
    /// Most records in one message
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,
    /// Take every line as a message, JSON and log lines too
    #[arg(long)]
    raw: bool,
    /// No progress and no summary
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    server: ServerArgs,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    interrupt::run(|interrupts| pipe(args, interrupts))
}

async fn pipe(args: &Args, mut interrupts: Interrupts) -> Result<(), Failure> {
    let client = tokio::select! {
        client = args.server.connect(Retry::Repeat) => client?,
        () = interrupts.next() => return Err(Failure::Interrupted),
    };
    let progress = Progress::new(args.quiet, None);
    let options = RequestOptions::wire(&json!({"return": "minimal"})).expect("a plain value is JSON");
    let model = Model { client: client.clone(), event: format!("{}:upsert", args.model), options };
    let records = usize::try_from(args.batch).expect("a batch is bounded");
    let gathering = Gathering { first_line: 1, records, linger: Some(LINGER) };
    let (input, recorder) = (tokio::io::stdin(), Recorder::new(args.raw));
    let flow = |stopped| Flow::new(input, recorder, model, gathering, &progress, stopped).run();
    upload::watch(flow, &client, &progress, &mut interrupts).await?;
    progress.verdict()
}

/// A model of a server.
#[derive(Debug)]
struct Model {
    client: Client,
    /// `Model:upsert`.
    event: String,
    options: RequestOptions,
}

impl Upload for Model {
    async fn start(&self, batch: &Batch) -> Result<Acknowledgement, ClientError> {
        let reply = self.client.start(&self.event, &batch.json(), self.options.clone()).await?;
        Ok(Box::pin(async move { reply.await.map(drop) }))
    }
}
