//! Lines, out of bytes that come as they like.

use std::mem;

use crate::Result;
use crate::wire::LONGEST;

/// The line that has begun and not ended yet. Of one that is longer than a message may be, a byte too much is kept,
/// so that it is known for what it is, and the rest forgotten.
#[derive(Default)]
pub struct Lines(Vec<u8>);

impl Lines {
    // ANCHOR: cut
    /// Takes what has come, and passes on the lines that are whole now, without their newlines.
    pub fn cut(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8]) -> Result) -> Result {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                // As a rule a line comes in one piece, and need not be copied.
                Some(line) if self.0.is_empty() => each(line)?,
                Some(end) => {
                    self.keep(end);
                    each(&mem::take(&mut self.0))?;
                }
                None => self.keep(piece),
            }
        }
        Ok(())
    }
    // ANCHOR_END: cut

    /// The last line, if it lacks its newline.
    pub fn rest(&mut self) -> Option<Vec<u8>> {
        let rest = mem::take(&mut self.0);
        (!rest.is_empty()).then_some(rest)
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST + 1 - self.0.len();
        self.0.extend(&bytes[..bytes.len().min(room)]);
    }
}
