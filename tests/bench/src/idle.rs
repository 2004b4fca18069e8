//! `cargo lab bench 4`: is epoll more efficient than select and poll? What a ready client costs its server, against the
//! number of those who are connected and idle; and where all are ready, and the claim is in trouble.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::chart::{Chart, Line, thousands};
use crate::load::Crowd;
use crate::machine::{Cores, load_average, raise_files};
use crate::server::Server;
use crate::show::{Progress, median, table};
use crate::{Result, named, sibling};

/// The most that select can watch, but for some of the server's own: FD_SETSIZE is 1024.
const SELECT_MAX: usize = 1000;

/// What a server, or the load, needs of descriptors beside the connections.
const SPARE: usize = 64;

/// No further round begins that would end after this.
const BUDGET: Duration = Duration::from_secs(60);

const ASKS: &str = "ns of processor time a message";

/// A server, and whose it is.
struct Subject {
    step: &'static str,
    program: PathBuf,
    whose: &'static str,
}

/// How much is measured.
struct Plan {
    /// How many connections are idle while one is active.
    idle: Vec<usize>,
    /// How many there are in the second series, and how many of them are active at once, in percent.
    connections: usize,
    active: Vec<usize>,
    rounds: usize,
    /// How long one figure is measured.
    time: Duration,
}

/// What one server has cost: a row of figures for each of the two series, of each round.
#[derive(Default)]
struct Costs {
    idle: Vec<Vec<f64>>,
    active: Vec<Vec<f64>>,
}

pub fn run(own: &[String], to: &Path, quick: bool) -> Result {
    let cores = Cores::take()?;
    let (plan, cut) = plan(raise_files()?, quick)?;
    let subjects = subjects(own)?;
    fs::create_dir_all(to).map_err(named(&to.display().to_string()))?;
    let (costs, rounds) = measure(&subjects, &plan, cores)?;

    let charts = [
        idle_chart(&subjects, &costs, &plan),
        active_chart(&subjects, &costs, &plan),
    ];
    report(&charts);
    let (cores, load) = (cores.describe(), load_average());
    println!("{cores}; {rounds} rounds, medians; load average {load}\n{cut}");
    for (chart, name) in charts.iter().zip(["bench-4-idle.svg", "bench-4-active.svg"]) {
        chart.save(&to.join(name))?;
        println!("{}", to.join(name).display());
    }
    Ok(())
}

fn report([idle, active]: &[Chart; 2]) {
    println!("{}", idle.text());
    println!("One active client, {ASKS}, by the number of idle connections");
    println!("{}", figures(idle, ""));
    println!("{}, {ASKS}, by how many are active", active.title);
    println!("{}", figures(active, " %"));
    println!(
        "poll costs {} times what epoll does with idle connections, {} with active ones",
        ratios(idle, ""),
        ratios(active, " %")
    );
}

/// The claim in figures: what poll costs in terms of epoll, at both ends of a chart.
fn ratios(chart: &Chart, unit: &str) -> String {
    let (poll, epoll) = (&chart.lines[1].points, &chart.lines[2].points);
    let ratios = poll.iter().zip(epoll).map(|(poll, epoll)| {
        let ratio = poll.1 / epoll.1;
        let digits = if ratio < 10.0 { 2 } else { 0 };
        format!("{ratio:.digits$} (at {}{unit})", thousands(poll.0))
    });
    let ratios: Vec<_> = ratios.collect();
    format!("{} to {}", ratios[0], ratios[ratios.len() - 1])
}

/// What can be measured with so many descriptors, and a line about what cannot.
fn plan(files: usize, quick: bool) -> Result<(Plan, String)> {
    let plan = |idle: &[usize], connections, active: &[usize], rounds, time| Plan {
        idle: idle.to_vec(),
        connections,
        active: active.to_vec(),
        rounds,
        time: Duration::from_millis(time),
    };
    let mut plan = match quick {
        true => plan(&[1, 10, 100], 100, &[10, 100], 1, 20),
        false => plan(
            &[1, 10, 100, 1000, 5000, 10_000, 20_000],
            1000,
            &[1, 10, 50, 100],
            5,
            100,
        ),
    };
    if plan.connections + SPARE > files {
        return Err(format!(
            "{} connections are needed, and the hard limit of open files is {files} (ulimit -Hn)",
            plan.connections
        ));
    }
    let room = files - SPARE;
    let Some(wish) = plan.idle.iter().copied().find(|idle| *idle >= room) else {
        return Ok((plan, String::new()));
    };
    plan.idle.retain(|idle| *idle < room);
    // As far as it goes, if that is any further.
    let most = (room - 1) / 100 * 100;
    if plan.idle.last().is_some_and(|last| most >= last * 3 / 2) {
        plan.idle.push(most);
    }
    let end = plan.idle.last().copied().unwrap_or(0) as f64;
    let cut = format!(
        "cut at {} idle connections, in place of {} and more: the hard limit of open files is {files} (ulimit -Hn)\n",
        thousands(end),
        thousands(wish as f64)
    );
    Ok((plan, cut))
}

