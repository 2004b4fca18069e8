//! What a learner reads when a step fails: at most a screen, and always in the same order.

use crate::{
    lab::Lab,
    story::Story,
    verdict::{Failure, Refusal},
};
use nix::libc;
use std::{fmt::Write as _, fs, io::IsTerminal, path::Path};

/// Colours, where somebody looks at a terminal and has not asked for none.
pub struct Paint(bool);

impl Paint {
    /// For what goes to standard output (`NO_COLOR`: no-color.org).
    pub fn for_stdout() -> Self {
        Self(
            std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        )
    }

    /// For what is kept or compared.
    pub fn none() -> Self {
        Self(false)
    }

    fn wrap(&self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// What is as it should be.
    pub fn green(&self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// What is not.
    pub fn red(&self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// What is left open, or to look at.
    pub fn yellow(&self, text: &str) -> String {
        self.wrap("33", text)
    }
}

/// How wide standard output is, where it is a terminal (`TIOCGWINSZ`: `ioctl_tty(2)`), at the least 60 columns; else 104.
pub fn columns() -> usize {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the kernel fills `size`, which outlives the call; for what is no terminal it fails.
    let done = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    if done == 0 && size.ws_col > 0 {
        usize::from(size.ws_col).max(60)
    } else {
        104
    }
}

/// The step that a check belongs to: `step_3_memory_when_fork_fails` is of step 3.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// From 1.
    pub number: usize,
    /// `memory`.
    pub name: String,
}

impl Step {
    /// From the name of one of its checks.
    pub fn of(check: &str) -> Self {
        let mut words = check.split('_').skip(1);
        let number = words.next().and_then(|number| number.parse().ok()).unwrap_or(0);
        Self {
            number,
            name: words.next().unwrap_or_default().to_owned(),
        }
    }
}

/// The message for a refusal.
pub fn message(lab: &Lab, check: &str, refusal: &Refusal, paint: &Paint) -> String {
    match refusal {
        Refusal::Failed(failure) => failed(lab, check, failure, paint),
        Refusal::Undone { step, place, ran } => undone(lab, *step, place, ran),
        Refusal::NotChecked(reason) => format!("not checked: {reason}\n"),
        Refusal::Broken(what) => format!("{what}\n"),
    }
}

fn failed(lab: &Lab, check: &str, failure: &Failure, paint: &Paint) -> String {
    let story = &failure.story;
    let directory = |text: &str| text.replace(&story.directory, "DIR");
    let mut text = String::new();
    let _ = writeln!(text, "  ran       {}", story.ran());
    if !story.given.is_empty() {
        let _ = writeln!(text, "  given     {}", story.given);
    }
    let _ = writeln!(text, "  expected  {}", paint.green(&directory(&failure.expected)));
    let _ = writeln!(text, "  happened  {}", paint.red(&directory(&failure.happened)));
    if !story.events.is_empty() {
        let lanes = directory(&story.lanes(failure.at, false, columns()));
        let marked = |line: &str| {
            if line.starts_with("  ▶") {
                paint.yellow(line)
            } else {
                line.to_owned()
            }
        };
        let lanes: Vec<String> = lanes.lines().map(marked).collect();
        let _ = writeln!(text, "\n{}\n", lanes.join("\n"));
    }
    let _ = writeln!(text, "  why       {}", failure.why);
    text + &where_to_look(lab, &Step::of(check), "", check)
}

fn undone(lab: &Lab, step: usize, place: &str, ran: &str) -> String {
    let name = step_name(lab, step);
    let comma = if name.is_empty() { "" } else { ", " };
    let title = format!("  next      step {step}{comma}{name}\n  ran       {ran}\n");
    let again = format!("  then      cargo lab {}\n", lab.number());
    title + &where_to_look(lab, &Step { number: step, name }, place, "") + &again
}

impl Story {
    /// The command, as it could be typed: without the program's directory.
    pub(crate) fn ran(&self) -> String {
        let words = self.command.iter().map(String::as_str);
        let program = |word| Path::new(word).file_name().unwrap_or_default().to_string_lossy();
        let words = words
            .enumerate()
            .map(|(at, word)| if at == 0 { program(word) } else { word.into() });
        let words: Vec<_> = words.collect();
        words.join(" ").replace(&self.directory, "DIR")
    }
}

/// The name of a step stands in the lab's list of steps, its hints.
fn step_name(lab: &Lab, step: usize) -> String {
    let hints =
        fs::read_to_string(lab.root().join(format!("tests/hints/{}.md", lab.slug()))).unwrap_or_default();
    let heading = format!("## {step} ");
    hints
        .lines()
        .find_map(|line| line.strip_prefix(&heading))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn where_to_look(lab: &Lab, step: &Step, place: &str, check: &str) -> String {
    let Step { number, name } = step;
    let mut text = String::new();
    let code = match place {
        _ if lab.is_foreign() => "your program".to_owned(),
        "" => place_of(lab, step, check),
        place => place.to_owned(),
    };
    let _ = writeln!(text, "  code      {code}");
    let _ = writeln!(
        text,
        "  book      book/src/{}.md, \"Step {number}: {name}\"",
        lab.slug()
    );
    let _ = writeln!(
        text,
        "  stuck     cargo lab hint {} --step {number}",
        lab.number()
    );
    if !check.is_empty() {
        let _ = writeln!(
            text,
            "  check     {check} in tests/{}.rs",
            lab.slug().replace('-', "_")
        );
    }
    text
}

/// File and line of a step's gap, or of its code once the gap is filled.
fn place_of(lab: &Lab, step: &Step, check: &str) -> String {
    let source = Path::new(lab.directory).join("src");
    let shown = |path: &Path, line: usize| {
        let path = path
            .strip_prefix(lab.root())
            .unwrap_or(path)
            .display()
            .to_string();
        format!("{path}:{line}")
    };
    let find = |path: &Path, needle: &str| {
        let text = fs::read_to_string(path).ok()?;
        text.lines()
            .position(|line| line.contains(needle))
            .map(|line| line + 1)
    };
    let mut files: Vec<_> = fs::read_dir(&source)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let gap = files
        .iter()
        .find_map(|file| Some(shown(file, find(file, &format!("TODO {}:", step.number))?)));
    gap.unwrap_or_else(|| {
        let own = source.join(format!("{}.rs", step.name.trim_start_matches('_')));
        let declared = lab.places.iter().find(|(checks, ..)| check.starts_with(checks));
        let (file, code) = match declared {
            Some((_, file, code)) => (source.join(file), *code),
            None if own.exists() => (own, "pub fn run"),
            None => (source.join("main.rs"), "pub fn run"),
        };
        let line = find(&file, code).or_else(|| find(&file, "fn main")).unwrap_or(1);
        shown(&file, line)
    })
}
