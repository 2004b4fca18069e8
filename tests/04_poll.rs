//! Lab 4, poll and epoll: the steps, what each wants of a program, and how the kernel proves it.
//!
//! The servers are judged with real sockets. A check gives a server something to do only when it sleeps, and looks at what
//! came of it when it sleeps again: in which call, whether anything but an event will wake it, what it has read, written
//! and closed. So it does not matter who is faster.

use grader::{
    Errno, Family, Lab, MAIN, Peer, Refusal, Running, Server, SignalName, Story, Turn, Verdict, checks, lab,
    libc,
};
use std::{collections::VecDeque, process::ExitCode};

#[path = "04_poll/http.rs"]
mod http;

const LAB: Lab = lab!().with_places(&[
    ("step_5_pressure", "conn.rs", "pub fn wants"),
    ("step_6_faults_no_descriptors", "server.rs", "fn not_accepted"),
    ("step_6_faults", "conn.rs", "pub fn hang_up"),
]);

fn main() -> ExitCode {
    LAB.main(checks![
        step_1_models_blocking,
        step_1_models_nonblocking,
        step_1_models_timeout,
        step_1_models_timeout_over,
        step_1_models_when_interrupted,
        step_1_models_when_a_call_fails,
        step_1_models_worked_example,
        step_1_models_wrong_usage,
        step_2_poll,
        step_2_poll_pieces,
        step_2_poll_of_500,
        step_2_poll_when_interrupted,
        step_2_poll_when_a_call_fails,
        step_2_poll_wrong_usage,
        step_3_epoll,
        step_3_epoll_pieces,
        step_3_epoll_of_500,
        step_3_epoll_when_interrupted,
        step_3_epoll_when_a_call_fails,
        step_3_epoll_wrong_usage,
        step_4_edge,
        step_4_edge_pieces,
        step_4_edge_of_500,
        step_4_edge_when_the_end_comes_with_the_data,
        step_4_edge_when_one_never_stops,
        step_4_edge_when_interrupted,
        step_4_edge_when_a_call_fails,
        step_4_edge_wrong_usage,
        step_5_pressure_poll,
        step_5_pressure_epoll,
        step_5_pressure_edge,
        step_6_faults_poll,
        step_6_faults_epoll,
        step_6_faults_edge,
        step_6_faults_no_descriptors_poll,
        step_6_faults_no_descriptors_epoll,
        step_6_faults_no_descriptors_edge,
        step_7_http,
        step_7_http_statuses,
        step_7_http_head,
        step_7_http_pipelining,
        step_7_http_bodies,
        step_7_http_pressure,
        step_7_http_curl,
        step_7_http_chromium,
        step_7_http_wrong_usage,
    ])
}

/// What each server may sleep in; the first is the call that the step is about.
const POLL: &[&str] = &["poll", "ppoll"];
const EPOLL: &[&str] = &["epoll_wait", "epoll_pwait", "epoll_pwait2"];
const SELECT: &[&str] = &["select", "pselect6"];

// Step 1, models. Three ways to read from a descriptor that may have nothing: sleep until it has, be told at once that it
// has not, or sleep for so long at most.

fn step_1_models_blocking() -> Verdict {
    reads(&["read", "blocking"])?;
    let mut running = LAB.command(&["read", "blocking"]).input("").start()?;
    let story = running.until_quiet()?;
    expect_asleep(&story, Family::Read, "read")?;
    arrives(running)
}

fn step_1_models_nonblocking() -> Verdict {
    reads(&["read", "nonblocking"])?;
    let story = LAB
        .command(&["read", "nonblocking"])
        .input("")
        .start()?
        .finish()?;
    story.expect_exit(0)?;
    story.expect_lines(&["nothing yet (EAGAIN)"])?;
    story.observed()?;
    let reads: Vec<_> = story
        .calls_of(MAIN, Family::Read)
        .filter(|(_, call)| is_input(call))
        .collect();
    let refused = |result: Option<i64>| result == Some(-(Errno::EAGAIN as i64));
    story.demand(
        reads.iter().any(|(_, call)| refused(call.result)),
        reads.first().map(|(at, _)| *at),
        "read comes back at once, with EAGAIN",
        "no read of standard input came back with EAGAIN",
        "Whoever does not want to sleep must ask for that before he reads; looking first and reading then are two moments.",
    )?;
    puts_flags_back(&story)
}

