//! Step 8, stream: the same room over TCP. A message is a line; who disconnects has left.

use super::{
    HERE, LAB, NOTHING,
    announce::{announcer_has_ended, ends_behind_any_call},
    hostile::{NONSENSE, counts_seven},
    house::{expect_there, list, not_refused, opened, taken_leave},
    idle,
    leave::Leave,
    robust::{expect_no_answer, has_waited, waits_no_longer},
    stage::expect_left,
    two_processes,
};
use grader::{
    Ending, Errno, Family, MAIN, Mailbox, Party, Peer, Refusal, Run, SignalName, Story, Told, Verdict, What,
    until_still_with,
};
use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    slice,
    time::Instant,
};

const EPOLL: [&str; 3] = ["epoll_wait", "epoll_pwait", "epoll_pwait2"];

/// A server over TCP.
struct Hall {
    server: Party,
    address: SocketAddr,
}

/// A connection of the check's own with it.
struct Caller {
    peer: Peer,
    name: String,
}

fn server() -> Run {
    LAB.command(&["server", "--stream", HERE]).input("")
}

impl Hall {
    fn open() -> Verdict<Self> {
        Self::of(server())
    }

    fn of(run: Run) -> Verdict<Self> {
        let (server, address) = opened(run)?;
        Ok(Self { server, address })
    }

    /// Everything has come about that these callers have begun, and everybody else.
    fn still(&mut self, callers: &mut [Caller]) -> Verdict {
        loop {
            let before = exchange(callers);
            let peers: Vec<&Peer> = callers.iter().map(|caller| &caller.peer).collect();
            until_still_with(&mut [&mut self.server], self.address, &peers)?;
            if !exchange(callers) && !before {
                break;
            }
        }
        expect_there(&mut self.server)
    }

    fn connect(&mut self, name: &str) -> Verdict<Caller> {
        match Peer::connect(self.address) {
            Ok(peer) => Ok(Caller {
                peer,
                name: name.to_owned(),
            }),
            Err(error) => {
                let why = "It is the way in.";
                Err(self.refuse(
                    "the server takes connections",
                    format!("connect failed: {error}"),
                    why,
                ))
            }
        }
    }

    fn enter(&mut self, name: &str) -> Verdict<Caller> {
        let mut caller = self.connect(name)?;
        caller.line(&format!("L {name}"));
        self.expect(&mut caller, &["OK"], &format!("a guest sends \"L {name}\""))?;
        Ok(caller)
    }

    /// As many members, `m0`, `m1`, …; what they are told of each other is not looked at.
    fn enter_many(&mut self, count: usize) -> Verdict<Vec<Caller>> {
        let mut all = Vec::new();
        for i in 0..count {
            let mut caller = self.connect(&format!("m{i}"))?;
            caller.line(&format!("L m{i}"));
            all.push(caller);
            if i % 100 == 99 || i + 1 == count {
                self.still(&mut all)?;
            }
        }
        for caller in &mut all {
            let heard = caller.hear();
            if heard.first().is_none_or(|line| line != "OK") {
                let expected = format!("{count} members enter: each is told OK");
                let happened = format!("{} got {}", caller.name, list(&heard));
                return Err(self.refuse(expected, happened, "There is room for all of them."));
            }
        }
        Ok(all)
    }

    /// This caller has got exactly these lines since the last look.
    fn expect(&mut self, caller: &mut Caller, wanted: &[impl AsRef<str>], case: &str) -> Verdict {
        self.still(slice::from_mut(caller))?;
        let heard = caller.hear();
        if heard
            .iter()
            .map(String::as_str)
            .eq(wanted.iter().map(AsRef::as_ref))
        {
            return Ok(());
        }
        let expected = format!("{case}: {} gets {}", caller.called(), list(wanted));
        let happened = format!("he got {}", list(&heard));
        Err(self.refuse(
            expected,
            happened,
            "Whole lines, each once, in order, and nothing else.",
        ))
    }

    /// As [`Hall::expect`]: a reason, in one line.
    fn expect_reason(&mut self, caller: &mut Caller, case: &str) -> Verdict {
        self.still(slice::from_mut(caller))?;
        let heard = caller.hear();
        let is_reason = |line: &String| !line.trim().is_empty() && line != "OK" && line != "EXIT";
        if heard.len() == 1 && heard.iter().all(is_reason) {
            return Ok(());
        }
        let expected = format!("{case}: {} gets one line, which says why not", caller.called());
        Err(self.refuse(expected, format!("he got {}", list(&heard)), not_refused(&heard)))
    }

