//! The picture of lab 7's chapter: a session in the chat room, drawn from what `strace` saw of it.
//!
//! `session talk PROGRAM` holds the session, `session draw TRACE` draws it: `tests/bench/session.sh` calls both. Who types
//! next waits until what was typed before has been shown, so nothing here depends on how fast anybody is.

mod sequence;
mod trace;

use std::fmt::Display;
use std::fs;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const USAGE: &str = "usage: session talk PROGRAM | session draw TRACE";

/// An error is the line that tells it.
pub type Result<T = ()> = std::result::Result<T, String>;

/// Adds to an error what was being done.
pub fn named<E: Display>(what: &str) -> impl Fn(E) -> String {
    move |why| format!("{what}: {why}")
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["talk", program] => talk(program),
        ["draw", trace] => draw(trace),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("session: {why}");
            ExitCode::FAILURE
        }
    }
}

fn draw(trace: &str) -> Result {
    let text = fs::read_to_string(trace).map_err(named(trace))?;
    print!("{}", sequence::draw(&trace::read(&text)?)?);
    Ok(())
}

/// A server and two clients: they enter, talk, hear the server, and leave; then the server is ended.
fn talk(program: &str) -> Result {
    let mut server = Party::start(program, &["server", "127.0.0.1:0"])?;
    let first = server.until("\n")?;
    let address = first.trim_start_matches("chat room on ").trim();
    let mut anna = Party::start(program, &["client", address])?;
    anna.enter("anna")?;
    let mut bert = Party::start(program, &["client", address])?;
    bert.enter("bert")?;
    anna.until("bert entered the chat room\n")?;
    anna.types("hello")?;
    bert.until("anna: hello\n")?;
    bert.types("hello, anna")?;
    anna.until("bert: hello, anna\n")?;
    server.types("tea is ready")?;
    anna.until("admin: tea is ready\n")?;
    bert.until("admin: tea is ready\n")?;
    anna.types("q")?;
    bert.until("anna left the chat room\n")?;
    anna.ends()?;
    bert.types("q")?;
    bert.ends()?;
    kill(Pid::from_raw(server.0.id() as i32), Signal::SIGTERM).map_err(named("kill"))?;
    server.ends()
}

/// A program of the session, on pipes.
struct Party(Child);

impl Party {
    fn start(program: &str, args: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().map(Self).map_err(named(program))
    }

    fn enter(&mut self, name: &str) -> Result {
        self.until("name: ")?;
        self.types(name)?;
        self.until(&format!("welcome, {name}\n")).map(drop)
    }

    fn types(&mut self, line: &str) -> Result {
        let stdin = self.0.stdin.as_mut().ok_or("it has no stdin")?;
        stdin
            .write_all(format!("{line}\n").as_bytes())
            .map_err(named("write"))
    }

    /// Reads what it prints until that ends so; returns it.
    fn until(&mut self, end: &str) -> Result<String> {
        let stdout = self.0.stdout.as_mut().ok_or("it has no stdout")?;
        let (mut text, mut byte) = (String::new(), [0]);
        while !text.ends_with(end) {
            match stdout.read(&mut byte).map_err(named("read"))? {
                0 => return Err(format!("it ended before it printed {end:?}: {text:?}")),
                _ => text.push(char::from(byte[0])),
            }
        }
        Ok(text)
    }

    fn ends(&mut self) -> Result {
        self.0.wait().map(drop).map_err(named("wait"))
    }
}

impl Drop for Party {
    /// Where something has gone wrong, nobody is to be left behind.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
