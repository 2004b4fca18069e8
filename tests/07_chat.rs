//! Lab 7, the chat room: the steps, what each wants of server and client, and how the kernel proves it.
//!
//! Servers are judged with members of the check's own, clients in rooms of the check's own, and both together; the client on
//! a terminal too, as a person would sit there. "He got nothing" is said when every process sleeps and nothing is under way
//! in the kernel, so that nobody has to be waited for.

use grader::{
    Blocking, Ending, Errno, Family, Lab, MAIN, Party, Proc, Refusal, SignalName, Story, Verdict, What,
    checks, is_bound, lab, libc, until_still,
};
use house::{House, forget, server};
use stage::{Stage, client, expect_left, room};
use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

#[path = "07_chat/foreign.rs"]
mod foreign;
#[path = "07_chat/hostile.rs"]
mod hostile;
#[path = "07_chat/house.rs"]
mod house;
#[path = "07_chat/seat.rs"]
mod seat;
#[path = "07_chat/stage.rs"]
mod stage;
#[path = "07_chat/stream.rs"]
mod stream;

const LAB: Lab = lab!().with_places(&[
    ("step_1_network_client", "client.rs", "pub fn run"),
    ("step_1_network", "udp.rs", "pub fn bind"),
    ("step_2_enter_client", "entry.rs", "fn enter"),
    ("step_2_enter", "room.rs", "fn enter"),
    ("step_3_talk_client", "visit.rs", "fn talk"),
    ("step_3_talk_on_a_terminal", "console.rs", "pub fn show"),
    ("step_3_talk", "room.rs", "fn say"),
    ("step_4_leave", "visit.rs", "fn leave"),
    ("step_5_announce", "announcer.rs", "fn announce"),
    ("step_6_honest", "room.rs", "fn speaker"),
    ("step_7_robust_client", "visit.rs", "fn talk"),
    ("step_7_robust_on_a_terminal", "console.rs", "pub fn show"),
    ("step_7_robust", "udp.rs", "pub fn read_errors"),
    ("step_8_stream_client", "visit.rs", "fn talk"),
    ("step_8_stream", "conn.rs", "pub fn pay"),
]);

fn main() -> ExitCode {
    LAB.main(checks![
        step_1_network,
        step_1_network_client,
        step_1_network_default,
        step_1_network_when_a_call_fails,
        step_1_network_wrong_usage,
        step_2_enter,
        step_2_enter_names,
        step_2_enter_of_100,
        step_2_enter_client,
        step_2_enter_client_refused,
        step_2_enter_both,
        step_3_talk,
        step_3_talk_of_10,
        step_3_talk_of_200,
        step_3_talk_client,
        step_3_talk_both,
        step_3_talk_on_a_terminal,
        step_3_talk_when_interrupted,
        step_3_talk_with_python_clients,
        step_3_talk_with_a_python_server,
        step_4_leave,
        step_4_leave_client,
        step_4_leave_at_the_prompt,
        step_4_leave_both,
        step_4_leave_on_a_terminal,
        step_4_leave_a_python_server,
        step_4_leave_when_killed,
        step_4_leave_when_a_call_fails,
        step_5_announce,
        step_5_announce_at_once,
        step_5_announce_processes,
        step_5_announce_ends,
        step_5_announce_ends_at_any_moment,
        step_5_announce_when_killed,
        step_5_announce_when_a_call_fails,
        step_6_honest,
        step_6_honest_strangers,
        step_6_honest_client,
        step_7_robust,
        step_7_robust_random,
        step_7_robust_flood,
        step_7_robust_one_is_gone,
        step_7_robust_many_are_gone,
        step_7_robust_a_killed_client,
        step_7_robust_client,
        step_7_robust_client_no_answer,
        step_7_robust_client_hears_nothing,
        step_7_robust_lost,
        step_7_robust_on_a_terminal,
        step_7_robust_when_a_call_fails,
        step_8_stream,
        step_8_stream_names,
        step_8_stream_pieces,
        step_8_stream_one_write,
        step_8_stream_of_200,
        step_8_stream_of_1000,
        step_8_stream_when_one_is_late,
        step_8_stream_when_one_does_not_read,
        step_8_stream_client,
        step_8_stream_no_descriptors,
        step_8_stream_when_interrupted,
        step_8_stream_when_a_call_fails,
    ])
}

