//! The real program as a child process.

use serde_json::Value;
use std::{
    fmt::Display,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// After so long a test is taken for hung. Nothing is expected to take this long.
pub(crate) const HUNG: Duration = Duration::from_secs(60);

/// The program under test.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backsync"));
    // Nobody's settings get in by the environment.
    command.env_clear().stdin(Stdio::null());
    command
}

/// Where the records of a server are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreKind {
    Memory,
    Sqlite,
}

impl StoreKind {
    pub(crate) const ALL: [Self; 2] = [Self::Memory, Self::Sqlite];
}

/// How a server is to be started.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    store: StoreKind,
    /// In the place of the store that the kind would have.
    url: Option<String>,
    settings: Vec<String>,
    folder: Arc<TempDir>,
    listen: SocketAddr,
}

impl Setup {
    pub(crate) fn new(store: StoreKind) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self { store, url: None, settings: Vec::new(), folder, listen: (Ipv4Addr::LOCALHOST, 0).into() }
            .set("log.format", "json")
            .set("server.workers", 2)
    }

    pub(crate) fn memory() -> Self {
        Self::new(StoreKind::Memory)
    }

    pub(crate) fn sqlite() -> Self {
        Self::new(StoreKind::Sqlite)
    }

    /// Over a store that is somewhere.
    #[allow(dead_code, reason = "some tests have a Redis")]
    pub(crate) fn over(url: &str) -> Self {
        Self { url: Some(url.to_owned()), ..Self::memory() }
    }

    pub(crate) fn set(mut self, key: &str, value: impl Display) -> Self {
        self.settings.push(format!("{key}={value}"));
        self
    }

    /// Listen on a port that is still free after the server was killed: one that the system gives to nobody by itself.
    pub(crate) fn on_a_lasting_port(mut self) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let offset = u16::try_from(std::process::id() % 9000).unwrap();
        let mut candidates = (0..9000).map(|_| 21_000 + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % 9000);
        let port = candidates.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).unwrap();
        self.listen.set_port(port);
        self
    }

    pub(crate) fn listen_on(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// A folder of this test, with the data in it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = program();
        let store = match (&self.url, self.store) {
            (Some(url), _) => url.clone(),
            (None, StoreKind::Memory) => "memory:".to_owned(),
            (None, StoreKind::Sqlite) => format!("sqlite:{}", self.data().display()),
        };
        command.current_dir(self.folder()).arg("serve").args(["--listen", &self.listen.to_string(), "--store", &store]);
        command.args(self.settings.iter().flat_map(|setting| ["--set", setting]));
        command
    }
}

/// A server that runs; it ends with this value at the latest.
#[derive(Debug)]
pub(crate) struct Server {
    setup: Setup,
    address: SocketAddr,
    process: Process,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Start it and wait until it is ready.
    pub(crate) fn start(setup: Setup) -> Self {
        let mut process = Process(setup.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        let stderr = BufReader::new(process.0.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let (ready, is_ready) = mpsc::channel();
        let kept = log.clone();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let entry: Value = serde_json::from_str(&line).unwrap_or_default();
                if entry["message"] == "backsync is ready" {
                    let address: SocketAddr = entry["address"].as_str().unwrap().parse().unwrap();
                    // The test may have given up.
                    let _ = ready.send(address);
                }
                kept.lock().unwrap().push(line);
            }
        });
        match is_ready.recv_timeout(HUNG) {
            Ok(address) => Self { setup, address, process, log },
            Err(_) => panic!("the server did not start: {:#?}", log.lock().unwrap()),
        }
    }

    pub(crate) fn memory() -> Self {
        Self::start(Setup::memory())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// What it logged so far, for the message of a failing test.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// `kill -9`, without a word of warning.
    pub(crate) fn kill(&mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }

    /// After [`Self::kill`]: the same port, the same data.
    pub(crate) fn restart(&mut self) {
        let setup = self.setup.clone().listen_on(self.address);
        *self = Self::start(setup);
    }

    /// SIGTERM, without waiting for the end.
    pub(crate) fn ask_to_stop(&self) {
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Wait for the end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.process.wait()
    }
}

/// A child that is ended when it is let go of.
#[derive(Debug)]
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Wait for its end, but not for ever.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(begin.elapsed() < HUNG, "process {} does not end", self.0.id());
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Run a command to its end, which is expected to come.
pub(crate) fn run(command: &mut Command) -> Output {
    let mut process = Process(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let read = |mut from: Box<dyn Read + Send>| {
        thread::spawn(move || {
            let mut all = Vec::new();
            from.read_to_end(&mut all).unwrap();
            all
        })
    };
    let stdout = read(Box::new(process.0.stdout.take().unwrap()));
    let stderr = read(Box::new(process.0.stderr.take().unwrap()));
    let status = process.wait();
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// The same, as a command of a client against this server.
pub(crate) fn client_command(server: &Server, arguments: &[&str]) -> Command {
    let mut command = program();
    command.args(arguments).args(["--url", &format!("ws://{}/ws", server.address())]);
    command
}
