//! The table and the file: figures of the server, of the bare one, and whether the bar is met.

use std::fmt;

use serde::Serialize;

use crate::case::Case;
use crate::pin::Cpus;
use crate::rounds::Turns;
use crate::scenario::{Cost, Growth};

/// From here on a note says that the figures are rough.
const CROWDED: f64 = 0.05;
/// The bar of the idle listeners, in KiB for each.
const IDLE_BAR: f64 = 4.0;

/// All that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The server under test.
    pub(crate) server: String,
    /// Which CPU was whose; nothing where they could not be told apart.
    pub(crate) cpus: Option<Cpus>,
    /// How often each had its turn.
    pub(crate) rounds: usize,
    /// Length of a turn.
    pub(crate) window_seconds: f64,
    /// CPU time.
    pub(crate) cpu: Vec<CpuRow>,
    /// Memory.
    pub(crate) memory: Vec<MemoryRow>,
}

/// One comparison of CPU time.
#[derive(Debug, Serialize)]
pub(crate) struct CpuRow {
    name: &'static str,
    unit: &'static str,
    server: Figures,
    bare: Figures,
    /// Of the medians.
    ratio: f64,
    /// Where none is agreed, any ratio meets it.
    bar: Option<f64>,
    met: bool,
    /// Whether the table says how many were done in a second.
    #[serde(skip)]
    has_rate: bool,
}

/// One server's side of a comparison: medians of its turns, and the extremes.
#[derive(Debug, Serialize)]
struct Figures {
    cpu_us: f64,
    cpu_us_least: f64,
    cpu_us_most: f64,
    /// The share of each node, then of Redis.
    processes_us: Vec<f64>,
    wall_us: f64,
    p50_us: f64,
    p99_us: f64,
    /// The size of what was received for one.
    bytes: f64,
    /// How much of the time it or the load waited for a CPU that something else had, in the worst turn, from 0 to 1.
    crowded: f64,
}

/// The growth of resident memory.
#[derive(Debug, Serialize)]
pub(crate) struct MemoryRow {
    name: String,
    server_kib: f64,
    bare_kib: f64,
    bar_kib: f64,
    met: bool,
}

impl CpuRow {
    /// What `case` came to.
    pub(crate) fn new(case: &Case, server: &Turns, bare: &Turns) -> Self {
        let (server, bare) = (Figures::of(server), Figures::of(bare));
        let ratio = server.cpu_us / bare.cpu_us;
        let met = case.bar.is_none_or(|bar| ratio <= bar);
        Self { name: case.name, unit: case.unit, ratio, bar: case.bar, met, has_rate: case.has_rate(), server, bare }
    }
}

impl Figures {
    fn of(turns: &Turns) -> Self {
        let cpu = turns.cpu_us();
        let latencies = turns.latencies();
        let quantile = |share| latencies.quantile(share).as_secs_f64() * 1e6;
        Self {
            cpu_us: turns.median(Cost::cpu_us),
            cpu_us_least: cpu.first().copied().unwrap_or(f64::NAN),
            cpu_us_most: cpu.last().copied().unwrap_or(f64::NAN),
            processes_us: turns.each_us(),
            wall_us: turns.median(Cost::wall_us),
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            bytes: turns.median(Cost::bytes),
            crowded: turns.crowded(),
        }
    }

    /// How many were done in a second and, of several processes, which took what of it.
    fn rate(&self) -> String {
        let rate = format!("{:.0} in a second", 1e6 / self.wall_us);
        if self.processes_us.len() < 2 {
            return rate;
        }
        let names = (1..self.processes_us.len()).map(|node| format!("node {node}")).chain(["Redis".into()]);
        let shares = names.zip(&self.processes_us).map(|(name, us)| format!("{name} {us:.3}"));
        format!("{}; {rate}", shares.collect::<Vec<_>>().join(", "))
    }
}

impl MemoryRow {
    /// The two rows of the idle listeners.
    pub(crate) fn both(server: Growth, bare: Growth) -> [Self; 2] {
        let row = |moment: &str, server_kib: f64, bare_kib: f64| Self {
            name: format!("{} idle listeners, {moment}", server.listeners),
            server_kib,
            bare_kib,
            bar_kib: IDLE_BAR,
            met: server_kib < IDLE_BAR,
        };
        [row("settled", server.settled, bare.settled), row("after a push", server.pushed, bare.pushed)]
    }
}

impl Report {
    /// Whether every bar is met.
    pub(crate) fn met(&self) -> bool {
        self.cpu.iter().all(|row| row.met) && self.memory.iter().all(|row| row.met)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "server: {}", self.server)?;
        match self.cpus {
            Some(Cpus { server, load }) => writeln!(out, "server on CPU {server}, load on CPU {load}")?,
            None => writeln!(out, "not pinned: server and load may share CPUs, figures are rougher")?,
        }
        if !self.cpu.is_empty() {
            writeln!(out, "median of {} rounds of {} s each\n", self.rounds, self.window_seconds)?;
            let heads = ["server", "bare", "ratio", "bar", "", "p50 / p99 ms", "bytes"];
            let [server, bare, ratio, bar, verdict, latency, bytes] = heads;
            write!(out, "{:<31}{:<9}{server:>24}{bare:>24}{ratio:>8}", "server CPU µs", "for one")?;
            writeln!(out, "{bar:>7}{verdict:>8}{latency:>18}{bytes:>11}")?;
        }
        for row in &self.cpu {
            let (server, bare) = (row.server.to_string(), row.bare.to_string());
            let bar = row.bar.map_or_else(|| "–".into(), |bar| format!("≤ {bar}"));
            let verdict = if row.bar.is_some() { verdict(row.met) } else { "" };
            let latency = format!("{:.3} / {:.3}", row.server.p50_us / 1e3, row.server.p99_us / 1e3);
            let bytes = format!("{:.0} / {:.0}", row.server.bytes, row.bare.bytes);
            write!(out, "{:<31}{:<9}{server:>24}{bare:>24}{:>8.2}", row.name, row.unit, row.ratio)?;
            writeln!(out, "{bar:>7}{verdict:>8}{latency:>18}{bytes:>11}")?;
        }
        for row in self.cpu.iter().filter(|row| row.has_rate) {
            writeln!(out, "\n{}: {}", row.name, row.server.rate())?;
            writeln!(out, "{:>width$}: {}", "beside", row.bare.rate(), width = row.name.len())?;
        }
        let crowded = self.cpu.iter().flat_map(|row| [row.server.crowded, row.bare.crowded]).fold(0.0, f64::max);
        if crowded > CROWDED {
            writeln!(
                out,
                "\nother work had these CPUs for up to {:.0} % of a round: the figures are rough",
                crowded * 100.0
            )?;
        }
        if !self.memory.is_empty() {
            writeln!(out, "\n{:<35}{:>24}{:>24}{:>15}", "resident KiB for each", "server", "bare", "bar")?;
        }
        for row in &self.memory {
            let bar = format!("< {}", row.bar_kib);
            let (server, bare, met) = (row.server_kib, row.bare_kib, verdict(row.met));
            writeln!(out, "{:<35}{server:>24.2}{bare:>24.2}{bar:>15}{met:>8}", row.name)?;
        }
        Ok(())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:.3} ({:.3}–{:.3})", self.cpu_us, self.cpu_us_least, self.cpu_us_most)
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}
