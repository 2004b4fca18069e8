//! Programs that talk by datagram or sit at a terminal, each as small as it can be.

use crate::sys::{on, said};
use nix::{
    errno::Errno,
    libc,
    sys::{
        signal::{SaFlags, SigHandler, Signal},
        socket::{MsgFlags, SockaddrIn, sendto},
    },
};
use std::{
    io::{self, BufRead},
    net::{SocketAddrV4, UdpSocket},
    os::fd::AsRawFd,
};

const HERE: &str = "127.0.0.1:0";

/// Sends back what comes.
pub fn echo() -> u8 {
    let Ok(socket) = UdpSocket::bind(HERE) else {
        return 1;
    };
    said(format_args!("{}", socket.local_addr().expect("an address")));
    let mut buffer = [0; 2048];
    loop {
        if let Ok((n, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..n], from);
        }
    }
}

/// Sends so many numbers, each when the one before has come back; then it sleeps.
pub fn count(to: &str, most: u32) -> u8 {
    let Ok(socket) = UdpSocket::bind(HERE) else {
        return 1;
    };
    let mut buffer = [0; 4];
    for i in 0..most {
        let sent = socket.send_to(&i.to_ne_bytes(), to);
        if sent.is_err() || socket.recv(&mut buffer).is_err() || u32::from_ne_bytes(buffer) != i {
            return 1;
        }
    }
    said(format_args!("{most} came back"));
    let _ = socket.recv(&mut buffer);
    0
}

/// For each line of its input it sends a word, and says whether what it sent before was refused.
pub fn knock(to: &str) -> u8 {
    let (Ok(socket), Ok(to)) = (UdpSocket::bind(HERE), to.parse::<SocketAddrV4>()) else {
        return 1;
    };
    let recverr: libc::c_int = 1;
    // SAFETY: points to an int, of which the length is told.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_RECVERR,
            (&raw const recverr).cast(),
            size_of_val(&recverr) as u32,
        )
    };
    let knocked = || {
        sendto(
            socket.as_raw_fd(),
            b"knock",
            &SockaddrIn::from(to),
            MsgFlags::empty(),
        )
    };
    for _line in io::stdin().lock().lines() {
        match knocked() {
            Ok(_) => said("knocked"),
            Err(Errno::ECONNREFUSED) => said("nobody there"),
            Err(_) => return 1,
        };
    }
    0
}

/// Says what is typed, and how large its terminal is; and which signals come.
pub fn terminal() -> u8 {
    for (signal, handler) in [
        (Signal::SIGINT, interrupted as extern "C" fn(libc::c_int)),
        (Signal::SIGHUP, hung_up),
        (Signal::SIGWINCH, resized),
    ] {
        if on(signal, SigHandler::Handler(handler), SaFlags::SA_RESTART).is_err() {
            return 1;
        }
    }
    said("ready");
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        said(format_args!("{line}"));
    }
    said("the end")
}

extern "C" fn interrupted(_: libc::c_int) {
    written(b"interrupted\n");
}

extern "C" fn resized(_: libc::c_int) {
    written(b"resized\n");
}

extern "C" fn hung_up(_: libc::c_int) {
    // SAFETY: async-signal-safe.
    unsafe { libc::_exit(7) };
}

fn written(word: &[u8]) {
    // SAFETY: async-signal-safe; pointer and length are those of `word`.
    unsafe { libc::write(libc::STDOUT_FILENO, word.as_ptr().cast(), word.len()) };
}
