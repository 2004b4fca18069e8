//! `just bench servers`: the reference's echo servers against a small one in C and one on tokio, and its HTTP server
//! against nginx, all under the same load.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::chart::thousands;
use crate::http;
use crate::load::{Crowd, Question};
use crate::machine::{Cores, load_average, raise_files};
use crate::server::Server;
use crate::show::{Progress, median, table};
use crate::{Result, named, sibling};

/// How many clients there are in the storm of connects, and in the idle crowd.
const STORM: usize = 4000;
const CROWD: usize = 10_000;

/// How many descriptors are needed beside the connections.
const SPARE: usize = 64;

/// How many of the subjects, which come first, are ours: the aims are for them.
const OURS: usize = 2;

/// A program, and how to call it.
pub struct Subject {
    pub name: &'static str,
    pub program: PathBuf,
    pub step: Option<&'static str>,
}

/// What all measurements need.
pub struct Bench {
    pub cores: Cores,
    pub rounds: usize,
    pub time: Duration,
    progress: Progress,
}

impl Bench {
    pub fn new(quick: bool) -> Result<Bench> {
        Ok(Bench {
            cores: Cores::take()?,
            rounds: if quick { 1 } else { 9 },
            time: Duration::from_millis(if quick { 20 } else { 150 }),
            progress: Progress::new(),
        })
    }

    pub fn start(&self, subject: &Subject) -> Result<Server> {
        Server::start(&subject.program, subject.step, self.cores)
    }

    /// Round after round, measures each of so many subjects in turn; returns the figures of each.
    pub fn rounds<T>(
        &self,
        what: &str,
        subjects: usize,
        one: impl Fn(usize) -> Result<T>,
    ) -> Result<Vec<Vec<T>>> {
        let mut figures: Vec<Vec<T>> = (0..subjects).map(|_| Vec::new()).collect();
        for round in 1..=self.rounds {
            self.progress
                .stage(&format!("{what}: round {round} of {}", self.rounds));
            for (at, figures) in figures.iter_mut().enumerate() {
                figures.push(one(at)?);
            }
        }
        self.progress.clear();
        Ok(figures)
    }

    /// Under what circumstances all of it was measured.
    pub fn conclude(&self) {
        let (cores, load) = (self.cores.describe(), load_average());
        println!("{cores}; {} rounds, medians; load average {load}", self.rounds);
    }
}

pub fn run(quick: bool) -> Result {
    let bench = Bench::new(quick)?;
    let files = raise_files()?;
    if files < CROWD + SPARE {
        return Err(format!(
            "{CROWD} connections are needed, and the hard limit of open files is {files} (ulimit -Hn)"
        ));
    }
    let subjects = subjects()?;
    echo(&bench, &subjects)?;
    storm(&bench, &subjects)?;
    crowd(&bench, &subjects)?;
    http::run(&bench)?;
    bench.conclude();
    Ok(())
}

fn subjects() -> Result<Vec<Subject>> {
    let subject = |name, program: Result<_>, step| -> Result<Subject> {
        let program = program?;
        Ok(Subject { name, program, step })
    };
    Ok(vec![
        subject("epoll", sibling("solution-poll"), Some("epoll"))?,
        subject("edge", sibling("solution-poll"), Some("edge"))?,
        subject("C", compile("echo.c"), None)?,
        subject("tokio", sibling("tokio-echo"), None)?,
    ])
}

/// Compiles a server in C, next to this program.
pub fn compile(source: &str) -> Result<PathBuf> {
    let name = format!("c-{}", source.trim_end_matches(".c"));
    let program = env::current_exe().map_err(named("bench"))?.with_file_name(name);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(source);
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-Wall", "-o"]).arg(&program).arg(file);
    match cc.status().map_err(named("cc"))?.success() {
        true => Ok(program),
        false => Err(format!("cc: could not compile {source}")),
    }
}

/// The cost of a round trip. Aim: ours at most 1.05 times the others'.
fn echo(bench: &Bench, subjects: &[Subject]) -> Result {
    let mut rows = vec![cells(
        "ns an echo",
        "epoll edge C tokio epoll/C edge/C epoll/tokio edge/tokio aim:1.05",
    )];
    for (len, size) in [(64, "64 B"), (64 * 1024, "64 KiB")] {
        for clients in [1, 50, 500] {
            let name = format!("{clients} x {size}");
            let costs = bench.rounds(&name, subjects.len(), |at| {
                let server = bench.start(&subjects[at])?;
                let mut crowd = Crowd::new(&server);
                crowd.grow(clients)?;
                crowd.busy(&Question::echo(len), bench.time)
            })?;
            rows.push(echo_row(name, &costs));
        }
    }
    println!("{}", table(&rows));
    Ok(())
}

