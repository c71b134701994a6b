//! One process of a Redis.

use super::{
    HUNG,
    reply::{self, Reply},
};
use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

/// One process of a Redis: a server, or a sentinel.
#[derive(Debug)]
pub(crate) struct Node {
    folder: PathBuf,
    port: u16,
    password: Option<String>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// None after it was killed.
    pid: Option<u32>,
    /// Who looks after it, once it was started anew.
    keeper: Option<Child>,
}

impl Node {
    pub(super) fn of(folder: &Path) -> Self {
        let read = |path: &Path| Some(fs::read_to_string(path).ok()?.trim().to_owned());
        let number = |name: &str| read(&folder.join(name)).unwrap().parse().unwrap();
        let settings = fs::read_to_string(folder.join("redis.conf")).unwrap();
        let password = settings.lines().find_map(|line| line.strip_prefix("requirepass ")).map(str::to_owned);
        let state = State { pid: Some(number("pid")), keeper: None };
        Self { port: number("port").try_into().unwrap(), password, state: state.into(), folder: folder.to_owned() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `kill -9`, and wait until it is gone.
    pub(crate) fn kill(&self) {
        let mut state = self.state.lock().unwrap();
        let pid = state.pid.take().expect("it is killed while it runs");
        signal("-STOP", pid);
        wait_until("a stopped Redis does nothing", || is_in(pid, "T"));
        // One that writes its file anew does so in a child, which begins with the port of its parent.
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        for pid in children.split_ascii_whitespace().map(|child| child.parse().unwrap()).chain([pid]) {
            signal("-KILL", pid);
            wait_until("a killed Redis is gone", || is_in(pid, "ZX"));
        }
        if let Some(mut keeper) = state.keeper.take() {
            drop(keeper.stdin.take());
            keeper.wait().unwrap();
        }
    }

    /// After [`Self::kill`]: the same port, and what is left of the data. Ready, but for one of a cluster, which has to be
    /// told by the others first how things are.
    pub(crate) fn restart(&self) {
        let mut state = self.state.lock().unwrap();
        assert!(state.pid.is_none(), "it is started anew after it was killed");
        // It ends with its keeper, who ends with the pipe, and so with this process.
        let script =
            r#"redis-server "$0" "$@" > output 2>&1 < /dev/null & echo $!; read -r _; kill -KILL $! 2> /dev/null"#;
        let mut command = Command::new("sh");
        command.args(["-c", script, "redis.conf"]).current_dir(&self.folder);
        if self.is_sentinel() {
            command.arg("--sentinel");
        }
        let mut keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut pid = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        let pid: u32 = pid.trim().parse().unwrap();
        *state = State { pid: Some(pid), keeper: Some(keeper) };
        let itself = format!("process_id:{pid}\r\n");
        // While it reads its data it refuses with an error.
        wait_until("a Redis that was started anew answers", || {
            assert!(!is_in(pid, "ZX"), "it ended: {}", fs::read_to_string(self.folder.join("log")).unwrap());
            let is_up = |reply: Reply| reply.as_text().is_some_and(|info| info.contains(&itself));
            self.try_command(&["INFO", "server"]).is_ok_and(is_up)
                && !matches!(self.try_command(&["PING"]), Ok(Reply::Error(_)) | Err(_))
        });
    }

    /// After [`Self::kill`]: the last bytes of what it had written did not reach the disk, as with `everysec` and a loss of
    /// power, and what was half written was taken out as `docs/operating.md` says. (Redis 7.0 would cut it off within a
    /// transaction, and at its second start do that half of it together with the one that it wrote behind.)
    pub(crate) fn forget(&self, bytes: u64) {
        let last = self.tear(bytes);
        let mut check = Command::new("redis-check-aof");
        let mut check = check.arg("--fix").arg(last).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        // Where there is nothing to be asked it has gone.
        let _ = check.stdin.take().unwrap().write_all(b"y\n");
        assert!(check.wait().unwrap().success());
    }

    /// The same, and nobody took out what was half written. Answers the file that is torn.
    pub(crate) fn tear(&self, bytes: u64) -> PathBuf {
        let files = fs::read_dir(self.folder.join("appendonlydir")).unwrap().map(|entry| entry.unwrap().path());
        let written = |path: &PathBuf| path.to_string_lossy().ends_with(".incr.aof");
        let last = files.filter(written).max_by_key(|path| path.metadata().unwrap().modified().unwrap());
        let last = last.expect("it appends");
        let file = fs::OpenOptions::new().write(true).open(&last).unwrap();
        file.set_len(file.metadata().unwrap().len().saturating_sub(bytes)).unwrap();
        last
    }

    /// Stop it in the midst of what it does: whoever is connected stays so, and gets no answer.
    pub(crate) fn stop(&self) {
        signal("-STOP", self.pid());
        wait_until("a stopped Redis does nothing", || is_in(self.pid(), "T"));
    }

    /// After [`Self::stop`].
    pub(crate) fn go_on(&self) {
        signal("-CONT", self.pid());
    }

    /// What it says to a command, on a connection of its own, from somebody who may everything.
    pub(crate) fn command(&self, words: &[&str]) -> Reply {
        match self.try_command(words) {
            Ok(Reply::Error(cause)) => panic!("{words:?}: {cause}"),
            Ok(reply) => reply,
            Err(cause) => panic!("{words:?}: {cause}"),
        }
    }

    /// The same, where it may be gone or refuse.
    pub(crate) fn try_command(&self, words: &[&str]) -> io::Result<Reply> {
        let socket = self.folder.join("socket");
        if socket.exists() {
            let stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(HUNG))?;
            return self.ask(&stream, words);
        }
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(HUNG))?;
        self.ask(&stream, words)
    }

    fn ask(&self, mut stream: impl Read + Write, words: &[&str]) -> io::Result<Reply> {
        if let Some(password) = &self.password {
            reply::ask(&mut stream, &["AUTH", password])?;
        }
        reply::ask(&mut stream, words)
    }

    /// A line of what `INFO SECTION` says.
    pub(crate) fn info(&self, section: &str, name: &str) -> String {
        let info = self.command(&["INFO", section]);
        let info = info.as_text().unwrap();
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_else(|| panic!("INFO {section} tells no {name}: {info}")).to_owned()
    }

    fn is_sentinel(&self) -> bool {
        self.folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("sentinel"))
    }

    fn pid(&self) -> u32 {
        self.state.lock().unwrap().pid.expect("it runs")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(mut keeper) = state.keeper.take() {
            drop(keeper.stdin.take());
            // It may have ended already.
            let _ = keeper.wait();
        }
    }
}

fn signal(which: &str, pid: u32) {
    let status = Command::new("kill").args([which, &pid.to_string()]).status().unwrap();
    assert!(status.success(), "process {pid} is gone");
}

/// Whether a process is in one of these states, as `proc(5)` has them; one that is not there is dead, `X`.
fn is_in(pid: u32, states: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the name, which ends with the last parenthesis.
    let state = status.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap_or('X');
    states.contains(state)
}

pub(super) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < HUNG, "not so after a minute: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
