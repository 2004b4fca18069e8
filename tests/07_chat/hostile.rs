//! Steps 6 and 7: those who lie, those who talk nonsense, those who are gone.

use super::{
    HERE,
    house::{Guest, House, forget, list, server},
    idle,
    network::no_ipv6,
    resident,
    stage::{Stage, client, expect_left, room},
};
use grader::{Errno, Family, Refusal, SignalName, Story, Told, Verdict, socket_at, until_still};
use std::{net::SocketAddr, slice, time::Instant};

/// A member tries to be another one.
pub fn members() -> Verdict {
    let mut house = House::open()?;
    let (mut anna, mut bert, mut carl) = (house.enter("anna")?, house.enter("bert")?, house.enter("carl")?);
    forget(&mut [&mut anna, &mut bert]);
    for forged in [
        "C bert I am bert",
        "C admin the room is closed",
        "C nobody hello",
        "Q bert",
        "Q nobody",
        "L dora",
        "L anna",
        "L bert",
        "L admin",
    ] {
        anna.send(forged)?;
        let case = format!("anna sends {forged:?}");
        unheard(&mut house, &mut [&mut bert, &mut carl], &case)?;
        house.expect_reason(&mut anna, &case)?;
    }
    anna.say("me")?;
    house.expect(&mut bert, &["anna: me"], "anna speaks in her own name")?;
    bert.say("me too")?;
    house.expect(&mut anna, &["bert: me too"], "bert is still there")?;
    let entered = [&anna, &bert, &carl].map(|guest| format!("enter {} {}", guest.name, guest.address()));
    house.expect_lines(&entered)
}

/// Nobody of these has got anything.
fn unheard(house: &mut House, all: &mut [&mut Guest], case: &str) -> Verdict {
    house.still()?;
    for guest in all {
        let heard = guest.hear();
        if !heard.is_empty() {
            let why = "What is refused reaches nobody: or anybody could speak as anybody, and put out whom he likes.";
            let expected = format!("{case}: {} gets nothing", guest.name);
            return Err(house.refuse(expected, format!("he got {}", list(&heard)), why));
        }
    }
    Ok(())
}

/// Somebody who is in no room speaks in everybody's name. Each is a stranger of his own, since a server need not answer the
/// same one again and again.
pub fn strangers() -> Verdict {
    let mut house = House::open()?;
    let (mut anna, mut bert) = (house.enter("anna")?, house.enter("bert")?);
    anna.hear();
    for forged in [
        "C anna hello",
        "C admin the room is closed",
        "C stranger hello",
        "C  hello",
        "Q anna",
        "Q stranger",
    ] {
        let mut stranger = house.guest("")?;
        stranger.send(forged)?;
        let case = format!("a stranger sends {forged:?}");
        unheard(&mut house, &mut [&mut anna, &mut bert], &case)?;
        house.expect_reason(&mut stranger, &case)?;
    }
    for forged in [
        "admin: hello",
        "anna: hello",
        "OK",
        "EXIT",
        "bert left the chat room",
    ] {
        let stranger = house.guest("")?;
        stranger.send(forged)?;
        unheard(
            &mut house,
            &mut [&mut anna, &mut bert],
            &format!("a stranger sends {forged:?}"),
        )?;
    }
    anna.say("still here")?;
    house.expect(&mut bert, &["anna: still here"], "anna is still there")?;
    bert.say("me too")?;
    house.expect(&mut anna, &["bert: me too"], "bert is still there")?;
    who_has_left(&mut house, &mut anna, &mut bert)?;
    Ok(())
}

/// Who has left is a stranger like others.
fn who_has_left(house: &mut House, anna: &mut Guest, bert: &mut Guest) -> Verdict {
    let mut carl = house.enter("carl")?;
    carl.send("Q carl")?;
    house.expect(&mut carl, &["EXIT"], "carl leaves")?;
    forget_after(house, &mut [anna, bert])?;
    carl.say("one more thing")?;
    house.expect_reason(&mut carl, "carl has left, and says something")?;
    unheard(house, &mut [anna, bert], "carl has left, and says something")
}

