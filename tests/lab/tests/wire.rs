//! The chat room's parser, given a million messages by chance, the same ones in every run: it never panics, and what it
//! finds in a message is what stands there.

#![allow(dead_code)] // of the two files of the solution, not all is called here

#[path = "../../../solutions/07-chat/src/notices.rs"]
mod notices;
#[path = "../../../solutions/07-chat/src/wire.rs"]
mod wire;

use arbtest::arbitrary::{self, Unstructured};
use wire::{LONGEST, Request, announcement, check_name, clean, parse};

/// What the two files take from their crate.
#[derive(Debug)]
pub enum Error {
    Refused(notices::Reason),
}
pub type Result<T = ()> = std::result::Result<T, Error>;

const MESSAGES: u64 = 1_000_000;

/// Pieces that a message is likely to have, and some that break what takes them for harmless.
const PIECES: [&[u8]; 16] = [
    b"L ",
    b"C ",
    b"Q ",
    b" ",
    b"  ",
    b"anna",
    b"admin",
    b"\n",
    b"\0",
    b"\x1b[2J",
    b"\xff",
    b"\xc2",
    b"\xc2\x85",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
    &[b'x'; 1000],
];

#[test]
fn a_million_messages() {
    let mut understood = [0_u64; 3];
    for n in 1..=MESSAGES {
        // What arbtest calls a seed: in its lower half, how many bytes chance has to play with.
        let seed = n.wrapping_mul(0x9E37_79B9) << 32 | (n % 64);
        let property = |chance: &mut Unstructured| {
            if let Some(kind) = judge(&message(chance)?) {
                understood[kind] += 1;
            }
            Ok(())
        };
        arbtest::arbtest(property).seed(seed).run();
    }
    // Chance has been to every corner.
    assert!(
        understood.iter().all(|&kind| kind > MESSAGES / 100),
        "{understood:?}"
    );
}

fn message(chance: &mut Unstructured) -> arbitrary::Result<Vec<u8>> {
    // Every second one begins well.
    let mut message = match chance.arbitrary()? {
        true => chance.choose(&PIECES[..3])?.to_vec(),
        false => Vec::new(),
    };
    while !chance.is_empty() {
        match chance.ratio(3, 4)? {
            true => message.extend(*chance.choose(&PIECES)?),
            false => message.push(chance.arbitrary()?),
        }
    }
    Ok(message)
}

/// Which request it is; none for what means nothing.
fn judge(message: &[u8]) -> Option<usize> {
    let text = str::from_utf8(message).unwrap_or_default();
    // What the announcer reads goes the same way as what a member says.
    if let Some(line) = announcement(text) {
        assert!(line.len() <= LONGEST + 1, "{line:?}");
        assert_eq!(line.matches('\n').count(), 1, "{line:?}");
    }
    let Ok(request) = parse(message) else { return None };
    assert!(message.len() <= LONGEST);
    let (kind, name, again) = match request {
        Request::Enter(name) => (0, name, format!("L {name}")),
        Request::Say { name, text } => {
            assert_eq!(clean(text).count(), text.chars().count());
            assert!(!clean(text).any(char::is_control), "{text:?}");
            (1, name, format!("C {name} {text}"))
        }
        Request::Leave(name) => (2, name, format!("Q {name}")),
    };
    assert_eq!(again.as_bytes(), message);
    if check_name(name).is_ok() {
        assert!((1..=32).contains(&name.len()) && name != "admin", "{name:?}");
        assert!(!name.contains([' ', '\n', '\t', '\0', '\x1b']), "{name:?}");
    }
    Some(kind)
}
