//! `cargo lab bench 6`: Unix sockets beside loopback TCP, and beside a pipe. How long a message takes there and back, and
//! how much goes through.
//!
//! Unlike with the servers, the time on the clock is what is asked for here. Other work on the machine can only make it
//! worse: the rounds go through all of them in turn, and the best round is told.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::sys::socket::{Shutdown, shutdown};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork, getpid, getppid};

use crate::chart::{Chart, Line, thousands};
use crate::machine::{Cores, load_average, pin};
use crate::show::{Progress, table};
use crate::{Result, named};

/// Makes both ends.
type Make = fn() -> io::Result<(End, End)>;

/// What the other side does.
type Peer = fn(End) -> io::Result<()>;

/// What is measured with messages of a size, for a time.
type Figure = fn(End, usize, Duration) -> io::Result<f64>;

/// What is compared.
const WAYS: [(&str, Make); 4] = [
    ("Unix socket", unix),
    ("socketpair", pair),
    ("TCP, 127.0.0.1", tcp),
    ("pipe", pipe),
];

const LATENCY: &str = "ns there and back";
const THROUGHPUT: &str = "MB a second";

/// How much is measured.
struct Plan {
    /// Bytes a message.
    sizes: &'static [usize],
    rounds: usize,
    /// How long one figure is measured.
    time: Duration,
}

const FULL: Plan = Plan {
    sizes: &[64, 256, 1024, 4096, 16_384, 65_536],
    rounds: 7,
    time: Duration::from_millis(50),
};

const QUICK: Plan = Plan {
    sizes: &[64, 4096, 65_536],
    rounds: 1,
    time: Duration::from_millis(20),
};

/// Where one side reads, and where it writes: two descriptors, also where they are one socket's.
struct End {
    input: fs::File,
    output: fs::File,
}

/// The best figure so far, for each size.
#[derive(Default)]
struct Figures {
    latency: Vec<f64>,
    throughput: Vec<f64>,
}

pub fn run(to: &Path, quick: bool) -> Result {
    let cores = Cores::take()?;
    let plan = if quick { QUICK } else { FULL };
    let figures = measure(&plan, cores)?;
    fs::create_dir_all(to).map_err(named(&to.display().to_string()))?;
    let latency = chart(
        "A message there and back",
        LATENCY,
        &plan,
        figures.iter().map(|f| &f.latency),
    );
    let throughput = chart(
        "What goes through",
        THROUGHPUT,
        &plan,
        figures.iter().map(|f| &f.throughput),
    );
    println!("{}\n{}", latency.text(), throughput.text());
    for chart in [&latency, &throughput] {
        println!(
            "{}, {}, by the bytes of a message\n{}",
            chart.title,
            chart.y,
            rows(chart)
        );
    }
    println!(
        "{}; the best of {} rounds; load average {}",
        describe(cores),
        plan.rounds,
        load_average()
    );
    for (chart, name) in [
        (latency, "bench-6-latency.svg"),
        (throughput, "bench-6-throughput.svg"),
    ] {
        chart.save(&to.join(name))?;
        println!("{}", to.join(name).display());
    }
    Ok(())
}

fn describe(cores: Cores) -> &'static str {
    match cores.server == cores.load {
        true => "both sides on one processor",
        false => "there and back: both sides on one processor; what goes through: each on its own",
    }
}

/// Round after round, each of them in turn: whatever else the machine does meets all of them.
fn measure(plan: &Plan, cores: Cores) -> Result<Vec<Figures>> {
    let progress = Progress::new();
    let mut figures: Vec<Figures> = WAYS.iter().map(|_| Figures::default()).collect();
    for round in 1..=plan.rounds {
        for ((name, make), figures) in WAYS.iter().zip(&mut figures) {
            progress.stage(&format!("round {round} of {}: {name}", plan.rounds));
            let row = |core, peer: Peer, of: Figure| {
                let figure = |size: &usize| with_peer(*make, peer, core, |end| of(end, *size, plan.time));
                let row: Result<Vec<f64>> = plan.sizes.iter().map(figure).collect();
                row.map_err(named(name))
            };
            // On one processor: to wake up an idle one takes longer than all the rest, above all in a virtual machine.
            better(&mut figures.latency, row(cores.load, echo, latency)?, f64::min);
            better(
                &mut figures.throughput,
                row(cores.server, sink, throughput)?,
                f64::max,
            );
        }
    }
    Ok(figures)
}

/// Keeps what is better: of what there is, if there is anything yet, and of what has been measured now.
fn better(best: &mut Vec<f64>, row: Vec<f64>, of: fn(f64, f64) -> f64) {
    if best.is_empty() {
        *best = row;
        return;
    }
    for (best, figure) in best.iter_mut().zip(row) {
        *best = of(*best, figure);
    }
}

