//! Whom the server has told lately that it does not know them. Who floods it is not to be answered each time: a
//! datagram's sender can be forged, and the answers would flood somebody else.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a stranger that has been told a reason gets no other.
const PAUSE: Duration = Duration::from_secs(1);

/// How many are remembered. While there are more, the others are told nothing.
const MOST: usize = 1024;

#[derive(Default)]
pub struct Strangers {
    told: HashMap<SocketAddr, Instant>,
    /// When those were forgotten whose pause is over.
    swept: Option<Instant>,
}

impl Strangers {
    /// Whether this one may be told something now; notes that it is.
    pub fn may_be_told(&mut self, who: SocketAddr) -> bool {
        let now = Instant::now();
        let over = |at: Instant| now.duration_since(at) >= PAUSE;
        if self.swept.is_none_or(over) {
            self.told.retain(|_, at| !over(*at));
            self.swept = Some(now);
        }
        match self.told.get(&who) {
            Some(at) if !over(*at) => return false,
            None if self.told.len() == MOST => return false,
            _ => {}
        }
        self.told.insert(who, now);
        true
    }
}
