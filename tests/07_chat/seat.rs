//! The client on a terminal, as a person sits there: keys go in, and what counts is what then stands on the screen.

use super::{
    NOTHING,
    house::list,
    stage::{self, expect_left, room},
};
use grader::{Mailbox, Party, Refusal, Story, Terminal, Verdict};
use std::net::SocketAddr;

const ROWS: u16 = 24;
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const BACKSPACE: &str = "\x7f";

/// A client on a terminal, and a room that the check plays.
struct Seat {
    terminal: Terminal,
    screen: vt100::Parser,
    client: Party,
    room: Mailbox,
    from: Option<SocketAddr>,
    /// The terminal's modes before the client came.
    before: (u32, u32, u32, u32),
}

impl Seat {
    /// A client that asks for a name.
    fn take(columns: u16) -> Verdict<Self> {
        let (terminal, room) = (Terminal::new(ROWS, columns)?, room()?);
        let before = terminal.modes()?;
        let client = stage::client(room.address()).on(&terminal).join()?;
        let mut seat = Self {
            terminal,
            screen: vt100::Parser::new(ROWS, columns, 0),
            client,
            room,
            from: None,
            before,
        };
        seat.expect_last("name:", "it has just been started")?;
        Ok(seat)
    }

    /// A client that has entered the room.
    fn inside(columns: u16) -> Verdict<Self> {
        let mut seat = Self::take(columns)?;
        seat.goes_in()?;
        Ok(seat)
    }

    fn goes_in(&mut self) -> Verdict {
        self.press("anna")?;
        self.expect_last("name: anna", "a name is typed")?;
        self.press("\r")?;
        self.expect_sent(&["L anna"], "a name was typed")?;
        self.tell("OK")?;
        self.expect_line("welcome, anna", "the room has answered OK")
    }

    fn press(&self, keys: &str) -> Verdict {
        self.terminal.press(keys.as_bytes())
    }

    /// Everything has come about, and stands on the screen.
    fn still(&mut self) -> Verdict {
        self.terminal.until_still(&mut [&mut self.client])?;
        self.screen.process(&std::mem::take(&mut self.terminal.came));
        Ok(())
    }

    fn tell(&mut self, text: &str) -> Verdict {
        match self.from {
            Some(from) => self.room.send(from, text.as_bytes())?,
            None => return Err(Refusal::Broken("the client has said nothing yet".to_owned())),
        }
        self.still()
    }

    /// Exactly these messages have come from the client since the last look.
    fn expect_sent(&mut self, wanted: &[&str], case: &str) -> Verdict {
        self.still()?;
        self.room.pull();
        let came = self.room.take();
        self.from = came.last().map(|(from, _)| *from).or(self.from);
        let text = |(_, bytes): &(_, Vec<u8>)| String::from_utf8_lossy(bytes).trim_matches('\n').to_owned();
        let sent: Vec<String> = came.iter().map(text).collect();
        if sent == wanted {
            return Ok(());
        }
        let happened = format!("it sent {}", list(&sent));
        let why = "What is typed goes out as it was typed, whatever came in between.";
        Err(self.refuse(
            format!("{case}: the client sends {}", list(wanted)),
            happened,
            why,
        ))
    }

