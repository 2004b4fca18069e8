//! Several programs at once, sockets of the test, a terminal: when nothing moves any more.

mod common;

use common::{LAB, that};
use grader::{
    Mailbox, Party, Peer, Refusal, SignalName, Terminal, Verdict, checks, is_bound, until_still,
    until_still_with,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
};

fn main() -> ExitCode {
    LAB.main(checks![
        what_comes_back_has_come_when_nothing_moves,
        two_programs_talk_to_their_end,
        several_programs_wake_each_other,
        a_closed_port_has_refused,
        an_end_is_no_hindrance,
        what_goes_over_a_connection_has_arrived,
        what_is_typed_is_answered,
        a_terminal_sends_signals,
        a_hang_up_ends_the_session,
    ])
}

fn echo() -> Verdict<(Party, SocketAddr)> {
    let mut party = LAB.command(&["datagram", "echo"]).join()?;
    let story = party.story()?;
    let address = story.stdout().trim_end().parse();
    let address = address.map_err(|_| {
        let why = "A grader that is wrong about the facts can only judge wrongly.";
        story.refusal(
            None,
            "it says where it is",
            format!("it says {:?}", story.stdout()),
            why,
        )
    })?;
    Ok((party, address))
}

fn mailbox() -> Verdict<Mailbox> {
    Mailbox::near(Ipv4Addr::LOCALHOST.into())
}

fn what_comes_back_has_come_when_nothing_moves() -> Verdict {
    let (mut party, address) = echo()?;
    let mut all = (0..50).map(|_| mailbox()).collect::<Verdict<Vec<_>>>()?;
    for round in 0..20_u8 {
        all.iter()
            .try_for_each(|mailbox| mailbox.send(address, &[round]))?;
        until_still(&mut [&mut party])?;
        let came = all.iter_mut().filter_map(|mailbox| {
            mailbox.pull();
            (mailbox.take() == [(address, vec![round])]).then_some(())
        });
        let right = came.count();
        that(
            &party.story()?,
            right == 50,
            &format!("each of 50 has what it sent, and {right} have"),
        )?;
    }
    Ok(())
}

fn two_programs_talk_to_their_end() -> Verdict {
    let (mut one, address) = echo()?;
    let mut two = LAB
        .command(&["datagram", "count", &address.to_string(), "300"])
        .join()?;
    until_still(&mut [&mut one, &mut two])?;
    two.story()?.expect_stdout("300 came back\n")
}

/// Five that count at the same time with the same one, in whatever order they are asked.
fn several_programs_wake_each_other() -> Verdict {
    let (mut one, address) = echo()?;
    let to = address.to_string();
    let mut others = (0..4)
        .map(|_| LAB.command(&["datagram", "count", &to, "100"]).join())
        .collect::<Verdict<Vec<_>>>()?;
    let mut all: Vec<&mut Party> = others.iter_mut().chain([&mut one]).collect();
    until_still(&mut all)?;
    others
        .iter_mut()
        .try_for_each(|party| party.story()?.expect_stdout("100 came back\n"))
}

/// What the first knock brings about is known by the second, and no knock is lost on one that is there.
fn a_closed_port_has_refused() -> Verdict {
    for _ in 0..10 {
        let there = mailbox()?;
        let address = there.address();
        let mut party = LAB
            .command(&["datagram", "knock", &address.to_string()])
            .input("")
            .join()?;
        party.input(b"\n")?;
        until_still(&mut [&mut party])?;
        that(&party.story()?, is_bound(address), "somebody is there")?;
        there.close();
        for _ in 0..2 {
            party.input(b"\n")?;
            until_still(&mut [&mut party])?;
        }
        party.story()?.expect_stdout("knocked\nknocked\nnobody there\n")?;
    }
    Ok(())
}

