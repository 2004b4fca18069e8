//! The labs, their steps, how far the learner is, and what comes next.

use std::io;

use crate::labs::{Kit, Lab};
use crate::paint::{Paint, wrap};
use crate::progress::{Mark, Progress};
use crate::syllabus::{Step, Syllabus};
use crate::{Result, say};

struct Row<'a> {
    lab: &'a Lab,
    syllabus: Syllabus,
    progress: Progress,
}

/// Prints them.
pub fn overview(kit: &Kit) -> Result {
    let paint = Paint::on(&io::stdout());
    let mut rows = Vec::new();
    for lab in &kit.labs {
        rows.push(Row {
            lab,
            syllabus: kit.syllabus(lab)?,
            progress: Progress::read(kit, lab),
        });
    }
    let next = next(&rows);
    let title = paint.bold("From fork to chat room");
    let mut text = format!("{title}\n{}\n", legend(paint));
    for (at, row) in rows.iter().enumerate() {
        text += &row.heading(paint);
        text += &if Some(at) == next {
            row.in_full(paint)
        } else {
            row.in_short(paint)
        };
    }
    text += &match next {
        Some(at) => rows[at].what_next(kit, rows.iter().all(|row| row.progress.judged.is_none()), paint),
        None => "\nEvery lab is done. To go further, see the end of each chapter.\n".into(),
    };
    say(&text)
}

/// The lab to go on with: the one judged last if something is left to do in it, or else the first after it.
fn next(rows: &[Row]) -> Option<usize> {
    let latest = (0..rows.len()).max_by_key(|&at| (rows[at].progress.judged, usize::MAX - at))?;
    let open = |&at: &usize| rows[at].progress.first_open(&rows[at].syllabus).is_some();
    (latest..rows.len()).chain(0..latest).find(open)
}

impl Row<'_> {
    fn heading(&self, paint: Paint) -> String {
        let changed = if self.progress.changed {
            ", changed since"
        } else {
            ""
        };
        let passed = self.progress.passed(&self.syllabus);
        let count = format!("{passed} of {} steps{changed}", self.syllabus.steps.len());
        format!("\n{}  {}\n", paint.bold(&self.syllabus.title), paint.dim(&count))
    }

    /// All steps on one line.
    fn in_short(&self, paint: Paint) -> String {
        let step = |step: &Step| {
            let mark = self.progress.mark(step);
            format!(
                "  {} {} {}",
                colour(mark, sign(mark), paint),
                step.number,
                step.name
            )
        };
        self.syllabus
            .steps
            .iter()
            .map(step)
            .chain(["\n".into()])
            .collect()
    }

    /// A line or more for each step: what it asks for.
    fn in_full(&self, paint: Paint) -> String {
        let width = self
            .syllabus
            .steps
            .iter()
            .map(|step| step.name.len())
            .max()
            .unwrap_or(0);
        let line = |step: &Step| {
            let mark = self.progress.mark(step);
            let about = wrap(&format!("{}{}", step.about, remark(mark)), 8 + width);
            let sign = colour(mark, sign(mark), paint);
            format!("  {sign} {} {:width$}  {about}\n", step.number, step.name)
        };
        self.syllabus.steps.iter().map(line).collect()
    }

    fn what_next(&self, kit: &Kit, nothing_yet: bool, paint: Paint) -> String {
        let Some(step) = self.progress.first_open(&self.syllabus) else {
            return String::new();
        };
        let Self { lab, progress, .. } = self;
        let (number, name) = (step.number, &step.name);
        let opening = if nothing_yet {
            "Nothing has been run yet. Start with"
        } else {
            "Next:"
        };
        let changed = if progress.changed {
            ", which has changed since it was judged"
        } else {
            ""
        };
        let places = [
            (lab.chapter(), "what to read"),
            (lab.step_file(&kit.root, number, name), "where to write"),
            (format!("cargo lab {}", lab.number), "judges it"),
            (format!("cargo lab hint {}", lab.number), "if you are stuck"),
        ];
        let width = places.iter().map(|(place, _)| place.len()).max().unwrap_or(0);
        let line = |(place, what): &(String, &str)| {
            format!("  {}  {what}\n", paint.bold(&format!("{place:width$}")))
        };
        let opening = format!("\n{opening} lab {}, step {number} {name}{changed}\n", lab.number);
        [opening].into_iter().chain(places.iter().map(line)).collect()
    }
}

/// The signs that a verdict has too; the dot is for a step that has none yet.
fn sign(mark: Mark) -> &'static str {
    match mark {
        Mark::Passed => "✓",
        Mark::Failed => "✗",
        Mark::NotChecked => "–",
        Mark::Undone => "○",
        Mark::NotReached => "·",
    }
}

/// What the signs stand for.
fn legend(paint: Paint) -> String {
    let all = [
        (Mark::Passed, "passed"),
        (Mark::Failed, "failed"),
        (Mark::Undone, "not done yet"),
        (Mark::NotChecked, "not checked here"),
        (Mark::NotReached, "not judged yet"),
    ];
    let told = all.map(|(mark, words)| format!("{} {}", colour(mark, sign(mark), paint), paint.dim(words)));
    told.join("  ")
}

fn colour(mark: Mark, text: &str, paint: Paint) -> String {
    match mark {
        Mark::Passed => paint.green(text),
        Mark::Failed => paint.red(text),
        Mark::NotChecked | Mark::Undone => paint.yellow(text),
        Mark::NotReached => text.into(),
    }
}

fn remark(mark: Mark) -> &'static str {
    match mark {
        Mark::Failed => " (failed)",
        Mark::Undone => " (not done yet)",
        Mark::NotChecked => " (not checked here; `cargo lab doctor` says why)",
        Mark::Passed | Mark::NotReached => "",
    }
}