    fn expect_lines(&mut self, lines: &[String]) -> Verdict {
        let first = format!("chat room on {}", self.address);
        let all: Vec<&str> = std::iter::once(first.as_str())
            .chain(lines.iter().map(String::as_str))
            .collect();
        self.server.story()?.expect_lines(&all)
    }

    fn refuse(&mut self, expected: impl Into<String>, happened: impl Into<String>, why: &str) -> Refusal {
        match self.server.story() {
            Ok(story) => story.refusal(None, expected, happened, why),
            Err(refusal) => refusal,
        }
    }

    fn close(self, signal: SignalName) -> Verdict<Told> {
        let told = taken_leave(self.server, signal)?;
        told.expect_all_reaped()?;
        Ok(told)
    }
}

fn exchange(callers: &mut [Caller]) -> bool {
    let moved = callers
        .iter_mut()
        .filter_map(|caller| caller.peer.exchange().then_some(()));
    moved.count() > 0
}

impl Caller {
    fn line(&mut self, text: &str) {
        self.peer.send(format!("{text}\n").as_bytes());
    }

    fn say(&mut self, text: &str) {
        self.line(&format!("C {} {text}", self.name));
    }

    fn called(&self) -> &str {
        match self.name.as_str() {
            "" => "a stranger",
            name => name,
        }
    }

    /// The whole lines that have come and have not been taken yet; the beginning of one more says so.
    fn hear(&mut self) -> Vec<String> {
        let came = String::from_utf8_lossy(&std::mem::take(&mut self.peer.received)).into_owned();
        let line = |line: &str| match line.strip_suffix('\n') {
            Some(whole) => whole.to_owned(),
            None => format!("{line} (without a newline)"),
        };
        came.split_inclusive('\n').map(line).collect()
    }
}

/// Enters, talks, announces, leaves in each way.
pub fn room() -> Verdict {
    let mut hall = Hall::open()?;
    sleeps_in_epoll(&hall.server.story()?)?;
    let at_rest = hall.server.story()?.descriptors();
    let mut anna = hall.enter("anna")?;
    let mut bert = hall.enter("bert")?;
    let mut lines: Vec<String> = [&anna, &bert]
        .map(|caller| format!("enter {} {}", caller.name, caller.peer.address()))
        .to_vec();
    hall.expect(&mut anna, &["bert entered the chat room"], "bert enters")?;
    for text in ["hello", "", "  two  blanks ", "größer", "a\tb\x1b[31m"] {
        anna.say(text);
        hall.still(slice::from_mut(&mut anna))?;
        let comes = format!("anna: {}", text.replace(['\t', '\x1b'], "?"));
        hall.expect(&mut bert, &[comes], &format!("anna says {text:?}"))?;
        hall.expect(&mut anna, NOTHING, &format!("anna said {text:?}"))?;
    }
    hall.server.input(b"dinner\n")?;
    hall.expect(
        &mut anna,
        &["admin: dinner"],
        "\"dinner\" was typed at the server",
    )?;
    hall.expect(
        &mut bert,
        &["admin: dinner"],
        "\"dinner\" was typed at the server",
    )?;
    anna.line("Q anna");
    hall.expect(&mut anna, &["EXIT"], "anna sends \"Q anna\"")?;
    hall.expect(&mut bert, &["anna left the chat room"], "anna has left")?;
    lines.push(format!("leave anna {}", anna.peer.address()));
    hall.expect_lines(&lines)?;
    drop(anna);
    disconnects(&mut hall, &mut bert)?;
    drop(bert);
    hall.still(&mut [])?;
    hall.server.story()?.expect_descriptors(&at_rest, "members")?;
    idle(&hall.server.story()?)?;
    let told = hall.close(SignalName::SIGTERM)?;
    two_processes(
        &told,
        "the server is two processes: one serves, the other reads what is announced",
    )
}

fn sleeps_in_epoll(story: &Story) -> Verdict {
    story.observed()?;
    idle(story)?;
    let of_main = story.asleep.iter().find(|sleeper| sleeper.who == MAIN);
    let call = of_main.map_or("nothing", |sleeper| sleeper.call.as_str());
    let expected = "an idle server sleeps in epoll_wait";
    let why = "With a thousand members the list of them stays in the kernel.";
    story.demand(
        EPOLL.contains(&call),
        None,
        expected,
        format!("it sleeps in {call}"),
        why,
    )
}

