//! What this machine offers, and what to do about what is missing.

mod kernel;
mod limits;
mod sys;
mod tools;

use std::io;
use std::process::ExitCode;

use crate::paint::Paint;
use crate::{Result, say};

/// What one look at the machine gave.
struct Finding {
    about: &'static str,
    grade: Grade,
    found: String,
    /// What to do about it; empty where nothing has to be done.
    advice: String,
}

#[derive(PartialEq)]
enum Grade {
    Good,
    /// Missing, and the labs go without.
    Spare,
    /// Missing, and labs cannot be judged fully without.
    Bad,
}

impl Finding {
    fn good(about: &'static str, found: impl Into<String>) -> Self {
        Self::new(about, Grade::Good, found.into(), String::new())
    }

    fn spare(about: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(about, Grade::Spare, found.into(), advice.into())
    }

    fn bad(about: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(about, Grade::Bad, found.into(), advice.into())
    }

    fn new(about: &'static str, grade: Grade, found: String, advice: String) -> Self {
        Self {
            about,
            grade,
            found,
            advice,
        }
    }

    fn line(&self, paint: Paint) -> String {
        let grade = match self.grade {
            Grade::Good => paint.green("ok     "),
            Grade::Spare => paint.yellow("without"),
            Grade::Bad => paint.red("MISSING"),
        };
        let advice = if self.advice.is_empty() {
            String::new()
        } else {
            format!("\n{:24}{}", "", self.advice)
        };
        format!("  {grade}  {:9}  {}{advice}\n", self.about, self.found)
    }
}

/// Prints what was found; fails where labs cannot be judged fully.
pub fn doctor() -> Result {
    let paint = Paint::on(&io::stdout());
    let mut findings = kernel::look();
    findings.extend(limits::look());
    findings.extend(tools::look());
    let good = !findings.iter().any(|finding| finding.grade == Grade::Bad);
    let (verdict, code) = if good {
        ("The labs can be judged fully.", ExitCode::SUCCESS)
    } else {
        (
            "Some steps cannot be judged fully here: they are reported as \"not checked\", not as failed.",
            ExitCode::FAILURE,
        )
    };
    let lines: String = findings.iter().map(|finding| finding.line(paint)).collect();
    say(&format!(
        "{}\n\n{lines}\n{verdict}\n",
        paint.bold("What this machine offers")
    ))?;
    Ok(code)
}
