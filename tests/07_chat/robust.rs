//! Step 7, robust, of the client: what servers of any make say, servers that are silent, and calls that fail.

use super::{
    HERE, LAB,
    house::server,
    stage::{Stage, client, expect_left, room},
};
use grader::{Ending, Errno, Family, Party, SignalName, Story, Verdict, until_still};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// What other servers say, and how: it is shown, and does nothing to the terminal.
pub fn client_shows() -> Verdict {
    let mut stage = Stage::inside("anna")?;
    let mut shown = "name: welcome, anna\n".to_owned();
    for (told, line) in [
        ("\nbert entra dans la salle", "bert entra dans la salle"),
        ("\n\nbert ist da\n\n", "bert ist da"),
        ("bert: \n", "bert: "),
        ("OK", ""),
        ("OKAY", "OKAY"),
        ("EXITUS", "EXITUS"),
    ] {
        stage.tell(told)?;
        if !line.is_empty() {
            shown += &format!("{line}\n");
        }
        stage.expect_shown(&shown, &format!("the room says {told:?}"))?;
    }
    for told in ["", "\n"] {
        stage.tell(told)?;
        stage.still()?;
        let story = stage.story()?;
        let new = story.stdout().strip_prefix(&shown).map(str::to_owned);
        let goes_on = story.status.is_none() && new.as_ref().is_some_and(|new| new.trim().is_empty());
        let expected = format!("the room says {told:?}: at most an empty line is shown");
        let happened = format!("standard output is {:?}{}", story.stdout(), story.said());
        story.demand(
            goes_on,
            None,
            expected,
            happened,
            "An empty datagram is no end: datagrams have none.",
        )?;
    }
    for told in [
        &b"one\x1b[31mtwo"[..],
        b"one\x07two",
        b"one\ntwo",
        b"one\rtwo",
        b"one\x7ftwo",
        b"one\xc2\x9btwo",
        b"one\xfftwo",
    ] {
        let before = stage.story()?.stdout.len();
        stage.tell_bytes(told)?;
        stage.still()?;
        let story = stage.story()?;
        let new = String::from_utf8_lossy(&story.stdout[before..]).into_owned();
        let line = new.strip_suffix('\n').unwrap_or_default();
        let harmless = line.starts_with("one") && line.ends_with("two") && !line.contains(char::is_control);
        story.demand(
            harmless,
            None,
            format!("the room says \"{}\": one line shows it, without a control character", told.escape_ascii()),
            format!("it shows {new:?}"),
            "An escape sequence does what it likes with the terminal, and a newline forges what somebody else has said.",
        )?;
    }
    stage.types("still here\n")?;
    stage.expect_sent(&["C anna still here"], "after all that a line is typed")
}

/// Where nobody is, the kernel says so at once.
pub fn client_no_answer() -> Verdict {
    let room = room()?;
    let address = room.address();
    let mut client = client(address).join()?;
    room.close();
    client.input(b"anna\n")?;
    no_answer(client, address, "nobody is there")?;
    for typed in ["hello\n", "q\n"] {
        let Stage { mut client, room, .. } = Stage::inside("anna")?;
        let address = room.address();
        room.close();
        client.input(typed.as_bytes())?;
        no_answer(
            client,
            address,
            &format!("the room has gone, and {typed:?} was typed"),
        )?;
    }
    Ok(())
}

fn no_answer(mut client: Party, address: SocketAddr, case: &str) -> Verdict {
    until_still(&mut [&mut client])?;
    let told = expect_left(client, 1, case)?;
    expect_no_answer(&told, address, case)
}

pub fn expect_no_answer(told: &Story, address: SocketAddr, case: &str) -> Verdict {
    let line = format!("chat: no answer from {address}\n");
    told.demand(
        told.stderr() == line,
        None,
        format!("{case}: standard error is {line:?}"),
        format!("it is {:?}", told.stderr()),
        "Who talks to nobody should know it.",
    )
}

/// A room that is there and says nothing: that can only be told by a clock. The check waits for the client, and not a client
/// for the check: whoever waits for five seconds has let them pass.
pub fn client_hears_nothing() -> Verdict {
    let started = Instant::now();
    let mut lively = Stage::inside("anna")?;
    lively.types("q\n")?;
    lively.expect_sent(&["Q anna"], "q was typed")?;
    let (mut entering, mut leaving) = (Stage::open()?, Stage::inside("anna")?);
    entering.types("anna\n")?;
    leaving.types("q\n")?;
    entering.expect_sent(&["L anna"], "a name was typed")?;
    leaving.expect_sent(&["Q anna"], "q was typed")?;
    for process in ["main", "c1"] {
        lively.client.signal(process, SignalName::SIGSTOP)?;
    }
    let mut both = [(entering, "L is not answered"), (leaving, "Q is not answered")];
    for (stage, case) in &mut both {
        // Where the check itself was held up for so long, it cannot tell.
        if stage.client.is_over()? && started.elapsed() < PATIENCE {
            let expected = format!("{case}: the client waits for five seconds");
            return Err(stage
                .story()?
                .refusal(None, expected, "it has ended at once", WAITS));
        }
    }
    for (Stage { client, room, .. }, case) in both {
        let told = client.finish()?;
        told.expect_over()?;
        told.expect_exit(1)?;
        expect_no_answer(&told, room.address(), case)?;
        told.expect_all_reaped()?;
        has_waited(&told, started, case)?;
        waits_no_longer(&told, case)?;
    }
    others_are_no_answer(lively)
}

