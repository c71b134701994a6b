//! A process beside the bench: started, waited for, and ended by the bench that started it.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::failure::{Doing, Failure};

/// A process that does not answer by then does not come up.
const START: Duration = Duration::from_secs(10);

/// What a process is asked until it serves.
#[derive(Debug)]
pub(crate) struct Greeting {
    /// The question, whole.
    pub(crate) ask: &'static str,
    /// How the answer begins when it serves.
    pub(crate) answer: &'static str,
}

/// A running process, ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    command: String,
}

impl Process {
    /// Starts the command for a free port of this machine, on one CPU or any, and waits until it serves.
    ///
    /// # Errors
    /// [`Failure::Server`] when it does not come up.
    pub(crate) fn start(
        cpu: Option<usize>,
        command: impl FnOnce(SocketAddr) -> Vec<OsString>,
        greeting: &Greeting,
    ) -> Result<Self, Failure> {
        let own = std::env::current_exe().doing("finding the bench's own executable")?;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let address = free.doing("finding a free port")?;
        let command = command(address);
        let cpu = cpu.map_or_else(|| "any".into(), |cpu| cpu.to_string());
        let named = command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let child = Command::new(own)
            .args(["pinned", &cpu, "--"])
            .args(&command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .doing(format!("starting {named}"))?;
        let mut process = Self { child, address, command: named };
        process.wait_until_it_serves(greeting)?;
        Ok(process)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// That it has ended, if it has.
    pub(crate) fn ended(&mut self, when: &str) -> Option<Failure> {
        let status = self.child.try_wait().ok()??;
        Some(self.failed(format!("ended {when} with {status}")))
    }

    fn wait_until_it_serves(&mut self, greeting: &Greeting) -> Result<(), Failure> {
        let started = Instant::now();
        loop {
            if let Some(failure) = self.ended("before it served") {
                return Err(failure);
            }
            let answer = ask(self.address, greeting.ask);
            if answer.starts_with(greeting.answer) {
                return Ok(());
            }
            if started.elapsed() > START {
                let said = answer.lines().next().unwrap_or("nothing").to_owned();
                return Err(self.failed(format!("did not come up; it answers {said}")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn failed(&self, how: String) -> Failure {
        Failure::Server { command: self.command.clone(), how }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The beginning of what is answered, empty when nobody does.
fn ask(address: SocketAddr, question: &str) -> String {
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(question.as_bytes())?;
        let mut answer = [0; 256];
        let got = stream.read(&mut answer)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer[..got]).into_owned())
    };
    ask().unwrap_or_default()
}
