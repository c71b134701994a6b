//! One of several nodes that any load balancer may send SockJS clients to: `cargo run --example sockjs_node FOLDER [ADDRESS]`.
//!
//! The nodes find each other's sessions in a folder that all of them see, a file for each. It shows what a directory has to do
//! and is good for a try: nothing lapses in it.

use backsync::{
    Backsync,
    directory::{Claim, Directory, DirectoryError, Lookup, Node, SessionKey},
    store::Memory,
};
use std::{
    fs,
    io::{self, ErrorKind},
    net::SocketAddr,
    path::{Path, PathBuf},
};

#[derive(Debug)]
struct Folder(PathBuf);

impl Directory for Folder {
    fn claim<'a>(&'a self, session: SessionKey, node: &'a Node, gone: Option<&'a Node>) -> Lookup<'a, Claim> {
        Box::pin(async move {
            let path = self.0.join(session.to_string());
            let claim = || match read(&path)? {
                Some(other) if other != *node && Some(&other) != gone => Ok(Claim::Theirs(other)),
                Some(_) => fs::write(&path, node.entry()).map(|()| Claim::Ours),
                None => create(&path, node),
            };
            claim().map_err(DirectoryError::new)
        })
    }

    fn find(&self, session: SessionKey) -> Lookup<'_, Option<Node>> {
        Box::pin(async move { read(&self.0.join(session.to_string())).map_err(DirectoryError::new) })
    }

    fn keep<'a>(&'a self, _: &'a [SessionKey], _: &'a Node) -> Lookup<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

fn read(path: &Path) -> io::Result<Option<Node>> {
    match fs::read_to_string(path) {
        Ok(entry) => Ok(Node::parse(&entry)),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

/// An entry is there as a whole or not at all, and of several only the first.
fn create(path: &Path, node: &Node) -> io::Result<Claim> {
    let whole = path.with_extension(node.token());
    fs::write(&whole, node.entry())?;
    let linked = fs::hard_link(&whole, path);
    fs::remove_file(whole)?;
    match linked {
        Ok(()) => Ok(Claim::Ours),
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Ok(read(path)?.map_or(Claim::Ours, Claim::Theirs)),
        Err(cause) => Err(cause),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("which folder do the nodes share?")?;
    let address: SocketAddr = arguments.next().as_deref().unwrap_or("127.0.0.1:0").parse()?;
    actix_rt::System::new().block_on(async {
        let node = Backsync::builder().store(Memory::default()).directory(Folder(folder.into())).listen(address);
        let serving = node.build()?.start()?;
        println!("http://{}", serving.address());
        actix_rt::signal::ctrl_c().await?;
        Ok(serving.stop().await?)
    })
}
