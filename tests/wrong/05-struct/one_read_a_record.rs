//! Refused by step 5 (wire). Replaces src/records.rs.
//! One read brings one record: on the way to oneself, and nobody hurries, it does.

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
        if piece.len() >= self.size {
            done(&piece[..self.size])?;
        }
        Ok(())
    }

    /// How many bytes of the next record have come.
    pub fn begun(&self) -> usize {
        self.begun.len()
    }
}