/// It has ended, and since it began five seconds have passed.
pub fn has_waited(told: &Story, started: Instant, case: &str) -> Verdict {
    let waited = started.elapsed() >= PATIENCE;
    let expected = format!("{case}: the client waits for five seconds");
    told.demand(waited, None, expected, "it had ended before", WAITS)
}

/// It has waited for the answer to `Q` for longer than those who have given up, and was stopped meanwhile. Now somebody says
/// something, and it goes on.
fn others_are_no_answer(mut stage: Stage) -> Verdict {
    let address = stage.room.address();
    stage.tell("bert: see you")?;
    // First the one that has to pass it on, if another one is to look at the time.
    for process in ["c1", "main"] {
        stage.client.signal(process, SignalName::SIGCONT)?;
        stage.still()?;
    }
    let case = "Q is not answered, and others go on talking";
    let story = stage.story()?;
    // From these calls a stop takes no time: they go on with what was left of it.
    let restarted = ["ppoll", "select", "pselect6"];
    if story
        .asleep
        .iter()
        .any(|sleeper| restarted.contains(&sleeper.call.as_str()))
    {
        let told = stage.client.finish()?;
        told.expect_exit(1)?;
        return expect_no_answer(&told, address, case);
    }
    let expected = format!("{case}: after five seconds the client ends");
    let why = "What others say is no answer: in a lively room the patience would begin anew again and again.";
    story.demand(story.status.is_some(), None, expected, "it waits on", why)?;
    let told = expect_left(stage.client, 1, case)?;
    expect_no_answer(&told, address, case)
}

/// Nobody of a client that waited for an answer has slept longer than it has patience, in a call that says for how long at
/// most. (What a timer of its own was set to is not looked at.)
pub fn waits_no_longer(story: &Story, case: &str) -> Verdict {
    story.observed()?;
    let sleeps = (0..story.processes.len()).flat_map(|who| story.calls(who));
    let sleeps = sleeps.filter(|(_, call)| matches!(call.family, Family::Poll | Family::SignalWait));
    let longest = sleeps.filter_map(|(_, call)| call.nanoseconds).max();
    let longest = Duration::from_nanos(longest.unwrap_or(0));
    let happened = format!("it slept for {} seconds", longest.as_secs());
    let expected = format!("{case}: the client waits for five seconds");
    let why = "Who waits for somebody who is not there wants to know it soon.";
    story.demand(
        longest <= PATIENCE + Duration::from_secs(1),
        None,
        expected,
        happened,
        why,
    )
}

pub const PATIENCE: Duration = Duration::from_secs(5);
const WAITS: &str = "The answer may be on its way: on a network that takes time.";

/// A wait that fails ends whoever waited, and whoever is left without him: no half of a program stays, and no zombie.
pub fn call_fails() -> Verdict {
    for nth in 1..=5 {
        a_server_that_cannot_wait(nth)?;
        a_client_that_cannot_wait(nth)?;
    }
    Ok(())
}

fn a_server_that_cannot_wait(nth: usize) -> Verdict {
    let mut server = server(&[HERE]).fail(Family::Poll, nth, Errno::ENOMEM).join()?;
    let story = server.story()?;
    let address = story
        .stdout()
        .trim_end()
        .rsplit(' ')
        .next()
        .and_then(|address| address.parse().ok());
    let mut guest = room()?;
    for name in ["anna", "bert", "carl"] {
        if let (Some(address), false) = (address, server.is_over()?) {
            guest.send(address, format!("L {name}").as_bytes())?;
            until_still(&mut [&mut server])?;
            guest.pull();
        }
    }
    server.signal("main", SignalName::SIGTERM)?;
    let told = server.finish()?;
    told.expect_over()?;
    told.expect_all_reaped()?;
    told_or_done(&told, "\nbye\n") // it may have been the announcer
}

fn a_client_that_cannot_wait(nth: usize) -> Verdict {
    let room = room()?;
    let run = client(room.address()).fail(Family::Poll, nth, Errno::ENOMEM);
    let mut stage = Stage::of(run, room)?;
    for (typed, answer) in [("anna\n", "OK"), ("hello\n", "bert: hello"), ("q\n", "EXIT")] {
        stage.types(typed)?;
        if !stage.sent()?.is_empty() {
            stage.tell(answer)?;
        }
        if stage.sent()?.iter().any(|sent| sent.starts_with("Q ")) {
            stage.tell("EXIT")?; // it leaves because it cannot go on
        }
        stage.still()?;
    }
    let told = stage.client.finish()?;
    told.expect_over()?;
    told.expect_all_reaped()?;
    told_or_done(&told, "welcome, anna\n")
}

/// It has done its work to the end, or told what has failed.
fn told_or_done(told: &Story, done: &str) -> Verdict {
    let exits_well = told.status == Some(Ending::Exited(0));
    match exits_well && told.stdout().contains(done) {
        true => Ok(()),
        false => told.expect_error_told(LAB.name()),
    }
}