const C1: Proc = 1;
const HERE: &str = "127.0.0.1:0";

// Step 1, network. The room is at an address that everybody can know; the client knows it, and asks for a name.

fn step_1_network() -> Verdict {
    for address in [HERE, "[::1]:0"] {
        let mut house = match House::of(server(&[address])) {
            Err(Refusal::Failed(_)) if address != HERE && no_ipv6() => continue,
            house => house?,
        };
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
    }
    Ok(())
}

fn no_ipv6() -> bool {
    !std::fs::exists("/proc/net/if_inet6").unwrap_or(false)
}

/// Whoever has nothing to do sleeps until something comes. (Of a process that has ever set a timer it cannot be told whether
/// it still runs.)
fn idle(story: &Story) -> Verdict {
    story.observed()?;
    let wakes = story
        .asleep
        .iter()
        .find(|sleeper| sleeper.blocking != Blocking::Until && !has_set_a_timer(story, sleeper.who));
    let happened = wakes.map_or_else(String::new, |sleeper| {
        format!(
            "{} sleeps in {} with a timeout, and wakes for nothing again and again",
            story.name(sleeper.who),
            sleeper.call
        )
    });
    let why = "Waiting costs nothing, when the kernel wakes you; and silence means nothing, in a chat room.";
    let expected = "who has nothing to do sleeps until something comes";
    story.demand(wakes.is_none(), None, expected, happened, why)
}

fn has_set_a_timer(story: &Story, who: Proc) -> bool {
    let sets = |call: &grader::Call| match call.name.as_str() {
        "alarm" | "setitimer" | "timer_settime" | "timerfd_settime" => true,
        "setsockopt" => call.args.get(2) == Some(&(libc::SO_RCVTIMEO as u64)),
        _ => false,
    };
    let parent = story.processes[who].parent;
    std::iter::once(who)
        .chain(parent)
        .any(|who| story.calls(who).any(|(_, call)| sets(call)))
}

fn step_1_network_client() -> Verdict {
    let mut stage = Stage::open()?;
    stage.expect_sent(&[""; 0], "nothing has been typed")?;
    idle(&stage.story()?)
}

