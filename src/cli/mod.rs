//! The command line: one file, or one folder, a subcommand.
//!
//! What holds for all: results go to stdout, everything else to stderr; the exit code says what happened; a reader that
//! goes away (`| head`) ends a command quietly.

mod check_config;
mod exit;
mod export;
mod import;
mod interrupt;
mod logline;
mod output;
mod pipe;
mod pretty;
mod send;
mod serve;
mod server;
mod style;
mod tail;
mod upload;

use clap::{Parser, Subcommand};
use exit::Failure;
use std::process::ExitCode;

const ABOUT: &str = "A realtime sync broker: records in, live changes out";

const LONG_ABOUT: &str = "\
A realtime sync broker: programs upsert and delete records of models, and everybody who listens to a model hears of \
it at once. Without a subcommand this is `backsync serve`.";

const AFTER_HELP: &str = "\
Examples:
  backsync                                        serve on 127.0.0.1:9000
  journalctl -f | backsync pipe ServerLog         make records of log lines, live
  backsync tail ServerLog                         and watch them from anywhere
  backsync send ChatMessage:upsert '{\"text\":\"hi\"}'

Exit codes:
  0    done
  1    failed: the server refused something, or something could not be read or written
  2    usage: wrong arguments or settings
  3    no connection: the server could not be reached, or was lost for good
  130  interrupted";

#[derive(Debug, Parser)]
#[command(name = "backsync", version, about = ABOUT, long_about = LONG_ABOUT, after_help = AFTER_HELP)]
#[command(args_conflicts_with_subcommands = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::SettingsArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::SettingsArgs),
    CheckConfig(check_config::Args),
    Tail(tail::Args),
    Pipe(pipe::Args),
    Import(import::Args),
    Export(export::Args),
    Send(send::Args),
}

impl Command {
    fn run(self) -> Result<(), Failure> {
        match self {
            Self::Serve(args) => serve::run(&args),
            Self::CheckConfig(args) => check_config::run(&args),
            Self::Tail(args) => tail::run(&args),
            Self::Pipe(args) => pipe::run(&args),
            Self::Import(args) => import::run(&args),
            Self::Export(args) => export::run(&args),
            Self::Send(args) => send::run(&args),
        }
    }
}

/// The program: read the arguments, do what they say, and return the exit code that `backsync --help` documents.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(asked) => return print_usage(&asked),
    };
    let command = cli.command.unwrap_or(Command::Serve(cli.serve));
    match command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                style::report(message);
            }
            failure.exit_code()
        }
    }
}

/// Help, the version or a usage error, each to its own stream.
fn print_usage(error: &clap::Error) -> ExitCode {
    // Nobody is left to read it: nothing to do.
    let _ = error.print();
    if error.use_stderr() { exit::USAGE.into() } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_holds() {
        Cli::command().debug_assert();
    }

    #[test]
    fn nothing_is_serve_and_so_are_its_flags() {
        assert!(parse("backsync").unwrap().command.is_none());
        let cli = parse("backsync --listen 127.0.0.1:9100 --set limits.depth=32").unwrap();
        assert_eq!(
            cli.serve.overrides().unwrap(),
            [("limits.depth".to_owned(), "32".to_owned()), ("server.listen".to_owned(), "127.0.0.1:9100".to_owned())]
        );
        assert!(matches!(parse("backsync serve --store memory:").unwrap().command, Some(Command::Serve(_))));
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for line in ["backsync tial A", "backsync tail", "backsync tail A --lines many", "backsync pipe A --batch 0"] {
            assert!(parse(line).unwrap_err().use_stderr(), "{line}");
        }
        for line in ["backsync tail a/b", "backsync send A", "backsync tail A --url ftp://x"] {
            assert!(parse(line).unwrap_err().use_stderr(), "{line}");
        }
        assert!(!parse("backsync --help").unwrap_err().use_stderr());
        assert!(!parse("backsync --version").unwrap_err().use_stderr());
    }

    #[test]
    fn every_subcommand_teaches_by_example() {
        for command in Cli::command().get_subcommands().filter(|command| command.get_name() != "help") {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:"), "{}", command.get_name());
        }
    }
}