fn echo_row(name: String, costs: &[Vec<f64>]) -> Vec<String> {
    let (ours, others) = costs.split_at(OURS);
    let ratios = others
        .iter()
        .flat_map(|other| ours.iter().map(|ours| ratio(ours, other)));
    let ratios: Vec<f64> = ratios.collect();
    let mut row = vec![name];
    row.extend(costs.iter().map(|costs| thousands(median(costs))));
    row.extend(ratios.iter().map(|ratio| format!("{ratio:.2}")));
    row.push(met(ratios.iter().all(|ratio| *ratio <= 1.05)));
    row
}

/// How long many clients wait who all come at once. Aim: a second.
fn storm(bench: &Bench, subjects: &[Subject]) -> Result {
    let what = format!("{} connects at once", thousands(STORM as f64));
    let seconds = bench.rounds(&what, subjects.len(), |at| {
        let server = bench.start(&subjects[at])?;
        Ok(Crowd::new(&server).storm(STORM)?.as_secs_f64())
    })?;
    let mut rows = vec![cells(&what, "seconds aim:1")];
    for (at, seconds) in seconds.iter().enumerate() {
        let seconds = median(seconds);
        rows.push(vec![
            subjects[at].name.into(),
            format!("{seconds:.3}"),
            ours(at, seconds <= 1.0),
        ]);
    }
    println!("{}", table(&rows));
    Ok(())
}

/// What many idle clients cost: memory (aim: 0.5 KiB each), and the message of one who is not idle (aim: 1.2 times
/// what it costs with 10).
fn crowd(bench: &Bench, subjects: &[Subject]) -> Result {
    let what = format!("{} idle", thousands(CROWD as f64));
    let figures = bench.rounds(&what, subjects.len(), |at| {
        crowd_of(&bench.start(&subjects[at])?, bench.time)
    })?;
    let mut rows = vec![cells(
        &what,
        "KiB/client aim:0.5 ns/message with-10-idle ratio aim:1.20",
    )];
    for (at, rounds) in figures.iter().enumerate() {
        let of = |nth: usize| rounds.iter().map(|figures| figures[nth]).collect::<Vec<_>>();
        let (kib, few, many) = (median(&of(0)), of(1), of(2));
        let ratio = ratio(&many, &few);
        let mut row = vec![
            subjects[at].name.into(),
            format!("{kib:.2}"),
            ours(at, kib <= 0.5),
        ];
        row.extend([&many, &few].map(|costs| thousands(median(costs))));
        row.extend([format!("{ratio:.2}"), ours(at, ratio <= 1.2)]);
        rows.push(row);
    }
    println!("{}", table(&rows));
    Ok(())
}

/// Memory of an idle client in KiB; the cost of a message with 10 of them, and with all.
fn crowd_of(server: &Server, time: Duration) -> Result<[f64; 3]> {
    let mut crowd = Crowd::new(server);
    let before = server.memory()?;
    crowd.grow(11)?;
    let few = crowd.one_active(time)?;
    crowd.grow(CROWD + 1)?;
    let memory = (server.memory()? - before) / (CROWD + 1) as f64;
    Ok([memory, few, crowd.one_active(time)?])
}

/// The median of the rounds' ratios: what slows a round down slows both.
pub fn ratio(ours: &[f64], other: &[f64]) -> f64 {
    let ratios: Vec<f64> = ours.iter().zip(other).map(|(ours, other)| ours / other).collect();
    median(&ratios)
}

pub fn met(aim: bool) -> String {
    if aim { "met" } else { "MISSED" }.into()
}

/// Nobody has aims for the others.
fn ours(at: usize, aim: bool) -> String {
    if at < OURS { met(aim) } else { "-".into() }
}

/// A row of a table: its name, and words.
pub fn cells(name: &str, words: &str) -> Vec<String> {
    let words = words.split(' ').map(|word| word.replace(':', " "));
    [name.into()].into_iter().chain(words).collect()
}