fn an_end_is_no_hindrance() -> Verdict {
    let (mut one, address) = echo()?;
    let mut two = LAB.command(&["exit", "3"]).join()?;
    let mut mailbox = mailbox()?;
    mailbox.send(address, b"x")?;
    until_still(&mut [&mut one, &mut two])?;
    mailbox.pull();
    that(
        &one.story()?,
        mailbox.take().len() == 1,
        "what was sent came back",
    )?;
    let over = two.is_over()?;
    let told = two.finish()?;
    that(&told, over, "the other has come to its end")?;
    told.expect_exit(3)
}

/// Small pieces and large ones, over several connections: all that was sent comes back.
fn what_goes_over_a_connection_has_arrived() -> Verdict {
    let mut party = LAB.command(&["serve", "rightly"]).join()?;
    let said = party.story()?.stdout();
    let address = said
        .trim_end()
        .rsplit(' ')
        .next()
        .and_then(|address| address.parse().ok());
    let address: SocketAddr = address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9)));
    let mut peers = (0..5)
        .map(|_| Peer::connect(address).map_err(|error| Refusal::Broken(error.to_string())))
        .collect::<Verdict<Vec<_>>>()?;
    for size in [1, 1, 1, 100, 20_000, 1] {
        peers.iter_mut().for_each(|peer| peer.send(&vec![7; size]));
        loop {
            let before = peers
                .iter_mut()
                .filter_map(|peer| peer.exchange().then_some(()))
                .count();
            until_still_with(&mut [&mut party], address, &peers.iter().collect::<Vec<_>>())?;
            let after = peers
                .iter_mut()
                .filter_map(|peer| peer.exchange().then_some(()))
                .count();
            if before + after == 0 {
                break;
            }
        }
        let back = |peer: &mut Peer| std::mem::take(&mut peer.received).len() == size;
        let right = peers
            .iter_mut()
            .filter_map(|peer| back(peer).then_some(()))
            .count();
        that(
            &party.story()?,
            right == 5,
            &format!("{size} bytes came back to each"),
        )?;
    }
    Ok(())
}

fn terminal() -> Verdict<(Terminal, Party)> {
    let mut terminal = Terminal::new(24, 80)?;
    let mut party = LAB.command(&["terminal"]).on(&terminal).join()?;
    expect_on(&mut terminal, &mut party, "ready\r\n")?;
    Ok((terminal, party))
}

fn expect_on(terminal: &mut Terminal, party: &mut Party, text: &str) -> Verdict {
    terminal.until_still(&mut [party])?;
    let came = String::from_utf8_lossy(&std::mem::take(&mut terminal.came)).into_owned();
    that(
        &party.story()?,
        came == text,
        &format!("on the terminal is {text:?}; {came:?} was"),
    )
}

/// A hundred times, since it is a worker of the kernel that carries it.
fn what_is_typed_is_answered() -> Verdict {
    let (mut terminal, mut party) = terminal()?;
    for _ in 0..100 {
        terminal.press(b"he")?;
        expect_on(&mut terminal, &mut party, "he")?;
        terminal.press(b"y\r")?;
        expect_on(&mut terminal, &mut party, "y\r\nhey\r\n")?;
    }
    terminal.press(b"\x04")?;
    expect_on(&mut terminal, &mut party, "the end\r\n")?;
    party.finish()?.expect_exit(0)
}

fn a_terminal_sends_signals() -> Verdict {
    let (mut terminal, mut party) = terminal()?;
    terminal.press(b"\x03")?;
    expect_on(&mut terminal, &mut party, "^Cinterrupted\r\n")?;
    terminal.resize(10, 20)?;
    expect_on(&mut terminal, &mut party, "resized\r\n")?;
    party.signal("main", SignalName::SIGINT)?;
    expect_on(&mut terminal, &mut party, "interrupted\r\n")
}

fn a_hang_up_ends_the_session() -> Verdict {
    let (terminal, mut party) = terminal()?;
    terminal.hang_up();
    until_still(&mut [&mut party])?;
    let over = party.is_over()?;
    let told = party.finish()?;
    that(&told, over, "it has heard of it")?;
    told.expect_exit(7)
}
