//! Reads the memory of a stopped process (`process_vm_readv(2)`).

use nix::{
    sys::uio::{RemoteIoVec, process_vm_readv},
    unistd::Pid,
};
use std::io::IoSliceMut;

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
