//! How long it takes from one member's word to another's ear, beside a bare datagram there and back.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Instant;

use nix::libc;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};

use super::Subject;
use super::members::Members;
use crate::chart::thousands;
use crate::machine::pin;
use crate::servers::{Bench, cells, met, ratio};
use crate::show::{median, table};
use crate::{Result, named};

/// How often a way is gone in a round.
const TRIPS: usize = 1000;

/// Aim: a room takes at most twice as long as the bare datagram.
pub fn run(bench: &Bench, rooms: [&Subject; 2]) -> Result {
    let costs = bench.rounds("latency", 1 + rooms.len(), |at| match at.checked_sub(1) {
        None => bare(bench.cores.server),
        Some(room) => through(bench, rooms[room]),
    })?;
    let mut rows = vec![cells("ns from one to another", "median ratio aim:2.00")];
    for (name, costs_of_it) in ["bare UDP, there and back", "room, UDP", "room, TCP"]
        .iter()
        .zip(&costs)
    {
        let ratio = ratio(costs_of_it, &costs[0]);
        let aim = if *costs_of_it == costs[0] {
            "-".into()
        } else {
            met(ratio <= 2.0)
        };
        rows.push(vec![
            name.to_string(),
            thousands(median(costs_of_it)),
            format!("{ratio:.2}"),
            aim,
        ]);
    }
    println!("{}", table(&rows));
    Ok(())
}

/// Two members, and nobody else.
fn through(bench: &Bench, room: &Subject) -> Result<f64> {
    let started = room.start(bench.cores)?;
    let mut members = Members::new(started.server(), room.wire());
    members.enter(2)?;
    Ok(median(&members.trips(TRIPS)?))
}

/// A datagram to a process on the server's processor, and back.
fn bare(core: usize) -> Result<f64> {
    let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(named("bind"))?;
    let near = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(named("bind"))?;
    near.connect(far.local_addr().map_err(named("getsockname"))?)
        .map_err(named("connect"))?;
    let echo = echo(far, core)?;
    let mut buffer = [0; 64];
    let mut trip = || -> std::io::Result<f64> {
        let began = Instant::now();
        near.send(b"C m0 x|")?;
        near.recv(&mut buffer)?;
        Ok(began.elapsed().as_nanos() as f64)
    };
    let trips: std::io::Result<Vec<f64>> = (0..TRIPS).map(|_| trip()).collect();
    let _ = kill(echo, Signal::SIGKILL).and_then(|()| waitpid(echo, None));
    trips.map(|trips| median(&trips)).map_err(named("echo"))
}

/// Starts the process that sends everything back.
fn echo(socket: UdpSocket, core: usize) -> Result<Pid> {
    let parent = getpid();
    // SAFETY: the child takes no lock that a thread of ours might have held: it only makes system calls.
    match unsafe { fork() }.map_err(named("fork"))? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let ready = set_pdeathsig(Signal::SIGKILL).and_then(|()| pin(core));
            let mut buffer = [0; 64];
            while ready.is_ok() && getppid() == parent && send_back(&socket, &mut buffer).is_ok() {}
            // SAFETY: `_exit` takes no pointer and runs no code of this process.
            unsafe { libc::_exit(1) }
        }
    }
}

fn send_back(socket: &UdpSocket, buffer: &mut [u8]) -> std::io::Result<()> {
    let (len, from): (usize, SocketAddr) = socket.recv_from(buffer)?;
    socket.send_to(&buffer[..len], from)?;
    Ok(())
}
