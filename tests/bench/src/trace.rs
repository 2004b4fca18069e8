//! What `strace -f` wrote of a session: which processes there were, and what each did, in order.

use std::collections::HashMap;

use crate::Result;

/// One process of the session.
pub struct Process {
    pid: u32,
    /// Which of the programs that were started it belongs to: 0, 1, …
    pub program: usize,
    /// Whether it is the one that was started, and not a child of it.
    pub is_main: bool,
}

pub struct Event {
    pub who: usize,
    pub what: What,
}

pub enum What {
    Forks(usize),
    /// A datagram, to a port; or by a connected socket, without one.
    Sends(String, Option<u16>),
    /// What was sent, and from which port, if it was asked.
    Receives(String, Option<u16>),
    Ends,
    Reaps(usize),
}

pub struct Trace {
    pub processes: Vec<Process>,
    pub events: Vec<Event>,
}

/// A call or an end, put together where strace has told of it in two lines.
struct Entry {
    pid: u32,
    text: String,
    /// The lines where it began and where it came back.
    lines: (usize, usize),
}

/// Reads the whole trace.
pub fn read(text: &str) -> Result<Trace> {
    let entries = entries(text)?;
    let processes = processes(&entries);
    let at = |pid: u32| processes.iter().position(|process| process.pid == pid);
    let told = entries.iter().filter_map(|entry| {
        let who = at(entry.pid)?;
        let (line, what) = event(entry, at)?;
        Some((line, Event { who, what }))
    });
    let mut told: Vec<_> = told.collect();
    told.sort_by_key(|(line, _)| *line);
    let events = told.into_iter().map(|(_, event)| event).collect();
    Ok(Trace { processes, events })
}

fn entries(text: &str) -> Result<Vec<Entry>> {
    let mut begun: HashMap<u32, (usize, String)> = HashMap::new();
    let mut entries = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let (pid, text) = text
            .split_once(' ')
            .ok_or(format!("no line of strace's: {text:?}"))?;
        let pid = pid.parse().map_err(|_| format!("no process id: {pid:?}"))?;
        let text = text.trim_start();
        if let Some(head) = text.strip_suffix(" <unfinished ...>") {
            begun.insert(pid, (line, head.to_owned()));
            continue;
        }
        let resumed = text
            .strip_prefix("<... ")
            .and_then(|text| text.split_once(" resumed>"));
        let (first, text) = match resumed {
            Some((_, tail)) => {
                let (first, head) = begun.remove(&pid).ok_or(format!("{pid} resumes nothing"))?;
                (first, head + tail)
            }
            None => (line, text.to_owned()),
        };
        entries.push(Entry {
            pid,
            text,
            lines: (first, line),
        });
    }
    Ok(entries)
}

/// The programs that were started, and the children that they forked.
fn processes(entries: &[Entry]) -> Vec<Process> {
    let mut processes: Vec<Process> = Vec::new();
    for entry in entries {
        let program_of = |pid| {
            processes
                .iter()
                .find(|process| process.pid == pid)
                .map(|process| process.program)
        };
        // The first program is the one that starts the others.
        let is_exec = entry.text.starts_with("execve(") && entry.lines.0 > 0 && entry.text.ends_with("= 0");
        match (is_exec, child(entry), program_of(entry.pid)) {
            (true, ..) => {
                let program = processes.iter().filter(|process| process.is_main).count();
                processes.push(Process {
                    pid: entry.pid,
                    program,
                    is_main: true,
                });
            }
            (_, Some(pid), Some(program)) => processes.push(Process {
                pid,
                program,
                is_main: false,
            }),
            _ => {}
        }
    }
    processes
}

/// Whom this call has forked.
fn child(entry: &Entry) -> Option<u32> {
    let forks = ["clone(", "clone3(", "fork(", "vfork("]
        .iter()
        .any(|call| entry.text.starts_with(call));
    forks.then(|| result(entry)).flatten()
}

fn result(entry: &Entry) -> Option<u32> {
    entry.text.rsplit_once("= ")?.1.parse().ok()
}

/// What an entry tells, and in which line it happened. What a call does to others can be seen as soon as it has begun; what
/// others did to it has happened when it comes back.
fn event(entry: &Entry, at: impl Fn(u32) -> Option<usize>) -> Option<(usize, What)> {
    let (begun, back) = entry.lines;
    let text = || Some(entry.text.split('"').nth(1)?.trim_end_matches("\\n").to_owned());
    let port = || entry.text.split_once("htons(")?.1.split(')').next()?.parse().ok();
    if let Some(pid) = child(entry) {
        return Some((begun, What::Forks(at(pid)?)));
    }
    if entry.text.starts_with("+++ ") {
        return Some((back, What::Ends));
    }
    // A call that has failed has no result of this kind.
    let result = result(entry)?;
    let call = entry.text.split('(').next()?;
    match call {
        "sendto" => Some((begun, What::Sends(text()?, port()))),
        "recvfrom" if result > 0 => Some((back, What::Receives(text()?, port()))),
        "wait4" => Some((back, What::Reaps(at(result)?))),
        _ => None,
    }
}
