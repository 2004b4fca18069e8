//! The room's server, in the hands of a crowd: what it says is kept, and it is ended as somebody would end it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::ANNOUNCED;
use crate::{Result, named};

pub struct Host {
    child: Child,
    pub addr: SocketAddr,
    outputs: Vec<JoinHandle<String>>,
}

/// What the server has said until its end, and how it ended.
pub struct Log {
    pub stdout: String,
    pub stderr: String,
    pub status: ExitStatus,
}

impl Host {
    pub fn start(program: &Path, stream: bool) -> Result<Host> {
        let mut command = Command::new(program);
        command
            .arg("server")
            .args(stream.then_some("--stream"))
            .arg("127.0.0.1:0");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(named("server"))?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("a server without an output")?);
        let stderr = child.stderr.take().ok_or("a server without an output")?;
        let mut line = String::new();
        stdout.read_line(&mut line).map_err(named("read"))?;
        let addr = line.trim_end().strip_prefix(ANNOUNCED);
        let addr = addr.and_then(|addr| addr.parse().ok());
        Ok(Host {
            addr: addr.ok_or("the server did not say where it is")?,
            child,
            outputs: vec![collect(stderr), collect(stdout)],
        })
    }

    pub fn signal(&self, signal: Signal) -> Result {
        kill(Pid::from_raw(self.child.id() as i32), signal).map_err(named("kill"))
    }

    pub fn end(mut self) -> Result<Log> {
        self.signal(Signal::SIGTERM)?;
        let status = self.child.wait().map_err(named("waitpid"))?;
        let mut next = || self.outputs.pop().and_then(|output| output.join().ok());
        let (stdout, stderr) = (next().unwrap_or_default(), next().unwrap_or_default());
        Ok(Log {
            stdout,
            stderr,
            status,
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Reads all that comes, so that nobody has to wait for a reader.
fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        // What is no text ends it; the line that is missing then is found missing.
        let _ = from.read_to_string(&mut text);
        text
    })
}

impl Log {
    /// How many lines begin with these words.
    pub fn lines<'a>(&'a self, words: &'a str) -> impl Iterator<Item = &'a str> {
        self.stdout
            .lines()
            .filter_map(move |line| line.strip_prefix(words))
    }

    /// The number that a line of stdout ends with, after these words; 0 without that line.
    pub fn number(&self, words: &str) -> usize {
        number(self.stdout.lines(), words)
    }

    /// The same of stderr.
    pub fn complaint(&self, words: &str) -> usize {
        number(self.stderr.lines(), words)
    }
}

pub fn number<'a>(mut lines: impl Iterator<Item = &'a str>, words: &str) -> usize {
    let number = lines.find_map(|line| line.strip_prefix(words)?.parse().ok());
    number.unwrap_or(0)
}
