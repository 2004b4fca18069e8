//! The wire: one datagram or one line a message, and what each may say.

use crate::notices::Reason;
use crate::{Error, Result};

/// How many bytes a message may have.
pub const LONGEST: usize = 1024;

/// How many bytes a name may have.
const LONGEST_NAME: usize = 32;

/// The name under which the server itself speaks.
const ADMIN: &str = "admin";

/// What a client wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Request<'a> {
    Enter(&'a str),
    Say { name: &'a str, text: &'a str },
    Leave(&'a str),
}

/// What a message means. What it does not mean is refused.
pub fn parse(message: &[u8]) -> Result<Request<'_>> {
    if message.len() > LONGEST {
        return Err(Error::Refused(Reason::TooLong));
    }
    let Ok(message) = str::from_utf8(message) else {
        return Err(Error::Refused(Reason::NotUtf8));
    };
    let mut words = message.splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        // The text is all after the second space, with whatever blanks there are in it.
        (Some("C"), Some(name), Some(text)) => Ok(Request::Say { name, text }),
        (Some("L"), Some(_), _) => Ok(Request::Enter(&message[2..])),
        (Some("Q"), Some(_), _) => Ok(Request::Leave(&message[2..])),
        _ => Err(Error::Refused(Reason::Unknown)),
    }
}

/// Whether somebody may be called that.
pub fn check_name(name: &str) -> Result {
    if name == ADMIN {
        return Err(Error::Refused(Reason::Admin));
    }
    let odd = |c: char| c.is_whitespace() || c.is_control();
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains(odd) {
        return Err(Error::Refused(Reason::BadName));
    }
    Ok(())
}

/// A text without control characters: a newline could forge somebody else's words, and an escape sequence does what it
/// likes with the reader's terminal.
pub fn clean(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|c| if c.is_control() { '?' } else { c })
}

/// What the server itself has to say, as a line. None: it is longer than a message may be.
pub fn announcement(text: &str) -> Option<String> {
    let mut line = format!("{ADMIN}: ");
    line.extend(clean(text));
    (line.len() <= LONGEST).then(|| line + "\n")
}
