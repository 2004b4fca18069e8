//! Step 2, talk: the receiver. Any number of senders at once, in one process, on poll(2).
#![expect(unused, reason = "delete this line when every TODO is done")]

use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::read;

use crate::listener::{self, Listener};
use crate::{Error, Result, retry, say};

/// How long a line may be, without its newline. What is longer is printed in pieces of this length, each as a line: a
/// sender that never ends its line takes no more memory than this.
const LINE: usize = 64 * 1024;

/// How much one read takes at most.
const BUFFER: usize = 64 * 1024;

/// What to print before each line of one who has connected. None: he is refused.
pub type Greet = fn(&OwnedFd) -> Result<Option<Vec<u8>>>;

pub fn run(path: &Path) -> Result {
    serve(path, |_| Ok(Some(Vec::new())))
}

/// Prints every line that comes, until a signal does. (Step 5 uses it, too.)
pub fn serve(path: &Path, greet: Greet) -> Result {
    listener::during(path, |listener| {
        let mut receiver = Receiver {
            senders: Vec::new(),
            accepting: true,
            buffer: vec![0; BUFFER],
        };
        loop {
            receiver.turn(listener, greet)?;
        }
    })
}

struct Receiver {
    senders: Vec<Sender>,
    /// False after descriptors have run out, until a sender has left.
    accepting: bool,
    buffer: Vec<u8>,
}

impl Receiver {
    /// Sleeps until somebody is ready, and does for each what is to be done.
    fn turn(&mut self, listener: &Listener, greet: Greet) -> Result {
        let sockets = self.senders.iter().map(|sender| sender.socket.as_fd());
        // The listener comes last, and is left out while nobody can be let in: it would be ready for ever.
        let door = self.accepting.then(|| listener.as_fd());
        let ready = listener.wait(sockets.chain(door))?;
        let knocked = self.accepting && ready.last() == Some(&true);
        for (mut sender, ready) in mem::take(&mut self.senders).into_iter().zip(ready) {
            if !ready || sender.hear(&mut self.buffer)? {
                self.senders.push(sender);
            } else {
                self.accepting = true;
            }
        }
        if knocked {
            self.accept(listener, greet)?;
        }
        Ok(())
    }

    /// Lets one sender in.
    fn accept(&mut self, listener: &Listener, greet: Greet) -> Result {
        match listener.accept() {
            Ok(socket) => {
                if let Some(prefix) = greet(&socket)? {
                    self.senders.push(Sender {
                        socket,
                        prefix,
                        kept: Vec::new(),
                    });
                }
            }
            Err(Errno::EAGAIN | Errno::ECONNABORTED) => {}
            // He waits in the backlog until another one leaves. (If there is none, nobody would tell: give up.)
            Err(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM)
                if !self.senders.is_empty() =>
            {
                self.accepting = false;
            }
            Err(errno) => return Err(Error::Call("accept4", errno)),
        }
        Ok(())
    }
}

/// One who has connected.
struct Sender {
    socket: OwnedFd,
    prefix: Vec<u8>,
    /// The line that has begun and not ended yet.
    kept: Vec<u8>,
}

impl Sender {
    /// Reads once, and prints the lines that are whole now; returns false when the sender has ended.
    fn hear(&mut self, buffer: &mut [u8]) -> Result<bool> {
        // TODO 2: `read` once into the buffer (through `retry`), and print the lines that are whole now.
        //   EAGAIN: nothing has come after all, and the sender is still there. Any other error: that is the sender's end.
        //   cut what was read after each newline (`split_inclusive`). A piece that ends in a newline ends a line: `keep` it
        //     without the newline, and `say_kept`. A piece that does not: `keep` it, the rest of the line comes later.
        //   0 bytes: the sender has ended. What is kept, if anything, is a line, too.
        //   -> for the reads "hel", "lo\nwor", "ld\n\n", "end", "" : the lines hello, world, an empty one, end
        //   -> false after the last of them, true before
        todo!("step 2: lines out of a stream")
    }

    /// Adds to the line that has begun. What is too long already goes out.
    fn keep(&mut self, bytes: &[u8]) -> Result {
        self.kept.extend(bytes);
        while self.kept.len() > LINE {
            let rest = self.kept.split_off(LINE);
            self.say_kept()?;
            self.kept = rest;
        }
        Ok(())
    }

    /// Prints the line, and begins a new one. An idle sender keeps no buffer.
    fn say_kept(&mut self) -> Result {
        say(&[&self.prefix, &mem::take(&mut self.kept)])
    }
}
