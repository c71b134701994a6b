//! Ten thousand listeners and nothing to hear: what a connection weighs.

use std::time::Duration;

use super::listening::listen;
use crate::dialect::Topic;
use crate::failure::Failure;
use crate::load::{Door, Load};
use crate::pin;
use crate::record::Revision;
use crate::target::Target;
use crate::usage::resident_kib;

const LISTENERS: usize = 10_000;
/// Files that are open beside the connections.
const OTHER_FILES: u64 = 100;
/// How long a server may take to let go of what opening needed.
const SETTLE: Duration = Duration::from_secs(1);

/// By how much a server's resident memory has grown, in KiB for each listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    /// How many listeners there were.
    pub(crate) listeners: usize,
    /// Once all listened, and it was quiet.
    pub(crate) settled: f64,
    /// Once each has had one push, and it was quiet again.
    pub(crate) pushed: f64,
}

/// Opens the listeners, pushes once, and weighs before and after both.
///
/// # Errors
/// When the server closes, stalls, or sends something wrong.
pub(crate) fn measure_idle(target: &Target) -> Result<Growth, Failure> {
    let dialect = target.dialect;
    let listeners = LISTENERS.min(pin::allow_many_files()?.saturating_sub(OTHER_FILES) as usize);
    let mut load = Load::new()?;
    // What a server sets up once, at its first listener and its first write, is no listener's weight.
    load.open(2, target.first().address, Door::WebSocket)?;
    let (first, writer) = (0, 1);
    listen(&mut load, dialect, first..writer, |_| Topic::ONE)?;
    write(&mut load, target, writer, 1, 1)?;
    rest(&mut load)?;
    let empty = resident_kib(target.first().pid())?;
    let grown = |now: u64| (now as f64 - empty as f64) / listeners as f64;

    let opened = load.open(listeners, target.first().address, Door::WebSocket)?;
    listen(&mut load, dialect, opened, |_| Topic::ONE)?;
    rest(&mut load)?;
    let settled = grown(resident_kib(target.first().pid())?);

    write(&mut load, target, writer, 2, listeners + 1)?;
    rest(&mut load)?;
    let pushed = grown(resident_kib(target.first().pid())?);
    Ok(Growth { listeners, settled, pushed })
}

/// Writes once, and waits for the answer and for the pushes to all of `listeners`.
fn write(load: &mut Load, target: &Target, writer: usize, number: u64, listeners: usize) -> Result<(), Failure> {
    let mut text = Vec::new();
    target.dialect.put_upsert(&mut text, Topic::ONE, number, Revision { id: 1, sequence: number });
    load.queue(writer, &text)?;
    load.send(writer)?;
    let (mut answers, mut pushes) = (0, 0);
    while answers < 1 || pushes < listeners {
        load.turn("the push to every idle listener", |arrival| {
            if arrival.connection == writer {
                answers += 1;
                return target.dialect.check_acknowledged(arrival.text, number);
            }
            pushes += 1;
            Ok(())
        })?;
    }
    Ok(())
}

fn rest(load: &mut Load) -> Result<(), Failure> {
    load.rest(SETTLE, |arrival| Err(Failure::Wrong(format!("nothing was due, but {}", arrival.text.escape_ascii()))))
}
