//! What the server says in words: its answers, and the reasons why it refuses.

use std::fmt::{self, Display, Formatter};

use crate::wire::LONGEST;

/// The answer to who is let in.
pub const OK: &str = "OK\n";

/// The answer to who leaves.
pub const EXIT: &str = "EXIT\n";

/// Why something is refused. Each reason is one message: one datagram, or one line.
#[derive(Debug)]
pub enum Reason {
    TooLong,
    NotUtf8,
    Unknown,
    BadName,
    Admin,
    /// Somebody else has this name.
    InUse(String),
    /// Who wants to enter is in already, under this name.
    Inside(String),
    Stranger,
    /// Who speaks in another's name has this one.
    NotYou(String),
}

impl Reason {
    /// Whether it is the answer that somebody waits for who wants to enter. It is told each time, as `OK` is: the next
    /// name may follow at once. (So these answers can flood somebody in whose name `L` is sent; see the book.)
    pub fn is_awaited(&self) -> bool {
        use Reason::{Admin, BadName, InUse, Inside};
        matches!(self, BadName | Admin | InUse(_) | Inside(_))
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Reason::TooLong => write!(f, "a message has {LONGEST} bytes at most"),
            Reason::NotUtf8 => write!(f, "a message is text in UTF-8"),
            Reason::Unknown => write!(f, "a message is L NAME, C NAME TEXT or Q NAME"),
            Reason::BadName => write!(f, "a name has 1 to 32 bytes, no space and no control character"),
            Reason::Admin => write!(f, "only the server is admin"),
            Reason::InUse(name) => write!(f, "the name {name} is in use"),
            Reason::Inside(name) => write!(f, "you are in the chat room already, as {name}"),
            Reason::Stranger => write!(f, "you are not in the chat room: enter first"),
            Reason::NotYou(name) => write!(f, "you are {name}, and speak for nobody else"),
        }
    }
}
