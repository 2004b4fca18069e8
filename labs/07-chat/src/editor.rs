//! The line that is being typed, where the terminal does not look after it: it hands over each key at once, and
//! shows none.

use std::mem;

use crate::wire::LONGEST;

/// What a key does.
pub enum Key {
    /// Something to the line, or nothing.
    Edit,
    /// The line is whole.
    Enter,
    /// Nothing more will be typed.
    End,
}

/// Where in an escape sequence we are: an arrow key sends `ESC [ A`.
#[derive(Default, PartialEq)]
enum Escape {
    #[default]
    Outside,
    Begun,
    Inside,
}

#[derive(Default)]
pub struct Editor {
    line: Vec<u8>,
    escape: Escape,
}

impl Editor {
    /// A key has been pressed; a character of several bytes comes as several keys.
    pub fn press(&mut self, key: u8) -> Key {
        if self.swallows(key) {
            return Key::Edit;
        }
        match key {
            b'\r' | b'\n' => return Key::Enter,
            CTRL_D if self.line.is_empty() => return Key::End,
            BACKSPACE | CTRL_H => self.erase(),
            CTRL_U => self.line.clear(),
            CTRL_W => self.erase_word(),
            // A tab has no width of its own.
            b'\t' => self.insert(b' '),
            0..b' ' => {}
            key => self.insert(key),
        }
        Key::Edit
    }

    /// The line, which begins anew.
    pub fn take(&mut self) -> Vec<u8> {
        mem::take(&mut self.line)
    }

    /// The end of the line, as much as has room in so many columns. (A character beyond ASCII is taken for a wide
    /// one: how wide it is, only the terminal knows.)
    pub fn tail(&self, columns: usize) -> String {
        let line = String::from_utf8_lossy(&self.line);
        let mut room = columns;
        let mut start = line.len();
        for (at, c) in line.char_indices().rev() {
            let width = if c.is_ascii() { 1 } else { 2 };
            if c.is_control() || width > room {
                break;
            }
            (start, room) = (at, room - width);
        }
        line[start..].to_owned()
    }

    /// Whether a key belongs to an escape sequence: none of them does anything here.
    fn swallows(&mut self, key: u8) -> bool {
        let before = mem::take(&mut self.escape);
        self.escape = match (&before, key) {
            (_, ESC) => Escape::Begun,
            (Escape::Begun, b'[' | b'O') => Escape::Inside,
            // Its last byte is a letter, `~` or the like.
            (Escape::Inside, b' '..=b'?') => Escape::Inside,
            _ => Escape::Outside,
        };
        before == Escape::Inside || self.escape != Escape::Outside
    }

    /// Of a line that is longer than any message, a byte too much is kept, so that it is known for what it is.
    fn insert(&mut self, key: u8) {
        if self.line.len() <= LONGEST {
            self.line.push(key);
        }
    }

    /// Erases a character: its last byte, and the bytes in front of it down to its first.
    fn erase(&mut self) {
        while self.line.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {}
    }

    fn erase_word(&mut self) {
        while self.line.last() == Some(&b' ') {
            self.line.pop();
        }
        while self.line.last().is_some_and(|byte| *byte != b' ') {
            self.line.pop();
        }
    }
}

const CTRL_D: u8 = 0x04;
const CTRL_H: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const CTRL_W: u8 = 0x17;
const ESC: u8 = 0x1B;
const BACKSPACE: u8 = 0x7F;