fn forget_after(house: &mut House, all: &mut [&mut Guest]) -> Verdict {
    house.still()?;
    forget(all);
    Ok(())
}

/// What comes to a client from elsewhere than the room.
pub fn another_room() -> Verdict {
    let mut stage = Stage::open()?;
    let stranger = room()?;
    stage.types("anna\n")?;
    stage.sent()?;
    let from = stage.from();
    for forged in ["OK", "EXIT"] {
        stranger.send(from, forged.as_bytes())?;
        stage.expect_shown(
            "name: ",
            &format!("it has asked to be let in, and a stranger says {forged:?}"),
        )?;
    }
    stage.tell("OK")?;
    stage.expect_shown("name: welcome, anna\n", "the room has answered OK")?;
    for forged in ["admin: the room is closed", "EXIT"] {
        stranger.send(from, forged.as_bytes())?;
        stage.expect_shown("name: welcome, anna\n", &format!("a stranger says {forged:?}"))?;
    }
    stage.types("still here\n")?;
    stage.expect_sent(
        &["C anna still here"],
        "strangers have told it all sorts of things",
    )
}

/// Datagrams that mean nothing: whoever sends them, the others hear nothing, and nobody is put out.
pub fn nonsense() -> Verdict {
    let mut house = House::open()?;
    let (mut anna, mut bert) = (house.enter("anna")?, house.enter("bert")?);
    anna.hear();
    // Now, and not below: who has told a stranger something may look at the clock for a while.
    idle(&house.story()?)?;
    let long = [b"C anna ".as_slice(), &[b'x'; 1018]].concat();
    let longest = [b"C anna ".as_slice(), &[b'x'; 60_000]].concat();
    let all: [&[u8]; 17] = [
        b"",
        b" ",
        b"\n",
        b"C",
        b"L",
        b"Q",
        b"C anna",
        b"X anna",
        b"c anna hello",
        b"CC anna hello",
        b"C\tanna hello",
        b"hello",
        b"\0",
        b"C anna \xff\xfe",
        b"C anna \xed\xa0\x80",
        &long,
        &longest,
    ];
    for bytes in all {
        let stranger = house.guest("")?;
        stranger.send_bytes(bytes)?;
        anna.send_bytes(bytes)?;
        house.still()?;
        let case = format!("a stranger and anna send {}", shortened(bytes));
        let told = anna.hear();
        if told.len() > 1 || told.iter().any(|line| line == "OK" || line == "EXIT") {
            let happened = format!("she got {}", list(&told));
            return Err(house.refuse(format!("{case}: anna gets a reason, or nothing"), happened, ONE));
        }
        unheard(&mut house, &mut [&mut bert], &case)?;
    }
    for (text, comes) in [
        ("\x1b[2J\x07", "anna: ?[2J?"),
        ("\r\t\x7f\0", "anna: ????"),
        ("\u{85}\u{9b}", "anna: ??"),
        ("ü\u{200b}", "anna: ü\u{200b}"),
    ] {
        anna.say(text)?;
        house.expect(&mut bert, &[comes], &format!("anna says {text:?}"))?;
    }
    let fits = "x".repeat(1024 - "C anna ".len());
    anna.say(&fits)?;
    house.expect(&mut bert, &[format!("anna: {fits}")], "anna sends 1,024 bytes")?;
    anna.send("Q anna")?;
    house.expect(&mut anna, &["EXIT"], "anna leaves")
}

const ONE: &str = "A reason is one message, as an answer to what cannot be understood.";

fn shortened(bytes: &[u8]) -> String {
    match bytes.len() {
        0..100 => format!("\"{}\"", bytes.escape_ascii()),
        n => format!("{n} bytes"),
    }
}