/// Who disconnects has left, however: in order, in the middle of a line, with a reset.
fn disconnects(hall: &mut Hall, bert: &mut Caller) -> Verdict {
    for (how, words) in [
        ("", "anna disconnects"),
        ("C anna half a li", "anna disconnects in the middle of a line"),
        ("reset", "anna's connection is reset"),
    ] {
        let mut anna = hall.enter("anna")?;
        hall.expect(bert, &["anna entered the chat room"], "the name is free again")?;
        let address = anna.peer.address();
        match how {
            "reset" => anna.peer.reset(),
            half => {
                anna.peer.send(half.as_bytes());
                anna.peer.finish();
                hall.still(slice::from_mut(&mut anna))?;
                drop(anna);
            }
        }
        hall.still(slice::from_mut(bert))?;
        let mut heard = bert.hear();
        heard.retain(|line| line != "anna: half a li"); // it may count as a line
        if heard != ["anna left the chat room"] {
            let expected = format!("{words}: bert is told that she has left, once");
            let why = "A connection that ends is all that a dead client can say.";
            return Err(hall.refuse(expected, format!("he got {}", list(&heard)), why));
        }
        let line = format!("leave anna {address}");
        let stdout = hall.server.story()?.stdout();
        let told = stdout.lines().filter(|printed| **printed == line).count() == 1;
        hall.server.story()?.demand(
            told,
            None,
            format!("{words}: the server prints {line:?}"),
            "it does not",
            "Who runs the server reads there who is in the room.",
        )?;
    }
    Ok(())
}

/// The rules of the room are the same.
pub fn names() -> Verdict {
    let mut hall = Hall::open()?;
    let (mut anna, mut bert) = (hall.enter("anna")?, hall.enter("bert")?);
    hall.expect(&mut anna, &["bert entered the chat room"], "bert enters")?;
    for name in [
        "anna",
        "admin",
        "",
        "two words",
        "tab\tbed",
        "del\x7f",
        &"x".repeat(33),
    ] {
        let mut stranger = hall.connect("")?;
        stranger.line(&format!("L {name}"));
        hall.expect_reason(&mut stranger, &format!("a guest asks for the name {name:?}"))?;
        stranger.line("L carl");
        hall.expect(&mut stranger, &["OK"], "he asks for another")?;
        stranger.line("Q carl");
        hall.expect(&mut stranger, &["EXIT"], "he leaves")?;
        hall.still(slice::from_mut(&mut anna))?;
        hall.still(slice::from_mut(&mut bert))?;
        anna.hear();
        bert.hear();
    }
    for forged in ["C bert hello", "C admin hello", "Q bert", "L dora", "nonsense"] {
        anna.line(forged);
        hall.expect_reason(&mut anna, &format!("anna sends {forged:?}"))?;
        let mut stranger = hall.connect("")?;
        stranger.line(&forged.replace("L dora", "C dora hello"));
        hall.still(slice::from_mut(&mut stranger))?;
        hall.expect(
            &mut bert,
            NOTHING,
            &format!("anna and a stranger send {forged:?}"),
        )?;
    }
    anna.say("still here");
    hall.still(slice::from_mut(&mut anna))?;
    hall.expect(&mut bert, &["anna: still here"], "after all that")?;
    counts_what_meant_nothing()
}

fn counts_what_meant_nothing() -> Verdict {
    let mut hall = Hall::open()?;
    let mut stranger = hall.connect("")?;
    for line in NONSENSE {
        stranger.peer.send(&[line, b"\n"].concat());
    }
    hall.still(slice::from_mut(&mut stranger))?;
    counts_seven(&hall.close(SignalName::SIGTERM)?)
}

/// Its input comes to an end, and the room goes on; also when there was none from the beginning.
pub fn ends() -> Verdict {
    for run in [server(), LAB.command(&["server", "--stream", HERE])] {
        let mut hall = Hall::of(run)?;
        let (mut anna, mut bert) = (hall.enter("anna")?, hall.enter("bert")?);
        hall.expect(&mut anna, &["bert entered the chat room"], "bert enters")?;
        hall.server.close_input()?;
        hall.still(slice::from_mut(&mut anna))?;
        announcer_has_ended(&hall.server.story()?)?;
        bert.say("still here");
        hall.still(slice::from_mut(&mut bert))?;
        hall.expect(
            &mut anna,
            &["bert: still here"],
            "the server's input has come to its end",
        )?;
        hall.close(SignalName::SIGTERM)?;
    }
    ends_behind_any_call(&server())
}

/// Without an address it is the same as over UDP.
pub fn default_address() -> Verdict {
    const DEFAULT: &str = "127.0.0.1:8888";
    for (args, family) in [
        (["server", "--stream"], Family::Bind),
        (["client", "--stream"], Family::Connect),
    ] {
        let mut party = LAB.command(&args).input("somebody\n").join()?;
        let story = party.story()?;
        story.observed()?;
        let right = story
            .calls_of(MAIN, family)
            .any(|(_, call)| call.on.iter().any(|on| on == DEFAULT));
        let expected = format!("`{}` without an address means {DEFAULT}", args.join(" "));
        let why = "That is where those look who have been told nothing else.";
        story.demand(right, None, expected, "it does not use it", why)?;
    }
    Ok(())
}

