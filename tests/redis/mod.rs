//! A real Redis for a test: started by `deploy/redis.sh`, killed, stopped and started again at will, and gone when the test is,
//! however that ends.
//!
//! For the library's units and for the tests from outside alike, so it stands on nothing of either.
#![allow(dead_code, reason = "each of those who take it in uses a part of it")]

mod failover;
mod node;
mod reply;

pub(crate) use node::Node;
pub(crate) use reply::Reply;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// After so long a test is taken for hung. Nothing is expected to take this long.
const HUNG: Duration = Duration::from_secs(60);

/// How many databases a single server has, for tests to have one each.
const DATABASES: usize = 4096;

/// Which Redis to start.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    topology: &'static str,
    arguments: Vec<String>,
}

impl Options {
    /// One server: the node `primary`.
    pub(crate) fn single() -> Self {
        Self::of("single").set(&format!("databases {DATABASES}")).set("enable-debug-command local")
    }

    /// One server that is spoken to by TLS only.
    pub(crate) fn tls() -> Self {
        // The tests speak to it by a way without.
        Self::of("tls").set("unixsocket socket")
    }

    /// The nodes `primary`, `replica-1`, `replica-2`, and `sentinel-1` to `sentinel-3`.
    pub(crate) fn sentinel() -> Self {
        Self::of("sentinel")
    }

    /// The nodes `node-1` to `node-6`; the first three begin as primaries.
    pub(crate) fn cluster() -> Self {
        Self::of("cluster")
    }

    fn of(topology: &'static str) -> Self {
        Self { topology, arguments: Vec::new() }
    }

    /// How often what was written is brought to the disk: `everysec`, which it is without a word, `always` or `no`.
    pub(crate) fn append(self, how: &str) -> Self {
        self.argument("--appendonly", how)
    }

    /// Everybody has to say this; of a single server.
    pub(crate) fn password(self, password: &str) -> Self {
        self.argument("--password", password)
    }

    /// Who may not administrate has this name and password; of a single server.
    pub(crate) fn user(self, user: &str, password: &str) -> Self {
        self.argument("--user", user).argument("--password", password)
    }

    /// Who is silent for so long is taken for dead; of Sentinel and Cluster.
    pub(crate) fn down_after(self, time: Duration) -> Self {
        self.argument("--down-after-ms", &time.as_millis().to_string())
    }

    /// One more line for `redis.conf`.
    pub(crate) fn set(self, line: &str) -> Self {
        self.argument("--set", line)
    }

    fn argument(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend([name.to_owned(), value.to_owned()]);
        self
    }
}

/// A Redis that runs, in the topology that was asked for; it ends with this value, and with the process at the latest.
#[derive(Debug)]
pub(crate) struct Redis {
    url: String,
    folder: PathBuf,
    nodes: BTreeMap<String, Node>,
    script: Child,
    /// The script ends when this does.
    until: Option<ChildStdin>,
}

impl Redis {
    /// Start it and wait until all of it is ready.
    pub(crate) fn start(options: Options) -> Self {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/redis.sh"));
        command.args([options.topology, "-", "--until-eof"]).args(&options.arguments);
        let mut script = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let until = script.stdin.take();
        let lines: BTreeMap<String, String> = BufReader::new(script.stdout.take().unwrap())
            .lines()
            .map(|line| line.unwrap().split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap())
            .take(2)
            .collect();
        // What was wrong, for instance that there is no redis-server, it has said on the standard error.
        let url = lines.get("URL").expect("deploy/redis.sh did not get a Redis to run").clone();
        let folder = PathBuf::from(&lines["DIR"]);
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let nodes = entries
            .filter(|path| path.is_dir())
            .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), Node::of(&path)))
            .collect();
        Self { url, folder, nodes, script, until }
    }

    /// One for all tests of this process that neither break nor empty it. Give each its [`Self::database`].
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Options::single().append("no")))
    }

    /// As the settings take it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The same with a database that nobody has had yet; of a single server. What is published has no database: everybody
    /// hears it.
    pub(crate) fn database(&self) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(next < DATABASES, "more tests than databases");
        format!("{}/{next}", self.url.strip_suffix("/0").unwrap())
    }

    /// Where its nodes have their folders, and TLS its authority, `ca.pem`.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// One of several, by its name.
    pub(crate) fn node(&self, name: &str) -> &Node {
        self.nodes.get(name).unwrap_or_else(|| panic!("there is no node {name} among {:?}", self.nodes.keys()))
    }

    /// All of them with their names.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(name, node)| (name.as_str(), node))
    }

    /// The port of the one that there is.
    pub(crate) fn port(&self) -> u16 {
        self.primary().port()
    }

    /// See [`Node::kill`].
    pub(crate) fn kill(&self) {
        self.primary().kill();
    }

    /// See [`Node::restart`].
    pub(crate) fn restart(&self) {
        self.primary().restart();
    }

    /// See [`Node::stop`].
    pub(crate) fn stop(&self) {
        self.primary().stop();
    }

    /// See [`Node::go_on`].
    pub(crate) fn go_on(&self) {
        self.primary().go_on();
    }

    /// See [`Node::command`].
    pub(crate) fn command(&self, words: &[&str]) -> Reply {
        self.primary().command(words)
    }

    /// See [`Node::forget`].
    pub(crate) fn forget(&self, bytes: u64) {
        self.primary().forget(bytes);
    }

    /// See [`Node::tear`].
    pub(crate) fn tear(&self, bytes: u64) {
        self.primary().tear(bytes);
    }

    fn primary(&self) -> &Node {
        self.node("primary")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Those that were started anew have their settings and data in the folder that the script is about to remove.
        self.nodes.clear();
        drop(self.until.take());
        // It may have ended already.
        let _ = self.script.wait();
    }
}
