//! The whole server, beside a bare one that does nothing but deliver.
//!
//! Both run as processes of their own under the same load; compared is the CPU time they take. See `README.md`.

#![forbid(unsafe_code)]

mod bare;
mod case;
mod dialect;
mod failure;
mod frame;
mod latency;
mod load;
mod pin;
mod process;
mod record;
mod report;
mod rounds;
mod scenario;
mod store;
mod target;
mod usage;
mod wording;

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use mimalloc::MiMalloc;

use crate::case::{CASES, Scenario};
use crate::failure::{Doing, Failure};
use crate::pin::Cpus;
use crate::record::Ids;
use crate::report::{CpuRow, MemoryRow, Report};
use crate::rounds::Plan;
use crate::scenario::Lengths;
use crate::target::{Targets, has_redis};

/// The server's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measure the whole server beside a bare one: CPU time for each delivery and request, memory of each idle listener.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    run: Run,
}

#[derive(Args, Debug)]
struct Run {
    /// What to measure.
    #[arg(value_enum, default_value = "all")]
    scenario: Scenario,
    /// The backsync executable, or `bare` to measure the bare server against itself.
    #[arg(long, value_name = "PATH", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/backsync"))]
    server: PathBuf,
    /// A setting handed on to the server; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Three short rounds: whether it works, rather than how fast it is.
    #[arg(long)]
    quick: bool,
    /// Also write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Fail when a bar is missed.
    #[arg(long)]
    check: bool,
}

/// What the bench starts itself as.
#[derive(Debug, Subcommand)]
enum Part {
    /// The bare server.
    #[command(hide = true)]
    Bare {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long, value_enum)]
        mode: bare::Mode,
    },
    /// The store on its own.
    #[command(hide = true)]
    Store {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long, value_enum)]
        ids: Ids,
        /// Where its records are; without it, in memory.
        #[arg(long)]
        directory: Option<PathBuf>,
    },
    /// Become a command on one CPU.
    #[command(hide = true)]
    Pinned {
        /// The CPU's number, or `any`.
        cpu: String,
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.part {
        Some(Part::Bare { listen, mode }) => bare::serve(listen, mode).map(|()| true),
        Some(Part::Store { listen, ids, directory }) => {
            store::serve(listen, ids, directory.as_deref()).map(|never| match never {})
        }
        Some(Part::Pinned { cpu, command }) => pin::exec(cpu.parse().ok(), &command).map(|never| match never {}),
        None => run(cli.run),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            let source = failure.source().map(|source| format!(": {source}")).unwrap_or_default();
            eprintln!("error: {failure}{source}");
            ExitCode::FAILURE
        }
    }
}

/// Measures what is asked for and tells the figures: whether that is a success.
fn run(run: Run) -> Result<bool, Failure> {
    pin::allow_many_files()?;
    let cpus = Cpus::divide().map_err(|reason| eprintln!("not pinned: {reason}")).ok();
    let itself = run.server.as_os_str() == "bare";
    let targets = Targets { server: (!itself).then(|| run.server.clone()), settings: run.settings, cpus };
    let plan = match run.quick {
        true => plan(3, 100, 400),
        false => plan(7, 300, 1_000),
    };
    let mut report = Report {
        server: run.server.display().to_string(),
        cpus,
        rounds: plan.rounds,
        window_seconds: plan.lengths.window.as_secs_f64(),
        cpu: Vec::new(),
        memory: Vec::new(),
    };
    let has_redis = !itself && (run.scenario == Scenario::Nodes || has_redis());
    for case in CASES.iter().filter(|case| run.scenario.includes(case.scenario)) {
        if (itself && !case.suits_bare()) || (case.has_redis() && !has_redis) {
            let needed = if case.has_redis() { ", and redis-server" } else { "" };
            eprintln!("{} is left out: it needs a server that is not the bare one{needed}", case.name);
            continue;
        }
        eprintln!("measuring {} …", case.name);
        let (server, bare) = rounds::compare(case, &targets, plan)?;
        report.cpu.push(CpuRow::new(case, &server, &bare));
    }
    if run.scenario.includes(Scenario::Idle) {
        eprintln!("measuring idle listeners …");
        let (server, bare) = rounds::weigh(&targets)?;
        report.memory.extend(MemoryRow::both(server, bare));
    }
    print!("{report}");
    if let Some(file) = run.json {
        let text = serde_json::to_string_pretty(&report).expect("figures and names are JSON");
        fs::write(&file, text + "\n").doing(format!("writing {}", file.display()))?;
    }
    Ok(report.met() || !run.check)
}

fn plan(rounds: usize, warm_ms: u64, window_ms: u64) -> Plan {
    let lengths = Lengths { warm: Duration::from_millis(warm_ms), window: Duration::from_millis(window_ms) };
    Plan { rounds, lengths }
}
