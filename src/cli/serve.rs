//! `backsync serve`, and the settings that it shares with `check-config`.

use super::exit::Failure;
use crate::{
    app,
    settings::{self, Settings},
};
use std::path::PathBuf;

/// Run the server
///
/// Runs the server until it is asked to stop (Ctrl-C, SIGTERM). Without settings it listens on 127.0.0.1:9000 and keeps
/// its records in a folder of the working directory. Settings come from a TOML file, from variables
/// BACKSYNC_SECTION__KEY and from the command line, each going before the one named ahead of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  backsync serve
  backsync serve --listen 0.0.0.0:9000 --store memory:
  backsync serve --config /etc/backsync.toml --set limits.depth=32
  BACKSYNC_LOG__LEVEL=debug backsync serve")]
pub(super) struct SettingsArgs {
    /// Address and port to listen on (server.listen)
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Where records are kept, as sqlite:FOLDER or memory: (store.url)
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// How the nodes of a cluster hear of each other, as local: (bus.url)
    #[arg(long, value_name = "URL")]
    bus: Option<String>,
    /// The settings file, TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Any setting, as limits.depth=32; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl SettingsArgs {
    /// The settings of all layers, checked.
    pub(super) fn load(&self) -> Result<Settings, Failure> {
        let overrides = self.overrides()?;
        Settings::load(self.config.as_deref(), settings::process_environment(), &overrides).map_err(Failure::usage)
    }

    /// What the command line sets. The last of one key wins, and a flag says it plainer than a `--set`.
    pub(super) fn overrides(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut overrides = Vec::new();
        for assignment in &self.set {
            overrides.push(settings::parse_set(assignment).map_err(Failure::usage)?);
        }
        for (key, flag) in [("server.listen", &self.listen), ("store.url", &self.store), ("bus.url", &self.bus)] {
            overrides.extend(flag.iter().map(|value| (key.to_owned(), value.clone())));
        }
        Ok(overrides)
    }
}

pub(super) fn run(args: &SettingsArgs) -> Result<(), Failure> {
    app::serve(args.load()?).map_err(Failure::failed)
}