fn step_1_models_timeout() -> Verdict {
    does_not_just_pause()?;
    reads(&["read", "timeout", "60000"])?;
    let mut running = LAB.command(&["read", "timeout", "60000"]).input("").start()?;
    let story = running.until_quiet()?;
    expect_asleep(&story, Family::Poll, "poll")?;
    running.input(b"hello")?;
    let told = running.finish()?;
    sleeps_in_one_piece(&told)?;
    let mut again = LAB.command(&["read", "timeout", "60000"]).input("").start()?;
    again.until_quiet()?;
    arrives(again)
}

/// What is there already is read at once, whatever the time.
fn does_not_just_pause() -> Verdict {
    let story = LAB.command(&["read", "timeout", "1"]).input("hello").run()?;
    story.observed()?;
    let pause = story.calls_of(MAIN, Family::Sleep).next();
    story.demand(
        pause.is_none(),
        pause.map(|(at, _)| at),
        "it sleeps in a call that ends when something comes, or when the time is over",
        "it paused for a time, and read afterwards",
        "The time is for how long nothing may come, and not for how long what has come is left lying.",
    )
}

/// Of a minute it has not asked for a few milliseconds, to look, and then for the next few. (No end at all: a timer that is
/// polled as well.)
fn sleeps_in_one_piece(story: &Story) -> Verdict {
    let half = 30_000_000_000;
    let mut calls = story.calls_of(MAIN, Family::Poll);
    let short = calls.find(|(_, call)| call.nanoseconds.is_some_and(|asked| 0 < asked && asked < half));
    story.demand(
        short.is_none(),
        short.map(|(at, _)| at),
        "it asks the kernel to be woken when something comes, or when the whole minute is over",
        "it asked to be woken earlier, in order to look",
        "Each look that finds nothing is work for nothing: the kernel knows when there is something to see.",
    )
}

fn step_1_models_timeout_over() -> Verdict {
    for ms in ["0", "1", "70"] {
        let story = LAB
            .command(&["read", "timeout", ms])
            .input("")
            .start()?
            .finish()?;
        story.expect_exit(0)?;
        story.expect_lines(&[&format!("nothing within {ms} ms")])?;
        puts_flags_back(&story)?;
    }
    Ok(())
}

/// Input that is there, more than fits the buffer, and none at all.
fn reads(args: &[&str]) -> Verdict {
    for (input, line) in [
        ("hello", "read 5 bytes"),
        (&"x".repeat(5000)[..], "read 4096 bytes"),
        ("", "end of input"),
    ] {
        let story = LAB.command(args).input(input).run()?;
        story.expect_exit(0)?;
        story.expect_lines(&[line])?;
        puts_flags_back(&story)?;
    }
    Ok(())
}

/// Input that comes while the program sleeps.
fn arrives(mut running: Running) -> Verdict {
    running.input(b"hello")?;
    let told = running.finish()?;
    told.expect_exit(0)?;
    told.expect_lines(&["read 5 bytes"])?;
    puts_flags_back(&told)
}

fn is_input(call: &grader::Call) -> bool {
    call.args.first() == Some(&(libc::STDIN_FILENO as u64))
}

fn expect_asleep(story: &Story, family: Family, call: &str) -> Verdict {
    story.observed()?;
    let asleep = story.asleep.iter().any(|sleeper| sleeper.family == family);
    let happened = match story.asleep.first() {
        None => format!("it had come to its end, with {:?}", story.stdout()),
        Some(sleeper) => format!("it slept in {}", sleeper.call),
    };
    story.demand(
        asleep,
        None,
        format!("as long as nothing comes it sleeps in {call}"),
        happened,
        "The models differ in one thing: where the program is while there is nothing to read.",
    )
}

