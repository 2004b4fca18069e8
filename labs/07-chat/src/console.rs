//! What the person at the keyboard sees and types. On a terminal the line that is being typed stays intact below
//! whatever arrives; on a pipe lines are lines.

use std::collections::VecDeque;
use std::io;

use nix::errno::Errno;
use nix::unistd::read;

use crate::editor::{Editor, Key};
use crate::lines::Lines;
use crate::terminal::Terminal;
use crate::{Error, Result, print, retry};

/// How much one read takes at most.
const BUFFER: usize = 4096;

/// To the line's beginning, and erase it.
const ERASE: &str = "\r\x1b[K";

pub struct Console {
    /// None: it is a pipe or a file, on one side at least.
    terminal: Option<Terminal>,
    prompt: &'static str,
    editor: Editor,
    lines: Lines,
    /// What has been typed and not been asked for yet.
    typed: VecDeque<Vec<u8>>,
    ended: bool,
}

impl Console {
    pub fn open() -> Result<Console> {
        Ok(Console {
            terminal: Terminal::open()?,
            prompt: "",
            editor: Editor::default(),
            lines: Lines::default(),
            typed: VecDeque::new(),
            ended: false,
        })
    }

    /// Asks for a line.
    pub fn ask(&mut self, prompt: &'static str) -> Result {
        self.prompt = prompt;
        if self.terminal.is_some() {
            return self.draw("");
        }
        print(prompt.as_bytes())
    }

    /// The next line that has been typed.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        self.typed.pop_front()
    }

    /// Whether nothing more will be typed. (Lines may be left.)
    pub fn ended(&self) -> bool {
        self.ended && self.typed.is_empty()
    }

    /// Reads once what has been typed.
    pub fn read(&mut self) -> Result {
        let mut buffer = [0; BUFFER];
        match retry(|| read(io::stdin(), &mut buffer)) {
            // EIO: the terminal is gone.
            Ok(0) | Err(Errno::EIO) => {
                self.ended = true;
                self.typed.extend(self.lines.rest());
                Ok(())
            }
            Ok(len) if self.terminal.is_some() => self.press(&buffer[..len]),
            Ok(len) => {
                let typed = &mut self.typed;
                self.lines.cut(&buffer[..len], |line| {
                    typed.push_back(line.to_vec());
                    Ok(())
                })
            }
            // Who shares the open file may have been faster, or have set O_NONBLOCK.
            Err(Errno::EAGAIN) => Ok(()),
            Err(errno) => Err(Error::Call("read", errno)),
        }
    }

    /// Shows a message, on a line of its own, above the one that is being typed.
    pub fn show(&mut self, message: &[u8]) -> Result {
        let line = printable(message) + "\n";
        if self.terminal.is_some() {
            return self.draw(&line);
        }
        print(line.as_bytes())
    }

    /// Takes the terminal back: we have been stopped, and somebody else may have used it.
    pub fn resume(&mut self) -> Result {
        match &mut self.terminal {
            Some(terminal) => terminal.prepare()?,
            None => return Ok(()),
        }
        self.draw("")
    }

    /// Does what the keys are for.
    fn press(&mut self, keys: &[u8]) -> Result {
        let mut above = String::new();
        for key in keys {
            match self.editor.press(*key) {
                Key::Edit => {}
                Key::Enter => {
                    let line = self.editor.take();
                    above += &format!("{}{}\n", self.prompt, printable(&line));
                    self.prompt = "";
                    self.typed.push_back(line);
                }
                Key::End => self.ended = true,
            }
        }
        self.draw(&above)
    }

    /// Puts this in the place of the line that is being typed, and that line below.
    fn draw(&self, above: &str) -> Result {
        let columns = self.terminal.as_ref().map_or(0, Terminal::columns);
        // One column stays free: at the last one terminals differ in when they go on to the next line.
        let room = columns.saturating_sub(self.prompt.len() + 1);
        let line = self.editor.tail(room);
        print(format!("{ERASE}{above}{}{line}", self.prompt).as_bytes())
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        if self.terminal.is_some() {
            let _ = print(ERASE.as_bytes());
        }
    }
}

/// What may be shown: control characters escaped, since a terminal would obey them, and what is no text marked.
fn printable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for c in String::from_utf8_lossy(bytes).chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}
