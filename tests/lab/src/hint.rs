//! The next hint for a step: a nudge first, nearly the code last.

use std::fs;
use std::path::Path;

use crate::labs::{Kit, Lab};
use crate::paint::wrap;
use crate::progress::Progress;
use crate::syllabus::Step;
use crate::{Result, reason, say, warn};

/// Prints it, for this step or the first that is left to do.
pub fn hint(kit: &Kit, word: &str, number: Option<u32>) -> Result {
    let lab = kit.lab(word)?;
    let syllabus = kit.syllabus(lab)?;
    let step = match number {
        Some(number) => Some(syllabus.step(number)?),
        None => Progress::read(kit, lab).first_open(&syllabus),
    };
    match step {
        Some(step) => say(&next(kit, lab, step, number.is_some())),
        None => say(&format!(
            "Lab {}: no step is left to do, and none needs a hint.\n",
            lab.number
        )),
    }
}

/// The next hint that has not been shown; after the last, the last again, and where more is to be read.
fn next(kit: &Kit, lab: &Lab, step: &Step, asked_for: bool) -> String {
    let record = kit.record("hints", lab);
    let shown = shown(&record, step);
    let last = step.hints.len() - 1;
    let at = shown.min(last);
    remember(&record, step, (at + 1).min(step.hints.len()));
    let again = if shown > last { ", which was the last" } else { "" };
    let Step {
        number, name, hints, ..
    } = step;
    let mut text = format!(
        "Lab {}, step {number} {name}: hint {} of {}{again}\n\n",
        lab.number,
        at + 1,
        hints.len()
    );
    text += &format!("  {}\n\n", wrap(&hints[at], 2));
    if at < last {
        let option = if asked_for {
            format!(" --step {number}")
        } else {
            String::new()
        };
        text += &format!("The next one: cargo lab hint {}{option}\n", lab.number);
    } else {
        text += "There are no more hints. ";
        text += &format!(
            "The chapter says more: {}, section \"Step {number}: {name}\"\n",
            lab.chapter()
        );
    }
    text
}

/// How many hints for a step have been shown: the record has a line `STEP COUNT` for each step.
fn shown(record: &Path, step: &Step) -> usize {
    let text = fs::read_to_string(record).unwrap_or_default();
    let count = |line: &str| line.strip_prefix(&format!("{} ", step.number))?.parse().ok();
    text.lines().find_map(count).unwrap_or(0)
}

/// Notes that so many hints were shown. A hint is worth showing also where that cannot be noted.
fn remember(record: &Path, step: &Step, count: usize) {
    let text = fs::read_to_string(record).unwrap_or_default();
    let own = format!("{} ", step.number);
    let others = text
        .lines()
        .filter(|line| !line.starts_with(&own))
        .map(|line| format!("{line}\n"));
    let text: String = others.chain([format!("{own}{count}\n")]).collect();
    let written =
        fs::create_dir_all(record.parent().unwrap_or(record)).and_then(|()| fs::write(record, text));
    if let Err(e) = written {
        warn(format_args!("lab: {}: {}\n", record.display(), reason(e)));
    }
}
