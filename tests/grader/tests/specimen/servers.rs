//! Servers, right and wrong, each as small as it can be.

use crate::sys::{on, said, sleep_for_good};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        resource::{Resource, getrlimit},
        signal::{SaFlags, SigHandler, Signal},
        socket::{Backlog, listen},
    },
};
use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    os::{fd::AsFd, unix::net::UnixListener},
};

/// An echo server on poll; `way` is what it does wrong.
pub fn serve(way: &str, addr: &str) -> u8 {
    let bye = SigHandler::Handler(bye);
    let (Ok(_), Ok(listener)) = (
        on(Signal::SIGTERM, bye, SaFlags::empty()),
        TcpListener::bind(addr),
    ) else {
        return 1;
    };
    if way.starts_with("narrow") && listen(&listener, Backlog::new(2).unwrap_or(Backlog::MAXCONN)).is_err() {
        return 1;
    }
    match way {
        "silent" => {}
        _ => drop(said(format_args!(
            "listening on {}",
            listener.local_addr().expect("an address")
        ))),
    }
    if way.ends_with("asleep") {
        sleep_for_good();
    }
    let mut clients: Vec<TcpStream> = Vec::new();
    loop {
        let mut fds = vec![PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        fds.extend(
            clients
                .iter()
                .map(|client| PollFd::new(client.as_fd(), PollFlags::POLLIN)),
        );
        let timeout = if way == "timed" {
            PollTimeout::from(50_u8)
        } else {
            PollTimeout::NONE
        };
        if poll(&mut fds, timeout).is_err() {
            continue;
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        let served = clients.into_iter().zip(&ready[1..]);
        clients = served
            .filter_map(|(client, ready)| if *ready { talk(client, way) } else { Some(client) })
            .collect();
        if ready[0] && way != "deaf" {
            clients.extend(listener.accept().map(|(client, _)| client));
        }
    }
}

/// Reads once; answers the client back if it stays.
fn talk(mut client: TcpStream, way: &str) -> Option<TcpStream> {
    let mut buffer = [0; 4096];
    match client.read(&mut buffer) {
        Ok(0) => None,
        Ok(_) if way == "hoards" => Some(client),
        Ok(n) if way == "drops" => client.write_all(&buffer[..n - 1]).ok().map(|()| client),
        Ok(n) => client.write_all(&buffer[..n]).ok().map(|()| client),
        Err(error) if way == "dies" => panic!("{error}"),
        Err(_) => None,
    }
}

/// One client after the other, on a socket in its directory.
pub fn serve_path() -> u8 {
    let bye = SigHandler::Handler(bye);
    let (Ok(_), Ok(listener)) = (
        on(Signal::SIGTERM, bye, SaFlags::empty()),
        UnixListener::bind("here"),
    ) else {
        return 1;
    };
    said("listening on here");
    for mut client in listener.incoming().flatten() {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = client.read(&mut buffer) {
            let _ = client.write_all(&buffer[..n]);
        }
    }
    0
}

extern "C" fn bye(_: libc::c_int) {
    let word = b"bye\n";
    // SAFETY: both calls are async-signal-safe; pointer and length are those of `word`.
    unsafe {
        libc::write(libc::STDOUT_FILENO, word.as_ptr().cast(), word.len());
        libc::_exit(0);
    }
}

/// Prints how many descriptors it may have.
pub fn limits() -> u8 {
    said(format_args!(
        "{:?}",
        getrlimit(Resource::RLIMIT_NOFILE).map(|(soft, _)| soft)
    ))
}

/// Leaves its standard input in non-blocking mode.
pub fn unblock() -> u8 {
    u8::from(fcntl(io::stdin(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).is_err())
}
