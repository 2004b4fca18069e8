//! Right for step 5 (wire). Replaces src/records.rs.
//! Everything goes to the end of one buffer, and whole records are cut off its front.

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
    pub fn add(&mut self, piece: &[u8], mut done: impl FnMut(&[u8]) -> Result) -> Result {
        self.begun.extend_from_slice(piece);
        while self.begun.len() >= self.size {
            let rest = self.begun.split_off(self.size);
            done(&self.begun)?;
            self.begun = rest;
        }
        Ok(())
    }

    /// How many bytes of the next record have come.
    pub fn begun(&self) -> usize {
        self.begun.len()
    }
}
