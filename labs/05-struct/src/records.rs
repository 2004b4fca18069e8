//! Step 5, wire: a connection carries bytes. Where a record begins and ends, only the receiver knows.
#![expect(unused, reason = "delete this line when every TODO is done")]

use crate::Result;

/// The records of one connection, as they come.
pub struct Records {
    /// How many bytes a record has.
    size: usize,
    /// What has come of the next one: never a whole one.
    begun: Vec<u8>,
}

impl Records {
    pub fn of(size: usize) -> Records {
        Records {
            size,
            begun: Vec::new(),
        }
    }

    /// Takes what one read has brought: a piece of a record, or several of them glued together. Each record that is whole
    /// goes to `done`, in order.
    pub fn add(&mut self, mut piece: &[u8], mut done: impl FnMut(&[u8]) -> Result) -> Result {
        // TODO 5: cut the stream into records of `self.size` bytes.
        //   `piece` may be less than what is missing of a record that has begun: keep it for the next time, in `self.begun`
        //   it may complete that record, and bring others, and the beginning of one more
        //   `self.begun` is empty again, after each record that is whole
        //   -> of i5sf, 40 bytes in one piece: two calls of `done`, and 8 bytes in `self.begun`
        todo!("step 5: cut the stream into records")
    }

    /// How many bytes of the next record have come.
    pub fn begun(&self) -> usize {
        self.begun.len()
    }
}
