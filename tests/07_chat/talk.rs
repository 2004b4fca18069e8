//! Step 3, talk: everybody hears what the others say, once and in order.

use super::{
    HERE, NOTHING,
    enter::{resident, shows},
    house::{self, House, server},
    idle,
    stage::Stage,
    two_processes,
};
use grader::{Family, Story, Verdict, until_still};

pub fn two() -> Verdict {
    let mut house = House::open()?;
    let (mut anna, mut bert) = (house.enter("anna")?, house.enter("bert")?);
    anna.hear();
    for text in [
        "hello",
        "",
        " ",
        "  two  blanks  ",
        "C bert no",
        "Q anna",
        "OK",
        "EXIT",
        "größer als 100 €",
        "admin: no",
    ] {
        anna.say(text)?;
        house.expect(
            &mut bert,
            &[format!("anna: {text}")],
            &format!("anna says {text:?}"),
        )?;
        house.expect(&mut anna, NOTHING, &format!("anna said {text:?}"))?;
    }
    anna.say("a\nadmin: b")?;
    house.expect(
        &mut bert,
        &["anna: a?admin: b"],
        "anna says \"a\\nadmin: b\", with a newline in it",
    )?;
    bert.say("and you?")?;
    house.expect(&mut anna, &["bert: and you?"], "bert answers")?;
    house.expect(&mut bert, NOTHING, "bert has answered")
}

pub fn of_10() -> Verdict {
    everybody_talks(10, 10, 10)
}

pub fn of_200() -> Verdict {
    everybody_talks(200, 100, 1)
}

/// Of so many members so many say so many things, all at the same time as far as the buffers hold that; each hears what the
/// others say, once and in the order of who said it, and nothing else.
fn everybody_talks(members: usize, speakers: usize, times: usize) -> Verdict {
    let mut house = House::open()?;
    let mut all = house.enter_many(members)?;
    let step = members / speakers;
    for time in 0..times {
        for speaker in all.iter().step_by(step) {
            speaker.say(&format!("{time}"))?;
        }
    }
    house.still()?;
    for (listener, guest) in all.iter_mut().enumerate() {
        let heard = guest.hear();
        let due = |who: usize| {
            if who.is_multiple_of(step) && who != listener {
                times
            } else {
                0
            }
        };
        if let Some(happened) = misheard(&heard, members, due) {
            let expected = format!(
                "{speakers} of {members} members say {times} things each: every one gets what the others said, once and in order"
            );
            let happened = format!("m{listener} {happened}");
            return Err(house.refuse(expected, happened, "That is what a chat room is."));
        }
    }
    Ok(())
}

/// What is wrong with what a member has heard of `m0`, `m1`, … of whom each should have said `0`, `1`, … so many times.
pub fn misheard(heard: &[String], members: usize, due: impl Fn(usize) -> usize) -> Option<String> {
    let mut next = vec![0; members];
    for line in heard {
        match speaker(line) {
            Some((who, time)) if who < members && next[who] == time && time < due(who) => next[who] += 1,
            _ => return Some(format!("also got {line:?}, or got it too early or twice")),
        }
    }
    let who = (0..members).find(|&who| next[who] != due(who))?;
    Some(format!("got {} of the {} that m{who} said", next[who], due(who)))
}

/// Of `m7: 3` seven and three.
fn speaker(line: &str) -> Option<(usize, usize)> {
    let (name, time) = line.split_once(": ")?;
    Some((name.strip_prefix('m')?.parse().ok()?, time.parse().ok()?))
}

