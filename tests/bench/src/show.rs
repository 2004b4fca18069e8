//! What is shown while a benchmark runs, and the table it ends with.

use std::io::{IsTerminal, Write, stderr};

/// Tells on stderr how far it is: on a terminal in one line, which is rewritten.
pub struct Progress {
    terminal: bool,
}

impl Progress {
    pub fn new() -> Progress {
        Progress {
            terminal: stderr().is_terminal(),
        }
    }

    pub fn stage(&self, what: &str) {
        // Where stderr is gone, nobody is left to be told.
        let _ = match self.terminal {
            true => write!(stderr(), "\r\x1b[K{what} …"),
            false => writeln!(stderr(), "{what} …"),
        };
    }

    /// Makes room for what comes next.
    pub fn clear(&self) {
        if self.terminal {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Columns as wide as need be: the first to the left, the others to the right.
pub fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(at, cell)| match at {
            0 => format!("  {cell:<0$}", width(at)),
            _ => format!("  {cell:>0$}", width(at)),
        });
        cells.collect::<String>().trim_end().to_string() + "\n"
    };
    rows.iter().map(line).collect()
}

/// The value in the middle. At least one is needed.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}