fn puts_flags_back(story: &Story) -> Verdict {
    let left = story.input_flags.unwrap_or(0) & libc::O_NONBLOCK != 0;
    story.demand(
        !left,
        None,
        "the file status flags of standard input are as they were",
        "standard input was left in non-blocking mode",
        "The flags belong to the open file and not to the process: the shell that reads the same terminal next would trip over it.",
    )
}

fn step_1_models_when_interrupted() -> Verdict {
    for (args, family) in [
        (&["read", "blocking"][..], Family::Read),
        (&["read", "timeout", "60000"][..], Family::Poll),
    ] {
        let mut running = LAB.command(args).input("").interrupt(family, 1).start()?;
        running.until_quiet()?;
        arrives(running)?;
    }
    Ok(())
}

fn step_1_models_when_a_call_fails() -> Verdict {
    let blocking = LAB
        .command(&["read", "blocking"])
        .disk_full()
        .input("hello")
        .run()?;
    blocking.expect_error_line(LAB.name())?;
    let timeout = LAB
        .command(&["read", "timeout", "50"])
        .input("hello")
        .fail(Family::Poll, 1, Errno::ENOMEM)
        .run()?;
    timeout.expect_error_line(LAB.name())
}

/// `select` is given: the same server, to start from.
fn step_1_models_worked_example() -> Verdict {
    serves("select", SELECT)
}

fn step_1_models_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[
        &[],
        &["listen"],
        &["read"],
        &["read", "sideways"],
        &["read", "blocking", "10"],
        &["read", "timeout"],
        &["read", "timeout", "-1"],
        &["read", "timeout", "60001"],
        &["read", "timeout", "soon"],
    ])
}

// Step 2, poll. One process with one thread talks with all clients: it sleeps in poll, which is told of every descriptor
// each time, and does what is due for those that are ready.

fn step_2_poll() -> Verdict {
    serves("poll", POLL)
}

fn step_2_poll_pieces() -> Verdict {
    echoes_pieces("poll", POLL)
}

fn step_2_poll_of_500() -> Verdict {
    serves_500("poll", POLL)
}

fn step_2_poll_when_interrupted() -> Verdict {
    goes_on("poll")
}

fn step_2_poll_when_a_call_fails() -> Verdict {
    tells_failures("poll")
}

fn step_2_poll_wrong_usage() -> Verdict {
    wrong_addresses("poll")
}

// Step 3, epoll. The same on epoll, level-triggered: the kernel keeps the list, and tells only of those that are ready, as
// long as they are.

fn step_3_epoll() -> Verdict {
    serves("epoll", EPOLL)
}

fn step_3_epoll_pieces() -> Verdict {
    echoes_pieces("epoll", EPOLL)
}

fn step_3_epoll_of_500() -> Verdict {
    serves_500("epoll", EPOLL)
}

fn step_3_epoll_when_interrupted() -> Verdict {
    goes_on("epoll")
}

fn step_3_epoll_when_a_call_fails() -> Verdict {
    tells_failures("epoll")
}

fn step_3_epoll_wrong_usage() -> Verdict {
    wrong_addresses("epoll")
}

// Step 4, edge. Edge-triggered: the kernel tells once that something has come. What is not read then is not told of again.

fn step_4_edge() -> Verdict {
    serves("edge", EPOLL)?;
    let mut server = start("edge")?;
    let peer = server.connect()?;
    let story = server.story()?;
    drop(peer);
    expect_edge_triggered(&story)
}

fn step_4_edge_pieces() -> Verdict {
    echoes_pieces("edge", EPOLL)
}

fn step_4_edge_of_500() -> Verdict {
    serves_500("edge", EPOLL)
}

/// Data and the end of input in one segment: one edge for both.
fn step_4_edge_when_the_end_comes_with_the_data() -> Verdict {
    let mut server = start("edge")?;
    for size in [0, 1, 4095, 4096, 4097, 16_384, 32_768] {
        let (mut peer, bytes) = (server.connect()?, pattern(0, size));
        server.settle()?;
        peer.send_and_finish(&bytes);
        let case = format!("{size} bytes and the end of input come together");
        server.expect(&mut peer, &bytes, &case)?;
        server.expect_closed(&mut peer, &case)?;
    }
    server.stop(SignalName::SIGTERM)?;
    Ok(())
}