/// Lines come in pieces, and several in one.
pub fn pieces() -> Verdict {
    let mut hall = Hall::open()?;
    let (mut anna, mut bert) = (hall.enter("anna")?, hall.enter("bert")?);
    hall.expect(&mut anna, &["bert entered the chat room"], "bert enters")?;
    for byte in "C anna in größeren Stücken\nC anna ".bytes() {
        anna.peer.send(&[byte]);
        hall.still(slice::from_mut(&mut anna))?;
    }
    hall.expect(
        &mut bert,
        &["anna: in größeren Stücken"],
        "a line comes byte by byte, and half of the next",
    )?;
    anna.peer.send(b"two\nC anna three\nC anna four\nC an");
    hall.still(slice::from_mut(&mut anna))?;
    hall.expect(
        &mut bert,
        &["anna: two", "anna: three", "anna: four"],
        "its rest comes, two more, and a piece",
    )?;
    anna.peer.send(b"na five\n");
    hall.still(slice::from_mut(&mut anna))?;
    hall.expect(&mut bert, &["anna: five"], "the rest of the last one comes")?;
    let fits = "x".repeat(1024 - "C anna ".len());
    anna.say(&fits);
    hall.still(slice::from_mut(&mut anna))?;
    hall.expect(&mut bert, &[format!("anna: {fits}")], "a line of 1,024 bytes")?;
    too_long(&mut hall, &mut anna, &mut bert)?;
    anna.peer.send(b"C anna \xff\nC anna \0\nC anna ok\n");
    hall.still(slice::from_mut(&mut anna))?;
    hall.expect(
        &mut bert,
        &["anna: ?", "anna: ok"],
        "a line that is no text, one with a NUL, and one that is well",
    )?;
    anna.hear();
    hall.close(SignalName::SIGINT).map(drop)
}

/// A line that is too long is dropped with a reason, however long, and however it comes; the next one counts again.
fn too_long(hall: &mut Hall, anna: &mut Caller, bert: &mut Caller) -> Verdict {
    for size in [1025, 2000, 5000, 1 << 20] {
        let case = format!("a line of {size} bytes");
        let text = "x".repeat(size - "C anna ".len());
        let (front, back) = text.split_at(text.len() / 2);
        anna.peer.send(format!("C anna {front}").as_bytes());
        hall.still(slice::from_mut(anna))?;
        anna.peer.send(format!("{back}\n").as_bytes());
        hall.expect_reason(anna, &case)?;
        hall.expect(bert, NOTHING, &case)?;
        anna.say("short");
        hall.still(slice::from_mut(anna))?;
        hall.expect(bert, &["anna: short"], &format!("a short line after {case}"))?;
    }
    Ok(())
}

/// Each of 200 says something, and each hears all the others; then all go at once, and nothing is left of them.
pub fn of_200() -> Verdict {
    let mut hall = Hall::open()?;
    let at_rest = hall.server.story()?.descriptors();
    let mut all = hall.enter_many(200)?;
    all.iter_mut().for_each(|caller| drop(caller.hear()));
    for time in 0..3 {
        all.iter_mut().for_each(|caller| caller.say(&format!("{time}")));
    }
    hall.still(&mut all)?;
    let mut refusal = None;
    for (listener, caller) in all.iter_mut().enumerate() {
        let due = |who| if who == listener { 0 } else { 3 };
        let happened = super::misheard(&caller.hear(), 200, due);
        refusal = refusal.or(happened.map(|happened| format!("m{listener} {happened}")));
    }
    if let Some(happened) = refusal {
        let expected =
            "200 members say three things each: every one gets what the others said, once and in order";
        return Err(hall.refuse(expected, happened, "That is what a chat room is."));
    }
    drop(all);
    hall.still(&mut [])?;
    hall.server.story()?.expect_descriptors(&at_rest, "members")?;
    let story = hall.server.story()?;
    let left = story
        .stdout()
        .lines()
        .filter(|line| line.starts_with("leave "))
        .count();
    let happened = format!("there are {left}");
    story.demand(
        left == 200,
        None,
        "200 have left, and there are 200 lines of it",
        happened,
        "Each of them was there.",
    )?;
    hall.close(SignalName::SIGTERM).map(drop)
}