/// Numbers that look random and are the same in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        let len = self.roll() % (most + 1);
        (0..len).map(|_| self.roll() as u8).collect()
    }
}

/// A thousand datagrams of random bytes, half of which begin like a message.
pub fn random() -> Verdict {
    let mut house = House::open()?;
    let (mut anna, mut bert) = (house.enter("anna")?, house.enter("bert")?);
    anna.hear();
    let mut dice = Dice(0x7c68_6174_726f_6f6d);
    for burst in 0..20 {
        let mut stranger = house.guest("")?;
        for i in 0..50 {
            let mut bytes = dice.bytes(1100);
            let begin: &[u8] = [&b""[..], b"C anna ", b"C ", b"Q "][i % 4];
            bytes.splice(0..0, begin.iter().copied());
            stranger.send_bytes(&bytes)?;
        }
        house.still()?;
        stranger.hear();
        let case = format!("a stranger sends random bytes (burst {burst})");
        unheard(&mut house, &mut [&mut anna, &mut bert], &case)?;
    }
    anna.say("still here")?;
    house.expect(
        &mut bert,
        &["anna: still here"],
        "after a thousand random datagrams",
    )
}

/// Strangers send what they can: those who are in the room do not notice, and the answers are no second flood. How many
/// reasons one stranger may have got by now is said by the clock: one at once, and one for each second that has passed.
pub fn flood() -> Verdict {
    let mut house = House::open()?;
    let (mut anna, mut bert) = (house.enter("anna")?, house.enter("bert")?);
    anna.hear();
    let (mut stranger, started) = (house.guest("")?, Instant::now());
    for _ in 0..10 {
        for i in 0..90 {
            let text = ["C anna hello", "Q bert", "hello"][i % 3];
            stranger.send(text)?;
        }
        bert.say("hello")?;
        house.expect(
            &mut anna,
            &["bert: hello"],
            "a stranger floods the room, and bert says something",
        )?;
        unheard(&mut house, &mut [&mut bert], "a stranger floods the room")?;
    }
    let reasons = stranger.hear().len();
    let most = 1 + usize::try_from(started.elapsed().as_secs()).unwrap_or(usize::MAX - 1);
    if reasons == 0 || reasons > most {
        let expected = "a stranger who sends 900 messages gets a reason, and one a second at most";
        let why = "The sender of a datagram can be forged: whoever answers each one floods somebody who has asked nothing.";
        let happened = if reasons == 0 {
            "he got none"
        } else {
            "he got more"
        };
        return Err(house.refuse(expected, happened, why));
    }
    let crowd = (0..90).map(|_| house.guest("")).collect::<Verdict<Vec<_>>>()?;
    crowd.iter().try_for_each(|stranger| stranger.send("Q anna"))?;
    unheard(
        &mut house,
        &mut [&mut anna, &mut bert],
        "90 strangers want anna out",
    )?;
    bert.send("Q bert")?;
    house.expect(&mut bert, &["EXIT"], "bert leaves")?;
    house.expect(&mut anna, &["bert left the chat room"], "bert has left")
}

