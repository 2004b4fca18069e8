//! `just bench chat`: the reference's chat room over UDP against small ones in C and Python, and over TCP against servers
//! that do the same: what it costs to deliver a message to one member, what a member costs, and how long things take.

pub mod crowd;
mod flood;
mod guest;
mod host;
mod latency;
mod members;
mod rivals;
mod wire;

use std::path::PathBuf;
use std::process::Command;

use crate::chart::thousands;
use crate::machine::{Cores, raise_files};
use crate::server::Server;
use crate::servers::{Bench, cells, compile, met, ratio};
use crate::show::{median, table};
use crate::{Result, named, sibling};
use members::{Members, Talk};
use rivals::{RIVALS, Rival, Running};
use wire::{Datagrams, Lines, Wire};

/// How many members there are.
const CROWDS: [usize; 2] = [100, 1000];

/// How many lines a burst has.
const BURST: usize = 64;

/// How many descriptors are needed beside those of the members.
const SPARE: usize = 64;

/// What the room says before its address.
const ANNOUNCED: &str = "chat room on ";

/// A room under measurement.
struct Subject {
    name: &'static str,
    program: PathBuf,
    how: How,
}

enum How {
    /// It is called with these arguments and an address, and says where it is.
    Room(&'static [&'static str], &'static dyn Wire),
    Rival(&'static Rival),
}

/// A room that runs.
enum Started {
    Room(Server),
    Rival(Running),
}

/// What one round has found out about a room.
struct Figures {
    /// Seconds until all are in.
    entered: f64,
    /// KiB a member.
    memory: f64,
    /// What a message costs that is alone, and one of a burst.
    alone: Talk,
    burst: Option<Talk>,
}

pub fn run(quick: bool) -> Result {
    let bench = Bench::new(quick)?;
    let (files, most) = (raise_files()?, CROWDS[1]);
    if files < most + SPARE {
        return Err(format!(
            "{most} members are needed, and the hard limit of open files is {files} (ulimit -Hn)"
        ));
    }
    let (datagrams, streams) = (datagrams()?, streams()?);
    let by_datagram = measure(&bench, &datagrams)?;
    datagram_costs(&datagrams, &by_datagram);
    let by_stream = measure(&bench, &streams)?;
    stream_costs(&streams, &by_stream);
    members_cost(&[
        ("UDP", &datagrams, &by_datagram[1]),
        ("TCP", &streams, &by_stream[1]),
    ]);
    latency::run(&bench, [&datagrams[0], &streams[0]])?;
    losses(by_datagram.iter().flatten().flatten());
    bench.conclude();
    Ok(())
}

/// The figures of the rooms, of each its rounds.
type Crowd = Vec<Vec<Figures>>;

/// The rooms over UDP, ours first.
fn datagrams() -> Result<Vec<Subject>> {
    let subject = |name, program, args| Subject {
        name,
        program,
        how: How::Room(args, &Datagrams),
    };
    let c = compile("room.c")?;
    const PYTHON: &[&str] = &[concat!(env!("CARGO_MANIFEST_DIR"), "/room.py")];
    Ok(vec![
        subject("room", sibling("solution-chat")?, &["server"]),
        subject("C", c.clone(), &[]),
        subject("C sendmmsg", c, &["--mmsg"]),
        subject("Python", "python3".into(), PYTHON),
    ])
}

/// The rooms over TCP, ours first, and of the others those that are there.
fn streams() -> Result<Vec<Subject>> {
    let mut subjects = vec![Subject {
        name: "room",
        program: sibling("solution-chat")?,
        how: How::Room(&["server", "--stream"], &Lines),
    }];
    for rival in &RIVALS {
        match rival.program() {
            Some(program) => subjects.push(Subject {
                name: rival.name,
                program,
                how: How::Rival(rival),
            }),
            None => println!("{}: not there", rival.name),
        }
    }
    Ok(subjects)
}

impl Subject {
    fn start(&self, cores: Cores) -> Result<Started> {
        match &self.how {
            How::Room(args, _) => {
                let mut command = Command::new(&self.program);
                command.args(*args).arg("127.0.0.1:0");
                Server::announced(command, ANNOUNCED, cores).map(Started::Room)
            }
            How::Rival(rival) => rival.start(&self.program, cores).map(Started::Rival),
        }
    }

