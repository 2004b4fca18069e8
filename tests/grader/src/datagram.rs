//! A datagram socket of the check's own: a member of a room under judgement, or a room for a client under judgement. It
//! never blocks. Whether something is still on its way to it is said by [`crate::until_still`].

use crate::{
    connection::socket_address,
    verdict::{Refusal, Verdict},
};
use nix::{
    errno::Errno,
    sys::socket::{SockaddrStorage, recvfrom},
};
use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    ops::Range,
    os::fd::AsRawFd,
    process,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// One datagram socket, and what came to it.
pub struct Mailbox {
    socket: UdpSocket,
    address: SocketAddr,
    /// What came and was not taken yet, each with its sender.
    pub came: Vec<(SocketAddr, Vec<u8>)>,
}

impl Mailbox {
    /// A socket with an address of its own: nobody else is there or has been, so that whoever comes later is not taken for
    /// it, and what is sent there once it is gone reaches nobody. All of a process have one IP address, as friends behind a
    /// router have, and the port makes the difference. (All IPv4 addresses that begin with 127 lead back to this machine, RFC
    /// 1122, 3.2.1.3. Of IPv6 there is only one, `ip` itself: there each process begins to count at another port.)
    ///
    /// # Errors
    /// [`Refusal::Broken`] when there is none to be had.
    pub fn near(ip: IpAddr) -> Verdict<Self> {
        loop {
            match Self::bound_to(unused(ip)) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                bound => return bound.map_err(broken),
            }
        }
    }

    /// A socket at this address; port 0 asks for a free one.
    ///
    /// # Errors
    /// [`Refusal::Broken`] when there is none to be had.
    pub fn at(address: SocketAddr) -> Verdict<Self> {
        Self::bound_to(address).map_err(broken)
    }

    fn bound_to(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Self {
            socket,
            address,
            came: Vec::new(),
        })
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// [`Refusal::Broken`] when the kernel refuses it. What is told here of datagrams before is none of this one's business.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) -> Verdict {
        let refused = io::Error::from(Errno::ECONNREFUSED).kind();
        loop {
            match self.socket.send_to(bytes, to) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == refused => {}
                Err(error) => return Err(broken(error)),
            }
        }
    }

    /// Reads all that came; `true` when there was something.
    pub fn pull(&mut self) -> bool {
        let before = self.came.len();
        // As large as a datagram can be: one that is longer than it should be is told as long as it is.
        let mut buffer = vec![0; 1 << 16];
        loop {
            let got = recvfrom::<SockaddrStorage>(self.socket.as_raw_fd(), &mut buffer);
            match got {
                Ok((n, from)) => self.came.push((sender(from), buffer[..n].to_vec())),
                Err(Errno::EINTR | Errno::ECONNREFUSED) => {}
                Err(_) => return self.came.len() > before,
            }
        }
    }

    /// Takes what came, as far as it has been pulled.
    pub fn take(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.came)
    }

    /// Goes away without a word: what is sent to its address from now on is refused. (A child that another check has forked
    /// holds a copy of every descriptor until its exec closes it: so it is waited for that the kernel knows of none.)
    pub fn close(self) {
        let address = self.address;
        drop(self);
        while is_bound(address) {
            std::thread::yield_now();
        }
    }
}

/// An address that no socket of this process has had. Another process counts at another one, and who asks for any port
/// gets one above these (`ip_local_port_range` in `ip(7)`).
fn unused(ip: IpAddr) -> SocketAddr {
    const PORTS: Range<u16> = 10_000..32_000;
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    // Neighbouring process ids spread over the 24 bits behind 127, away from 127.0.0.1 and from the broadcast address.
    let spread = process::id().wrapping_mul(0x9E37_79B9);
    let [a, b, c, _] = spread.to_be_bytes();
    let (ip, first) = match ip {
        IpAddr::V4(_) => (Ipv4Addr::new(127, 1 + a % 254, b, c).into(), 0),
        IpAddr::V6(_) => (ip, spread as usize),
    };
    let nth = first.wrapping_add(COUNT.fetch_add(1, Relaxed)) % PORTS.len();
    SocketAddr::new(ip, PORTS.start + nth as u16)
}

fn sender(from: Option<SockaddrStorage>) -> SocketAddr {
    let v4 = from.and_then(|from| {
        from.as_sockaddr_in()
            .map(|v4| SocketAddr::from((v4.ip(), v4.port())))
    });
    let v6 = from.and_then(|from| {
        from.as_sockaddr_in6()
            .map(|v6| SocketAddr::from((v6.ip(), v6.port())))
    });
    v4.or(v6).unwrap_or(SocketAddr::from(([0; 4], 0)))
}

/// Somebody has this port, at this address or at all of them.
pub fn is_bound(address: SocketAddr) -> bool {
    socket_at(address).is_some()
}

/// The inode of the socket that has this port, at this address or at all of them (`proc_pid_net(5)`). No other socket has
/// had it.
pub fn socket_at(address: SocketAddr) -> Option<String> {
    let file = match address.ip() {
        IpAddr::V4(_) => "/proc/net/udp",
        IpAddr::V6(_) => "/proc/net/udp6",
    };
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace();
        let local = socket_address(columns.nth(1)?)?;
        let here =
            local.port() == address.port() && (local.ip() == address.ip() || local.ip().is_unspecified());
        columns.nth(7).filter(|_| here).map(str::to_owned)
    })
}

fn broken(error: io::Error) -> Refusal {
    Refusal::Broken(format!("a datagram socket of the check's own: {error}"))
}