/// A thousand members, and a soft limit of descriptors that does not hold so many.
pub fn of_1000() -> Verdict {
    let (_, hard) =
        nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap_or((0, 0));
    if hard < 1100 {
        let reason = format!("here no more than {hard} descriptors may be had");
        return Err(Refusal::NotChecked(reason));
    }
    let mut hall = Hall::of(server().descriptors(256))?;
    let mut all = hall.enter_many(1000)?;
    all.iter_mut().for_each(|caller| drop(caller.hear()));
    all[500].say("can everybody hear me?");
    hall.still(&mut all)?;
    let deaf = all.iter_mut().enumerate().find_map(|(i, caller)| {
        let heard = caller.hear();
        let wanted: &[&str] = if i == 500 {
            &[]
        } else {
            &["m500: can everybody hear me?"]
        };
        (heard != wanted).then(|| format!("m{i} got {}", list(&heard)))
    });
    if let Some(happened) = deaf {
        let expected = "one of 1,000 says something: the 999 others hear it";
        return Err(hall.refuse(
            expected,
            happened,
            "The soft limit is a default, and may be raised to the hard one.",
        ));
    }
    hall.close(SignalName::SIGTERM).map(drop)
}

/// Ten lines come at once, and several members speak at the same time: what is due to a member in one turn of the loop goes
/// out in one write.
pub fn one_write() -> Verdict {
    let mut hall = Hall::open()?;
    let mut all = hall.enter_many(5)?;
    hall.server.signal("main", SignalName::SIGSTOP)?;
    hall.still(&mut [])?;
    for caller in &mut all {
        let name = caller.name.clone();
        let ten: String = (0..10).map(|i| format!("C {name} {i}\n")).collect();
        caller.peer.send(ten.as_bytes());
    }
    let since = hall.server.story()?.events.len();
    hall.server.signal("main", SignalName::SIGCONT)?;
    hall.still(&mut all)?;
    for caller in &mut all {
        let heard = caller.hear();
        if heard.len() != 40 {
            let happened = format!("{} got {}", caller.name, heard.len());
            return Err(hall.refuse(
                "five say ten things each: everybody gets 40",
                happened,
                "All of it is due.",
            ));
        }
    }
    let story = hall.server.story()?;
    story.observed()?;
    let mut written: Vec<&str> = Vec::new();
    for (at, what) in story.events_of(MAIN).filter(|(at, _)| *at >= since) {
        let What::Calls(call) = what else { continue };
        let on = call.on.first().map_or("", String::as_str);
        match call.family {
            Family::Poll => written.clear(),
            Family::Write if on.starts_with("connection ") && call.result > Some(0) => {
                let again = written.contains(&on) || call.times > 1;
                story.demand(
                    !again,
                    Some(at),
                    "what is due to a member in one turn of the loop goes out in one write",
                    format!("there was another one on {on}"),
                    "A write costs as much for one line as for fifty: with a thousand members that is what the server does.",
                )?;
                written.push(on);
            }
            _ => {}
        }
    }
    Ok(())
}

/// One of three does not read. What he is owed has a bound; beyond it he is put out, and the others talk on.
pub fn does_not_read() -> Verdict {
    const BOUND: u64 = 256 << 10;
    let mut hall = Hall::open()?;
    let mut two = vec![hall.enter("anna")?, hall.enter("bert")?];
    let slow = hall.enter("slow")?;
    let text = "x".repeat(1000);
    let (round, mut due) = (200 * (text.len() + "anna: \n".len()) as u64, 0);
    hall.still(&mut two)?;
    two.iter_mut().for_each(|caller| drop(caller.hear()));
    hall.server.story()?.observed()?;
    loop {
        (0..200).for_each(|_| two[0].say(&text));
        hall.still(&mut two)?;
        due += round;
        let heard = two[1].hear();
        let said = heard.iter().filter(|line| line.len() == text.len() + 6).count();
        let traffic = hall.server.traffic()?;
        let third = traffic.iter().find(|flow| flow.on == "connection 3");
        let written = third.map_or(0, |flow| flow.written.saturating_sub("OK\n".len() as u64));
        let owed = due.saturating_sub(written);
        let put_out = heard.iter().any(|line| line == "slow left the chat room");
        if said != 200 {
            let happened = "bert did not get all that anna said";
            return Err(hall.refuse("one does not read, and the others talk on", happened, BOUNDS));
        }
        if put_out != (owed > BOUND) {
            let expected = "a member that is owed more than 256 KiB is put out, and not before";
            let happened = match put_out {
                true => "he was put out before",
                false => "he is owed more, and still a member",
            };
            return Err(hall.refuse(expected, happened, BOUNDS));
        }
        if put_out {
            break;
        }
    }
    let heard = two[0].hear();
    let line = format!("leave slow {}", slow.peer.address());
    let stdout = hall.server.story()?.stdout();
    let told = heard == ["slow left the chat room"] && stdout.lines().any(|printed| printed == line);
    let happened = format!(
        "anna got {}, and the server's last line is {:?}",
        list(&heard),
        stdout.lines().next_back()
    );
    hall.server.story()?.demand(
        told,
        None,
        "who is put out is announced as having left",
        happened,
        "He is gone for all others.",
    )?;
    drop(slow);
    hall.enter("slow").map(drop)
}

