//! The Python that is installed here, asked live.

use crate::{LAB, chance, table::prints};
use grader::{Refusal, Verdict};
use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// The table says what this Python says, and so does the program, of formats by chance.
///
/// # Errors
/// A refusal; not checked where there is no `python3`.
pub fn agrees() -> Verdict {
    let mut python = Python::start()?;
    chance::each(&["", "@", "=", "<", ">", "!"], |case| {
        let answer = python.answer(&case.format, &case.values).map_err(failed)?;
        let (size, hex) = answer
            .split_once(' ')
            .ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))?;
        let format = case.format.as_bytes();
        prints(&[b"calcsize", format], size.as_bytes())?;
        let args: Vec<&[u8]> = [b"pack", format]
            .into_iter()
            .chain(case.values.iter().map(Vec::as_slice))
            .collect();
        prints(&args, hex.as_bytes())
    })?;
    // A learner's answer has nothing to do with this one.
    if LAB.package.starts_with("solution-") {
        table_is_python_s()
    } else {
        Ok(())
    }
}

/// What `table.py` prints now is the table, but for the version in its first line.
fn table_is_python_s() -> Verdict {
    let output = Command::new("python3").arg(SCRIPT).output().map_err(failed)?;
    let now = String::from_utf8_lossy(&output.stdout);
    let differs = include_str!("table.txt")
        .lines()
        .skip(1)
        .zip(now.lines().skip(1))
        .find(|(kept, now)| kept != now);
    let complete = now.lines().count() == include_str!("table.txt").lines().count();
    match differs {
        None if complete => Ok(()),
        None => Err(Refusal::Broken(format!(
            "{SCRIPT} makes another table: {}",
            String::from_utf8_lossy(&output.stderr)
        ))),
        Some((kept, now)) => Err(Refusal::Broken(format!(
            "{SCRIPT}: the table has {kept:?}, and this Python says {now:?}"
        ))),
    }
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/05_struct/table.py");

fn failed(error: io::Error) -> Refusal {
    Refusal::Broken(format!("python3 {SCRIPT}: {error}"))
}

/// A Python that answers questions; its end comes with the end of its input.
struct Python {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    fn start() -> Verdict<Self> {
        let mut command = Command::new("python3");
        command
            .args([SCRIPT, "--answer"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let absent =
            |error| Refusal::NotChecked(format!("python3: {error}; install it to have it asked live"));
        let mut child = command.spawn().map_err(absent)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (questions, answers) = pipes.ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        Ok(Self {
            child,
            questions,
            answers: BufReader::new(answers),
        })
    }

    /// The size, and the bytes in hex; a minus sign when Python refuses.
    fn answer(&mut self, format: &str, values: &[Vec<u8>]) -> io::Result<String> {
        let escape = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("\\x{byte:02x}"))
                .collect::<String>()
        };
        let fields: Vec<String> = std::iter::once(format.as_bytes())
            .chain(values.iter().map(Vec::as_slice))
            .map(escape)
            .collect();
        writeln!(self.questions, "{}", fields.join("\t"))?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim_end_matches('\n').to_owned())
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It may be in the middle of an answer that nobody reads any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