/// Many send more than one buffer at once, again and again: nobody is starved, and nothing is forgotten.
fn step_4_edge_when_one_never_stops() -> Verdict {
    let mut server = start("edge")?;
    let mut peers = server.connect_many(8)?;
    let bytes = pattern(7, 1 << 20);
    peers.iter_mut().for_each(|peer| peer.send(&bytes));
    server.exchange(&mut peers)?;
    for peer in &mut peers {
        server.expect(peer, &bytes, "eight clients send 1 MiB each at the same time")?;
    }
    server.stop(SignalName::SIGTERM)?;
    Ok(())
}

fn step_4_edge_when_interrupted() -> Verdict {
    goes_on("edge")
}

fn step_4_edge_when_a_call_fails() -> Verdict {
    tells_failures("edge")
}

fn step_4_edge_wrong_usage() -> Verdict {
    wrong_addresses("edge")
}

/// `epoll_ctl` was given `EPOLLET` for what it accepted.
fn expect_edge_triggered(story: &Story) -> Verdict {
    story.observed()?;
    let added = story
        .calls(MAIN)
        .filter(|(_, call)| call.name == "epoll_ctl" && call.result == Some(0));
    let of_connections: Vec<_> = added
        .filter(|(_, call)| call.on.iter().any(|on| on.starts_with("connection")))
        .collect();
    story.demand(
        of_connections.iter().any(|(_, call)| call.on.iter().any(|on| on.contains("EPOLLET"))),
        of_connections.first().map(|(at, _)| *at),
        "connections are registered with EPOLLET",
        "none was",
        "This step is about being told once: what is level-triggered works with half of the care, and proves nothing of the other half.",
    )
}

// Step 5, pressure. A client that sends and does not read makes the server's answers pile up: in the kernel until its
// buffers are full, then in the server. There must be a bound, and nobody else may notice.

fn step_5_pressure_poll() -> Verdict {
    withstands("poll", POLL)
}

fn step_5_pressure_epoll() -> Verdict {
    withstands("epoll", EPOLL)
}

fn step_5_pressure_edge() -> Verdict {
    withstands("edge", EPOLL)
}

/// Bytes that the greedy client sends in all.
const FLOOD: usize = 64 << 20;
/// The most that may have been read and not yet written: 256 KiB, and one read of at most 64 KiB.
const OWED: u64 = (256 + 64) << 10;

fn withstands(step: &str, calls: &[&str]) -> Verdict {
    let mut server = start(step)?;
    let (mut greedy, mut other) = (server.connect()?, server.connect()?);
    let mut sent = 0;
    let stuffed = [greedy.address()];
    server.drive(&stuffed, || match greedy.offer(flood_at(sent)) {
        0 => Turn::Stuck,
        n => {
            sent += n;
            if sent >= FLOOD { Turn::Done } else { Turn::Moved }
        }
    })?;
    let story = server.story()?;
    expect_bounded(&story)?;
    server.expect_asleep_in(calls)?;
    other.send(b"and me?");
    server.expect(
        &mut other,
        b"and me?",
        "another client, while one does not read what it gets",
    )?;
    let mut got = 0;
    let mut wrong = None;
    let done = server.drive(&stuffed, || {
        let rest = (FLOOD - sent).min(flood_at(sent).len());
        let offered = if rest > 0 {
            greedy.offer(&flood_at(sent)[..rest])
        } else {
            0
        };
        sent += offered;
        let pulled = greedy.pull();
        for piece in std::mem::take(&mut greedy.received).chunks(BLOCK) {
            wrong = wrong.or((!comes_next(got, piece)).then_some(got));
            got += piece.len();
        }
        match () {
            () if got >= FLOOD || wrong.is_some() => Turn::Done,
            () if offered > 0 || pulled && greedy.end.is_none() => Turn::Moved,
            () => Turn::Stuck,
        }
    })?;
    let expected = "once the client reads, all of its 64 MiB come back, in order";
    let why = "Back-pressure is a pause, not an end: what was not read waits in the client, and what is owed is owed.";
    if let Some(at) = wrong {
        return Err(server.missed(
            expected,
            format!("after byte {at} came another than the one that was due"),
            why,
        ));
    }
    if !done || got != FLOOD {
        return Err(server.missed(expected, format!("{got} bytes came, and the server sleeps"), why));
    }
    expect_bounded(&server.story()?)?;
    server.expect_asleep_in(calls)?;
    let told = server.stop(SignalName::SIGTERM)?;
    told.expect_one_thread(CLIENTS)
}

