//! Servers: what a check does with them when they sleep, and what it learns.

mod common;

use common::{LAB, that};
use grader::{
    Blocking, Errno, Family, MAIN, PeerEnd, Refusal, Run, Server, SignalName, Verdict, What, checks, libc,
};
use std::process::ExitCode;

fn main() -> ExitCode {
    LAB.main(checks![
        what_is_sent_comes_back,
        a_peer_of_the_other_address_family_is_served,
        data_and_the_end_arrive_together,
        a_reset_is_heard,
        what_is_missing_is_told,
        a_full_backlog_is_told_at_once,
        who_lets_in_needs_no_large_backlog,
        who_come_at_once_need_room,
        what_is_open_is_told,
        an_end_is_told,
        who_is_woken_and_does_nothing_spins,
        a_timed_sleep_is_no_sleep,
        a_server_that_says_nothing_is_told,
        what_is_owed_is_counted,
        what_stands_in_a_full_pipe_is_not_under_way,
        a_long_run_is_cut_and_counted,
        a_program_has_the_descriptors_that_it_is_given,
        the_flags_of_the_input_are_told,
        a_bind_can_fail,
        a_pause_stands_behind_a_call,
        who_is_let_go_by_the_end_of_the_test_ends,
        another_user_runs_it,
        a_path_is_a_place_too,
    ])
}

fn serve(way: &str) -> Verdict<Server> {
    LAB.command(&["serve", way]).serve()
}

fn what_is_sent_comes_back() -> Verdict {
    let mut server = serve("rightly")?;
    server.expect_asleep_in(&["poll"])?;
    let (mut one, mut two) = (server.connect()?, server.connect()?);
    one.send(b"hello");
    two.send(b"and me");
    server.expect(&mut two, b"and me", "the second")?;
    server.expect(&mut one, b"hello", "the first")?;
    server.expect_open(&mut one, "nobody has said goodbye")?;
    one.finish();
    server.expect_closed(&mut one, "one has finished")?;
    let story = server.story()?;
    let traffic = story
        .traffic
        .iter()
        .map(|flow| (flow.on.as_str(), flow.read, flow.written, flow.most_owed));
    let flows: Vec<_> = traffic.collect();
    that(
        &story,
        flows == [("connection 1", 5, 5, 5), ("connection 2", 6, 6, 6)],
        "what went over each connection",
    )?;
    let told = server.stop(SignalName::SIGTERM)?;
    that(&told, told.processes.len() == 1, "there was one process")
}

fn a_peer_of_the_other_address_family_is_served() -> Verdict {
    let mut server = LAB.command(&["serve", "rightly", "[::1]:0"]).serve()?;
    let mut peer = server.connect()?;
    peer.send(b"hello");
    server.expect(&mut peer, b"hello", "over IPv6")?;
    server.expect_open(&mut peer, "over IPv6")
}

/// One wake, one read of all, one of the end.
fn data_and_the_end_arrive_together() -> Verdict {
    let mut server = serve("rightly")?;
    let mut peer = server.connect()?;
    server.settle()?;
    let before = server.story()?.events.len();
    peer.send_and_finish(b"last words");
    server.expect(&mut peer, b"last words", "data and end in one segment")?;
    server.expect_closed(&mut peer, "data and end in one segment")?;
    let story = server.story()?;
    let reads = story.calls_of(MAIN, Family::Read).filter(|(at, _)| *at >= before);
    let results: Vec<_> = reads.map(|(_, call)| call.result).collect();
    that(
        &story,
        results == [Some(10), Some(0)],
        "the data was read at once, and then the end",
    )
}

fn a_reset_is_heard() -> Verdict {
    let mut server = serve("rightly")?;
    let mut peer = server.connect()?;
    peer.send(b"x");
    server.expect(&mut peer, b"x", "before the reset")?;
    server.reset(peer)?;
    let story = server.story()?;
    let reset = -(Errno::ECONNRESET as i64);
    let mut reads = story.calls_of(MAIN, Family::Read);
    that(
        &story,
        reads.any(|(_, call)| call.result == Some(reset)),
        "a read failed with ECONNRESET",
    )
}

/// The refusal's words, if it is one of an answer.
fn happened(verdict: Verdict<impl Sized>) -> String {
    match verdict {
        Err(Refusal::Failed(failure)) => failure.happened,
        Err(other) => format!("{other:?}"),
        Ok(_) => "passed".to_owned(),
    }
}

