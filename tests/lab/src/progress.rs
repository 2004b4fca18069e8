//! How far the learner is: what the last run of a lab's checks left behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::labs::{Kit, Lab};
use crate::syllabus::{Step, Syllabus};

/// How a step came out when it was judged last.
#[derive(Clone, Copy, PartialEq)]
pub enum Mark {
    Passed,
    Failed,
    Undone,
    NotChecked,
    /// No run came as far as this step.
    NotReached,
}

/// What is known of a lab.
pub struct Progress {
    marks: BTreeMap<u32, Mark>,
    /// When the lab was judged last, if ever.
    pub judged: Option<SystemTime>,
    /// The learner has edited since: the marks may be out of date.
    pub changed: bool,
}

impl Progress {
    /// Reads the record; an empty one where there is none.
    pub fn read(kit: &Kit, lab: &Lab) -> Self {
        let record = kit.record("progress", lab);
        let judged = fs::metadata(&record).and_then(|meta| meta.modified()).ok();
        let edited = newest(&kit.root.join(lab.sources()));
        let marks = fs::read_to_string(&record)
            .unwrap_or_default()
            .lines()
            .filter_map(mark)
            .collect();
        Self {
            marks,
            judged,
            changed: judged.is_some() && edited > judged,
        }
    }

    /// How this step came out.
    pub fn mark(&self, step: &Step) -> Mark {
        self.marks.get(&step.number).copied().unwrap_or(Mark::NotReached)
    }

    /// How many steps passed.
    pub fn passed(&self, syllabus: &Syllabus) -> usize {
        syllabus
            .steps
            .iter()
            .filter(|step| self.mark(step) == Mark::Passed)
            .count()
    }

    /// The first step that is left to do. What this machine cannot check is no reason to stay.
    pub fn first_open<'a>(&self, syllabus: &'a Syllabus) -> Option<&'a Step> {
        syllabus
            .steps
            .iter()
            .find(|step| !matches!(self.mark(step), Mark::Passed | Mark::NotChecked))
    }
}

/// A line of the record: the step's number and what became of it.
fn mark(line: &str) -> Option<(u32, Mark)> {
    let (number, word) = line.split_once(' ')?;
    let mark = match word {
        "passed" => Mark::Passed,
        "failed" => Mark::Failed,
        "undone" => Mark::Undone,
        "not-checked" => Mark::NotChecked,
        _ => return None,
    };
    Some((number.parse().ok()?, mark))
}

/// When a file in or below a directory was written last.
fn newest(dir: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(dir).ok()?.flatten();
    let times = entries.filter_map(|entry| {
        let meta = entry.metadata().ok()?;
        if meta.is_dir() {
            newest(&entry.path())
        } else {
            meta.modified().ok()
        }
    });
    times.max()
}
