//! Step 5, announce: what is typed at the server, and who reads it.

use super::{
    C1, HERE, LAB, NOTHING, anonymous,
    house::{House, forget, list, server},
    idle,
    leave::nobody_stays,
    network::nothing_left,
    reaped_in_time,
    talk::words,
    two_processes,
};
use grader::{Errno, Family, MAIN, Refusal, Run, SignalName, Story, Verdict};

pub fn to_all() -> Verdict {
    let mut house = House::open()?;
    let mut all = [house.enter("anna")?, house.enter("bert")?, house.enter("carl")?];
    forget(&mut all.each_mut());
    for (typed, comes) in [
        ("dinner is served\n", "admin: dinner is served"),
        ("  with  blanks \n", "admin:   with  blanks "),
        ("\n", "admin: "),
        ("größer als 100 €\n", "admin: größer als 100 €"),
        ("a\tb\x1b[31mc\n", "admin: a?b?[31mc"),
    ] {
        house.server.input(typed.as_bytes())?;
        for guest in &mut all {
            house.expect(guest, &[comes], &format!("{typed:?} was typed"))?;
        }
    }
    house.server.input(b"one\nand a")?;
    house.expect(&mut all[0], &["admin: one"], "a line and a half were typed")?;
    house.server.input(b" half\n")?;
    house.expect(
        &mut all[1],
        &["admin: one", "admin: and a half"],
        "and the rest of it",
    )?;
    house.close(SignalName::SIGINT).map(drop)
}

/// What makes no message is not sent, neither whole nor cut, and who has typed it is told; what is typed next is announced.
pub fn long_and_odd() -> Verdict {
    let mut house = House::open()?;
    let mut carl = house.enter("carl")?;
    let fits = "x".repeat(1024 - "admin: ".len());
    house.server.input(format!("{fits}\n").as_bytes())?;
    let longest = [format!("admin: {fits}")];
    house.expect(
        &mut carl,
        &longest,
        "a line was typed that makes a message of 1,024 bytes",
    )?;
    for typed in [format!("{fits}x\n"), format!("{}\n", "x".repeat(10_000))] {
        let before = words(&house.story()?);
        house.server.input(typed.as_bytes())?;
        let case = format!(
            "a line of {} bytes was typed, which no message holds",
            typed.len() - 1
        );
        house.expect(&mut carl, NOTHING, &case)?;
        let story = house.story()?;
        let why = "What is dropped without a word was announced, as far as its author knows.";
        let expected = format!("{case}: the server says so");
        story.demand(words(&story) > before, None, expected, "it says nothing", why)?;
    }
    house.server.input(b"\xff\xfe\n")?;
    house.still()?;
    let heard = carl.hear();
    if heard.len() > 1 || heard.iter().any(|line| !line.starts_with("admin: ")) {
        let expected = "a line was typed that is no UTF-8: one announcement comes of it, or none";
        let why = "What cannot be read must not be in the way of what can.";
        return Err(house.refuse(expected, format!("carl got {}", list(&heard)), why));
    }
    house.server.input(b"still here\n")?;
    house.expect(
        &mut carl,
        &["admin: still here"],
        "a line was typed that is no UTF-8, and another behind it",
    )
}

/// Three lines come together, and one of the two processes is always faster.
pub fn at_once() -> Verdict {
    for first in ["main", "c1"] {
        let mut house = House::of(server(&[HERE]).first(first))?;
        let mut anna = house.enter("anna")?;
        house.server.input(b"one\ntwo\nthree\nand a")?;
        let wanted = ["admin: one", "admin: two", "admin: three"];
        house.expect(&mut anna, &wanted, "three lines were typed, and came together")?;
        house.server.input(b" half\n")?;
        house.expect(&mut anna, &["admin: and a half"], "and the rest of the fourth")?;
        house.close(SignalName::SIGTERM)?.expect_all_reaped()?;
    }
    Ok(())
}

/// Who reads the input is the child, and it does not use the public socket: not for this either.
pub fn processes() -> Verdict {
    let mut house = House::open()?;
    let mut anna = house.enter("anna")?;
    idle(&house.story()?)?;
    house.server.input(b"hello\n")?;
    house.expect(&mut anna, &["admin: hello"], "\"hello\" was typed")?;
    anna.send("Q anna")?;
    house.expect(&mut anna, &["EXIT"], "anna leaves")?;
    let told = house.close(SignalName::SIGTERM)?;
    two_processes(
        &told,
        "the server is two processes: one serves, the other reads what is announced",
    )?;
    reads_its_input(&told)?;
    keeps_off_the_socket(&told)?;
    told.expect_all_reaped()?;
    LAB.snapshot("announce", &anonymous(&told));
    Ok(())
}