fn expect_words(server: &mut Server, got: &str, words: &str) -> Verdict {
    let story = server.story()?;
    that(
        &story,
        got.contains(words),
        &format!("{got:?} has the words {words:?}"),
    )
}

fn what_is_missing_is_told() -> Verdict {
    let mut server = serve("drops")?;
    let mut peer = server.connect()?;
    peer.send(b"hello");
    let got = happened(server.expect(&mut peer, b"hello", "a byte is dropped"));
    expect_words(&mut server, &got, "4 bytes came back, and the server sleeps")
}

/// A backlog of 2 holds three.
fn a_full_backlog_is_told_at_once() -> Verdict {
    let mut server = serve("narrow and asleep")?;
    let got = happened(server.connect_many(5));
    let words = "after 3 connections the backlog had no room for one more";
    assert!(got.contains(words), "{got:?} has the words {words:?}");
    Ok(())
}

fn who_lets_in_needs_no_large_backlog() -> Verdict {
    let mut server = serve("narrow")?;
    let mut peers = server.connect_many(20)?;
    peers[19].send(b"hello");
    server.expect(&mut peers[19], b"hello", "the last of twenty")
}

fn who_come_at_once_need_room() -> Verdict {
    let mut server = serve("rightly")?;
    let mut peers = server.connect_at_once(20)?;
    peers[19].send(b"hello");
    server.expect(&mut peers[19], b"hello", "the last of twenty")?;
    let mut server = serve("narrow")?;
    let got = happened(server.connect_at_once(5));
    let words = "after 3 connections the backlog had no room for one more";
    assert!(got.contains(words), "{got:?} has the words {words:?}");
    Ok(())
}

fn what_is_open_is_told() -> Verdict {
    let mut server = serve("rightly")?;
    let mut peer = server.connect()?;
    let got = happened(server.expect_closed(&mut peer, "nobody has finished"));
    expect_words(&mut server, &got, "still open")?;
    peer.finish();
    let got = happened(server.expect_open(&mut peer, "one has finished"));
    expect_words(&mut server, &got, "the server closed it")
}

fn an_end_is_told() -> Verdict {
    let mut server = serve("dies")?;
    let peer = server.connect()?;
    server.settle()?;
    peer.reset();
    let got = happened(server.settle());
    let story = LAB.command(&["exit", "0"]).run()?;
    that(
        &story,
        got.contains("panicked"),
        &format!("{got:?} tells of the panic"),
    )
}

fn who_is_woken_and_does_nothing_spins() -> Verdict {
    let mut server = serve("deaf")?;
    let _peer = server.connect()?;
    let got = happened(server.settle());
    let story = LAB.command(&["exit", "0"]).run()?;
    that(
        &story,
        got.contains("poll came back 1,000 times in a row"),
        &format!("{got:?} tells of the spin"),
    )
}

fn a_timed_sleep_is_no_sleep() -> Verdict {
    let mut server = serve("timed")?;
    let sleeper = server.sleeper()?;
    let got = happened(server.expect_asleep_in(&["poll"]));
    expect_words(&mut server, &got, "with a timeout")?;
    let story = server.story()?;
    that(
        &story,
        sleeper.blocking == Blocking::Timed,
        "it sleeps for a time at most",
    )
}

fn a_server_that_says_nothing_is_told() -> Verdict {
    let got = happened(serve("silent"));
    let story = LAB.command(&["exit", "0"]).run()?;
    that(
        &story,
        got.contains("standard output was \"\""),
        &format!("{got:?} tells of the silence"),
    )
}

fn what_is_owed_is_counted() -> Verdict {
    let mut server = serve("hoards")?;
    let mut peer = server.connect()?;
    peer.send(&[7; 100_000]);
    server.until(&mut peer, |_| false)?;
    let story = server.story()?;
    that(
        &story,
        story.traffic[0].most_owed == 100_000,
        "100,000 bytes are owed",
    )
}

/// A server that does not read: what waits in the kernel has arrived, and what has no room there waits for room.
fn what_stands_in_a_full_pipe_is_not_under_way() -> Verdict {
    let mut server = serve("rightly")?;
    let mut peer = server.connect()?;
    let (mut sent, address) = (0, [peer.address()]);
    // Its writes block once nobody reads what it has sent back.
    let done = server.drive(&address, || match peer.offer(&[7; 65_536]) {
        0 => grader::Turn::Stuck,
        n => {
            sent += n;
            grader::Turn::Moved
        }
    })?;
    let story = server.story()?;
    let asleep = story.asleep.iter().any(|sleeper| sleeper.family == Family::Write);
    that(
        &story,
        !done && sent > 65_536 && asleep,
        "it sleeps in a write, and nothing moves",
    )?;
    that(&story, peer.end.is_none(), "the connection is open")
}