fn expect_bounded(story: &Story) -> Verdict {
    story.observed()?;
    let most = story
        .traffic
        .iter()
        .map(|traffic| traffic.most_owed)
        .max()
        .unwrap_or(0);
    story.demand(
        most <= OWED,
        None,
        "of one client never more than 256 KiB, and one read of at most 64 KiB, are read and not yet written",
        format!(
            "{} KiB had been read and not yet written, whether kept or lost",
            most >> 10
        ),
        "What a client may make the server keep has a bound, or one client can take all the memory there is.",
    )
}

/// The flood is this block again and again; 65,521 is prime, so that no buffer's size is a multiple of it.
const BLOCK: usize = 65_521;

fn block() -> &'static [u8] {
    static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BYTES.get_or_init(|| pattern(3, BLOCK))
}

/// What the flood goes on with at this offset: to the end of the block.
fn flood_at(offset: usize) -> &'static [u8] {
    &block()[offset % BLOCK..]
}

fn comes_next(offset: usize, piece: &[u8]) -> bool {
    let (first, rest) = piece.split_at(flood_at(offset).len().min(piece.len()));
    flood_at(offset).starts_with(first) && rest.chunks(BLOCK).all(|rest| block().starts_with(rest))
}

// Step 6, faults. Clients end the conversation in every way there is: they say that they are done and still want their
// answer, they vanish; and once there is no descriptor left for the next.

fn step_6_faults_poll() -> Verdict {
    survives("poll", POLL)
}

fn step_6_faults_epoll() -> Verdict {
    survives("epoll", EPOLL)
}

fn step_6_faults_edge() -> Verdict {
    survives("edge", EPOLL)
}

fn survives(step: &str, calls: &[&str]) -> Verdict {
    let mut server = start(step)?;
    server.settle()?;
    let at_rest = server.descriptors()?;
    let mut witness = server.connect()?;
    half_close(&mut server, calls)?;
    resets(&mut server, calls)?;
    witness.send(b"still here");
    server.expect(&mut witness, b"still here", "a client that did nothing wrong")?;
    witness.finish();
    server.expect_closed(&mut witness, "it has sent its end of input")?;
    server.expect_descriptors(&at_rest, CLIENTS)?;
    server.stop(SignalName::SIGINT)?;
    Ok(())
}

/// The end of input comes while more is owed than the kernel takes: then it is sent, to the last byte.
fn half_close(server: &mut Server, calls: &[&str]) -> Verdict {
    let mut peer = server.connect()?;
    let sent = stuff(server, &mut peer)?;
    takes_the_rest(server, calls, peer, sent)?;
    let mut peer = server.connect()?;
    let sent = stuff_until_owed(server, &mut peer)?;
    takes_the_rest(server, calls, peer, sent)
}

/// Sends piece by piece, until the server has read all of it and could not write all of it: what comes next it reads at once.
fn stuff_until_owed(server: &mut Server, peer: &mut Peer) -> Verdict<usize> {
    server.story()?.observed()?;
    let mut sent = 0;
    loop {
        let piece = flood_at(sent);
        let offered = peer.offer(&piece[..piece.len().min(32 << 10)]);
        sent += offered;
        let owes = |read: u64, written: u64| read == sent as u64 && written < read;
        let traffic = server.traffic()?;
        let owed = traffic.iter().any(|flow| owes(flow.read, flow.written));
        if owed || offered == 0 {
            return Ok(sent);
        }
    }
}