/// One of four goes without a word, wherever he stands in the server's list; the next message to him tells it. The three
/// others stay, and get what they are due.
pub fn one_is_gone() -> Verdict {
    for (place, address) in [(0, HERE), (1, HERE), (2, HERE), (3, HERE), (1, "[::1]:0")] {
        if address != HERE && no_ipv6() {
            continue;
        }
        let mut house = House::of(server(&[address]))?;
        let mut all = four(&mut house)?;
        let mut lines: Vec<String> = all
            .iter()
            .map(|guest| format!("enter {} {}", guest.name, guest.address()))
            .collect();
        let gone = all.remove(place);
        let (name, address) = (gone.name.clone(), gone.address());
        gone.vanish();
        all[0].say("hello?")?;
        let left = format!("{name} left the chat room");
        let speaker = all[0].name.clone();
        let case = format!("{name} is gone without a word, and {speaker} says something");
        in_any_order(&mut house, &mut all[0], slice::from_ref(&left), &case)?;
        for guest in &mut all[1..] {
            in_any_order(
                &mut house,
                guest,
                &[format!("{speaker}: hello?"), left.clone()],
                &case,
            )?;
        }
        lines.push(format!("leave {name} {address}"));
        house.expect_lines(&lines)?;
        for speaker in 0..3 {
            all[speaker].say("still here")?;
            let line = format!("{}: still here", all[speaker].name);
            for listener in (0..3).filter(|&listener| listener != speaker) {
                house.expect(&mut all[listener], &[&line], "the three others talk on")?;
            }
        }
        let back = house.enter(&name)?;
        house.still()?;
        back.say("I am back")?;
        let entered = format!("{name} entered the chat room");
        house.expect(
            &mut all[0],
            &[entered, format!("{name}: I am back")],
            "the name is free again",
        )?;
    }
    found_out_by("L eve", "OK", "eve entered the chat room")?;
    found_out_by("Q dora", "EXIT", "dora left the chat room")
}

fn four(house: &mut House) -> Verdict<Vec<Guest>> {
    let mut all = ["anna", "bert", "carl", "dora"]
        .map(|name| house.enter(name))
        .into_iter()
        .collect::<Verdict<Vec<_>>>()?;
    all.iter_mut().for_each(|guest| drop(guest.hear()));
    Ok(all)
}

/// One of four has gone, and what finds it out is the notice to all that somebody enters or leaves: who asked is answered,
/// and the others are told of both.
fn found_out_by(request: &str, answer: &str, notice: &str) -> Verdict {
    let enters = answer == "OK";
    for place in (0..4).filter(|&place| enters || place < 3) {
        let mut house = House::open()?;
        let mut all = four(&mut house)?;
        let mut asking = if enters {
            house.guest("eve")?
        } else {
            all.remove(3)
        };
        let gone = all.remove(place);
        let left = format!("{} left the chat room", gone.name);
        let case = format!("{} is gone without a word, and then comes {request:?}", gone.name);
        gone.vanish();
        asking.send(request)?;
        house.still()?;
        let mut heard = asking.hear();
        heard.retain(|line| *line != left); // for who enters, and who leaves, it depends on which comes first
        if heard != [answer] {
            let expected = format!("{case}: {} gets {answer:?}", asking.name);
            return Err(house.refuse(expected, format!("he got {}", list(&heard)), INNOCENT));
        }
        for guest in &mut all {
            in_any_order(&mut house, guest, &[notice.to_owned(), left.clone()], &case)?;
        }
    }
    Ok(())
}

fn in_any_order(house: &mut House, guest: &mut Guest, wanted: &[String], case: &str) -> Verdict {
    house.still()?;
    let (mut heard, mut wanted) = (guest.hear(), wanted.to_vec());
    heard.sort();
    wanted.sort();
    if heard == wanted {
        return Ok(());
    }
    let expected = format!("{case}: {} gets {}, in any order", guest.name, list(&wanted));
    Err(house.refuse(expected, format!("he got {}", list(&heard)), INNOCENT))
}

const INNOCENT: &str = "The error comes out of the next send, which was to somebody innocent and has not been made: who is gone is told by the address in the error queue.";