/// One of three reads when he is owed something already: of what was said nothing is missing, and no line is broken.
pub fn reads_late() -> Verdict {
    let mut hall = Hall::open()?;
    let mut two = vec![hall.enter("anna")?, hall.enter("bert")?];
    let mut late = hall.enter("late")?;
    let text = "x".repeat(1000);
    let line = format!("anna: {text}");
    let mut said = 0;
    hall.still(&mut two)?;
    hall.server.story()?.observed()?;
    loop {
        (0..100).for_each(|_| two[0].say(&text));
        hall.still(&mut two)?;
        said += 100;
        let traffic = hall.server.traffic()?;
        let third = traffic.iter().find(|flow| flow.on == "connection 3");
        let written = third.map_or(0, |flow| flow.written);
        if written < said * (line.len() as u64 + 1) {
            break;
        }
    }
    hall.still(slice::from_mut(&mut late))?;
    let heard = late.hear();
    let whole = heard.iter().filter(|heard| **heard == line).count() as u64;
    if whole == said && whole == heard.len() as u64 {
        return Ok(());
    }
    let expected = "one begins to read when he is owed something: he gets all that was said, line by line";
    let happened = match whole < heard.len() as u64 {
        true => "a line is broken, or nobody has said it",
        false => "some of it is missing",
    };
    let why =
        "A write may take less than it is given: the rest is owed, and goes out when there is room again.";
    Err(hall.refuse(expected, happened, why))
}

const BOUNDS: &str = "What one member does not read stays with the server: that must have a bound, and who is only a little late must not be thrown out.";

/// The client, in a room of the check's own and in one under judgement.
pub fn client() -> Verdict {
    in_pieces()?;
    shown_out()?;
    let mut hall = Hall::open()?;
    let mut guest = hall.enter("guest")?;
    let mut anna = visitor(hall.address)?;
    anna.input(b"guest\n")?;
    hall.still_with(&mut guest, &mut anna)?;
    let story = anna.story()?;
    let asked = story.stdout();
    let again = asked.starts_with("name: ") && asked.len() > 6 && asked.ends_with("name: ");
    let expected = "the name is taken: the client is told, and asks again";
    let happened = format!("standard output is {asked:?}");
    let why = "Two of one name could not be told apart.";
    story.demand(again, None, expected, happened, why)?;
    anna.input(b"anna\nhello\n")?;
    hall.still_with(&mut guest, &mut anna)?;
    hall.expect(
        &mut guest,
        &["anna entered the chat room", "anna: hello"],
        "a client enters and says something",
    )?;
    guest.say("hello yourself");
    hall.still_with(&mut guest, &mut anna)?;
    super::shows(
        &mut anna,
        &format!("{asked}welcome, anna\nguest: hello yourself\n"),
        "the guest has answered",
    )?;
    anna.input(b"q\n")?;
    hall.still_with(&mut guest, &mut anna)?;
    let told = expect_left(anna, 0, "q was typed")?;
    two_processes(
        &told,
        "a client in the room is two processes: one sends, the other receives",
    )?;
    hall.expect(&mut guest, &["anna left the chat room"], "she has left")?;
    for leave in Leave::ALL {
        let mut anna = visitor(hall.address)?;
        anna.input(b"anna\n")?;
        hall.still_with(&mut guest, &mut anna)?;
        leave.give(&mut anna)?;
        hall.still_with(&mut guest, &mut anna)?;
        let told = ["anna entered the chat room", "anna left the chat room"];
        hall.expect(&mut guest, &told, &leave.words())?;
        expect_left(anna, 0, &leave.words())?;
    }
    the_room_goes(hall)
}

impl Hall {
    fn still_with(&mut self, caller: &mut Caller, party: &mut Party) -> Verdict {
        loop {
            let before = caller.peer.exchange();
            until_still_with(&mut [&mut self.server, party], self.address, &[&caller.peer])?;
            if !caller.peer.exchange() && !before {
                return Ok(());
            }
        }
    }
}

