//! Step 4, order: which byte of a number comes first, and whose sizes and gaps the fields have.
#![expect(unused, reason = "delete this line when every TODO is done")]

/// The order of the bytes of a number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The least significant byte first.
    Little,
    /// The most significant byte first.
    Big,
}

impl Order {
    /// That of this machine.
    pub const NATIVE: Order = if cfg!(target_endian = "big") {
        Order::Big
    } else {
        Order::Little
    };

    /// Brings the bytes of a number from little-endian order into this one, or from this one back.
    pub fn arrange(self, number: &mut [u8]) {
        if self == Order::Big {
            number.reverse();
        }
    }
}

/// What a prefix decides.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Sizes and alignment are those of the C compiler of this machine. Else they are the standard ones: the same
    /// everywhere, and no alignment.
    pub native: bool,
    pub order: Order,
}

impl Rules {
    /// The rules of a format without a prefix.
    const DEFAULT: Rules = Rules {
        native: true,
        order: Order::NATIVE,
    };

    /// What each prefix stands for.
    fn of(prefix: u8) -> Rules {
        // TODO 4: what does each prefix stand for?
        //   @  native sizes and alignment, the order of this machine: as without a prefix
        //   =  standard sizes, no alignment, the order of this machine
        //   <  standard sizes, no alignment, little-endian
        //   >  standard sizes, no alignment, big-endian; ! is the same, and easier to remember: the network's order
        //   -> calcsize <i5sf: 13      pack >i 1: 00000001
        todo!("step 4: the rules of a prefix")
    }
}

/// The rules of a format, and the rest of it.
pub fn split(format: &[u8]) -> (Rules, &[u8]) {
    match *format {
        [prefix @ (b'@' | b'=' | b'<' | b'>' | b'!'), ref rest @ ..] => (Rules::of(prefix), rest),
        _ => (Rules::DEFAULT, format),
    }
}
