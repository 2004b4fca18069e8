//! What the kernel knows of a TCP connection: what has been sent over it and has not arrived yet.
//!
//! It is asked for one connection at a time (sock_diag(7)): the list of all (`/proc/net/tcp`) has those too that ended a
//! minute ago, thousands after the checks of lab 4, and took ten times as long as all the rest of a look. Where one cannot
//! ask, the list has to do.

use nix::{
    libc,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket},
};
use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, SocketAddr, TcpListener},
    os::fd::{AsRawFd, OwnedFd},
    sync::OnceLock,
};

/// One end of a connection: bytes not yet acknowledged by the other side, and bytes that its owner has not read.
#[derive(Clone, Copy)]
pub(crate) struct End {
    pub(crate) unacknowledged: u64,
    pub(crate) unread: u64,
    /// It has not heard the other side's end.
    pub(crate) expects_more: bool,
}

/// Something that has been sent has not arrived, though there is room for it: data, the end, or a reset.
pub(crate) fn under_way(server: SocketAddr, peers: &[SocketAddr]) -> bool {
    let kernel = Kernel::new();
    peers.iter().any(|&peer| {
        let (client, server) = (kernel.end(peer, server), kernel.end(server, peer));
        match (client, server) {
            (None, _) => false,
            (Some(client), None) => client.expects_more, // the server's end is gone; the news of it is on the way
            (Some(client), Some(server)) => {
                client.unacknowledged > 0 && server.unread == 0
                    || server.unacknowledged > 0 && client.unread == 0
            }
        }
    })
}

/// The kernel knows of this end of a connection.
pub(crate) fn is_there(local: SocketAddr, remote: SocketAddr) -> bool {
    Kernel::new().end(local, remote).is_some()
}

/// As many wait there to be accepted as may, and one (`sk_acceptq_is_full` in the kernel's source): whoever comes now is not
/// answered, and asks again after a second. `false` where the kernel does not tell.
pub(crate) fn is_full(listener: SocketAddr) -> bool {
    let nobody = SocketAddr::new(listener.ip(), 0);
    match Kernel::new() {
        Kernel::Diag(diag) => ask(&diag, listener, nobody)
            .is_some_and(|(state, backlog, waiting)| state == LISTEN && waiting > backlog),
        Kernel::List(_) => false,
    }
}

/// Every connection with this address: whose it is, the end there, and the end at the address, if it still has one.
pub(crate) fn all_with(address: SocketAddr) -> Vec<(SocketAddr, End, Option<End>)> {
    let ends = match Kernel::new() {
        Kernel::Diag(diag) => dump(&diag, address.is_ipv4()).unwrap_or_else(list),
        Kernel::List(list) => list,
    };
    let clients = ends.iter().filter(|((_, to), _)| *to == address);
    clients
        .map(|(&(from, _), &client)| (from, client, ends.get(&(address, from)).copied()))
        .collect()
}

/// Whom to ask.
enum Kernel {
    Diag(OwnedFd),
    List(BTreeMap<(SocketAddr, SocketAddr), End>),
}

impl Kernel {
    fn new() -> Self {
        static ANSWERS: OnceLock<bool> = OnceLock::new();
        match diag() {
            Ok(diag) if *ANSWERS.get_or_init(|| answers(&diag)) => Self::Diag(diag),
            _ => Self::List(list()),
        }
    }

    fn end(&self, local: SocketAddr, remote: SocketAddr) -> Option<End> {
        match self {
            Self::Diag(diag) => ask(diag, local, remote).and_then(|found| end(found.0, found.1, found.2)),
            Self::List(list) => list.get(&(local, remote)).copied(),
        }
    }
}

fn diag() -> nix::Result<OwnedFd> {
    let (flags, protocol) = (SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag);
    socket(AddressFamily::Netlink, SockType::Datagram, flags, protocol)
}

/// It knows of a socket that is there. (A kernel that has this not built in says of every socket that there is none.)
fn answers(diag: &OwnedFd) -> bool {
    let listener =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| Ok((listener.local_addr()?, listener)));
    listener.is_ok_and(|(address, _listener)| {
        let nobody = SocketAddr::from(([127, 0, 0, 1], 0));
        ask(diag, address, nobody).is_some_and(|(state, ..)| state == LISTEN)
    })
}

/// `SOCK_DIAG_BY_FAMILY` (`linux/sock_diag.h`).
const BY_FAMILY: u16 = 20;
/// `NLMSG_DONE` (`linux/netlink.h`).
const DONE: u16 = 3;
/// `struct nlmsghdr`, and `struct inet_diag_sockid` behind four bytes of each message (`linux/inet_diag.h`).
const HEADER: usize = 16;
const ID: usize = 48;
/// `TCP_LISTEN` (`linux/tcp.h`).
const LISTEN: u8 = 10;

/// Asks for one connection: its state, the bytes not acknowledged, those not read. Of one that listens: its backlog, and how
/// many wait there.
fn ask(diag: &OwnedFd, local: SocketAddr, remote: SocketAddr) -> Option<(u8, u64, u64)> {
    send(diag.as_raw_fd(), &question(local, remote), MsgFlags::empty()).ok()?;
    let mut answer = [0; 1024];
    let n = recv(diag.as_raw_fd(), &mut answer, MsgFlags::empty()).ok()?;
    let (header, body) = answer.get(..n)?.split_at_checked(HEADER)?;
    let word = |at: usize| Some(u32::from_ne_bytes(body.get(at..at + 4)?.try_into().ok()?).into());
    let (unread, unacknowledged) = (4 + ID + 4, 4 + ID + 8);
    match header[4..6] == BY_FAMILY.to_ne_bytes() {
        true => Some((*body.get(1)?, word(unacknowledged)?, word(unread)?)),
        false => None, // an errno: ENOENT
    }
}

