//! `backsync check-config`.

use super::{exit::Failure, serve::SettingsArgs};
use std::io::{self, Write};

/// Check the settings and print those in force
///
/// Reads the settings exactly as `backsync serve` with the same arguments would, and prints all of them as TOML, with
/// the defaults. Nothing is started. Settings that cannot be used end with exit code 2.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  backsync check-config
  backsync check-config --config /etc/backsync.toml
  backsync check-config --set limits.depth=32 > backsync.toml")]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let text = args.settings.load()?.to_toml();
    io::stdout().lock().write_all(text.as_bytes()).map_err(|cause| match cause.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::failed(format!("cannot write to stdout: {cause}")),
    })
}