/// Without an address both mean 127.0.0.1:8888.
fn step_1_network_default() -> Verdict {
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

fn step_1_network_when_a_call_fails() -> Verdict {
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
fn nothing_left(run: grader::Run) -> Verdict {
    let story = run.run()?;
    story.expect_error_line(LAB.name())?;
    story.expect_all_reaped()
}

fn step_1_network_wrong_usage() -> Verdict {
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

// Step 2, enter. Who wants in asks with a name, and is told `OK`, or why not; the others are told who has come.

fn step_2_enter() -> Verdict {
    let mut house = House::open()?;
    let mut anna = house.enter("anna")?;
    let mut lines = vec![format!("enter anna {}", anna.address())];
    house.expect_lines(&lines)?;
    let mut bert = house.enter("bert")?;
    lines.push(format!("enter bert {}", bert.address()));
    house.expect_lines(&lines)?;
    house.expect(
        &mut anna,
        &["bert entered the chat room"],
        "bert enters after anna",
    )?;
    house.expect(&mut bert, NOTHING, "bert has entered")
}

const NOTHING: &[&str] = &[];

fn step_2_enter_names() -> Verdict {
    let mut house = House::open()?;
    let mut anna = house.enter("anna")?;
    let too_long = "x".repeat(33);
    let umlauts = format!("{}x", "ü".repeat(16));
    let refused = [
        "",
        " ",
        "two words",
        " front",
        "back ",
        "tab\tbed",
        "new\nline",
        "bell\x07",
        "del\x7f",
        "c1\u{9b}31m",
        "admin",
        "anna",
        &too_long,
        &umlauts,
    ];
    for name in refused {
        let mut guest = house.guest("")?;
        guest.send(&format!("L {name}"))?;
        house.expect_reason(&mut guest, &format!("a guest asks for the name {name:?}"))?;
        house.expect(
            &mut anna,
            NOTHING,
            &format!("a guest asked for the name {name:?}"),
        )?;
        guest.send("L bert")?;
        house.expect(
            &mut guest,
            &["OK"],
            &format!("after {name:?} was refused he asks for another"),
        )?;
        guest.send("Q bert")?;
        house.still()?;
        anna.hear();
    }
    for name in [
        &"x".repeat(32),
        &"ü".repeat(16),
        "a",
        "Admin",
        "Anna",
        "名前",
        "o'x-1_2",
    ] {
        let guest = house.enter(name)?;
        house.expect(
            &mut anna,
            &[format!("{name} entered the chat room")],
            "a guest enters",
        )?;
        guest.send(&format!("Q {name}"))?;
        house.still()?;
        anna.hear();
    }
    Ok(())
}

fn step_2_enter_of_100() -> Verdict {
    let mut house = House::open()?;
    let all = house.enter_many(100)?;
    let lines: Vec<String> = all
        .iter()
        .map(|guest| format!("enter {} {}", guest.name, guest.address()))
        .collect();
    house.expect_lines(&lines)
}

fn step_2_enter_client() -> Verdict {
    Stage::inside("anna")?;
    Stage::inside("Zoë").map(drop)
}

fn step_2_enter_client_refused() -> Verdict {
    let mut stage = Stage::open()?;
    for (name, reason) in [
        ("anna", "somebody is called that"),
        ("bert", "so ein Name ist schon vergeben"),
    ] {
        stage.types(&format!("{name}\n"))?;
        stage.expect_sent(&[format!("L {name}")], "a name was typed")?;
        stage.tell(reason)?;
        stage.still()?;
        let story = stage.story()?;
        let (stdout, said) = (story.stdout(), story.stdout() + &story.stderr());
        let right = said.contains(reason) && stdout.ends_with("name: ") && !stdout.contains("welcome");
        story.demand(
            right,
            None,
            format!("told {reason:?} the client says so, and asks for a name again"),
            format!("standard output is {stdout:?}{}", story.said()),
            "Whatever is not OK is a reason, in words that only a person can understand.",
        )?;
    }
    stage.types("carl\n")?;
    stage.expect_sent(&["L carl"], "a third name was typed")?;
    stage.tell("OK")?;
    stage.still()?;
    let story = stage.story()?;
    let last = story.stdout();
    let happened = format!("standard output is {last:?}");
    let why = "The third name was let in.";
    story.demand(
        last.ends_with("name: welcome, carl\n"),
        None,
        "it says \"welcome, carl\"",
        happened,
        why,
    )
}

/// A client that has entered a house under this name, and what it has printed so far.
fn resident(house: &mut House, name: &str) -> Verdict<Party> {
    resident_of(house, client(house.address), name)
}

fn resident_of(house: &mut House, run: grader::Run, name: &str) -> Verdict<Party> {
    let mut party = run.join()?;
    party.input(format!("{name}\n").as_bytes())?;
    until_still(&mut [&mut house.server, &mut party])?;
    shows(
        &mut party,
        &format!("name: welcome, {name}\n"),
        "it has entered the room",
    )?;
    Ok(party)
}

/// All that a client has printed so far.
fn shows(party: &mut Party, text: &str, case: &str) -> Verdict {
    let story = party.story()?;
    let happened = format!("it is {:?}{}", story.stdout(), story.said());
    let why = "What the others say is shown as it comes, whether anybody types or not.";
    let expected = format!("{case}: the client's standard output is {text:?}");
    story.demand(story.stdout() == text, None, expected, happened, why)
}

fn step_2_enter_both() -> Verdict {
    let mut house = House::open()?;
    let mut guest = house.enter("guest")?;
    let mut one = client(house.address).join()?;
    one.input(b"guest\n")?;
    until_still(&mut [&mut house.server, &mut one])?;
    let story = one.story()?;
    let asked = story.stdout();
    let again = asked.starts_with("name: ") && asked.len() > 6 && asked.ends_with("name: ");
    let happened = format!("standard output is {asked:?}");
    let why = "Two of one name could not be told apart.";
    story.demand(
        again,
        None,
        "the name is taken: the client is told, and asks again",
        happened,
        why,
    )?;
    one.input(b"anna\n")?;
    until_still(&mut [&mut house.server, &mut one])?;
    shows(
        &mut one,
        &format!("{asked}welcome, anna\n"),
        "the second name was free",
    )?;
    house.expect(&mut guest, &["anna entered the chat room"], "a client enters")
}

// Step 3, talk. What one says all others get, and he does not.

fn step_3_talk() -> Verdict {
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
    bert.say("and you?")?;
    house.expect(&mut anna, &["bert: and you?"], "bert answers")?;
    house.expect(&mut bert, NOTHING, "bert has answered")
}

fn step_3_talk_of_10() -> Verdict {
    everybody_talks(10, 10, 10)
}

fn step_3_talk_of_200() -> Verdict {
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
fn misheard(heard: &[String], members: usize, due: impl Fn(usize) -> usize) -> Option<String> {
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

fn step_3_talk_client() -> Verdict {
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
fn words(story: &Story) -> usize {
    story.stdout.len() + story.stderr.len()
}

fn step_3_talk_both() -> Verdict {
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

fn step_3_talk_on_a_terminal() -> Verdict {
    seat::talks()
}

/// A signal that nobody cares about changes nothing: neither in the server nor in the client.
fn step_3_talk_when_interrupted() -> Verdict {
    for (family, nth) in [
        (Family::Poll, 1),
        (Family::Poll, 2),
        (Family::Poll, 3),
        (Family::Poll, 4),
        (Family::Read, 1),
        (Family::Read, 2),
    ] {
        let mut house = House::of(server(&[HERE]).interrupt(family, nth))?;
        let (mut anna, bert) = (house.enter("anna")?, house.enter("bert")?);
        bert.say("hello")?;
        house.expect(
            &mut anna,
            &["bert entered the chat room", "bert: hello"],
            "a signal came in between",
        )?;
        let mut stage = Stage::inside_with("anna", |run| run.interrupt(family, nth))?;
        stage.types("hello\n")?;
        stage.expect_sent(&["C anna hello"], "a signal came in between")?;
        stage.tell("bert: hello")?;
        stage.expect_shown("name: welcome, anna\nbert: hello\n", "a signal came in between")?;
    }
    Ok(())
}

fn step_3_talk_with_python_clients() -> Verdict {
    foreign::clients()
}

fn step_3_talk_with_a_python_server() -> Verdict {
    foreign::server()
}

// Step 4, leave. Who leaves says so and is told `EXIT`; the others are told; the name is free again. Both processes of a
// client end, whatever ends it.

fn step_4_leave() -> Verdict {
    let mut house = House::open()?;
    let (mut anna, mut bert, mut carl) = (house.enter("anna")?, house.enter("bert")?, house.enter("carl")?);
    forget(&mut [&mut anna, &mut bert]);
    let mut lines: Vec<String> = [&anna, &bert, &carl]
        .map(|guest| format!("enter {} {}", guest.name, guest.address()))
        .to_vec();
    bert.send("Q bert")?;
    house.expect(&mut bert, &["EXIT"], "bert sends \"Q bert\"")?;
    house.expect(&mut anna, &["bert left the chat room"], "bert has left")?;
    house.expect(&mut carl, &["bert left the chat room"], "bert has left")?;
    lines.push(format!("leave bert {}", bert.address()));
    house.expect_lines(&lines)?;
    anna.say("are you there?")?;
    house.expect(&mut carl, &["anna: are you there?"], "bert has left")?;
    house.expect(&mut bert, NOTHING, "bert has left, and anna says something")?;
    let mut another = house.enter("bert")?;
    house.expect(
        &mut anna,
        &["bert entered the chat room"],
        "the name is free again",
    )?;
    anna.say("welcome")?;
    house.expect(&mut another, &["anna: welcome"], "another bert has entered")?;
    house.expect(&mut bert, NOTHING, "another bert has entered")?;
    bert.send("L dora")?;
    house.expect(&mut bert, &["OK"], "who has left enters again")
}

/// What makes a client leave.
#[derive(Clone, Copy, Debug)]
enum Leave {
    Q,
    End,
    Signal(SignalName),
}

impl Leave {
    const ALL: [Self; 5] = [
        Self::Q,
        Self::End,
        Self::Signal(SignalName::SIGINT),
        Self::Signal(SignalName::SIGTERM),
        Self::Signal(SignalName::SIGHUP),
    ];

    fn words(self) -> String {
        match self {
            Self::Q => "q was typed".to_owned(),
            Self::End => "its input has come to an end".to_owned(),
            Self::Signal(signal) => format!("it gets {signal}"),
        }
    }

    fn give(self, client: &mut Party) -> Verdict {
        match self {
            Self::Q => client.input(b"q\n"),
            Self::End => client.close_input(),
            Self::Signal(signal) => client.signal("main", signal),
        }
    }
}

fn step_4_leave_client() -> Verdict {
    for leave in Leave::ALL {
        let case = leave.words();
        let mut stage = Stage::inside("anna")?;
        leave.give(&mut stage.client)?;
        stage.expect_sent(&["Q anna"], &case)?;
        stage.tell("bert: see you")?;
        stage.still()?;
        let waits = !stage.client.is_over()?;
        let expected = format!("{case}, and bert says something: the client waits for EXIT");
        let why = "What comes first need not be the answer: the room may not have heard it yet.";
        stage
            .story()?
            .demand(waits, None, expected, "it has ended", why)?;
        stage.tell("EXIT")?;
        stage.still()?;
        let story = expect_left(stage.client, 0, &case)?;
        two_processes(
            &story,
            "a client in the room is two processes: one sends, the other receives",
        )?;
        let shown = story.stdout();
        let right =
            ["name: welcome, anna\n", "name: welcome, anna\nbert: see you\n"].contains(&shown.as_str());
        let why = "EXIT is the end of the talk, and nothing that anybody said.";
        let happened = format!("standard output is {shown:?}");
        story.demand(
            right,
            None,
            format!("{case}: nothing more is shown"),
            happened,
            why,
        )?;
        if matches!(leave, Leave::Q) {
            LAB.snapshot("leave", &anonymous(&story));
        }
    }
    unasked()?;
    last_line_without_a_newline()
}

/// `EXIT` ends it, also when it has asked for nothing.
fn unasked() -> Verdict {
    let mut stage = Stage::inside("anna")?;
    stage.tell("EXIT")?;
    stage.still()?;
    expect_left(stage.client, 0, "the room says EXIT unasked").map(drop)
}

fn last_line_without_a_newline() -> Verdict {
    let mut stage = Stage::inside("anna")?;
    stage.types("bye")?;
    stage.client.close_input()?;
    let sent = stage.sent()?;
    let right = sent == ["C anna bye", "Q anna"] || sent == ["Q anna"];
    let story = stage.story()?;
    let why = "It leaves properly at the end of its input, wherever that is.";
    let happened = format!("it sent {}", house::list(&sent));
    story.demand(
        right,
        None,
        "the input ends in the middle of a line: it leaves",
        happened,
        why,
    )?;
    stage.tell("EXIT")?;
    stage.still()?;
    expect_left(stage.client, 0, "its input has come to an end").map(drop)
}

fn step_4_leave_at_the_prompt() -> Verdict {
    for leave in Leave::ALL.into_iter().filter(|leave| !matches!(leave, Leave::Q)) {
        let mut stage = Stage::open()?;
        leave.give(&mut stage.client)?;
        let case = format!("at the name prompt {}", leave.words());
        stage.expect_sent(NOTHING, &case)?;
        expect_left(stage.client, 0, &case)?;
    }
    let mut stage = Stage::open()?;
    stage.types("q\n")?;
    stage.expect_sent(NOTHING, "at the name prompt q was typed")?;
    expect_left(stage.client, 0, "at the name prompt q was typed").map(drop)
}

fn step_4_leave_both() -> Verdict {
    let mut house = House::open()?;
    let mut guest = house.enter("guest")?;
    for leave in Leave::ALL {
        let mut anna = resident(&mut house, "anna")?;
        guest.hear();
        leave.give(&mut anna)?;
        until_still(&mut [&mut house.server, &mut anna])?;
        house.expect(&mut guest, &["anna left the chat room"], &leave.words())?;
        expect_left(anna, 0, &leave.words())?;
    }
    guest.send("Q guest")?;
    house.expect(&mut guest, &["EXIT"], "the last one leaves")
}

fn step_4_leave_on_a_terminal() -> Verdict {
    seat::leaves()
}

fn step_4_leave_a_python_server() -> Verdict {
    foreign::server_is_left()
}

fn step_4_leave_when_killed() -> Verdict {
    nobody_stays(Stage::inside("anna")?.client)
}

/// Who is killed cannot say anything to his child: it must see it by itself.
fn nobody_stays(mut party: Party) -> Verdict {
    party.signal("main", SignalName::SIGKILL)?;
    until_still(&mut [&mut party])?;
    let over = party.is_over()?;
    let why = "An orphan that nobody knows of keeps the terminal, the port and its place in the room.";
    let happened = "it is still there";
    let story = party.story()?;
    story.demand(
        over,
        None,
        "main is killed (SIGKILL): its child ends by itself",
        happened,
        why,
    )
}

/// A client that cannot be made two says so, and does not stay in the room without a word.
fn step_4_leave_when_a_call_fails() -> Verdict {
    let room = room()?;
    let run = client(room.address()).fail(Family::Fork, 1, Errno::EAGAIN);
    let mut stage = Stage::of(run, room)?;
    stage.types("anna\n")?;
    stage.still()?;
    if !stage.client.is_over()? {
        stage.sent()?;
        stage.tell("OK")?;
        stage.still()?;
        if !stage.client.is_over()? {
            stage.sent()?;
            stage.tell("EXIT")?;
            stage.still()?;
        }
    }
    let told = expect_left(stage.client, 1, "fork fails")?;
    told.expect_error_told(LAB.name())
}

// Step 5, announce. Lines of the server's own input go to all: a child reads them, and hands them over by a way that nobody
// else has.

fn step_5_announce() -> Verdict {
    let mut house = House::open()?;
    let mut all = [house.enter("anna")?, house.enter("bert")?, house.enter("carl")?];
    forget(&mut all.each_mut());
    for (typed, comes) in [
        ("dinner is served\n", "admin: dinner is served"),
        ("  with  blanks \n", "admin:   with  blanks "),
        ("größer als 100 €\n", "admin: größer als 100 €"),
        ("a\tb\x1b[31mc\n", "admin: a?b?[31mc"),
    ] {
        house.server.input(typed.as_bytes())?;
        for guest in &mut all {
            house.expect(guest, &[comes], &format!("{typed:?} was typed"))?;
        }
    }
    house.server.input(b"one\ntwo\nthree")?;
    house.expect(
        &mut all[0],
        &["admin: one", "admin: two"],
        "two lines and a half were typed",
    )?;
    house.server.input(b" and a half\n")?;
    house.expect(
        &mut all[1],
        &["admin: one", "admin: two", "admin: three and a half"],
        "and the rest of it",
    )?;
    house.close(SignalName::SIGINT).map(drop)
}

/// Three lines come together, and one of the two processes is always faster.
fn step_5_announce_at_once() -> Verdict {
    for first in ["main", "c1"] {
        let mut house = House::of(server(&[HERE]).first(first))?;
        let mut anna = house.enter("anna")?;
        house.server.input(b"one\ntwo\nthree\n")?;
        let wanted = ["admin: one", "admin: two", "admin: three"];
        house.expect(&mut anna, &wanted, "three lines were typed, and came together")?;
        house.close(SignalName::SIGTERM)?.expect_all_reaped()?;
    }
    Ok(())
}

/// Who reads the input is the child, and it does not use the public socket: not for this either.
fn step_5_announce_processes() -> Verdict {
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
fn step_5_announce_ends() -> Verdict {
    for (last, comes) in [("", None), ("the end\n", Some("admin: the end"))] {
        let mut house = House::open()?;
        let (mut anna, bert) = (house.enter("anna")?, house.enter("bert")?);
        anna.hear();
        house.server.input(last.as_bytes())?;
        house.server.close_input()?;
        let wanted: Vec<&str> = comes.into_iter().collect();
        house.expect(&mut anna, &wanted, "the server's input comes to its end")?;
        reaped_in_time(&house.story()?)?;
        let announcer_ended = house.story()?.end_of(C1).is_some();
        if house.story()?.unobserved.is_none() && !announcer_ended {
            let why = "It has nothing to do any more.";
            return Err(house.refuse(
                "at the end of its input the announcer ends",
                "it still lives",
                why,
            ));
        }
        idle(&house.story()?)?;
        bert.say("still here")?;
        house.expect(&mut anna, &["bert: still here"], "the room goes on")?;
        house.close(SignalName::SIGTERM)?.expect_all_reaped()?;
    }
    let house = House::of(LAB.command(&["server", HERE]))?;
    house.close(SignalName::SIGINT)?.expect_all_reaped()
}

/// The room is open, and the signal comes behind each call that main makes until it sleeps.
fn step_5_announce_ends_at_any_moment() -> Verdict {
    const CALLS: usize = 200;
    for nth in 1..CALLS {
        let mut running = server(&[HERE]).pause_after(nth).start()?;
        let story = running.until_quiet()?;
        story.observed()?;
        let Some(behind) = &story.paused else {
            return Ok(());
        };
        if !story.stdout().contains("chat room on ") {
            continue;
        }
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

fn step_5_announce_when_killed() -> Verdict {
    nobody_stays(House::open()?.server)
}

fn step_5_announce_when_a_call_fails() -> Verdict {
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

// Step 6, honest. Who speaks is told by where it comes from, and by nothing that it says.

fn step_6_honest() -> Verdict {
    hostile::members()
}

fn step_6_honest_strangers() -> Verdict {
    hostile::strangers()
}

fn step_6_honest_client() -> Verdict {
    hostile::another_room()
}

// Step 7, robust. Nothing that comes from outside stops the room, and whoever is gone is noticed.

fn step_7_robust() -> Verdict {
    hostile::nonsense()
}

fn step_7_robust_random() -> Verdict {
    hostile::random()
}

fn step_7_robust_flood() -> Verdict {
    hostile::flood()
}

fn step_7_robust_one_is_gone() -> Verdict {
    hostile::one_is_gone()
}

fn step_7_robust_many_are_gone() -> Verdict {
    hostile::many_are_gone()
}

fn step_7_robust_a_killed_client() -> Verdict {
    hostile::a_killed_client()
}

/// What other servers say, and how: it is shown, and does nothing to the terminal.
fn step_7_robust_client() -> Verdict {
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
fn step_7_robust_client_no_answer() -> Verdict {
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

fn expect_no_answer(told: &Story, address: SocketAddr, case: &str) -> Verdict {
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
fn step_7_robust_client_hears_nothing() -> Verdict {
    let started = Instant::now();
    let (mut entering, mut leaving) = (Stage::open()?, Stage::inside("anna")?);
    entering.types("anna\n")?;
    leaving.types("q\n")?;
    entering.expect_sent(&["L anna"], "a name was typed")?;
    leaving.expect_sent(&["Q anna"], "q was typed")?;
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
        told.demand(
            started.elapsed() >= PATIENCE,
            None,
            format!("{case}: the client waits for five seconds"),
            "it had ended before",
            WAITS,
        )?;
    }
    Ok(())
}

const PATIENCE: Duration = Duration::from_secs(5);
const WAITS: &str = "The answer may be on its way: on a network that takes time.";

fn step_7_robust_lost() -> Verdict {
    hostile::lost()
}

fn step_7_robust_on_a_terminal() -> Verdict {
    seat::withstands()
}

/// A wait that fails ends whoever waited, and whoever is left without him: no half of a program stays, and no zombie.
fn step_7_robust_when_a_call_fails() -> Verdict {
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

// Step 8, stream. The same room over TCP.

fn step_8_stream() -> Verdict {
    stream::room()
}

fn step_8_stream_names() -> Verdict {
    stream::names()
}

fn step_8_stream_pieces() -> Verdict {
    stream::pieces()
}

fn step_8_stream_of_200() -> Verdict {
    stream::of_200()
}

fn step_8_stream_of_1000() -> Verdict {
    stream::of_1000()
}

fn step_8_stream_one_write() -> Verdict {
    stream::one_write()
}

fn step_8_stream_when_one_is_late() -> Verdict {
    stream::reads_late()
}

fn step_8_stream_when_one_does_not_read() -> Verdict {
    stream::does_not_read()
}

fn step_8_stream_client() -> Verdict {
    stream::client()
}

fn step_8_stream_no_descriptors() -> Verdict {
    stream::no_descriptors()
}

fn step_8_stream_when_interrupted() -> Verdict {
    stream::interrupted()
}

fn step_8_stream_when_a_call_fails() -> Verdict {
    stream::call_fails()
}

// What the steps have in common

/// Main and one child, no more.
fn two_processes(story: &Story, expected: &str) -> Verdict {
    story.observed()?;
    let names: Vec<&str> = story
        .processes
        .iter()
        .map(|process| process.name.as_str())
        .collect();
    let happened = format!("there were {}", names.join(", "));
    let why = "Each of the two waits for one thing, and the kernel for both.";
    story.demand(names == ["main", "c1"], None, expected, happened, why)
}

/// Whoever has ended has been reaped: said of a story in which everybody sleeps, or has ended.
fn reaped_in_time(story: &Story) -> Verdict {
    for who in (1..story.processes.len()).filter(|&who| story.end_of(who).is_some()) {
        story.expect_reaped_by(who, story.processes[who].parent.unwrap_or(MAIN))?;
    }
    story.observed()
}

/// The story with one word for every port that the kernel has chosen.
fn anonymous(story: &Story) -> Story {
    let mut story = story.clone();
    for event in &mut story.events {
        if let What::Calls(call) = &mut event.what {
            call.on.iter_mut().for_each(|on| *on = without_ports(on));
            call.text = without_ports(&call.text);
        }
    }
    story
}

fn without_ports(text: &str) -> String {
    const HOST: &str = "127.0.0.1:";
    let mut pieces = text.split(HOST);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        match piece.trim_start_matches(|c: char| c.is_ascii_digit()) {
            _ if piece.starts_with('0') => text + HOST + piece,
            rest => text + "ADDR" + rest,
        }
    })
}
