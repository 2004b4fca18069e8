//! An echo server on tokio, on one thread: what forkroom's own are compared with by `just bench servers`. The book shows it.

use std::io;
use std::net::SocketAddr;

use tokio::io::{BufReader, copy_buf};
use tokio::net::{TcpListener, TcpSocket};

const BUFFER: usize = 64 * 1024;
const BACKLOG: u32 = 4096;

fn main() -> io::Result<()> {
    let addr = std::env::args().nth(1).and_then(|addr| addr.parse().ok());
    let addr: SocketAddr = addr.ok_or(io::ErrorKind::InvalidInput)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let listener = listen(addr)?;
        println!("listening on {}", listener.local_addr()?);
        serve(listener).await
    })
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // The accepted sockets take this over from the listener.
    socket.set_nodelay(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

// ANCHOR: server
/// Sends every client back what it sends. One that goes away ends its own task only.
async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (mut client, _) = listener.accept().await?;
        tokio::spawn(async move {
            let (from, mut to) = client.split();
            copy_buf(&mut BufReader::with_capacity(BUFFER, from), &mut to).await
        });
    }
}
// ANCHOR_END: server
