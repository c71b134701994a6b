//! `deploy/two-nodes.sh`: two nodes over one Redis behind a balancer, and the command line on them.

use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// What the script started; it ends with this value.
struct TwoNodes {
    script: Child,
    until: Option<ChildStdin>,
    addresses: BTreeMap<String, String>,
}

impl TwoNodes {
    fn start() -> Self {
        let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/two-nodes.sh"))
            .args(["--until-eof", "--binary", env!("CARGO_BIN_EXE_backsync")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let until = script.stdin.take();
        let addresses: BTreeMap<String, String> = BufReader::new(script.stdout.take().unwrap())
            .lines()
            .map(|line| line.unwrap().split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap())
            .take(4)
            .collect();
        assert_eq!(addresses.len(), 4, "deploy/two-nodes.sh has said what is wrong");
        Self { script, until, addresses }
    }

    /// A command of the client, against `NODE_A`, `NODE_B`, or `URL`, the balancer.
    fn client(&self, whom: &str, arguments: &[&str]) -> Client {
        let address = self.addresses[whom].strip_prefix("http://").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_backsync"));
        command.args(arguments).args(["--url", address]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Client { process, output }
    }

    fn pipe(&self, whom: &str, lines: impl Iterator<Item = String>) {
        let mut pipe = self.client(whom, &["pipe", "Line", "--quiet"]);
        let mut input = pipe.process.stdin.take().unwrap();
        lines.for_each(|line| writeln!(input, "{line}").unwrap());
        drop(input);
        assert!(pipe.process.wait().unwrap().success());
    }

    fn tail(&self, whom: &str) -> Client {
        self.client(whom, &["tail", "Line", "--json", "--lines", "all"])
    }
}

impl Drop for TwoNodes {
    fn drop(&mut self) {
        drop(self.until.take());
        // It may have ended already.
        let _ = self.script.wait();
    }
}

struct Client {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Client {
    fn message(&mut self) -> String {
        let line: Value = serde_json::from_str(&self.output.next().unwrap().unwrap()).unwrap();
        line["data"]["message"].as_str().unwrap().to_owned()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn what_is_piped_to_one_node_is_tailed_in_order_from_the_other_and_through_the_balancer() {
    let nodes = TwoNodes::start();
    let mut tails = ["NODE_B", "URL", "URL"].map(|whom| nodes.tail(whom));
    let lines: Vec<String> = (0..1000).map(|n| format!("line {n}")).collect();
    let (first, rest) = lines.split_at(600);
    nodes.pipe("NODE_A", first.iter().cloned());
    for tail in &mut tails {
        first.iter().for_each(|line| assert_eq!(tail.message(), *line));
    }
    nodes.pipe("URL", rest.iter().cloned());
    let mut late = nodes.tail("NODE_A");
    lines.iter().for_each(|line| assert_eq!(late.message(), *line));
    for tail in &mut tails {
        rest.iter().for_each(|line| assert_eq!(tail.message(), *line));
    }
}