/// The learner's own servers, where they have passed; the reference's otherwise. `select` is given, and no step.
fn subjects(own: &[String]) -> Result<Vec<Subject>> {
    let subject = |step: &'static str| {
        let mine = own.iter().any(|name| name == step);
        let (package, whose) = match (step, mine) {
            ("select", _) => ("solution-poll", "given"),
            (_, true) => ("lab-poll", "yours"),
            (_, false) => ("solution-poll", "reference"),
        };
        Ok(Subject {
            step,
            program: sibling(package)?,
            whose,
        })
    };
    ["select", "poll", "epoll", "edge"]
        .into_iter()
        .map(subject)
        .collect()
}

/// Round after round, each server in turn: whatever else the machine does meets all of them.
fn measure(subjects: &[Subject], plan: &Plan, cores: Cores) -> Result<(Vec<Costs>, usize)> {
    let progress = Progress::new();
    let mut costs: Vec<Costs> = subjects.iter().map(|_| Costs::default()).collect();
    let began = Instant::now();
    for round in 1..=plan.rounds {
        for (subject, costs) in subjects.iter().zip(&mut costs) {
            progress.stage(&format!("round {round} of {}: {}", plan.rounds, subject.step));
            let (idle, active) = one(subject, plan, cores).map_err(named(subject.step))?;
            costs.idle.push(idle);
            costs.active.push(active);
        }
        if began.elapsed() * (round as u32 + 1) / round as u32 > BUDGET {
            return Ok((costs, round));
        }
    }
    Ok((costs, plan.rounds))
}

/// Both series, of one server, once.
fn one(subject: &Subject, plan: &Plan, cores: Cores) -> Result<(Vec<f64>, Vec<f64>)> {
    let server = Server::start(&subject.program, Some(subject.step), cores)?;
    let mut crowd = Crowd::new(&server);
    let (mut idle, mut active) = (Vec::new(), Vec::new());
    for &connections in idle_of(subject, plan) {
        if connections >= plan.connections && active.is_empty() {
            active = some_active(&mut crowd, plan)?;
        }
        // One more: the one that is active.
        crowd.grow(connections + 1)?;
        idle.push(crowd.one_active(plan.time)?);
    }
    Ok((idle, active))
}

fn some_active(crowd: &mut Crowd, plan: &Plan) -> Result<Vec<f64>> {
    crowd.grow(plan.connections)?;
    let count = |percent: &usize| percent * plan.connections / 100;
    plan.active
        .iter()
        .map(|percent| crowd.some_active(count(percent), plan.time))
        .collect()
}

/// The numbers of idle connections that a server is measured with.
fn idle_of<'a>(subject: &Subject, plan: &'a Plan) -> &'a [usize] {
    let most = if subject.step == "select" {
        SELECT_MAX
    } else {
        usize::MAX
    };
    &plan.idle[..plan.idle.partition_point(|idle| *idle <= most)]
}

fn idle_chart<'a>(subjects: &[Subject], costs: &[Costs], plan: &Plan) -> Chart<'a> {
    let lines = subjects.iter().zip(costs);
    Chart {
        title: "What one message costs a server",
        x: "idle connections",
        y: ASKS,
        lines: lines
            .map(|(subject, costs)| line(subject, &plan.idle, &costs.idle))
            .collect(),
    }
}

fn active_chart<'a>(subjects: &[Subject], costs: &[Costs], plan: &Plan) -> Chart<'a> {
    let lines = subjects.iter().zip(costs);
    Chart {
        title: match plan.connections {
            1000 => "1,000 connections, some or all of them active at once",
            _ => "100 connections, some or all of them active at once",
        },
        x: "percent of the connections that are active",
        y: ASKS,
        lines: lines
            .map(|(subject, costs)| line(subject, &plan.active, &costs.active))
            .collect(),
    }
}

/// The medians of the rounds.
fn line(subject: &Subject, at: &[usize], rounds: &[Vec<f64>]) -> Line {
    let middle = |point: usize| median(&rounds.iter().map(|round| round[point]).collect::<Vec<_>>());
    let points = (0..rounds[0].len()).map(|point| (at[point] as f64, middle(point)));
    Line {
        name: format!("{} ({})", subject.step, subject.whose),
        points: points.collect(),
    }
}

/// The figures of a chart, as a table.
fn figures(chart: &Chart, unit: &str) -> String {
    let longest = chart.lines.iter().max_by_key(|line| line.points.len());
    let heads = longest
        .into_iter()
        .flat_map(|line| &line.points)
        .map(|(x, _)| thousands(*x) + unit);
    let mut rows = vec![[String::new()].into_iter().chain(heads).collect()];
    for line in &chart.lines {
        let cells = line.points.iter().map(|(_, y)| thousands(*y));
        rows.push([line.name.clone()].into_iter().chain(cells).collect());
    }
    table(&rows)
}
