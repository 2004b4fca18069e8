//! Step 1, network: where the room is, and where the client looks for it.

use super::{
    HERE, LAB,
    house::{House, server},
    idle,
    stage::{Stage, client},
};
use grader::{Errno, Family, MAIN, Refusal, SignalName, Verdict, is_bound, until_still};
use std::net::{Ipv6Addr, SocketAddr};

pub fn room() -> Verdict {
    for address in [HERE, "[::1]:0"] {
        if address != HERE && no_ipv6() {
            continue;
        }
        let mut house = House::of(server(&[address]))?;
        house.still()?;
        let open = is_bound(house.address);
        if !open {
            let expected = format!("there is a UDP socket at {}", house.address);
            return Err(house.refuse(
                expected,
                "the kernel knows of none",
                "bind gives a socket its address.",
            ));
        }
        house.expect_lines(&[])?;
        idle(&house.story()?)?;
        // Whoever sleeps in a call on this socket alone hears no signal any more when something has come once.
        let guest = house.guest("")?;
        guest.send("hello")?;
        house.close(SignalName::SIGTERM)?;
    }
    Ok(())
}

/// Whether this machine has no IPv6, as many a container: then nobody can bind to `::1`.
pub fn no_ipv6() -> bool {
    grader::Mailbox::at(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))).is_err()
}

pub fn client_asks() -> Verdict {
    let mut stage = Stage::open()?;
    stage.expect_sent(&[""; 0], "nothing has been typed")?;
    idle(&stage.story()?)
}

/// Without an address both mean 127.0.0.1:8888.
pub fn default_address() -> Verdict {
    const DEFAULT: &str = "127.0.0.1:8888";
    let mut server = server(&[]).join()?;
    let story = server.story()?;
    story.observed()?;
    let mut binds = story.calls_of(MAIN, Family::Bind);
    let (expected, happened) = (
        "without an address the server is at 127.0.0.1:8888",
        "it binds another one",
    );
    let why = "That is where those look who have been told nothing else.";
    let to_it = binds.any(|(_, call)| call.on.iter().any(|on| on == DEFAULT));
    story.demand(to_it, None, expected, happened, why)?;
    drop(server);
    let address = SocketAddr::from(([127, 0, 0, 1], 8888));
    let mut room = grader::Mailbox::at(address)
        .map_err(|_| Refusal::NotChecked(format!("somebody else is at {DEFAULT}")))?;
    let mut client = LAB.command(&["client"]).input("").join()?;
    let story = client.story()?;
    let connects = |(_, call): (usize, &grader::Call)| call.on.iter().any(|on| on == DEFAULT);
    if story.calls_of(MAIN, Family::Connect).any(connects) {
        return Ok(());
    }
    client.input(b"somebody\n")?;
    until_still(&mut [&mut client])?;
    room.pull();
    let came = room
        .take()
        .iter()
        .any(|(_, bytes)| bytes.starts_with(b"L somebody"));
    let expected = "without an address the client talks to 127.0.0.1:8888";
    client
        .story()?
        .demand(came, None, expected, "nothing came there", why)
}

pub fn call_fails() -> Verdict {
    let first = House::open()?;
    let taken = first.address.to_string();
    server(&[&taken]).run()?.expect_error_line(LAB.name())?;
    server(&["192.0.2.1:0"]).run()?.expect_error_line(LAB.name())?;
    let bind = server(&[HERE]).fail(Family::Bind, 1, Errno::EACCES);
    nothing_left(bind)?;
    nothing_left(server(&[HERE]).disk_full())?;
    server(&[HERE]).reader_gone().run()?.expect_end_without_reader()?;
    client(first.address)
        .disk_full()
        .run()?
        .expect_error_line(LAB.name())?;
    client(first.address)
        .reader_gone()
        .run()?
        .expect_end_without_reader()
}

/// It has told what failed, and left nobody behind.
pub fn nothing_left(run: grader::Run) -> Verdict {
    let story = run.run()?;
    story.expect_error_line(LAB.name())?;
    story.expect_all_reaped()
}

pub fn wrong_usage() -> Verdict {
    LAB.wrong_usage(&[
        &[],
        &["lobby"],
        &["server", ""],
        &["server", "nowhere"],
        &["server", "127.0.0.1"],
        &["server", "127.0.0.1:65536"],
        &["server", HERE, "again"],
        &["client", "256.0.0.1:1"],
        &["client", "127.0.0.1:-1"],
        &["client", "127.0.0.1:8888", "again"],
        &["client", "--loud"],
    ])
}