    fn wire(&self) -> &dyn Wire {
        match self.how {
            How::Room(_, wire) => wire,
            How::Rival(rival) => rival.wire,
        }
    }
}

impl Started {
    fn server(&self) -> &Server {
        match self {
            Started::Room(server) => server,
            Started::Rival(running) => &running.server,
        }
    }
}

/// Round after round, each room in turn, with each number of members.
fn measure(bench: &Bench, subjects: &[Subject]) -> Result<Vec<Crowd>> {
    let kind = if subjects[0].wire().is_stream() {
        "TCP"
    } else {
        "UDP"
    };
    let crowd = |len: &usize| {
        let what = format!("{kind}, {} members", thousands(*len as f64));
        bench.rounds(&what, subjects.len(), |at| {
            one(bench, &subjects[at], *len).map_err(named(subjects[at].name))
        })
    };
    CROWDS.iter().map(crowd).collect()
}

fn one(bench: &Bench, subject: &Subject, len: usize) -> Result<Figures> {
    let started = subject.start(bench.cores)?;
    let server = started.server();
    let mut members = Members::new(server, subject.wire());
    let before = server.memory()?;
    let entered = members.enter(len)?.as_secs_f64();
    Ok(Figures {
        entered,
        memory: (server.memory()? - before) / len as f64,
        alone: members.talk(1, bench.time)?,
        burst: match subject.wire().is_stream() {
            true => Some(members.talk(BURST, bench.time)?),
            false => None,
        },
    })
}

/// Aim: at most 1.05 times what C costs, and 0.8 times what Python does.
fn datagram_costs(subjects: &[Subject], crowds: &[Crowd]) {
    let names: Vec<_> = subjects.iter().map(|subject| subject.name).collect();
    let mut head = row("ns a delivery, UDP", &names);
    head.extend(["room/C", "aim 1.05", "room/Python", "aim 0.80"].map(String::from));
    let mut rows = vec![head];
    for (len, figures) in CROWDS.iter().zip(crowds) {
        let costs: Vec<Vec<f64>> = figures
            .iter()
            .map(|rounds| costs(rounds, |f| Some(&f.alone)))
            .collect();
        let mut cells = vec![format!("{} members", thousands(*len as f64))];
        cells.extend(costs.iter().map(|costs| shown(costs)));
        for (other, aim) in [(1, 1.05), (3, 0.8)] {
            let ratio = ratio(&costs[0], &costs[other]);
            cells.extend([format!("{ratio:.2}"), met(ratio <= aim)]);
        }
        rows.push(cells);
    }
    println!("{}", table(&rows));
}

/// Aim: at most 1.05 times what the best of the others costs.
fn stream_costs(subjects: &[Subject], crowds: &[Crowd]) {
    let names: Vec<_> = subjects.iter().map(|subject| subject.name).collect();
    let mut head = row("ns a delivery, TCP", &names);
    head.extend(["room/best", "aim 1.05"].map(String::from));
    let mut rows = vec![head];
    let mut held_back = false;
    for (what, of) in [
        ("one line", (|f| Some(&f.alone)) as fn(&Figures) -> Option<&Talk>),
        ("64 lines", |f| f.burst.as_ref()),
    ] {
        for (len, figures) in CROWDS.iter().zip(crowds) {
            let costs: Vec<Vec<f64>> = figures.iter().map(|rounds| costs(rounds, of)).collect();
            held_back |= costs.iter().any(Vec::is_empty);
            let mut cells = vec![format!("{} members, {what}", thousands(*len as f64))];
            cells.extend(costs.iter().map(|costs| shown(costs)));
            cells.extend(beside_the_best(&costs));
            rows.push(cells);
        }
    }
    println!("{}", table(&rows));
    if held_back {
        println!("held back: its flood control takes the lines one by one, and it is left out\n");
    }
}

fn beside_the_best(costs: &[Vec<f64>]) -> [String; 2] {
    let others = costs[1..].iter().filter(|costs| !costs.is_empty());
    let best = others.min_by(|a, b| median(a).total_cmp(&median(b)));
    match best {
        Some(best) if !costs[0].is_empty() => {
            let ratio = ratio(&costs[0], best);
            [format!("{ratio:.2}"), met(ratio <= 1.05)]
        }
        _ => ["-", "-"].map(String::from),
    }
}

/// The costs of the rounds; none, if in one of them not everything came.
fn costs(rounds: &[Figures], of: fn(&Figures) -> Option<&Talk>) -> Vec<f64> {
    let talks: Vec<&Talk> = rounds.iter().filter_map(of).collect();
    match talks.iter().all(|talk| talk.lost == 0) {
        true => talks.iter().map(|talk| talk.cost).collect(),
        false => Vec::new(),
    }
}

fn shown(costs: &[f64]) -> String {
    match costs.is_empty() {
        true => "held back".into(),
        false => thousands(median(costs)),
    }
}

fn row(name: &str, words: &[&str]) -> Vec<String> {
    [name].iter().chain(words).map(|word| word.to_string()).collect()
}

/// What 1,000 members cost who say nothing (aim: 0.5 KiB each), and how long it takes to let them in (aim: 5 s).
fn members_cost(kinds: &[(&str, &[Subject], &Crowd)]) {
    let mut rows = vec![cells(
        "1,000 members",
        "seconds-to-enter aim:5 KiB/member aim:0.5",
    )];
    for (kind, subjects, crowd) in kinds {
        for (at, (subject, rounds)) in subjects.iter().zip(*crowd).enumerate() {
            let of = |figure: fn(&Figures) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
            let (entered, memory) = (of(|f| f.entered), of(|f| f.memory));
            let aim = |good| if at == 0 { met(good) } else { "-".into() };
            rows.push(vec![
                format!("{kind}, {}", subject.name),
                format!("{entered:.2}"),
                aim(entered <= 5.0),
                format!("{memory:.2}"),
                aim(memory <= 0.5),
            ]);
        }
    }
    println!("{}", table(&rows));
}

/// Says how much of what went by datagrams did not come.
fn losses<'a>(figures: impl Iterator<Item = &'a Figures>) {
    let (heard, lost) = figures.fold((0, 0), |(heard, lost), f| {
        (heard + f.alone.heard, lost + f.alone.lost)
    });
    let sent = thousands((heard + lost) as f64);
    println!("UDP: of {sent} deliveries {lost} were lost");
}