pub fn client_talks() -> Verdict {
    let mut stage = Stage::inside("anna")?;
    two_processes(
        &stage.story()?,
        "a client in the room is two processes: one sends, the other receives",
    )?;
    idle(&stage.story()?)?;
    let mut shown = "name: welcome, anna\n".to_owned();
    for text in ["hello", "  two  blanks  ", "quiet", "Q anna", "größer als 100 €"] {
        stage.types(&format!("{text}\n"))?;
        stage.expect_sent(&[format!("C anna {text}")], &format!("{text:?} was typed"))?;
        stage.expect_shown(&shown, "nobody else has said anything")?;
        stage.tell(&format!("bert: {text}"))?;
        shown += &format!("bert: {text}\n");
        stage.expect_shown(&shown, &format!("bert says {text:?}"))?;
    }
    stage.types("half")?;
    stage.tell("bert: still there?")?;
    shown += "bert: still there?\n";
    stage.expect_shown(&shown, "a message comes while a line is half typed")?;
    stage.types(" a line\nand another\n")?;
    stage.expect_sent(
        &["C anna half a line", "C anna and another"],
        "the line is finished, and one more",
    )?;
    over_long_lines(&mut stage)?;
    let longest = format!("bert: {}", "x".repeat(1024 - "bert: ".len()));
    stage.tell(&longest)?;
    stage.still()?;
    let story = stage.story()?;
    let last = story.stdout().lines().next_back().map_or(0, str::len);
    let expected = "bert says something, in a message of 1,024 bytes: all of it is shown";
    let happened = format!("{last} bytes are shown");
    let why = "What has no room in the buffer of a receive the kernel throws away, without a word.";
    story.demand(
        story.stdout().ends_with(&format!("\n{longest}\n")),
        None,
        expected,
        happened,
        why,
    )
}

/// What does not fit into a message is not sent: neither whole, nor cut.
fn over_long_lines(stage: &mut Stage) -> Verdict {
    let fits = "x".repeat(1024 - "C anna ".len());
    let before = words(&stage.story()?);
    stage.types(&format!("{fits}x\n"))?;
    stage.expect_sent(NOTHING, "a line was typed that makes a message of 1,025 bytes")?;
    let story = stage.story()?;
    let why = "What is dropped without a word was said, as far as its author knows.";
    let expected = "the client says that the line is too long";
    story.demand(words(&story) > before, None, expected, "it says nothing", why)?;
    stage.types(&format!("{fits}\n"))?;
    stage.expect_sent(
        &[format!("C anna {fits}")],
        "a line was typed that makes a message of 1,024 bytes",
    )
}

/// How much it has said, on either stream.
pub fn words(story: &Story) -> usize {
    story.stdout.len() + story.stderr.len()
}

pub fn both() -> Verdict {
    let mut house = House::open()?;
    let mut anna = resident(&mut house, "anna")?;
    let mut bert = resident(&mut house, "bert")?;
    let mut guest = house.enter("guest")?;
    anna.input(b"hello\n")?;
    bert.input(b"hello yourself\n")?;
    until_still(&mut [&mut house.server, &mut anna, &mut bert])?;
    guest.say("and me?")?;
    until_still(&mut [&mut house.server, &mut anna, &mut bert])?;
    let entered = "guest entered the chat room\n";
    let of_bert = format!(
        "name: welcome, anna\nbert entered the chat room\n{entered}bert: hello yourself\nguest: and me?\n"
    );
    shows(&mut anna, &of_bert, "three have talked")?;
    let of_anna = format!("name: welcome, bert\n{entered}anna: hello\nguest: and me?\n");
    shows(&mut bert, &of_anna, "three have talked")?;
    let mut heard = guest.hear();
    heard.sort();
    match heard == ["anna: hello", "bert: hello yourself"] {
        true => Ok(()),
        false => {
            let happened = format!("he got {}", house::list(&heard));
            Err(house.refuse(
                "a guest hears what both clients say",
                happened,
                "They are in the same room.",
            ))
        }
    }
}

/// A signal that nobody cares about changes nothing: neither in the server nor in the client.
pub fn interrupted() -> Verdict {
    for (family, nth) in [
        (Family::Poll, 1),
        (Family::Poll, 2),
        (Family::Poll, 3),
        (Family::Poll, 4),
        (Family::Read, 1),
        (Family::Read, 2),
    ] {
        // Main is always the faster one, so that it is known whose call is the nth.
        let mut house = House::of(server(&[HERE]).first("main").interrupt(family, nth))?;
        let (mut anna, bert) = (house.enter("anna")?, house.enter("bert")?);
        bert.say("hello")?;
        house.expect(
            &mut anna,
            &["bert entered the chat room", "bert: hello"],
            "a signal came in between",
        )?;
        let mut stage = Stage::inside_with("anna", |run| run.first("main").interrupt(family, nth))?;
        stage.types("hello\n")?;
        stage.expect_sent(&["C anna hello"], "a signal came in between")?;
        stage.tell("bert: hello")?;
        stage.expect_shown("name: welcome, anna\nbert: hello\n", "a signal came in between")?;
    }
    Ok(())
}