fn takes_the_rest(server: &mut Server, calls: &[&str], mut peer: Peer, sent: usize) -> Verdict {
    peer.finish();
    server.settle()?;
    server.expect_asleep_in(calls)?;
    let case = format!("{sent} bytes, then the end of input, and only then the client reads");
    server.expect_stream(&mut peer, sent, comes_next, &case)?;
    server.expect_closed(&mut peer, &case)
}

/// Sends until nothing moves any more, and reads nothing; answers how many bytes went.
fn stuff(server: &mut Server, peer: &mut Peer) -> Verdict<usize> {
    let (mut sent, address) = (0, [peer.address()]);
    server.drive(&address, || match peer.offer(flood_at(sent)) {
        0 => Turn::Stuck,
        n => {
            sent += n;
            Turn::Moved
        }
    })?;
    Ok(sent)
}

/// Resets of a client that has said nothing, of one in the middle, of one to whom much is owed.
fn resets(server: &mut Server, calls: &[&str]) -> Verdict {
    let silent = server.connect()?;
    server.settle()?;
    server.reset(silent)?;
    let mut talking = server.connect()?;
    talking.send(b"half a wo");
    server.expect(&mut talking, b"half a wo", "a client before its reset")?;
    talking.send(b"rd");
    server.reset(talking)?;
    let mut stuffed = server.connect()?;
    stuff(server, &mut stuffed)?;
    server.reset(stuffed)?;
    let mut finished = server.connect()?;
    stuff_until_owed(server, &mut finished)?;
    finished.finish();
    server.settle()?;
    server.reset(finished)?;
    server.settle()?;
    server.expect_asleep_in(calls)
}

fn step_6_faults_no_descriptors_poll() -> Verdict {
    no_descriptors("poll", POLL)
}

fn step_6_faults_no_descriptors_epoll() -> Verdict {
    no_descriptors("epoll", EPOLL)
}

fn step_6_faults_no_descriptors_edge() -> Verdict {
    no_descriptors("edge", EPOLL)
}

/// Forty clients and twenty descriptors: who cannot be accepted waits in the backlog, and the server sleeps. Then one
/// leaves after the other, and each of them makes room for one; the others stay, so that nothing else does.
fn no_descriptors(step: &str, calls: &[&str]) -> Verdict {
    let mut server = LAB.command(&[step, ADDRESS]).descriptors(20).serve()?;
    let mut waiting = server.connect_many(40)?;
    waiting.iter_mut().for_each(|peer| peer.send(b"me too"));
    let mut present = VecDeque::new();
    loop {
        server.exchange(&mut waiting)?;
        server.expect_asleep_in(calls)?;
        let served = waiting.extract_if(.., |peer| peer.received == b"me too");
        let before = present.len();
        present.extend(served);
        if waiting.is_empty() {
            break;
        }
        let turned_away = waiting.iter().any(|peer| peer.end.is_some());
        match present.pop_front() {
            Some(leaving) if present.len() >= before && !turned_away => leave(&mut server, leaving)?,
            _ => return Err(not_served(&mut server, 40 - waiting.len(), turned_away)),
        }
    }
    server.stop(SignalName::SIGTERM)?;
    Ok(())
}

fn leave(server: &mut Server, mut peer: Peer) -> Verdict {
    peer.received.clear();
    peer.finish();
    server.expect_closed(
        &mut peer,
        "one of those that were served has sent its end of input",
    )
}

fn not_served(server: &mut Server, served: usize, turned_away: bool) -> Refusal {
    let happened = match turned_away {
        true => "some were served, and another was turned away: its connection was closed".to_owned(),
        false => format!("{served} were served, and the server sleeps"),
    };
    let why = "A full table of descriptors is a pause too: who waits in the backlog loses nothing but time.";
    server.missed("as clients leave, those in the backlog are served", happened, why)
}

fn step_7_http() -> Verdict {
    http::answers()
}

fn step_7_http_statuses() -> Verdict {
    http::statuses()
}

fn step_7_http_head() -> Verdict {
    http::head()
}

fn step_7_http_pipelining() -> Verdict {
    http::pipelining()
}

fn step_7_http_bodies() -> Verdict {
    http::bodies()
}