fn visitor(address: SocketAddr) -> Verdict<Party> {
    LAB.command(&["client", "--stream", &address.to_string()])
        .input("")
        .join()
}

/// The server ends while a client is in the room: the client ends too, with a line, and with 1.
fn the_room_goes(mut hall: Hall) -> Verdict {
    let mut anna = visitor(hall.address)?;
    anna.input(b"anna\n")?;
    until_still_with(&mut [&mut hall.server, &mut anna], hall.address, &[])?;
    let address = hall.address;
    hall.close(SignalName::SIGTERM)?;
    until_still_with(&mut [&mut anna], address, &[])?;
    let told = anna.finish()?;
    told.expect_over()?;
    told.expect_all_reaped()?;
    let tells = matches!(told.status, Some(Ending::Exited(0 | 1)));
    let happened = format!("it {}{}", told.ending(), told.said());
    told.demand(
        tells,
        None,
        "the server has ended: the client ends too",
        happened,
        "There is nobody to talk to.",
    )?;
    // Nobody listens there: what has this port is no stream.
    let nobody = Mailbox::near(Ipv4Addr::LOCALHOST.into())?;
    LAB.command(&["client", "--stream", &nobody.address().to_string()])
        .input("anna\n")
        .run()?
        .expect_error_told(LAB.name())
}

/// A client, and the check's own room for it, whose connection it has; it has just asked to be let in as anna.
fn at_the_door() -> Verdict<(Party, SocketAddr, Peer)> {
    let listener = TcpListener::bind(HERE).map_err(broken)?;
    listener.set_nonblocking(true).map_err(broken)?;
    let address = listener.local_addr().map_err(broken)?;
    let mut client = visitor(address)?;
    client.input(b"anna\n")?;
    until_still_with(&mut [&mut client], address, &[])?;
    let story = client.story()?;
    let Ok((stream, _)) = listener.accept() else {
        let why = "Over TCP a client is known by its connection: it has one before it asks for a name.";
        return Err(story.refusal(None, "the client connects to the room", "nobody came", why));
    };
    let mut peer = Peer::of(stream).map_err(broken)?;
    peer.exchange();
    let happened = format!("{:?} came", String::from_utf8_lossy(&peer.received));
    story.demand(
        peer.received == b"L anna\n",
        None,
        "the client sends a line, \"L anna\\n\"",
        happened,
        "Over TCP a message ends with its newline: the server waits for it.",
    )?;
    peer.received.clear();
    Ok((client, address, peer))
}

/// Clients in rooms that say nothing: one waits for the answer to `L`, and one for that to `Q`.
pub fn client_hears_nothing() -> Verdict {
    let started = Instant::now();
    let entering = at_the_door()?;
    let (mut client, address, mut peer) = at_the_door()?;
    peer.send(b"OK\n");
    client.input(b"q\n")?;
    until_still_with(&mut [&mut client], address, &[&peer])?;
    let leaving = (client, address, peer);
    for ((client, address, _open), case) in [(entering, "L is not answered"), (leaving, "Q is not answered")]
    {
        let told = client.finish()?;
        told.expect_over()?;
        told.expect_all_reaped()?;
        if case.starts_with('Q') && told.status == Some(Ending::Exited(0)) {
            continue; // it has disconnected, and that is leaving, too
        }
        told.expect_exit(1)?;
        expect_no_answer(&told, address, case)?;
        waits_no_longer(&told, case)?;
        has_waited(&told, started, case)?;
    }
    Ok(())
}

/// `EXIT` ends it, also where it comes together with a reason.
fn shown_out() -> Verdict {
    let (mut client, address, mut peer) = at_the_door()?;
    peer.send(b"no\nEXIT\n");
    until_still_with(&mut [&mut client], address, &[&peer])?;
    expect_left(client, 0, "the room refuses a name, and says EXIT").map(drop)
}

/// A room that speaks in pieces.
fn in_pieces() -> Verdict {
    let (mut client, address, mut peer) = at_the_door()?;
    for piece in ["O", "K\nbe", "rt: hi\n\ncarl: ", "ho\n", "dora: \x1b[2J\n"] {
        peer.send(piece.as_bytes());
        until_still_with(&mut [&mut client], address, &[&peer])?;
    }
    let story = client.story()?;
    let shown = story.stdout();
    let whole = shown
        .strip_prefix("name: welcome, anna\nbert: hi\n")
        .unwrap_or_default();
    let whole = whole.trim_start_matches('\n');
    let harmless =
        whole.starts_with("carl: ho\ndora: ") && !whole.contains('\x1b') && whole.matches('\n').count() == 2;
    let happened = format!("standard output is {shown:?}");
    let why = "A stream has no borders but those that the newlines make.";
    story.demand(
        harmless,
        None,
        "what comes in pieces is shown line by line",
        happened,
        why,
    )?;
    peer.send(b"EXIT\n");
    until_still_with(&mut [&mut client], address, &[&peer])?;
    expect_left(client, 0, "the room says EXIT").map(drop)
}

