//! Step 4, leave: whatever ends a client, the room is told, and nobody of it is left.

use super::{
    LAB, NOTHING, anonymous,
    enter::resident,
    house::{self, House, forget},
    stage::{Stage, client, expect_left, room},
    two_processes,
};
use grader::{Errno, Family, Party, SignalName, Verdict, until_still};

pub fn guests() -> Verdict {
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
pub enum Leave {
    Q,
    End,
    Signal(SignalName),
}

const SIGNALS: [SignalName; 3] = [SignalName::SIGINT, SignalName::SIGTERM, SignalName::SIGHUP];

impl Leave {
    pub const ALL: [Self; 5] = [
        Self::Q,
        Self::End,
        Self::Signal(SIGNALS[0]),
        Self::Signal(SIGNALS[1]),
        Self::Signal(SIGNALS[2]),
    ];

    pub fn words(self) -> String {
        match self {
            Self::Q => "q was typed".to_owned(),
            Self::End => "its input has come to an end".to_owned(),
            Self::Signal(signal) => format!("it gets {signal}"),
        }
    }

    pub fn give(self, client: &mut Party) -> Verdict {
        match self {
            Self::Q => client.input(b"q\n"),
            Self::End => client.close_input(),
            Self::Signal(signal) => client.signal("main", signal),
        }
    }
}

pub fn client_leaves() -> Verdict {
    for leave in Leave::ALL {
        let case = leave.words();
        // Main is always the faster one: what it does not wait for still lives when it ends.
        let mut stage = Stage::inside_with("anna", |run| run.first("main"))?;
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

pub fn at_the_prompt() -> Verdict {
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
    expect_left(stage.client, 0, "at the name prompt q was typed")?;
    SIGNALS.into_iter().try_for_each(on_the_way_in)
}

/// It has asked to be let in, and a signal comes before the answer: the room may have taken it in by then.
fn on_the_way_in(signal: SignalName) -> Verdict {
    let mut stage = Stage::open()?;
    stage.types("anna\n")?;
    stage.expect_sent(&["L anna"], "a name was typed")?;
    stage.client.signal("main", signal)?;
    let case = format!("between L and OK it gets {signal}");
    let mut sent = stage.sent()?;
    if sent.is_empty() {
        stage.tell("OK")?;
        sent = stage.sent()?;
    }
    let story = stage.story()?;
    let expected = format!("{case}: the client sends \"Q anna\", then or when it has been let in");
    let happened = format!("it sent {}{}", house::list(&sent), story.said());
    let why = "Who goes between the question and the answer is a member whom nobody ever sees.";
    story.demand(sent == ["Q anna"], None, expected, happened, why)?;
    stage.tell("EXIT")?;
    stage.still()?;
    expect_left(stage.client, 0, &case).map(drop)
}

pub fn both() -> Verdict {
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

pub fn when_killed() -> Verdict {
    nobody_stays(Stage::inside("anna")?.client)
}

/// Who is killed cannot say anything to his child: it must see it by itself.
pub fn nobody_stays(mut party: Party) -> Verdict {
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
pub fn call_fails() -> Verdict {
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