/// Three of six go at once; an announcement finds them out. And then all.
pub fn many_are_gone() -> Verdict {
    let mut house = House::open()?;
    let mut all = ["anna", "bert", "carl", "dora", "emil", "fred"]
        .map(|name| house.enter(name))
        .into_iter()
        .collect::<Verdict<Vec<_>>>()?;
    all.iter_mut().for_each(|guest| drop(guest.hear()));
    let mut stay = Vec::new();
    for (i, guest) in all.into_iter().enumerate() {
        match i % 2 {
            0 => guest.vanish(),
            _ => stay.push(guest),
        }
    }
    house.server.input(b"hello\n")?;
    let left = |name: &str| format!("{name} left the chat room");
    let wanted = [
        "admin: hello".to_owned(),
        left("anna"),
        left("carl"),
        left("emil"),
    ];
    for guest in &mut stay {
        in_any_order(
            &mut house,
            guest,
            &wanted,
            "three are gone without a word, and the server announces something",
        )?;
    }
    stay[0].say("three are left")?;
    let line = ["bert: three are left"];
    house.expect(&mut stay[1], &line, "three are gone")?;
    house.expect(&mut stay[2], &line, "three are gone")?;
    stay.into_iter().for_each(Guest::vanish);
    house.server.input(b"anybody?\n")?;
    house.still()?;
    let mut last = house.enter("anna")?;
    house.server.input(b"you\n")?;
    house.expect(&mut last, &["admin: you"], "all were gone, and one has come back")?;
    house.close(SignalName::SIGTERM).map(drop)
}

/// The same with a client under observation, both processes of which are killed.
pub fn a_killed_client() -> Verdict {
    let mut house = House::open()?;
    let mut guest = house.enter("guest")?;
    let mut anna = resident(&mut house, "anna")?;
    let mut bert = resident(&mut house, "bert")?;
    guest.hear();
    let story = house.story()?;
    let socket = || seen_at(&story, "anna").and_then(socket_at);
    let of_anna = socket();
    for process in ["main", "c1"] {
        anna.signal(process, SignalName::SIGKILL)?;
    }
    until_still(&mut [&mut house.server, &mut anna, &mut bert])?;
    // A process of the client that still holds its socket is no excuse.
    if socket().is_some_and(|now| Some(now) != of_anna) {
        let why = "another check got the port of the client that was killed";
        return Err(Refusal::NotChecked(why.to_owned()));
    }
    guest.say("anna?")?;
    until_still(&mut [&mut house.server, &mut anna, &mut bert])?;
    house.expect(
        &mut guest,
        &["anna left the chat room"],
        "anna's client was killed, and guest says something",
    )?;
    bert.input(b"q\n")?;
    until_still(&mut [&mut house.server, &mut bert])?;
    house.expect(&mut guest, &["bert left the chat room"], "bert leaves")?;
    expect_left(bert, 0, "q was typed").map(drop)
}

/// Where the server saw this member enter.
fn seen_at(story: &Story, name: &str) -> Option<SocketAddr> {
    let stdout = story.stdout();
    let entered = format!("enter {name} ");
    stdout
        .lines()
        .find_map(|line| line.strip_prefix(&entered)?.parse().ok())
}

/// What did not fit into a socket's buffer is counted by its owner, as well as it can be; and what the kernel did not take.
pub fn lost() -> Verdict {
    nothing_is_lost()?;
    server_loses()?;
    client_loses()?;
    refused_sends()
}

/// What was refused was not lost, and is counted by itself.
fn nothing_is_lost() -> Verdict {
    let house = House::open()?;
    let strangers = NONSENSE.map(|bytes| {
        let stranger = house.guest("")?;
        stranger.send_bytes(bytes).map(|()| stranger)
    });
    let _there = strangers.into_iter().collect::<Verdict<Vec<Guest>>>()?;
    let told = house.close(SignalName::SIGTERM)?;
    let silent = !told.stdout().contains("lost");
    let happened = format!("its last lines are {:?}", last_two(&told.stdout()));
    let expected = "seven datagrams that mean nothing were received, and none was lost: there is no `lost N`";
    told.demand(silent, None, expected, happened, "`lost N` is a warning.")?;
    counts_seven(&told)
}

/// Seven messages that nobody can take for one of the wire.
pub const NONSENSE: [&[u8]; 7] = [
    b"",
    b"hello",
    b"X anna",
    b"C",
    b"C anna \xff",
    b"\xff",
    &[b'C'; 1025],
];