fn broken(error: io::Error) -> Refusal {
    Refusal::Broken(format!("a socket of the check's own: {error}"))
}

/// Forty callers and twenty descriptors, and no way to have more: who cannot be let in waits, and the server sleeps. Then one
/// leaves after the other, and each of them makes room for one.
pub fn no_descriptors() -> Verdict {
    const CALLERS: usize = 40;
    let mut hall = Hall::of(server().descriptors_in_all(20))?;
    let mut waiting = Vec::new();
    // They come all at once: the server is stopped meanwhile, and lets in nobody before the last has come.
    hall.server.signal("main", SignalName::SIGSTOP)?;
    hall.server.is_over()?;
    for i in 0..CALLERS {
        let mut caller = hall.connect(&format!("guest{i}"))?;
        caller.line(&format!("L guest{i}"));
        waiting.push(caller);
    }
    hall.server.signal("main", SignalName::SIGCONT)?;
    let mut present = VecDeque::new();
    loop {
        hall.still(&mut waiting)?;
        let before = present.len();
        present.extend(waiting.extract_if(.., |caller| {
            caller.hear().first().is_some_and(|line| line == "OK")
        }));
        if waiting.is_empty() {
            return Ok(());
        }
        match present.pop_front() {
            Some(mut leaving) if present.len() >= before => {
                leaving.line(&format!("Q {}", leaving.name));
                hall.expect_last(
                    &mut leaving,
                    "EXIT",
                    "the server has no descriptor left, and one leaves",
                )?;
            }
            _ => return Err(not_let_in(&mut hall, CALLERS - waiting.len())),
        }
    }
}

fn not_let_in(hall: &mut Hall, let_in: usize) -> Refusal {
    hall.refuse(
        "as members leave, those in the backlog are let in",
        format!("{let_in} were let in, and the server sleeps"),
        "A full table of descriptors is a pause: who waits in the backlog loses nothing but time.",
    )
}

impl Hall {
    fn expect_last(&mut self, caller: &mut Caller, wanted: &str, case: &str) -> Verdict {
        self.still(slice::from_mut(caller))?;
        let heard = caller.hear();
        match heard.last().is_some_and(|line| line == wanted) {
            true => Ok(()),
            false => {
                let expected = format!("{case}: {} gets {wanted:?}", caller.name);
                let why = "Who is in the room already needs no descriptor more.";
                Err(self.refuse(expected, format!("he got {}", list(&heard)), why))
            }
        }
    }
}

/// Signals that nobody cares about, and one who is gone before he was accepted.
pub fn interrupted() -> Verdict {
    let faults = (1..=4).map(|nth| (Family::Poll, nth, Errno::EINTR));
    let faults = faults.chain([
        (Family::Read, 1, Errno::EINTR),
        (Family::Accept, 1, Errno::ECONNABORTED),
    ]);
    for (family, nth, errno) in faults {
        let mut hall = Hall::of(server().fail(family, nth, errno))?;
        let (mut anna, mut bert) = (hall.enter("anna")?, hall.enter("bert")?);
        bert.say("hello");
        hall.still(slice::from_mut(&mut bert))?;
        let case = format!("call {nth} of {family:?} was told {errno}");
        hall.expect(&mut anna, &["bert entered the chat room", "bert: hello"], &case)?;
        hall.close(SignalName::SIGTERM)?;
    }
    Ok(())
}

pub fn call_fails() -> Verdict {
    let first = Hall::open()?;
    let taken = first.address.to_string();
    let told = LAB.command(&["server", "--stream", &taken]).input("").run()?;
    told.expect_error_line(LAB.name())?;
    told.expect_all_reaped()?;
    for run in [
        server().fail(Family::Bind, 1, Errno::EACCES),
        server().fail(Family::Fork, 1, Errno::EAGAIN),
        server().disk_full(),
    ] {
        let told = run.run()?;
        told.expect_error_line(LAB.name())?;
        told.expect_all_reaped()?;
    }
    server().reader_gone().run()?.expect_end_without_reader()?;
    LAB.wrong_usage(&[
        &["server", "--stream", "nowhere"],
        &["server", "--stream", HERE, "again"],
        &["client", "--stream", "nowhere"],
    ])
}