/// Asks for all connections of a family, less those that have only their time to wait (`TCP_TIME_WAIT`, `linux/tcp.h`):
/// nothing is under way over them, and there may be thousands.
fn dump(diag: &OwnedFd, ipv4: bool) -> Option<BTreeMap<(SocketAddr, SocketAddr), End>> {
    const TIME_WAIT: u32 = 6;
    let any = SocketAddr::new(if ipv4 { [0; 4].into() } else { [0; 16].into() }, 0);
    let question = request(libc::NLM_F_DUMP, !(1 << TIME_WAIT), any, any);
    send(diag.as_raw_fd(), &question, MsgFlags::empty()).ok()?;
    let mut ends = BTreeMap::new();
    let mut answer = vec![0; 1 << 16];
    loop {
        let n = recv(diag.as_raw_fd(), &mut answer, MsgFlags::empty()).ok()?;
        let mut rest = answer.get(..n)?;
        while let Some((header, _)) = rest.split_at_checked(HEADER) {
            let len = u32::from_ne_bytes(header[..4].try_into().ok()?) as usize;
            match u16::from_ne_bytes(header[4..6].try_into().ok()?) {
                BY_FAMILY => ends.extend(answered(rest.get(HEADER..len)?)),
                DONE => return Some(ends),
                _ => return None, // an errno
            }
            rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

/// `struct inet_diag_msg`: whose connection it is, and what is to be known of it.
fn answered(body: &[u8]) -> Option<((SocketAddr, SocketAddr), End)> {
    let word = |at: usize| Some(u32::from_ne_bytes(body.get(at..at + 4)?.try_into().ok()?).into());
    let address = |port: usize, ip: usize| {
        let port = u16::from_be_bytes(body.get(port..port + 2)?.try_into().ok()?);
        let octets: [u8; 16] = body.get(ip..ip + 16)?.try_into().ok()?;
        let v4: [u8; 4] = octets[..4].try_into().ok()?;
        let ipv4 = i32::from(body[0]) == libc::AF_INET;
        Some(SocketAddr::new(
            if ipv4 { v4.into() } else { octets.into() },
            port,
        ))
    };
    let known = end(*body.get(1)?, word(4 + ID + 8)?, word(4 + ID + 4)?)?;
    Some(((address(4, 8)?, address(6, 24)?), known))
}

/// For a TCP socket in any state.
fn question(local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    request(0, u32::MAX, local, remote)
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
fn request(flags: i32, states: u32, local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    let family = if local.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    let len = HEADER + 8 + ID;
    let mut bytes = Vec::with_capacity(len);
    bytes.extend((len as u32).to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(((libc::NLM_F_REQUEST | flags) as u16).to_ne_bytes());
    bytes.extend([0; 8]); // its number and the sender's port: one question at a time needs neither
    bytes.extend([family as u8, libc::IPPROTO_TCP as u8, 0, 0]);
    bytes.extend(states.to_ne_bytes());
    bytes.extend(local.port().to_be_bytes());
    bytes.extend(remote.port().to_be_bytes());
    for ip in [local.ip(), remote.ip()] {
        match ip {
            IpAddr::V4(ip) => bytes.extend([&ip.octets()[..], &[0; 12]].concat()),
            IpAddr::V6(ip) => bytes.extend(ip.octets()),
        }
    }
    bytes.extend([0; 4]); // any interface
    bytes.extend([0xff; 8]); // INET_DIAG_NOCOOKIE
    bytes
}

/// All TCP connections of this network namespace: local and remote address, and the queues (`proc_pid_net(5)`).
fn list() -> BTreeMap<(SocketAddr, SocketAddr), End> {
    let files = ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).unwrap_or_default());
    files
        .iter()
        .flat_map(|text| text.lines().skip(1))
        .filter_map(row)
        .collect()
}

fn row(line: &str) -> Option<((SocketAddr, SocketAddr), End)> {
    let mut fields = line.split_whitespace().skip(1);
    let (local, remote) = (socket_address(fields.next()?)?, socket_address(fields.next()?)?);
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let (unacknowledged, unread) = fields.next()?.split_once(':')?;
    let hex = |text| u64::from_str_radix(text, 16).ok();
    Some(((local, remote), end(state, hex(unacknowledged)?, hex(unread)?)?))
}

/// `None` for one that listens: it is no end of a connection. States as in `linux/tcp.h`.
fn end(state: u8, unacknowledged: u64, unread: u64) -> Option<End> {
    const ESTABLISHED: u8 = 1;
    const FIN_WAIT1: u8 = 4;
    const FIN_WAIT2: u8 = 5;
    (state != LISTEN).then_some(End {
        unacknowledged,
        unread,
        expects_more: [ESTABLISHED, FIN_WAIT1, FIN_WAIT2].contains(&state),
    })
}

/// `0100007F:1F90`: the address in 32-bit words of the machine's byte order, the port as a number.
pub(crate) fn socket_address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok();
    let ip: IpAddr = match address.len() {
        8 => word(0)?.to_ne_bytes().into(),
        _ => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?].map(u32::to_ne_bytes);
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            bytes.into()
        }
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}