fn reads_its_input(story: &Story) -> Verdict {
    story.observed()?;
    let reads = |who| {
        story
            .calls_of(who, Family::Read)
            .find(|(_, call)| call.args.first() == Some(&0) && call.result > Some(0))
    };
    let by_main = reads(MAIN);
    story.demand(
        reads(C1).is_some() && by_main.is_none(),
        by_main.map(|(at, _)| at),
        "c1, the child, reads the server's standard input",
        if by_main.is_some() {
            "main read it"
        } else {
            "it did not"
        },
        "A server that waits for a line from its terminal hears nobody else meanwhile.",
    )
}

fn keeps_off_the_socket(story: &Story) -> Verdict {
    let bound = story
        .calls_of(MAIN, Family::Bind)
        .find_map(|(_, call)| call.on.first().cloned());
    let mut calls = story.calls(C1);
    let used = calls.find(|(_, call)| {
        let sends = matches!(call.family, Family::Write | Family::Read | Family::Connect);
        let made = call.name == "socket" && call.result >= Some(0);
        made || sends && call.on.first() == bound.as_ref()
    });
    let pair = story
        .calls(MAIN)
        .any(|(_, call)| call.name == "socketpair" && call.result == Some(0));
    let happened = match &used {
        Some((_, call)) => format!("c1 called {} on a socket of the network", call.name),
        None => "there is no socket pair".to_owned(),
    };
    story.demand(
        used.is_none() && pair,
        used.map(|(at, _)| at),
        "the child hands its lines to the server through a socket pair",
        happened,
        "Through the public port anybody could announce what he likes: it would look the same.",
    )
}

/// The announcer's end is not that of the room.
pub fn ends() -> Verdict {
    for (last, comes) in [("", None), ("the end\n", Some("admin: the end"))] {
        let mut house = House::open()?;
        let (mut anna, bert) = (house.enter("anna")?, house.enter("bert")?);
        anna.hear();
        house.server.input(last.as_bytes())?;
        house.server.close_input()?;
        let wanted: Vec<&str> = comes.into_iter().collect();
        house.expect(&mut anna, &wanted, "the server's input comes to its end")?;
        announcer_has_ended(&house.story()?)?;
        bert.say("still here")?;
        house.expect(&mut anna, &["bert: still here"], "the room goes on")?;
        house.close(SignalName::SIGTERM)?.expect_all_reaped()?;
    }
    let house = House::of(LAB.command(&["server", HERE]))?;
    house.close(SignalName::SIGINT)?.expect_all_reaped()
}

/// Its input has come to an end: of the announcer nothing is left, and the server sleeps as before.
pub fn announcer_has_ended(story: &Story) -> Verdict {
    reaped_in_time(story)?;
    let ended = story.end_of(C1).is_some();
    let expected = "at the end of its input the announcer ends";
    let why = "It has nothing to do any more.";
    story.demand(ended, None, expected, "it still lives", why)?;
    idle(story)
}

/// The room is open, and the signal comes behind each call that main makes until it sleeps.
pub fn ends_at_any_moment() -> Verdict {
    ends_behind_any_call(&server(&[HERE]))
}

pub fn ends_behind_any_call(server: &Run) -> Verdict {
    const CALLS: usize = 200;
    let mut tried = 0;
    for nth in 1..CALLS {
        let mut running = server.clone().pause_after(nth).start()?;
        let story = running.until_quiet()?;
        story.observed()?;
        let Some(behind) = &story.paused else {
            let expected = "the server says where it is, and makes calls after that until it sleeps";
            let why = "A server that nobody finds, or that never sleeps for anybody, serves nobody.";
            return story.demand(tried > 0, None, expected, "there was no such call", why);
        };
        if !story.stdout().contains("chat room on ") {
            continue;
        }
        tried += 1;
        running.signal("main", SignalName::SIGTERM)?;
        running.go()?;
        let over = !running.settle()?;
        let expected = format!("SIGTERM comes behind {behind}, before the server sleeps: it ends");
        let why =
            "A signal that comes between the look and the sleep wakes nobody: sleep in a call that it ends.";
        let story = running.until_quiet()?;
        story.demand(over, None, expected, "it sleeps", why)?;
        running.finish()?.expect_exit(0)?;
    }
    Err(Refusal::NotChecked(format!(
        "the server makes more than {CALLS} calls; behind those after them no signal came"
    )))
}

pub fn when_killed() -> Verdict {
    nobody_stays(House::open()?.server)
}

pub fn call_fails() -> Verdict {
    let run = server(&[HERE]).fail(Family::Fork, 1, Errno::EAGAIN);
    nothing_left(run)?;
    for (family, nth) in [(Family::Read, 1), (Family::Poll, 1), (Family::Poll, 2)] {
        let mut house = House::of(server(&[HERE]).interrupt(family, nth))?;
        let mut anna = house.enter("anna")?;
        house.server.input(b"hello\n")?;
        house.expect(&mut anna, &["admin: hello"], "a signal came in between")?;
        house.close(SignalName::SIGTERM)?.expect_all_reaped()?;
    }
    Ok(())
}