fn step_7_http_pressure() -> Verdict {
    http::pressure()
}

fn step_7_http_curl() -> Verdict {
    http::curl()
}

fn step_7_http_chromium() -> Verdict {
    http::chromium()
}

fn step_7_http_wrong_usage() -> Verdict {
    http::wrong_usage()
}

// What the servers have in common

const ADDRESS: &str = "127.0.0.1:0";
const CLIENTS: &str = "clients";

fn start(step: &str) -> Verdict<Server> {
    LAB.command(&[step, ADDRESS]).serve()
}

/// Bytes in which no piece is like another for long.
fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| ((i + seed).wrapping_mul(0x9E37_79B1) >> 13) as u8)
        .collect()
}

/// One client's conversation: the lines, the bytes, the call that the server sleeps in, its descriptors before and after.
fn serves(step: &str, calls: &[&str]) -> Verdict {
    let mut server = start(step)?;
    server.expect_asleep_in(calls)?;
    let at_rest = server.descriptors()?;
    let mut peer = server.connect()?;
    server.expect_open(&mut peer, "it has just connected")?;
    let (address, name) = (server.address(), peer.address());
    let mut lines = vec![format!("listening on {address}"), format!("open {name}")];
    server.story()?.expect_lines(&lines)?;
    peer.send(b"hello");
    server.expect(&mut peer, b"hello", "a client sends \"hello\"")?;
    server.expect_asleep_in(calls)?;
    peer.finish();
    server.expect_closed(
        &mut peer,
        "a client has sent its end of input, and nothing is owed",
    )?;
    lines.push(format!("close {name} 5"));
    server.story()?.expect_lines(&lines)?;
    server.expect_descriptors(&at_rest, CLIENTS)?;
    server.expect_asleep_in(calls)?;
    let told = server.stop(SignalName::SIGTERM)?;
    lines.push("bye".to_owned());
    told.expect_lines(&lines)?;
    told.expect_one_thread(CLIENTS)?;
    LAB.snapshot_of_server(step, &told, address, name);
    says_bye_with_clients(step)
}

/// SIGINT while a client is connected.
fn says_bye_with_clients(step: &str) -> Verdict {
    let mut server = start(step)?;
    let mut peer = server.connect()?;
    peer.send(b"x");
    server.expect(&mut peer, b"x", "a client sends \"x\"")?;
    let (address, name) = (server.address(), peer.address());
    let told = server.stop(SignalName::SIGINT)?;
    told.expect_lines(&[
        format!("listening on {address}"),
        format!("open {name}"),
        "bye".to_owned(),
    ])
}

/// Pieces of every size, one after the other and several at once; in between the server sleeps for everybody, and in no read.
fn echoes_pieces(step: &str, calls: &[&str]) -> Verdict {
    let mut server = start(step)?;
    let mut peer = server.connect()?;
    let mut total = 0;
    for (i, size) in [
        1, 2, 3, 7, 1000, 4095, 4096, 4097, 16_384, 65_535, 65_536, 65_537, 200_000,
    ]
    .into_iter()
    .enumerate()
    {
        let bytes = pattern(i, size);
        peer.send(&bytes);
        server.expect(&mut peer, &bytes, &format!("a client sends {size} bytes"))?;
        server.expect_asleep_in(calls)?;
        total += size;
    }
    let bytes = pattern(5, 3000);
    for piece in bytes.chunks(7) {
        peer.send(piece);
    }
    server.expect(&mut peer, &bytes, "a client sends 3,000 bytes in pieces of 7")?;
    total += bytes.len();
    let name = peer.address();
    peer.send_and_finish(b"and goodbye");
    server.expect(
        &mut peer,
        b"and goodbye",
        "its last words come together with the end of input",
    )?;
    server.expect_closed(&mut peer, "its last words came together with the end of input")?;
    let story = server.story()?;
    let close = format!("close {name} {}", total + b"and goodbye".len());
    expect_line(&story, &close)?;
    server.stop(SignalName::SIGTERM)?;
    Ok(())
}