/// It has told on standard error that seven messages meant nothing: in one number, or one for each kind.
pub fn counts_seven(told: &Told) -> Verdict {
    let stderr = told.stderr();
    let numbers = stderr.split(|c: char| !c.is_ascii_digit());
    let numbers: Vec<u64> = numbers.filter_map(|number| number.parse().ok()).collect();
    let counted = numbers.contains(&7) || numbers.iter().sum::<u64>() == 7;
    let happened = format!("standard error is {stderr:?}");
    let expected = "seven messages came that mean nothing: at its end the server says so on standard error, with the number";
    let why = "Who runs the room sees there that somebody talks another protocol, or tries things.";
    told.demand(counted, None, expected, happened, why)
}

const FLOOD: usize = 20_000;

/// A server that is stopped while more comes than there is room for.
fn server_loses() -> Verdict {
    let mut house = House::open()?;
    house.server.signal("main", SignalName::SIGSTOP)?;
    house.still()?;
    let stranger = house.guest("")?;
    let message = [b'x'; 1000];
    (0..FLOOD).try_for_each(|_| stranger.send_bytes(&message))?;
    house.server.signal("main", SignalName::SIGCONT)?;
    house.still()?;
    stranger.send_bytes(&message)?; // SO_RXQ_OVFL tells of what was dropped before it with the next that comes
    house.still()?;
    let story = house.story()?;
    story.observed()?;
    let read: u64 = story.traffic.iter().map(|flow| flow.read).sum();
    let lost = FLOOD + 1 - usize::try_from(read).unwrap_or(0) / message.len();
    let told = house.close(SignalName::SIGTERM)?;
    says_lost(&told, "the server", lost, "bye\n")
}

/// At its end it says how much was lost: how much that is, luck decides. Whoever has asked for a buffer that holds all of it
/// has nothing to say.
fn says_lost(told: &Told, who: &str, lost: usize, last: &str) -> Verdict {
    let (stdout, right) = (told.stdout(), format!("lost {lost}"));
    let said = stdout.lines().rev().find(|line| line.starts_with("lost "));
    let is_right = match lost {
        0 => said.is_none(),
        _ => stdout.ends_with(&format!("\n{right}\n{last}")),
    };
    let happened = match said {
        None => "it says nothing of it".to_owned(),
        Some(said) => format!("it says {said:?}, and {right:?} is right"),
    };
    let expected =
        format!("of {FLOOD} datagrams many found no room: {who} says at its end how many were lost");
    let why = "The kernel counts what it drops, and tells who asks: SO_RXQ_OVFL or SO_MEMINFO.";
    told.demand(is_right, None, expected, happened, why)
}

fn last_two(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(2)..].join(", ")
}

fn client_loses() -> Verdict {
    let mut stage = Stage::inside_with("anna", |run| run.output(16 << 20))?;
    for process in ["main", "c1"] {
        stage.client.signal(process, SignalName::SIGSTOP)?;
    }
    stage.still()?;
    // The larger each, the fewer there is room for; and of what is trimmed off nothing is to be printed.
    let message = format!("bert: hello{}", "\n".repeat(1000));
    (0..FLOOD).try_for_each(|_| stage.tell(&message))?;
    for process in ["c1", "main"] {
        stage.client.signal(process, SignalName::SIGCONT)?;
    }
    stage.still()?;
    stage.tell(&message)?; // as above
    stage.still()?;
    let shown = stage.story()?.stdout().matches("bert: ").count();
    stage.types("q\n")?;
    stage.expect_sent(&["Q anna"], "q was typed")?;
    stage.tell("EXIT")?;
    stage.still()?;
    let told = expect_left(stage.client, 0, "q was typed")?;
    says_lost(&told, "the client", FLOOD + 1 - shown, "")
}

