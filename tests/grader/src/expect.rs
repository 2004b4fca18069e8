//! What checks demand again and again, with the words for a learner.

use crate::{
    look::Look,
    story::{Ending, MAIN, Proc, Story, What},
    verdict::Verdict,
};
use nix::libc;
use predicates::prelude::*;
use std::collections::BTreeSet;

/// Why outputs are judged to the letter.
const CONTRACT: &str = "The output is the step's contract, to the letter: other programs will read it.";

impl Story {
    /// The run is over, and main ended with this exit status.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_exit(&self, code: i32) -> Verdict {
        self.expect_over()?;
        if self.status == Some(Ending::Exited(code)) {
            return Ok(());
        }
        let happened = format!("it {}{}", self.ending(), self.said());
        let at = self.end_of(MAIN).map(|(at, _)| at);
        let why = "The exit status is all that a shell, a script or a parent learns of how it went.";
        Err(self.refusal(at, format!("the program exits with {code}"), happened, why))
    }

    /// How main ended, as the second half of a sentence.
    pub fn ending(&self) -> String {
        match self.status {
            Some(Ending::Exited(101)) => "panicked (exit status 101)".to_owned(),
            Some(Ending::Exited(status)) => format!("exited with {status}"),
            Some(Ending::Killed(signal)) => format!("was killed by {}", crate::signal_name(signal)),
            None => "never ended".to_owned(),
        }
    }

    /// The last line of standard error, with a colon in front of it; empty where there is none.
    pub fn said(&self) -> String {
        if self.stderr.is_empty() {
            String::new()
        } else {
            format!(": {}", self.last_words())
        }
    }

    fn last_words(&self) -> String {
        let text = self.stderr();
        let mut lines = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.starts_with("note: "));
        lines.next_back().unwrap_or_default().to_owned()
    }

    /// Standard output is exactly this text.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_stdout(&self, text: &str) -> Verdict {
        self.expect_output(
            predicate::str::diff(text.to_owned()).eval(&self.stdout()),
            quoted(text),
        )
    }

    /// Standard output is exactly these lines, in this order.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_lines(&self, lines: &[impl AsRef<str>]) -> Verdict {
        let text: String = lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect();
        self.expect_stdout(&text)
    }

    /// Standard output is exactly these lines, in any order.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_lines_in_any_order(&self, lines: &[impl AsRef<str>]) -> Verdict {
        let stdout = self.stdout();
        let wanted: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
        let got: Vec<&str> = stdout.lines().collect();
        let (missing, surplus) = (without(&wanted, &got), without(&got, &wanted));
        let told = |what: &str, lines: &[String]| match lines {
            [] => None,
            lines => Some(format!("{what} {}", self.named(&lines.join(", ")))),
        };
        let unfinished = (!stdout.is_empty() && !stdout.ends_with('\n'))
            .then(|| "the last line has no newline".to_owned());
        let differences = [told("missing", &missing), told("too much", &surplus), unfinished];
        let happened: Vec<String> = differences.into_iter().flatten().collect();
        let expected: Vec<String> = wanted.iter().map(|line| quoted(&self.named(line))).collect();
        let said = if stdout.is_empty() {
            self.said()
        } else {
            String::new()
        };
        self.demand(
            happened.is_empty(),
            None,
            format!(
                "standard output is these lines, in any order: {}",
                expected.join(", ")
            ),
            happened.join("; ") + &said,
            CONTRACT,
        )
    }

    fn expect_output(&self, fits: bool, wanted: String) -> Verdict {
        let stdout = self.stdout();
        let got = if stdout.is_empty() {
            "it printed nothing".to_owned()
        } else {
            format!("it printed {}", quoted(&stdout))
        };
        let happened = format!(
            "{got}{}",
            if stdout.is_empty() {
                self.said()
            } else {
                String::new()
            }
        );
        let named = |text: String| self.named(&text);
        self.demand(
            fits,
            None,
            named(format!("standard output is {wanted}")),
            named(happened),
            CONTRACT,
        )
    }

    /// The line was written once, and by that process; answers when.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_line_by(&self, line: &str, who: Proc) -> Verdict<usize> {
        self.observed()?;
        let writers = self.writers_of(line);
        if let [(at, writer)] = writers[..]
            && writer == who
        {
            return Ok(at);
        }
        let shown = quoted(&self.named(line));
        let by: Vec<&str> = writers.iter().map(|&(_, who)| self.name(who)).collect();
        let happened = match by[..] {
            [] => "nobody wrote that line as a line of its own".to_owned(),
            [one] => format!("{one} wrote it"),
            _ => format!("it was written {} times, by {}", by.len(), by.join(", ")),
        };
        let why = "A line tells what its process knows; written by another it proves nothing about the one it names.";
        let at = writers.iter().map(|&(at, _)| at).max();
        Err(self.refusal(
            at,
            format!("{} writes {shown}, once", self.name(who)),
            happened,
            why,
        ))
    }

    /// No write carries more than one line: each event is visible when it happens, also through a pipe.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_prompt_lines(&self) -> Verdict {
        self.observed()?;
        let lines = |text: &str| text.trim_end_matches('\n').split('\n').count();
        let late = self.all_writes("stdout").filter(|(_, _, text)| lines(text) > 1);
        let Some((at, who, text)) = late.min_by_key(|&(at, who, _)| (who, at)) else {
            return Ok(());
        };
        let happened = format!(
            "{} wrote {} lines at once: they had been kept in a buffer",
            self.name(who),
            lines(text)
        );
        let why = "Through a pipe a C or Rust program's output may be kept until the buffer is full or the process ends.";
        Err(self.refusal(
            Some(at),
            "each line is written at once, by a write of its own",
            happened,
            why,
        ))
    }

    /// The run had exactly the processes of these names, `main` among them.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_processes(&self, names: &[impl AsRef<str>]) -> Verdict {
        self.observed()?;
        let got: Vec<&str> = self
            .processes
            .iter()
            .map(|process| process.name.as_str())
            .collect();
        let missing: Vec<&str> = names
            .iter()
            .map(AsRef::as_ref)
            .filter(|name| !got.contains(name))
            .collect();
        let mut surplus: Vec<&str> = got
            .iter()
            .copied()
            .filter(|name| !names.iter().any(|wanted| wanted.as_ref() == *name))
            .collect();
        surplus.sort_unstable();
        let happened = match (&missing[..], &surplus[..]) {
            ([], []) => return Ok(()),
            ([], _) => format!("{} too: {}", there_were(surplus.len()), listed(&surplus)),
            ([one], []) => format!("{one} was never born"),
            (_, []) => format!("{} were never born", listed(&missing)),
            _ => format!(
                "{} was never born, and {} was",
                listed(&missing),
                listed(&surplus)
            ),
        };
        let at = surplus
            .first()
            .and_then(|name| self.find(name))
            .map(|who| self.processes[who].born);
        let why =
            "fork makes exactly one new process, and both run on from there: who is meant to stop must stop.";
        let wanted: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let expected = format!(
            "the processes of the run are {} (c1 is main's first child, c1.1 is c1's)",
            listed(&wanted)
        );
        Err(self.refusal(at, expected, happened, why))
    }

    /// The descriptors that main has now, when it sleeps: each with what it is.
    pub fn descriptors(&self) -> BTreeSet<String> {
        let look = Look::at(self.pid(MAIN));
        let all = look.into_iter().flat_map(|look| look.descriptors);
        all.map(|(fd, what)| format!("{fd} ({what})")).collect()
    }

    /// Main has the descriptors again that it had `at_rest`, since all `clients` (how the lab calls them) have gone.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_descriptors(&self, at_rest: &BTreeSet<String>, clients: &str) -> Verdict {
        let now = self.descriptors();
        if now == *at_rest {
            return Ok(());
        }
        let left: Vec<&str> = now.difference(at_rest).map(String::as_str).collect();
        let gone: Vec<&str> = at_rest.difference(&now).map(String::as_str).collect();
        let happened = match left[..] {
            [] => format!("closed is also {}", gone.join(", ")),
            _ => format!("still open: {}", left.join(", ")),
        };
        let expected =
            format!("when all {clients} have gone, the server has the descriptors that it began with");
        let why = format!(
            "A descriptor that outlives its connection is never given back: after some thousand {clients} there is none left."
        );
        Err(self.refusal(None, expected, happened, why))
    }

    /// No other process and no thread was made: one serves all `clients` (how the lab calls them).
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_one_thread(&self, clients: &str) -> Verdict {
        self.observed()?;
        let makes = |what: &What| matches!(what, What::Spawns | What::Forks { .. });
        let made = self.events.iter().position(|event| makes(&event.what));
        self.demand(
            made.is_none(),
            made,
            format!("one process with one thread serves all {clients}"),
            "it made another",
            "That is what poll and epoll are for: to wait for many descriptors in one place.",
        )
    }

    /// The process ended and was reaped by that parent; answers when it was reaped.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_reaped_by(&self, child: Proc, parent: Proc) -> Verdict<usize> {
        self.observed()?;
        let happened = match self.reaping_of(child) {
            Some((at, by)) if by == parent => return Ok(at),
            Some((_, by)) => format!("{} reaped it", self.name(by)),
            None if self.left_zombie(child).is_some() => {
                format!(
                    "{} ended without having reaped it: a zombie to the last",
                    self.name(parent)
                )
            }
            None if self.was_auto_reaped(child) => "the kernel reaped it: SIGCHLD was ignored".to_owned(),
            None if self.adoption_of(child).is_some() => {
                format!(
                    "{0} ended while {1} still lived; {1} was adopted by another process",
                    self.name(parent),
                    self.name(child)
                )
            }
            None => "nobody ever did".to_owned(),
        };
        let orphaned = self.reaping_of(child).is_none() && self.adoption_of(child).is_some();
        let at = self
            .left_zombie(child)
            .or_else(|| self.adoption_of(child).filter(|_| orphaned).map(|(at, _)| at))
            .or_else(|| self.end_of(child).map(|(at, _)| at));
        let why = if orphaned {
            "A parent that leaves before its child never learns how it ended: wait for it."
        } else {
            "Until its parent has waited for it, a child that ended keeps its process id and its exit status: a zombie."
        };
        Err(self.refusal(
            at,
            format!("{} reaps {}", self.name(parent), self.name(child)),
            happened,
            why,
        ))
    }

    /// Every process but main was reaped by the one that forked it.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_all_reaped(&self) -> Verdict {
        for who in 1..self.processes.len() {
            self.expect_reaped_by(who, self.processes[who].parent.unwrap_or(MAIN))?;
        }
        self.observed()
    }

    /// Event `first` came before event `second`.
    ///
    /// # Errors
    /// A refusal with these words; the second event is marked.
    pub fn expect_before(
        &self,
        first: usize,
        second: usize,
        expected: &str,
        happened: &str,
        why: &str,
    ) -> Verdict {
        self.demand(first < second, Some(second), expected, happened, why)
    }

    /// Wrong usage: exit status 2, nothing on standard output, something on standard error, and nothing else has happened.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_usage_error(&self) -> Verdict {
        self.expect_over()?;
        let happened = format!("it {}", self.ending());
        let why = "A script that calls a program wrongly must be able to tell: 2 is what the shell's own commands answer.";
        let refused = self.status == Some(Ending::Exited(2));
        self.demand(
            refused,
            None,
            "these arguments are refused with exit status 2",
            happened,
            why,
        )?;
        let why = "A program that was called wrongly says so and does nothing: no half-done job, no output for a pipe to eat.";
        self.demand(
            self.stdout.is_empty(),
            None,
            "nothing on standard output",
            format!("it printed {}", quoted(&self.stdout())),
            why,
        )?;
        self.demand(
            !self.stderr().trim().is_empty(),
            None,
            "standard error says what is wrong",
            "it said nothing",
            why,
        )?;
        self.expect_no_file()?;
        self.expect_processes(&["main"])
    }

    /// A call failed and was reported: exit status 1, `NAME: …` in one line on standard error, every child reaped.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_error_line(&self, name: &str) -> Verdict {
        self.expect_error_told(name)?;
        self.expect_all_reaped()
    }

    /// A call failed and was reported: exit status 1, and `NAME: …` in one line on standard error.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_error_told(&self, name: &str) -> Verdict {
        self.expect_over()?;
        let happened = format!("it {}{}", self.ending(), self.said());
        let why = "A failure that is not passed on looks like success to whoever called the program.";
        let failed = self.status == Some(Ending::Exited(1));
        self.demand(
            failed,
            None,
            "the failed call is told on standard error, and the exit status is 1",
            happened,
            why,
        )?;
        let stderr = self.stderr();
        let fits =
            stderr.lines().count() == 1 && stderr.starts_with(&format!("{name}: ")) && stderr.ends_with('\n');
        let why = "Who reads the message has only these words to find out which call failed, and why.";
        let happened = if stderr.is_empty() {
            "it said nothing".to_owned()
        } else {
            format!("it said {}", quoted(&stderr))
        };
        self.demand(
            fits,
            None,
            format!("one line on standard error: `{name}: CALL: REASON`"),
            happened,
            why,
        )
    }

    /// Its reader had gone: it ended without a word, with status 0, 1 or by `SIGPIPE`, and so did its children.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_end_without_reader(&self) -> Verdict {
        self.expect_over()?;
        let fits = matches!(
            self.status,
            Some(Ending::Exited(0 | 1) | Ending::Killed(libc::SIGPIPE))
        );
        let happened = format!("it {}", self.ending());
        let why =
            "In a pipeline like `| head -1` the reader leaves first, and that is no fault of anybody's.";
        self.demand(
            fits,
            None,
            "it ends with status 0, 1 or by SIGPIPE when nobody reads any more",
            happened,
            why,
        )?;
        self.demand(
            self.stderr.is_empty(),
            None,
            "it ends without a word when nobody reads any more",
            format!("it said {}", quoted(&self.stderr())),
            why,
        )
    }

    /// The directory of the run is empty.
    ///
    /// # Errors
    /// A refusal.
    pub fn expect_no_file(&self) -> Verdict {
        let why = "What a program leaves behind, the next one stumbles over.";
        let name =
            |entry: std::io::Result<std::fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
        let names: std::io::Result<Vec<String>> =
            std::fs::read_dir(&self.directory).and_then(|entries| entries.map(name).collect());
        let names = names.map_err(|error| {
            self.refusal(
                None,
                "the directory that it ran in is left as it was",
                format!("it cannot be read: {error}"),
                why,
            )
        })?;
        self.demand(
            names.is_empty(),
            None,
            "no file is left behind",
            format!("there is {}", names.join(", ")),
            why,
        )
    }
}

/// What is in `all` and not in `others`, each as often as it is too many, sorted and quoted.
fn without(all: &[&str], others: &[&str]) -> Vec<String> {
    let mut others = others.to_vec();
    let is_left = |line: &&&str| match others.iter().position(|other| *other == **line) {
        Some(place) => {
            others.swap_remove(place);
            false
        }
        None => true,
    };
    let mut left: Vec<String> = all.iter().filter(is_left).map(|line| quoted(line)).collect();
    left.sort();
    left
}

fn there_were(n: usize) -> String {
    if n == 1 {
        "there was 1 more".to_owned()
    } else {
        format!("there were {n} more")
    }
}

/// The first few names, and how many more.
fn listed(names: &[&str]) -> String {
    match names {
        [first, second, third, fourth, rest @ ..] if rest.len() > 1 => {
            format!("{first}, {second}, {third}, {fourth} and {} more", rest.len())
        }
        _ => names.join(", "),
    }
}

/// The text in quotation marks, its newlines visible, cut where it gets long.
pub(crate) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(300).collect();
    let cut = if shown.len() < text.len() { " …" } else { "" };
    format!("{shown:?}{cut}")
}