fn a_long_run_is_cut_and_counted() -> Verdict {
    let mut server = serve("rightly")?;
    let mut peer = server.connect()?;
    for i in 0..1000_u32 {
        peer.send(&i.to_ne_bytes());
        server.expect(&mut peer, &i.to_ne_bytes(), "a number")?;
    }
    peer.finish();
    server.expect_closed(&mut peer, "all numbers have been sent")?;
    let end = peer.end;
    let told = server.stop(SignalName::SIGTERM)?;
    let calls = told
        .events
        .iter()
        .filter(|event| matches!(event.what, What::Calls(_)))
        .count();
    that(
        &told,
        calls <= 2_000 && told.untold >= 1_000,
        "2,000 calls are told, and the rest is counted",
    )?;
    that(
        &told,
        told.traffic[0].read == 4_000,
        "the traffic is that of all calls",
    )?;
    that(&told, end == Some(PeerEnd::Finished), "the end was heard")
}

fn a_program_has_the_descriptors_that_it_is_given() -> Verdict {
    let story = LAB.command(&["limits"]).descriptors(20).run()?;
    story.expect_stdout("Ok(20)\n")
}

fn the_flags_of_the_input_are_told() -> Verdict {
    let story = LAB.command(&["unblock"]).input("").run()?;
    let flags = story.input_flags.unwrap_or(0);
    that(
        &story,
        flags & libc::O_NONBLOCK != 0,
        "its input was left in non-blocking mode",
    )?;
    let story = LAB.command(&["limits"]).input("").run()?;
    let flags = story.input_flags.unwrap_or(libc::O_NONBLOCK);
    that(
        &story,
        flags & libc::O_NONBLOCK == 0,
        "its input was left as it was",
    )
}

fn a_bind_can_fail() -> Verdict {
    let run = LAB
        .command(&["serve", "rightly"])
        .fail(Family::Bind, 1, Errno::EACCES);
    run.run()?.expect_exit(1)
}

/// Behind each call of a start, and at none of them has it said that it listens.
fn a_pause_stands_behind_a_call() -> Verdict {
    for (nth, call) in [(1, "socket"), (3, "bind"), (4, "listen")] {
        let mut run = LAB.command(&["serve", "rightly"]).pause_after(nth).start()?;
        let story = run.until_quiet()?;
        story.observed()?;
        that(
            &story,
            story.paused.as_deref() == Some(call),
            &format!("it stands behind {call}"),
        )?;
        that(&story, story.stdout.is_empty(), "it has not said that it listens")?;
        run.go()?;
        let story = run.until_quiet()?;
        that(&story, story.paused.is_none(), "it stands no more")?;
        that(
            &story,
            story.stdout().starts_with("listening on "),
            "it has said that it listens",
        )?;
        let told = story.calls(MAIN).find(|(_, call)| call.name == "bind");
        let address = told
            .and_then(|(_, call)| call.on.get(1).cloned())
            .unwrap_or_default();
        that(
            &story,
            address == "127.0.0.1:0",
            "the address of its bind is told",
        )?;
    }
    Ok(())
}

fn who_is_let_go_by_the_end_of_the_test_ends() -> Verdict {
    let mut run = LAB.command(&["serve", "rightly"]).pause_after(3).start()?;
    run.until_quiet()?.observed()?;
    run.signal("main", SignalName::SIGTERM)?;
    let told = run.finish()?;
    told.expect_exit(0)
}

fn another_user_runs_it() -> Verdict {
    if !nix::unistd::geteuid().is_root() {
        return Err(Refusal::NotChecked(
            "only root may run a program as another user".to_owned(),
        ));
    }
    let story = Run::new(
        "/bin/sh".as_ref(),
        &["-c", "id -u; id -g; touch mine && echo mine"],
    )
    .user(65_534)
    .run()?;
    story.expect_lines(&["65534", "65534", "mine"])
}

fn a_path_is_a_place_too() -> Verdict {
    let mut server = LAB.command(&["serve", "path"]).serve()?;
    let mut peer = server.connect()?;
    peer.send(b"hello");
    server.expect(&mut peer, b"hello", "over a path")?;
    peer.finish();
    server.expect_closed(&mut peer, "over a path")?;
    server.end(SignalName::SIGTERM)?;
    Ok(())
}
