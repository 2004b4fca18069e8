//! The benchmarks: `cargo lab bench 4`, `cargo lab bench 6`, `just bench servers` and `just bench chat` call this program.
//!
//! What is measured of a server is the processor time that a server uses, never how long something takes: on a busy machine the
//! one changes little, the other much. Every server listens on 127.0.0.1 only, and ends with this process.

mod chart;
mod chat;
mod http;
mod idle;
mod load;
mod machine;
mod server;
mod servers;
mod show;
mod sockets;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::sys::signal::{SigHandler, Signal, signal};

const USAGE: &str = "usage: bench 4 [--quick] [--own STEP,STEP…] --to DIR | bench 6 [--quick] --to DIR | bench servers|chat [--quick] | bench crowd [--stream] [SECONDS]";

/// An error is the line that tells it.
pub type Result<T = ()> = std::result::Result<T, String>;

/// Adds to an error what was being done.
pub fn named<E: Display>(what: &str) -> impl Fn(E) -> String {
    move |why| format!("{what}: {why}")
}

fn main() -> ExitCode {
    // A reader that goes away (`| head`) ends the program, and with it the servers.
    // SAFETY: the default action is no handler, so no code of ours runs at an unexpected moment.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(why)) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// None: called wrongly.
fn run(args: &[&str]) -> Option<Result> {
    if let ["crowd", args @ ..] = args {
        return chat::crowd::run_with(args);
    }
    let (mut what, mut quick, mut own, mut to) = (None, false, Vec::new(), None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "--quick" => quick = true,
            "--own" => own = args.next()?.split(',').map(String::from).collect(),
            "--to" => to = Some(PathBuf::from(args.next()?)),
            word if what.is_none() => what = Some(word),
            _ => return None,
        }
    }
    match (what?, to) {
        ("4", Some(dir)) => Some(idle::run(&own, &dir, quick)),
        ("6", Some(dir)) if own.is_empty() => Some(sockets::run(&dir, quick)),
        ("chat", None) => Some(chat::run(quick)),
        ("servers", None) => Some(servers::run(quick)),
        _ => None,
    }
}

/// A program that cargo has built next to this one.
pub fn sibling(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(named("bench"))?;
    let file = own.parent().unwrap_or(Path::new("/")).join(name);
    match file.is_file() {
        true => Ok(file),
        false => Err(format!("{}: not built", file.display())),
    }
}
