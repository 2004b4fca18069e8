//! The steps of a lab and their hints, as `tests/hints/NN-NAME.md` lists them.

use std::path::Path;

use crate::args::usage;
use crate::{Result, trouble};

#[derive(Default)]
pub struct Syllabus {
    pub title: String,
    pub steps: Vec<Step>,
}

#[derive(Default)]
pub struct Step {
    pub number: u32,
    pub name: String,
    /// What the step asks for, in a sentence.
    pub about: String,
    pub hints: Vec<String>,
}

impl Syllabus {
    /// Reads the file at `path`, which is relative to `root`.
    pub fn read(root: &Path, path: &str) -> Result<Self> {
        let text = std::fs::read_to_string(root.join(path)).map_err(|e| trouble(path, e))?;
        Self::parse(&text).map_err(|why| trouble(path, why))
    }

    /// A step by the number that the learner gave.
    pub fn step(&self, number: u32) -> Result<&Step> {
        match self.steps.iter().find(|step| step.number == number) {
            Some(step) => Ok(step),
            None => usage(format!(
                "no step {number}, this lab has steps 1 to {}",
                self.steps.len()
            )),
        }
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        let mut syllabus = Self::default();
        for (at, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            syllabus
                .take(line.trim())
                .map_err(|why| format!("line {}: {why}", at + 1))?;
        }
        match syllabus.steps.iter().find(|step| step.hints.is_empty()) {
            Some(step) => Err(format!("step {} has no hint", step.number)),
            None if syllabus.steps.is_empty() => Err("no step".into()),
            None => Ok(syllabus),
        }
    }

    fn take(&mut self, line: &str) -> std::result::Result<(), String> {
        let next = self.steps.len() as u32 + 1;
        if let Some(heading) = line.strip_prefix("## ") {
            let (number, name) = heading
                .split_once(' ')
                .ok_or("a step needs a number and a name")?;
            if number.parse() != Ok(next) {
                return Err(format!("step {next} expected, not `{number}`"));
            }
            self.steps.push(Step {
                number: next,
                name: name.into(),
                ..Step::default()
            });
        } else if let Some(title) = line.strip_prefix("# ") {
            self.title = title.into();
        } else {
            let step = self.steps.last_mut().ok_or("a step's heading expected")?;
            match line.strip_prefix("- ") {
                Some(hint) => step.hints.push(hint.into()),
                None if step.about.is_empty() => step.about = line.into(),
                None => return Err("one line for what a step asks for, and one for each hint".into()),
            }
        }
        Ok(())
    }
}