fn expect_line(story: &Story, line: &str) -> Verdict {
    let stdout = story.stdout();
    let last = stdout.lines().next_back().unwrap_or_default();
    let why = "N is how many bytes were written to that client; who compares it with what was sent sees what is missing.";
    story.demand(
        stdout.lines().any(|printed| printed == line),
        None,
        format!("standard output has the line \"{line}\""),
        format!("its last line is \"{last}\""),
        why,
    )
}

/// Five hundred clients at once, each with bytes of its own; after the first round every third leaves.
fn serves_500(step: &str, calls: &[&str]) -> Verdict {
    let mut server = start(step)?;
    let at_rest = server.descriptors()?;
    let mut peers = server.connect_many(500)?;
    for round in 0..3 {
        let len = |i: usize| if round == 0 { 1000 } else { 1 + (i * 37) % 3000 };
        let piece = |i: usize| pattern(500 * round + i, len(i));
        peers
            .iter_mut()
            .enumerate()
            .filter(|(i, _)| round == 0 || i % 3 > 0)
            .for_each(|(i, peer)| peer.send(&piece(i)));
        server.exchange(&mut peers)?;
        for (i, peer) in peers
            .iter_mut()
            .enumerate()
            .filter(|(i, _)| round == 0 || i % 3 > 0)
        {
            server.expect(peer, &piece(i), "500 clients send at the same time")?;
        }
        for peer in peers.iter_mut().step_by(3).filter(|_| round == 0) {
            peer.finish();
            server.expect_closed(peer, "of 500 clients every third has sent its end of input")?;
        }
    }
    server.expect_asleep_in(calls)?;
    peers.iter_mut().for_each(Peer::finish);
    server.exchange(&mut peers)?;
    for peer in &mut peers {
        server.expect_closed(peer, "500 clients have sent their end of input")?;
    }
    server.expect_descriptors(&at_rest, CLIENTS)?;
    let told = server.stop(SignalName::SIGTERM)?;
    told.expect_one_thread(CLIENTS)
}

/// Signals interrupt its sleep, and a client is gone before it was accepted: nothing comes of it.
fn goes_on(step: &str) -> Verdict {
    let run = LAB.command(&[step, ADDRESS]);
    for nth in 1..=3 {
        talks(
            run.clone().interrupt(Family::Poll, nth).serve()?,
            "a signal interrupted its sleep",
        )?;
    }
    talks(
        run.fail(Family::Accept, 1, Errno::ECONNABORTED).serve()?,
        "accept failed once with ECONNABORTED",
    )
}

fn talks(mut server: Server, case: &str) -> Verdict {
    for _ in 0..2 {
        let mut peer = server.connect()?;
        server.settle()?;
        peer.send(b"hello");
        server.expect(&mut peer, b"hello", case)?;
        peer.finish();
        server.expect_closed(&mut peer, case)?;
    }
    server.stop(SignalName::SIGTERM)?;
    Ok(())
}

/// What cannot be done is told in a line: an address in use, one without permission, one that is not here, a full disk.
fn tells_failures(step: &str) -> Verdict {
    let server = start(step)?;
    let taken = server.address().to_string();
    LAB.command(&[step, &taken])
        .run()?
        .expect_error_line(LAB.name())?;
    server.stop(SignalName::SIGTERM)?;
    let run = LAB.command(&[step, ADDRESS]);
    run.clone()
        .fail(Family::Bind, 1, Errno::EACCES)
        .run()?
        .expect_error_line(LAB.name())?;
    LAB.command(&[step, "192.0.2.1:0"])
        .run()?
        .expect_error_line(LAB.name())?;
    run.clone().disk_full().run()?.expect_error_line(LAB.name())?;
    run.reader_gone().run()?.expect_end_without_reader()
}

fn wrong_addresses(step: &str) -> Verdict {
    LAB.wrong_usage(&[
        &[step],
        &[step, ""],
        &[step, "nowhere"],
        &[step, "127.0.0.1"],
        &[step, "127.0.0.1:65536"],
        &[step, "127.0.0.1:-1"],
        &[step, "256.0.0.1:0"],
        &[step, ADDRESS, "again"],
    ])
}
