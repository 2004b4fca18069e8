//! Reads the memory of a stopped process (`process_vm_readv(2)`).

use nix::{
    libc,
    sys::uio::{RemoteIoVec, process_vm_readv},
    unistd::Pid,
};
use std::{io::IoSliceMut, net::SocketAddr};

/// Up to `len` bytes from `address`; fewer where the mapping ends, none where there is none.
pub fn bytes(pid: i32, address: u64, len: usize) -> Vec<u8> {
    let mut buffer = vec![0; len];
    let remote = [RemoteIoVec {
        base: address as usize,
        len,
    }];
    let got = process_vm_readv(Pid::from_raw(pid), &mut [IoSliceMut::new(&mut buffer)], &remote).unwrap_or(0);
    buffer.truncate(got);
    buffer
}

/// The `i`-th 32-bit word from `address`.
pub fn word(pid: i32, address: u64, i: u64) -> Option<i32> {
    let bytes = bytes(pid, address.checked_add(4 * i)?, 4);
    Some(i32::from_ne_bytes(bytes.try_into().ok()?))
}

/// The `i`-th 64-bit word from `address`.
pub fn double_word(pid: i32, address: u64, i: u64) -> Option<u64> {
    let bytes = bytes(pid, address.checked_add(8 * i)?, 8);
    Some(u64::from_ne_bytes(bytes.try_into().ok()?))
}

/// The address in a `struct sockaddr` of `len` bytes: a path for `AF_UNIX` (`@` in front of an abstract name), `IP:PORT`
/// for the internet's (`unix(7)`, `ip(7)`, `ipv6(7)`).
pub fn socket_address(pid: i32, address: u64, len: u64) -> Option<String> {
    let all = bytes(pid, address, len.min(128) as usize);
    let (family, rest) = all.split_first_chunk()?;
    let port = || Some(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?));
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_UNIX => match rest {
            [] => None,
            [0, name @ ..] => Some(format!("@{}", String::from_utf8_lossy(name))),
            path => {
                let end = path.iter().position(|&b| b == 0).unwrap_or(path.len());
                Some(String::from_utf8_lossy(&path[..end]).into_owned())
            }
        },
        libc::AF_INET => {
            let ip: [u8; 4] = rest.get(2..6)?.try_into().ok()?;
            Some(SocketAddr::from((ip, port()?)).to_string())
        }
        libc::AF_INET6 => {
            let ip: [u8; 16] = rest.get(6..22)?.try_into().ok()?;
            Some(SocketAddr::from((ip, port()?)).to_string())
        }
        _ => None,
    }
}

/// The zero-terminated string at `address`, its first 4,096 bytes at most.
pub fn string(pid: i32, address: u64) -> String {
    let mut all = Vec::new();
    // Piece by piece up to page ends: what lies behind the string may not be mapped.
    while all.len() < 4096 {
        let at = address + all.len() as u64;
        let piece = bytes(pid, at, (256 - (at % 256)) as usize);
        if piece.is_empty() {
            break;
        }
        if let Some(end) = piece.iter().position(|&b| b == 0) {
            all.extend(&piece[..end]);
            break;
        }
        all.extend(piece);
    }
    String::from_utf8_lossy(&all).into_owned()
}
