//! A way to the server that can be cut: between two bytes, whenever the test or the chance says so.

use crate::random::Random;
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    thread,
};

/// Listens as long as the process lives; its threads wait in system calls.
#[derive(Clone)]
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    open: AtomicBool,
    cuts: AtomicUsize,
    /// Where there is one, each connection carries only so many bytes.
    chance: Mutex<Option<Random>>,
    streams: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state =
            Arc::new(State { open: true.into(), cuts: 0.into(), chance: Mutex::default(), streams: Mutex::default() });
        let proxy = Self { address, state: state.clone() };
        thread::spawn(move || listener.incoming().flatten().for_each(|client| state.carry(client, server)));
        proxy
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cut every connection after a random number of bytes, from the next one on.
    pub(crate) fn cut_at_random(&self, seed: u64) {
        *self.state.chance.lock().unwrap() = Some(Random::seeded(seed));
    }

    /// Cut no more, but let those that have a number come to it.
    pub(crate) fn calm(&self) {
        *self.state.chance.lock().unwrap() = None;
    }

    /// How many connections were cut by chance.
    pub(crate) fn cuts(&self) -> usize {
        self.state.cuts.load(Ordering::Relaxed)
    }

    /// Cut all, and let nobody through until [`Self::open`].
    pub(crate) fn shut(&self) {
        self.state.open.store(false, Ordering::SeqCst);
        self.state.streams.lock().unwrap().drain(..).for_each(|stream| end(&stream));
    }

    pub(crate) fn open(&self) {
        self.state.open.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn carry(self: &Arc<Self>, client: TcpStream, server: SocketAddr) {
        let Ok(server) = TcpStream::connect(server) else { return };
        let pair = [client, server];
        let mut streams = self.streams.lock().unwrap();
        // Looked at under the lock, so that nobody slips through while it is shut.
        if !self.open.load(Ordering::SeqCst) {
            return;
        }
        pair.iter().for_each(|stream| stream.set_nodelay(true).unwrap());
        streams.extend(pair.iter().map(|stream| stream.try_clone().unwrap()));
        drop(streams);
        let bytes = self.chance.lock().unwrap().as_mut().map(|chance| chance.below(30_000));
        let left = Arc::new(AtomicI64::new(bytes.map_or(i64::MAX, |bytes| i64::try_from(bytes).unwrap())));
        for (from, to) in [(0, 1), (1, 0)] {
            let (from, to) = (pair[from].try_clone().unwrap(), pair[to].try_clone().unwrap());
            let (state, left) = (self.clone(), left.clone());
            thread::spawn(move || {
                if copy(&from, &to, &left) {
                    state.cuts.fetch_add(1, Ordering::Relaxed);
                }
                end(&from);
                end(&to);
            });
        }
    }
}

/// Copy until the end; whether that was because no bytes were left.
fn copy(mut from: &TcpStream, mut to: &TcpStream, left: &AtomicI64) -> bool {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let before = left.fetch_sub(i64::try_from(read).unwrap(), Ordering::SeqCst);
        let part = read.min(usize::try_from(before).unwrap_or(0));
        if to.write_all(&buffer[..part]).is_err() {
            return false;
        }
        if part < read {
            return before > 0;
        }
    }
    false
}

fn end(stream: &TcpStream) {
    // It may have ended by itself.
    let _ = stream.shutdown(Shutdown::Both);
}
