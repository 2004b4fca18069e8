//! Step 2, enter: names, and who may have them.

use super::{
    NOTHING,
    house::House,
    stage::{Stage, client, expect_left},
    talk::words,
};
use grader::{Party, Verdict, until_still};

pub fn guests() -> Verdict {
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
    house.expect(&mut bert, NOTHING, "bert has entered")?;
    anna.send("L dora")?;
    house.expect_reason(&mut anna, "anna is in, and sends \"L dora\"")?;
    house.expect(&mut bert, NOTHING, "anna is in, and asks for another name")
}

pub fn names() -> Verdict {
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

pub fn of_100() -> Verdict {
    let mut house = House::open()?;
    let all = house.enter_many(100)?;
    let lines: Vec<String> = all
        .iter()
        .map(|guest| format!("enter {} {}", guest.name, guest.address()))
        .collect();
    house.expect_lines(&lines)
}

pub fn client_enters() -> Verdict {
    Stage::inside("anna")?;
    Stage::inside("Zoë").map(drop)
}

pub fn client_refused() -> Verdict {
    let mut stage = Stage::open()?;
    for (name, reason) in [
        ("anna", "somebody is called that"),
        ("bert", "so ein Name ist schon vergeben"),
        ("dora", "not\x1btoday"),
    ] {
        stage.types(&format!("{name}\n"))?;
        stage.expect_sent(&[format!("L {name}")], "a name was typed")?;
        stage.tell(reason)?;
        stage.still()?;
        let story = stage.story()?;
        let (stdout, said) = (story.stdout(), story.stdout() + &story.stderr());
        let told = reason.split('\x1b').all(|piece| said.contains(piece)) && !said.contains('\x1b');
        let right = told && stdout.ends_with("name: ") && !stdout.contains("welcome");
        story.demand(
            right,
            None,
            format!("told {reason:?} the client says so, and asks for a name again"),
            format!("standard output is {stdout:?}{}", story.said()),
            match reason.contains('\x1b') {
                true => "An escape sequence does what it likes with the terminal, at the prompt too.",
                false => "Whatever is not OK is a reason, in words that only a person can understand.",
            },
        )?;
    }
    name_too_long(&mut stage)?;
    stage.types("carl\n")?;
    stage.expect_sent(&["L carl"], "another name was typed")?;
    stage.tell("OK")?;
    stage.still()?;
    let story = stage.story()?;
    let last = story.stdout();
    let happened = format!("standard output is {last:?}");
    let why = "This name was let in.";
    story.demand(
        last.ends_with("name: welcome, carl\n"),
        None,
        "it says \"welcome, carl\"",
        happened,
        why,
    )?;
    shown_out()
}

/// A name that makes no message is not sent, and the room has nothing to refuse.
fn name_too_long(stage: &mut Stage) -> Verdict {
    let before = words(&stage.story()?);
    stage.types(&format!("{}\n", "x".repeat(1023)))?;
    stage.expect_sent(NOTHING, "a name was typed that makes a message of 1,025 bytes")?;
    let (said, stdout) = (words(&stage.story()?), stage.story()?.stdout());
    let asks = said > before + "name: ".len() && stdout.ends_with("name: ");
    let happened = format!("its last line is {:?}", stdout.lines().next_back());
    let expected = "a name of 1,023 bytes was typed: the client says that it is too long, and asks again";
    let why = "No server reads so long a message.";
    stage.story()?.demand(asks, None, expected, happened, why)
}

/// `EXIT` ends it, also where no name has been taken yet: as the answer, and between two names.
fn shown_out() -> Verdict {
    for between in [false, true] {
        let mut stage = Stage::open()?;
        stage.types("anna\n")?;
        stage.expect_sent(&["L anna"], "a name was typed")?;
        if between {
            stage.tell("no")?;
            stage.still()?;
        }
        stage.tell("EXIT")?;
        stage.still()?;
        let case = match between {
            true => "the room has refused a name, and says EXIT",
            false => "the room answers with EXIT",
        };
        expect_left(stage.client, 0, case)?;
    }
    Ok(())
}

/// A client that has entered a house under this name, and what it has printed so far.
pub fn resident(house: &mut House, name: &str) -> Verdict<Party> {
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
pub fn shows(party: &mut Party, text: &str, case: &str) -> Verdict {
    let story = party.story()?;
    let happened = format!("it is {:?}{}", story.stdout(), story.said());
    let why = "What the others say is shown as it comes, whether anybody types or not.";
    let expected = format!("{case}: the client's standard output is {text:?}");
    story.demand(story.stdout() == text, None, expected, happened, why)
}

pub fn both() -> Verdict {
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
