//! A way to Redis that can swallow what is said: connections stay open and nothing arrives any more.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Listens as long as the process lives; its threads wait in system calls.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    swallows: AtomicBool,
    /// Of each connection, whether it is one that nothing comes through.
    connections: Mutex<Vec<Arc<AtomicBool>>>,
}

impl Proxy {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, state) = (listener.local_addr().unwrap(), Arc::new(State::default()));
        let proxy = Self { address, state: state.clone() };
        thread::spawn(move || listener.incoming().flatten().for_each(|client| state.carry(client, port)));
        proxy
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing comes through, and on the connections that there are nothing ever will.
    pub(crate) fn swallow(&self) {
        let connections = self.state.connections.lock().unwrap();
        self.state.swallows.store(true, Ordering::SeqCst);
        connections.iter().for_each(|dead| dead.store(true, Ordering::SeqCst));
    }

    /// New connections are as they should be again.
    pub(crate) fn let_through(&self) {
        self.state.swallows.store(false, Ordering::SeqCst);
    }
}

impl State {
    fn carry(&self, client: TcpStream, port: u16) {
        let Ok(redis) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
        let dead = Arc::new(AtomicBool::new(false));
        {
            // Under the lock, so that nobody slips through.
            let mut connections = self.connections.lock().unwrap();
            dead.store(self.swallows.load(Ordering::SeqCst), Ordering::SeqCst);
            connections.push(dead.clone());
        }
        for (from, to) in [(&client, &redis), (&redis, &client)] {
            from.set_nodelay(true).unwrap();
            let (from, to, dead) = (from.try_clone().unwrap(), to.try_clone().unwrap(), dead.clone());
            thread::spawn(move || copy(&from, &to, &dead));
        }
    }
}

fn copy(mut from: &TcpStream, mut to: &TcpStream, dead: &AtomicBool) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if !dead.load(Ordering::SeqCst) && to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // They may have ended by themselves.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