/// A send that the kernel does not take is lost too, unless it is made again; and nobody is put out for it. Which call of a
/// program that is, is seen afterwards.
fn refused_sends() -> Verdict {
    let of_server = (2..=8).map(refused_send).collect::<Verdict<Vec<bool>>>()?;
    if !of_server.contains(&true) {
        return Err(Refusal::Broken("no send was made to fail".to_owned()));
    }
    let of_client = (2..=12).find_map(|nth| refused_line(nth).map(|hit| hit.then_some(())).transpose());
    of_client.unwrap_or_else(|| {
        let why = "no send of the client's was made to fail: it writes too often before";
        Err(Refusal::NotChecked(why.to_owned()))
    })
}

/// The `nth` write of a client fails; `true` when that was a line that was typed.
fn refused_line(nth: usize) -> Verdict<bool> {
    let room = room()?;
    let mut stage = Stage::of(
        client(room.address()).fail(Family::Write, nth, Errno::ENOBUFS),
        room,
    )?;
    stage.types("anna\n")?;
    if stage.sent()?.is_empty() {
        return Ok(false); // it may wait for an answer now
    }
    stage.tell("OK")?;
    stage.still()?;
    if has_been_refused(&stage.story()?) {
        return Ok(false);
    }
    stage.types("one\n")?;
    let came = stage.sent()? == ["C anna one"];
    if !has_been_refused(&stage.story()?) {
        return Ok(false);
    }
    if came {
        return Ok(true); // it was made again
    }
    stage.types("q\n")?;
    stage.expect_sent(&["Q anna"], "a line was not taken by the kernel, and q was typed")?;
    stage.tell("EXIT")?;
    stage.still()?;
    let told = expect_left(stage.client, 0, "q was typed")?;
    let stdout = told.stdout();
    let says = stdout.ends_with("\nlost 1\n");
    let happened = format!("standard output is {stdout:?}");
    let expected =
        "a line was typed, and the send failed with ENOBUFS: at its end the client says \"lost 1\"";
    told.demand(says, None, expected, happened, NOBODY_ELSE)?;
    Ok(true)
}

/// Whether a write to a socket was not taken.
fn has_been_refused(story: &Story) -> bool {
    let mut writes = (0..story.processes.len()).flat_map(|who| story.calls_of(who, Family::Write));
    writes.any(|(_, call)| {
        call.result == Some(-(Errno::ENOBUFS as i64)) && call.on.iter().any(|on| on.starts_with("socket:"))
    })
}

const NOBODY_ELSE: &str = "What a full kernel refuses is not delivered, and nobody else can know it.";

/// The `nth` write fails; `true` when that was a send.
fn refused_send(nth: usize) -> Verdict<bool> {
    let mut house = House::of(server(&[HERE]).fail(Family::Write, nth, Errno::ENOBUFS))?;
    let (mut anna, mut bert) = (house.guest("anna")?, house.guest("bert")?);
    for guest in [&anna, &bert] {
        guest.send(&format!("L {}", guest.name))?;
        until_still(&mut [&mut house.server])?;
    }
    anna.say("one")?;
    bert.say("two")?;
    until_still(&mut [&mut house.server])?;
    if house.server.is_over()? {
        return Ok(false); // what it could not print it could not print
    }
    if !has_been_refused(&house.story()?) {
        return Ok(false);
    }
    let all_came = anna.hear().len() == 3 && bert.hear().len() == 2;
    let told = house.close(SignalName::SIGTERM)?;
    let stdout = told.stdout();
    let says = stdout.ends_with("\nlost 1\nbye\n") || all_came && !stdout.contains("\nlost ");
    let happened = format!("its last lines are {:?}", last_two(&stdout));
    let expected = "a send failed with ENOBUFS: at its end the server says \"lost 1\"";
    told.demand(says, None, expected, happened, NOBODY_ELSE)?;
    let left = stdout.lines().any(|line| line.starts_with("leave "));
    let expected = "a send failed with ENOBUFS: nobody has left";
    told.demand(!left, None, expected, "somebody was put out", NOBODY_ELSE)?;
    Ok(true)
}
