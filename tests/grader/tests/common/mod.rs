//! What the grader's own tests share.
#![allow(dead_code, reason = "each test file uses its part")]

use grader::{Lab, Proc, Run, Story, Verdict};
use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

/// The "lab" whose program is the specimen.
pub const LAB: Lab = Lab {
    package: env!("CARGO_PKG_NAME"),
    directory: env!("CARGO_MANIFEST_DIR"),
    program: env!("CARGO_BIN_EXE_specimen"),
    places: &[],
};

/// Demands a fact of the story, and shows the story where it does not hold.
pub fn that(story: &Story, fact: bool, expected: &str) -> Verdict {
    let happened = format!(
        "the story says otherwise; the end: {:?}, the status: {:?}",
        story.end, story.status
    );
    story.demand(
        fact,
        None,
        expected,
        happened,
        "A grader that is wrong about the facts can only judge wrongly.",
    )
}

/// The process of that name.
pub fn who(story: &Story, name: &str) -> Verdict<Proc> {
    story.observed()?;
    story.find(name).ok_or_else(|| {
        story.refusal(
            None,
            format!("there is a process {name}"),
            "there is none",
            "Nobody may be overlooked.",
        )
    })
}

/// A word in the environment by which the processes of one run are known, whatever becomes of their names, sessions and
/// parents.
pub struct Mark(String);

impl Mark {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self(format!(
            "{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ))
    }

    pub const KEY: &str = "SPECIMEN_MARK";

    pub fn value(&self) -> &str {
        &self.0
    }

    /// A run of the specimen that carries the mark.
    pub fn command(&self, args: &[&str]) -> Run {
        LAB.command(args).env(Self::KEY, &self.0)
    }

    /// The specimen's processes that carry the mark and are there.
    pub fn survivors(&self) -> Vec<i32> {
        let mark = format!("{}={}", Self::KEY, self.0);
        let is_marked = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            program.ends_with("specimen")
                && environment.split(|&b| b == 0).any(|pair| pair == mark.as_bytes())
        };
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(is_marked).collect()
    }
}
