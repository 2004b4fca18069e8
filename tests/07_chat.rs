//! Lab 7, the chat room: the steps, what each wants of server and client, and how the kernel proves it.
//!
//! Servers are judged with members of the check's own, clients in rooms of the check's own, and both together; the client on
//! a terminal too, as a person would sit there. "He got nothing" is said when every process sleeps and nothing is under way
//! in the kernel, so that nobody has to be waited for.

use enter::{resident, shows};
use grader::{Blocking, Lab, MAIN, Proc, Story, Verdict, What, checks, lab, libc};
use std::{net::SocketAddrV4, process::ExitCode};
use talk::misheard;

#[path = "07_chat/announce.rs"]
mod announce;
#[path = "07_chat/enter.rs"]
mod enter;
#[path = "07_chat/foreign.rs"]
mod foreign;
#[path = "07_chat/hostile.rs"]
mod hostile;
#[path = "07_chat/house.rs"]
mod house;
#[path = "07_chat/leave.rs"]
mod leave;
#[path = "07_chat/network.rs"]
mod network;
#[path = "07_chat/robust.rs"]
mod robust;
#[path = "07_chat/seat.rs"]
mod seat;
#[path = "07_chat/stage.rs"]
mod stage;
#[path = "07_chat/stream.rs"]
mod stream;
#[path = "07_chat/talk.rs"]
mod talk;

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
    ("step_7_robust_client_hears_nothing", "visit.rs", "fn leave"),
    ("step_7_robust_client", "visit.rs", "fn talk"),
    ("step_7_robust_on_a_terminal", "console.rs", "pub fn show"),
    ("step_7_robust", "udp.rs", "pub fn read_errors"),
    ("step_8_stream_client_hears_nothing", "visit.rs", "fn leave"),
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
        step_5_announce_long_and_odd,
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
        step_8_stream_default,
        step_8_stream_ends,
        step_8_stream_names,
        step_8_stream_pieces,
        step_8_stream_one_write,
        step_8_stream_of_200,
        step_8_stream_of_1000,
        step_8_stream_when_one_is_late,
        step_8_stream_when_one_does_not_read,
        step_8_stream_client,
        step_8_stream_client_hears_nothing,
        step_8_stream_no_descriptors,
        step_8_stream_when_interrupted,
        step_8_stream_when_a_call_fails,
    ])
}

const C1: Proc = 1;
const HERE: &str = "127.0.0.1:0";

// Step 1, network. The room is at an address that everybody can know; the client knows it, and asks for a name.

fn step_1_network() -> Verdict {
    network::room()
}

fn step_1_network_client() -> Verdict {
    network::client_asks()
}

fn step_1_network_default() -> Verdict {
    network::default_address()
}

fn step_1_network_when_a_call_fails() -> Verdict {
    network::call_fails()
}

fn step_1_network_wrong_usage() -> Verdict {
    network::wrong_usage()
}

// Step 2, enter. Who wants in asks with a name, and is told `OK`, or why not; the others are told who has come.

fn step_2_enter() -> Verdict {
    enter::guests()
}

const NOTHING: &[&str] = &[];

fn step_2_enter_names() -> Verdict {
    enter::names()
}

fn step_2_enter_of_100() -> Verdict {
    enter::of_100()
}

fn step_2_enter_client() -> Verdict {
    enter::client_enters()
}

fn step_2_enter_client_refused() -> Verdict {
    enter::client_refused()
}

fn step_2_enter_both() -> Verdict {
    enter::both()
}

// Step 3, talk. What one says all others get, and he does not.

fn step_3_talk() -> Verdict {
    talk::two()
}

fn step_3_talk_of_10() -> Verdict {
    talk::of_10()
}

fn step_3_talk_of_200() -> Verdict {
    talk::of_200()
}

fn step_3_talk_client() -> Verdict {
    talk::client_talks()
}

fn step_3_talk_both() -> Verdict {
    talk::both()
}

fn step_3_talk_on_a_terminal() -> Verdict {
    seat::talks()
}

fn step_3_talk_when_interrupted() -> Verdict {
    talk::interrupted()
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
    leave::guests()
}

fn step_4_leave_client() -> Verdict {
    leave::client_leaves()
}

fn step_4_leave_at_the_prompt() -> Verdict {
    leave::at_the_prompt()
}

fn step_4_leave_both() -> Verdict {
    leave::both()
}

fn step_4_leave_on_a_terminal() -> Verdict {
    seat::leaves()
}

fn step_4_leave_a_python_server() -> Verdict {
    foreign::server_is_left()
}

fn step_4_leave_when_killed() -> Verdict {
    leave::when_killed()
}

fn step_4_leave_when_a_call_fails() -> Verdict {
    leave::call_fails()
}

// Step 5, announce. Lines of the server's own input go to all: a child reads them, and hands them over by a way that nobody
// else has.

fn step_5_announce() -> Verdict {
    announce::to_all()
}

fn step_5_announce_at_once() -> Verdict {
    announce::at_once()
}

fn step_5_announce_processes() -> Verdict {
    announce::processes()
}

fn step_5_announce_long_and_odd() -> Verdict {
    announce::long_and_odd()
}

fn step_5_announce_ends() -> Verdict {
    announce::ends()
}

fn step_5_announce_ends_at_any_moment() -> Verdict {
    announce::ends_at_any_moment()
}

fn step_5_announce_when_killed() -> Verdict {
    announce::when_killed()
}

fn step_5_announce_when_a_call_fails() -> Verdict {
    announce::call_fails()
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

fn step_7_robust_client() -> Verdict {
    robust::client_shows()
}

fn step_7_robust_client_no_answer() -> Verdict {
    robust::client_no_answer()
}

fn step_7_robust_client_hears_nothing() -> Verdict {
    robust::client_hears_nothing()
}

fn step_7_robust_lost() -> Verdict {
    hostile::lost()
}

fn step_7_robust_on_a_terminal() -> Verdict {
    seat::withstands()
}

fn step_7_robust_when_a_call_fails() -> Verdict {
    robust::call_fails()
}

// Step 8, stream. The same room over TCP.

fn step_8_stream() -> Verdict {
    stream::room()
}

fn step_8_stream_default() -> Verdict {
    stream::default_address()
}

fn step_8_stream_ends() -> Verdict {
    stream::ends()
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

fn step_8_stream_client_hears_nothing() -> Verdict {
    stream::client_hears_nothing()
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

/// The story with one word for every address that is another one in each run.
fn anonymous(story: &Story) -> Story {
    let mut story = story.clone();
    for event in &mut story.events {
        if let What::Calls(call) = &mut event.what {
            call.on.iter_mut().for_each(|on| *on = without_addresses(on));
            call.text = without_addresses(&call.text);
        }
    }
    story
}

fn without_addresses(text: &str) -> String {
    let in_address = |c: char| c.is_ascii_digit() || c == '.' || c == ':';
    let pieces = text.split_inclusive(|c| !in_address(c)).map(|piece| {
        let digits = piece.trim_end_matches(|c| !in_address(c));
        let address = digits.trim_end_matches(['.', ':']);
        match address.parse::<SocketAddrV4>() {
            Ok(parsed) if parsed.ip().is_loopback() && parsed.port() != 0 => {
                format!("ADDR{}", &piece[address.len()..])
            }
            _ => piece.to_owned(),
        }
    });
    pieces.collect()
}
