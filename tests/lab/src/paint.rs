//! Colours, where they are wanted, and lines that fit a screen.

use std::env;
use std::io::IsTerminal;

/// Colours text, or leaves it as it is.
#[derive(Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    /// Colours are for a terminal whose user has not said otherwise (<https://no-color.org>).
    pub fn on(stream: &impl IsTerminal) -> Self {
        Self(stream.is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    pub fn is_on(self) -> bool {
        self.0
    }

    pub fn bold(self, text: &str) -> String {
        self.code("1", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.code("2", text)
    }

    pub fn red(self, text: &str) -> String {
        self.code("31", text)
    }

    pub fn green(self, text: &str) -> String {
        self.code("32", text)
    }

    pub fn yellow(self, text: &str) -> String {
        self.code("33", text)
    }

    fn code(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.into()
        }
    }
}

/// Breaks text between words into lines of at most 80 columns; all but the first are indented.
pub fn wrap(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut column = indent;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > indent && column + 1 + width > 80 {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            column = indent;
        } else if column > indent {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += width;
    }
    lines
}