    /// What stands on the screen: lines, those that go on in the next row in one piece, without blanks at their ends.
    fn lines(&self) -> Vec<String> {
        let screen = self.screen.screen();
        let (rows, columns) = screen.size();
        let (mut lines, mut line) = (Vec::new(), String::new());
        for (row, text) in (0..rows).zip(screen.rows(0, columns)) {
            line += &text;
            if !screen.row_wrapped(row) {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
            }
        }
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    /// One line on the screen is exactly this.
    fn expect_line(&mut self, wanted: &str, case: &str) -> Verdict {
        self.still()?;
        let lines = self.lines();
        match lines.iter().filter(|line| *line == wanted).count() {
            1 => Ok(()),
            _ => Err(self.wrong(format!("{case}: a line on the screen is {wanted:?}"))),
        }
    }

    /// The last line on the screen ends so, and the cursor stands behind it.
    fn expect_last(&mut self, wanted: &str, case: &str) -> Verdict {
        self.still()?;
        let lines = self.lines();
        let screen = self.screen.screen();
        let (row, column) = screen.cursor_position();
        let (_, columns) = screen.size();
        let rows: Vec<String> = screen.rows(0, columns).skip(row.into()).collect();
        let at_cursor = rows.first().cloned().unwrap_or_default();
        let below = rows.iter().skip(1).any(|row| !row.trim().is_empty());
        // Of a line that fills its row the cursor stands on the last column, or at the beginning of the next row.
        let behind = screen.contents_between(row, 0, row, column);
        let behind =
            behind.trim_end().ends_with(last_of(wanted)) || column == 0 && at_cursor.trim().is_empty();
        let right = lines.last().is_some_and(|line| line.ends_with(wanted));
        let once = lines.iter().filter(|line| line.ends_with(wanted)).count() == 1;
        match right && once && !below && behind {
            true => Ok(()),
            false => Err(self.wrong(format!(
                "{case}: the last line, and no other, ends with {wanted:?}, and the cursor is there"
            ))),
        }
    }

    fn wrong(&mut self, expected: String) -> Refusal {
        let (row, column) = self.screen.screen().cursor_position();
        let lines = self.lines();
        let last: Vec<&String> = lines.iter().skip(lines.len().saturating_sub(8)).collect();
        let happened = format!(
            "on the screen is {}; the cursor is in row {row}, column {column}",
            list(&last)
        );
        let why = "Who is in the middle of a line sees what others say, and goes on with his line as if nothing had been.";
        self.refuse(expected, happened, why)
    }

    fn refuse(&mut self, expected: String, happened: String, why: &str) -> Refusal {
        match self.client.story() {
            Ok(story) => story.refusal(None, expected, happened, why),
            Err(refusal) => refusal,
        }
    }

    /// The client ends with this status, and leaves the terminal as it was.
    fn expect_left(mut self, status: i32, case: &str) -> Verdict<Vec<String>> {
        self.still()?;
        let lines = self.lines();
        let told = expect_left(self.client, status, case)?;
        let after = self.terminal.modes()?;
        expect_modes(&told, self.before == after, case)?;
        Ok(lines)
    }
}

fn last_of(text: &str) -> &str {
    text.char_indices().next_back().map_or("", |(at, _)| &text[at..])
}

fn expect_modes(story: &Story, same: bool, case: &str) -> Verdict {
    let why = "The shell that reads the same terminal next would show nothing of what is typed.";
    let expected = format!("{case}: the terminal is set as it was before");
    story.demand(same, None, expected, "its modes are others", why)
}

/// The reason stands on the screen, and the prompt below it.
fn name_refused() -> Verdict {
    const REASON: &str = "so ein Name ist schon vergeben";
    let mut seat = Seat::take(80)?;
    seat.press("bert\r")?;
    seat.expect_sent(&["L bert"], "a name was typed")?;
    seat.tell(REASON)?;
    if !seat.lines().iter().any(|line| line.contains(REASON)) {
        return Err(seat.wrong(format!("a name was refused: on the screen is {REASON:?}")));
    }
    seat.expect_last("name:", "a name was refused")?;
    seat.goes_in()
}

/// Messages arrive while a line is being typed.
pub fn talks() -> Verdict {
    name_refused()?;
    let mut seat = Seat::inside(80)?;
    seat.press("hel")?;
    seat.expect_last("hel", "\"hel\" is typed")?;
    if seat.lines().last().is_some_and(|line| line.contains("name")) {
        return Err(seat.wrong("who is in the room is not asked for a name any more".to_owned()));
    }
    seat.tell("bert: is anybody here?")?;
    seat.expect_line("bert: is anybody here?", "a message comes while a line is typed")?;
    seat.expect_last("hel", "a message came while a line is typed")?;
    seat.press("lo, ")?;
    seat.tell("bert: hello?")?;
    seat.tell("\ncarl ist da\n")?;
    seat.expect_line("bert: hello?", "more messages come while a line is typed")?;
    seat.expect_line("carl ist da", "more messages come while a line is typed")?;
    seat.expect_line(
        "bert: is anybody here?",
        "more messages come while a line is typed",
    )?;
    seat.expect_last("hello,", "more messages came while a line is typed")?;
    seat.expect_sent(NOTHING, "the line is not finished")?;
    seat.press(&format!("berx{BACKSPACE}t\r"))?;
    seat.expect_sent(
        &["C anna hello, bert"],
        "a line was typed, with messages in between and a mistake at its end",
    )?;
    seat.press(&format!("naïveté{BACKSPACE}{BACKSPACE}té"))?;
    seat.tell("bert: go on")?;
    seat.expect_line("bert: go on", "a message comes while a line is typed")?;
    seat.expect_last("naïveté", "a message came while a line with accents is typed")?;
    seat.press("\r")?;
    seat.expect_sent(&["C anna naïveté"], "a line with accents was typed")
}

/// Whatever ends it: the room is told, both processes end, and the terminal is as it was.
pub fn leaves() -> Verdict {
    for (keys, case) in [
        ("q\r", "q was typed"),
        (CTRL_C, "Ctrl-C was pressed"),
        (CTRL_D, "Ctrl-D was pressed"),
        ("half a line\x03", "Ctrl-C was pressed in the middle of a line"),
    ] {
        let mut seat = Seat::inside(80)?;
        seat.press(keys)?;
        seat.expect_sent(&["Q anna"], case)?;
        seat.tell("EXIT")?;
        seat.expect_left(0, case)?;
    }
    for (keys, case) in [
        (CTRL_C, "Ctrl-C was pressed at the name prompt"),
        (CTRL_D, "Ctrl-D was pressed at the name prompt"),
        ("an\x03", "Ctrl-C was pressed in the middle of a name"),
    ] {
        let mut seat = Seat::take(80)?;
        seat.press(keys)?;
        seat.expect_sent(NOTHING, case)?;
        seat.expect_left(0, case)?;
    }
    unasked()?;
    hang_up()
}

fn unasked() -> Verdict {
    let mut seat = Seat::inside(80)?;
    seat.press("half a li")?;
    seat.tell("EXIT")?;
    seat.expect_left(0, "the room says EXIT unasked").map(drop)
}

/// The window is closed.
fn hang_up() -> Verdict {
    for inside in [true, false] {
        let seat = if inside { Seat::inside(80) } else { Seat::take(80) }?;
        let Seat {
            terminal,
            client,
            mut room,
            from,
            ..
        } = seat;
        let mut client = client;
        terminal.hang_up();
        grader::until_still(&mut [&mut client])?;
        room.pull();
        let came: Vec<Vec<u8>> = room.take().into_iter().map(|(_, bytes)| bytes).collect();
        let right = if inside {
            came == [b"Q anna"]
        } else {
            came.is_empty()
        };
        let story = client.story()?;
        let happened = format!("{} messages came", came.len());
        let why = "SIGHUP is what a terminal says that is gone; the room still holds the name.";
        story.demand(
            right,
            None,
            "the window is closed: the client says goodbye, if it is in the room",
            happened,
            why,
        )?;
        if let (true, Some(from)) = (inside, from) {
            room.send(from, b"EXIT")?;
        }
        grader::until_still(&mut [&mut client])?;
        expect_left(client, 0, "the window was closed")?;
    }
    Ok(())
}

/// Hostile messages, a narrow terminal, a server that goes away.
pub fn withstands() -> Verdict {
    let mut seat = Seat::inside(80)?;
    seat.press("safe")?;
    for hostile in [
        "bert: \x1b[2J\x1b[H",
        "bert: \rxxxx",
        "bert: \x08\x08",
        "bert: \u{9b}2J",
        "bert: \x1b]0;title\x07",
    ] {
        seat.tell(hostile)?;
        seat.expect_last(
            "safe",
            "a message with control characters came while a line is typed",
        )?;
        seat.expect_line("welcome, anna", "messages with control characters have come")?;
    }
    narrow()?;
    let Seat {
        terminal,
        mut screen,
        client,
        room,
        before,
        ..
    } = seat;
    let (mut terminal, mut client, address) = (terminal, client, room.address());
    room.close();
    terminal.press(b"\r")?;
    terminal.until_still(&mut [&mut client])?;
    screen.process(&terminal.came);
    let told = expect_left(client, 1, "the room is gone, and a line was sent")?;
    expect_modes(&told, before == terminal.modes()?, "the room is gone")?;
    let line = format!("chat: no answer from {address}");
    let shown = screen.screen().contents();
    let happened = format!("on the screen is {shown:?}");
    let expected = format!("the room is gone: the terminal says {line:?}");
    told.demand(
        shown.contains(&line),
        None,
        expected,
        happened,
        "Who talks to nobody should know it.",
    )
}

/// Twenty columns: what is typed is longer, and what comes too.
fn narrow() -> Verdict {
    let mut seat = Seat::inside(20)?;
    let typed = "the quick brown fox jumps over the lazy dog";
    seat.press(typed)?;
    seat.expect_last("zy dog", "a long line is typed on a terminal of 20 columns")?;
    for message in [
        "bert: a message that is too long for one row",
        "carl: short",
        "dora: 名前は何ですか、教えてください",
    ] {
        seat.tell(message)?;
        seat.expect_line(
            message,
            "a message comes on a terminal of 20 columns, while a long line is typed",
        )?;
        seat.expect_last(
            "zy dog",
            "a message came on a terminal of 20 columns, while a long line is typed",
        )?;
    }
    seat.expect_line("carl: short", "three messages have come")?;
    seat.press(" 名前名前名前名前名")?; // with nine of them a row of 20 columns is full
    seat.tell("emil: and one more")?;
    seat.expect_line(
        "emil: and one more",
        "wide characters are typed on a terminal of 20 columns",
    )?;
    seat.expect_last("名前名", "wide characters are typed on a terminal of 20 columns")?;
    seat.terminal.resize(ROWS, 60)?;
    seat.screen.screen_mut().set_size(ROWS, 60);
    seat.tell("fred: wider")?;
    seat.expect_line("fred: wider", "the terminal is wider now")?;
    seat.press("\r")?;
    let sent = format!("C anna {typed} 名前名前名前名前名");
    seat.expect_sent(
        &[&sent],
        "a line was typed that is longer than the terminal is wide",
    )
}