/// Does something at one end while another process is at the other.
fn with_peer(
    make: Make,
    peer: fn(End) -> io::Result<()>,
    core: usize,
    work: impl FnOnce(End) -> io::Result<f64>,
) -> Result<f64> {
    let (ours, theirs) = make().map_err(named("socket"))?;
    let parent = getpid();
    // SAFETY: this program has one thread here, so no lock is held in the child by a thread that was not copied.
    match unsafe { fork() }.map_err(named("fork"))? {
        ForkResult::Child => {
            drop(ours);
            let ready = set_pdeathsig(Signal::SIGKILL).and_then(|()| pin(core));
            let done = ready.is_ok() && getppid() == parent && peer(theirs).is_ok();
            // SAFETY: `_exit` takes no pointer and runs no code of this process.
            unsafe { libc::_exit(i32::from(!done)) }
        }
        ForkResult::Parent { child } => {
            drop(theirs);
            let figure = work(ours);
            // The peer ends at the end of its input: our end is closed by now.
            waitpid(child, None).map_err(named("waitpid"))?;
            figure.map_err(named("the other side is gone"))
        }
    }
}

/// Nanoseconds for a message there and back.
fn latency(mut end: End, size: usize, time: Duration) -> io::Result<f64> {
    let mut message = vec![b'x'; size];
    let mut trip = || {
        end.output.write_all(&message)?;
        end.input.read_exact(&mut message)
    };
    // The first one waits until the other side runs.
    trip()?;
    let (began, mut trips) = (Instant::now(), 0);
    while began.elapsed() < time {
        trip()?;
        trips += 1;
    }
    Ok(began.elapsed().as_nanos() as f64 / f64::from(trips))
}

/// Megabytes a second, written in messages of that size. The clock stops when the other side has read the last of them.
fn throughput(end: End, size: usize, time: Duration) -> io::Result<f64> {
    let End {
        mut input,
        mut output,
    } = end;
    let message = vec![b'x'; size];
    let (began, mut bytes) = (Instant::now(), 0);
    while began.elapsed() < time {
        output.write_all(&message)?;
        bytes += size;
    }
    // A pipe's other side sees the end when this is closed; a socket's, of which `input` is the same, when it is told.
    let _ = shutdown(output.as_raw_fd(), Shutdown::Write);
    drop(output);
    input.read_exact(&mut [0])?;
    Ok(bytes as f64 / 1e6 / began.elapsed().as_secs_f64())
}

/// The other side: sends everything back.
fn echo(mut end: End) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match end.input.read(&mut buffer)? {
            0 => return Ok(()),
            n => end.output.write_all(&buffer[..n])?,
        }
    }
}

/// The other side: reads everything, and says so.
fn sink(mut end: End) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while end.input.read(&mut buffer)? > 0 {}
    end.output.write_all(b"!")
}

/// A Unix socket with a name, which is gone again before anything is measured.
fn unix() -> io::Result<(End, End)> {
    let path = std::env::temp_dir().join(format!("forkroom-bench-{}", getpid()));
    let listener = UnixListener::bind(&path)?;
    let made = UnixStream::connect(&path).and_then(|ours| Ok((ours, listener.accept()?.0)));
    fs::remove_file(&path)?;
    let (ours, theirs) = made?;
    Ok((socket(ours)?, socket(theirs)?))
}

fn pair() -> io::Result<(End, End)> {
    let (ours, theirs) = UnixStream::pair()?;
    Ok((socket(ours)?, socket(theirs)?))
}

fn tcp() -> io::Result<(End, End)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let ours = TcpStream::connect(listener.local_addr()?)?;
    let (theirs, _) = listener.accept()?;
    // A message is sent at once, as the others do it, and not kept back in the hope of more.
    ours.set_nodelay(true)?;
    theirs.set_nodelay(true)?;
    Ok((socket(ours)?, socket(theirs)?))
}

/// A pipe goes one way: it takes two.
fn pipe() -> io::Result<(End, End)> {
    let (there, back) = (nix::unistd::pipe()?, nix::unistd::pipe()?);
    let end = |input: OwnedFd, output: OwnedFd| End {
        input: input.into(),
        output: output.into(),
    };
    Ok((end(back.0, there.1), end(there.0, back.1)))
}

fn socket(fd: impl Into<OwnedFd>) -> io::Result<End> {
    let input = fs::File::from(fd.into());
    Ok(End {
        output: input.try_clone()?,
        input,
    })
}

fn chart<'a>(
    title: &'a str,
    y: &'a str,
    plan: &Plan,
    figures: impl Iterator<Item = &'a Vec<f64>>,
) -> Chart<'a> {
    let sizes = || plan.sizes.iter().map(|size| *size as f64);
    let line = |((name, _), figures): (&(&str, Make), &Vec<f64>)| Line {
        name: name.to_string(),
        points: sizes().zip(figures.iter().copied()).collect(),
    };
    let lines = WAYS.iter().zip(figures).map(line).collect();
    Chart {
        title,
        x: "bytes a message",
        y,
        lines,
    }
}

/// The figures of a chart, as a table.
fn rows(chart: &Chart) -> String {
    let sizes = chart.lines[0].points.iter().map(|(size, _)| thousands(*size));
    let mut rows = vec![[String::new()].into_iter().chain(sizes).collect()];
    for line in &chart.lines {
        let cells = line.points.iter().map(|(_, value)| thousands(*value));
        rows.push([line.name.clone()].into_iter().chain(cells).collect());
    }
    table(&rows)
}
