//! Lab 5, struct: the steps, what each wants of a program, and who says what is right.
//!
//! Python's `struct` says it. Its answers are kept in `05_struct/table.txt`, made by `table.py`; where `python3` is
//! installed it is also asked live, about formats that nobody has thought of. The wire is judged as the servers of lab 4
//! are: a check sends when the server sleeps, and looks at what came of it when it sleeps again.

use grader::{
    Call, Errno, Family, Lab, MAIN, Run, Server, SignalName, Story, Verdict, both, checks, lab, libc,
};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket};
use std::{
    collections::BTreeSet,
    io::Read,
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd, OwnedFd},
    process::ExitCode,
    thread,
};

#[path = "05_struct/chance.rs"]
mod chance;
#[path = "05_struct/python.rs"]
mod python;
#[path = "05_struct/table.rs"]
mod table;

const LAB: Lab = lab!();

fn main() -> ExitCode {
    LAB.main(checks![
        step_1_calcsize,
        step_1_calcsize_table,
        step_1_calcsize_wrong_usage,
        step_2_pack,
        step_2_pack_table,
        step_2_pack_when_a_call_fails,
        step_2_pack_wrong_usage,
        step_3_unpack,
        step_3_unpack_table,
        step_3_unpack_what_was_packed,
        step_3_unpack_wrong_usage,
        step_4_order,
        step_4_order_table,
        step_4_order_there_and_back,
        step_4_order_as_python,
        step_5_wire,
        step_5_wire_in_pieces,
        step_5_wire_glued,
        step_5_wire_cut_short,
        step_5_wire_of_several,
        step_5_wire_of_100,
        step_5_wire_no_descriptors,
        step_5_wire_when_interrupted,
        step_5_wire_when_a_call_fails,
        step_5_wire_send,
        step_5_wire_wrong_usage,
        step_6_refuse,
        step_6_refuse_table,
        step_6_refuse_hex,
        step_6_refuse_sizes,
        step_6_refuse_in_one_line,
        step_6_refuse_on_the_wire,
    ])
}

// Step 1, calcsize. How many bytes a record has: the fields, and the gaps that bring each of them to its alignment.

fn step_1_calcsize() -> Verdict {
    prints(&["calcsize", "i5sf"], "16")?;
    prints(&["calcsize", "llh0l"], "24")?;
    prints(&["calcsize", "llh"], "18")?;
    prints(&["calcsize", ""], "0")
}

/// Every code next to every other, counts, blanks, and what is larger than any memory.
fn step_1_calcsize_table() -> Verdict {
    table::sizes(|row| !row.has_prefix())
}

fn step_1_calcsize_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[&[], &["sizeof", "i"], &["calcsize"], &["calcsize", "i", "i"]])
}

// Step 2, pack. Values become bytes: each in its place, zeros between them, and nothing after the last.

fn step_2_pack() -> Verdict {
    prints(
        &["pack", "i5sf", "1", "zhang", "1.75"],
        "010000007a68616e670000000000e03f",
    )?;
    prints(&["pack", "bh", "-1", "-2"], "ff00feff")?;
    prints(&["pack", "3s", "zhang"], "7a6861")?;
    prints(&["pack", ""], "")
}

fn step_2_pack_table() -> Verdict {
    table::packs(|row| !row.has_prefix())
}

fn step_2_pack_when_a_call_fails() -> Verdict {
    let run = LAB.command(&["pack", "i", "1"]);
    run.clone().disk_full().run()?.expect_error_line(LAB.name())?;
    run.reader_gone().run()?.expect_end_without_reader()
}

fn step_2_pack_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[&["pack"], &["packs", "i", "1"]])
}

// Step 3, unpack. The way back: what was packed comes out again, and nothing is read that is not there.

fn step_3_unpack() -> Verdict {
    prints(
        &["unpack", "i5sf", "010000007a68616e670000000000e03f"],
        "(1, \"zhang\", 1.75)",
    )?;
    prints(
        &["unpack", "i5sf", "010000007A68616E670000000000E03F"],
        "(1, \"zhang\", 1.75)",
    )?;
    prints(&["unpack", "bB", "ffff"], "(-1, 255)")?;
    prints(&["unpack", "i", "01000000"], "(1)")?;
    prints(&["unpack", "", ""], "()")
}

fn step_3_unpack_table() -> Verdict {
    table::unpacks(|row| !row.has_prefix())
}

/// Formats and values by chance: unpack(pack(v)) = v.
fn step_3_unpack_what_was_packed() -> Verdict {
    chance::there_and_back(&[""])
}

fn step_3_unpack_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[&["unpack"], &["unpack", "i"], &["unpack", "i", "01000000", "02"]])
}

// Step 4, order. A prefix says whose sizes and gaps are meant, and which byte of a number comes first.

fn step_4_order() -> Verdict {
    prints(&["calcsize", "<i5sf"], "13")?;
    prints(&["calcsize", "@l"], "8")?;
    prints(&["calcsize", "=l"], "4")?;
    prints(&["pack", ">i", "1"], "00000001")?;
    prints(&["pack", "!h", "-2"], "fffe")?;
    prints(&["pack", "<i", "1"], "01000000")?;
    prints(&["unpack", ">hI", "fffe00000001"], "(-2, 1)")
}

fn step_4_order_table() -> Verdict {
    table::packs(table::Row::has_prefix)?;
    table::unpacks(table::Row::has_prefix)
}

fn step_4_order_there_and_back() -> Verdict {
    chance::there_and_back(&["@", "=", "<", ">", "!"])
}

/// The Python that is installed here says the same, of the table and of formats by chance.
fn step_4_order_as_python() -> Verdict {
    prints(&["calcsize", "!bq"], "9")?;
    python::agrees()
}

// Step 5, wire. TCP carries bytes and knows of no records: what one read brings is a piece of one, or several of them.

fn step_5_wire() -> Verdict {
    let mut server = start("i5sf")?;
    server.expect_asleep_in(WAITS)?;
    let at_rest = server.descriptors()?;
    let mut peer = server.connect()?;
    let name = peer.address();
    peer.send(&record(1, b"zhang"));
    server.exchange(std::slice::from_mut(&mut peer))?;
    lines(
        &mut server,
        &[(name, "(1, \"zhang\", 1.75)")],
        "a peer sends a record",
    )?;
    server.expect_asleep_in(WAITS)?;
    peer.send(&record(-2, b"li"));
    server.exchange(std::slice::from_mut(&mut peer))?;
    let both = [
        (name, "(1, \"zhang\", 1.75)"),
        (name, "(-2, \"li\\x00\\x00\\x00\", 1.75)"),
    ];
    lines(&mut server, &both, "it sends another")?;
    peer.finish();
    server.expect_closed(&mut peer, "a peer has sent its end of input after two records")?;
    expect_stderr(&mut server, "", "a peer has gone after whole records")?;
    server.expect_descriptors(&at_rest, PEERS)?;
    server.expect_asleep_in(WAITS)?;
    let address = server.address();
    let told = server.end(SignalName::SIGTERM)?;
    told.expect_one_thread(PEERS)?;
    LAB.snapshot_of_server("recv", &told, address, name);
    let mut server = start("i5sf")?;
    let mut peer = server.connect()?;
    peer.send(b"half");
    server.settle()?;
    server.end(SignalName::SIGINT).map(drop)
}

/// One byte at a time, each seen by the server before the next is sent.
fn step_5_wire_in_pieces() -> Verdict {
    let mut server = start("i5sf")?;
    let mut peer = server.connect()?;
    let name = peer.address();
    let bytes = [record(1, b"zhang"), record(2, b"wang")].concat();
    for (i, byte) in bytes.iter().enumerate() {
        let whole = i / 16;
        lines(
            &mut server,
            &[(name, "(1, \"zhang\", 1.75)")][..whole],
            "a record comes byte by byte",
        )?;
        peer.send(&[*byte]);
        server.exchange(std::slice::from_mut(&mut peer))?;
    }
    let both = [(name, "(1, \"zhang\", 1.75)"), (name, "(2, \"wang\\x00\", 1.75)")];
    lines(&mut server, &both, "two records came byte by byte")?;
    expect_stderr(&mut server, "", "nothing was cut short")?;
    server.end(SignalName::SIGTERM).map(drop)
}

/// Several records at once, and a piece of the next: of every length.
fn step_5_wire_glued() -> Verdict {
    let mut server = start("i5sf")?;
    let mut peer = server.connect()?;
    let name = peer.address();
    let (mut expected, mut bytes) = (Vec::new(), Vec::new());
    for n in 0..30 {
        bytes.extend(record(n, b"glued"));
        expected.push((name, format!("({n}, \"glued\", 1.75)")));
    }
    let mut rest = &bytes[..];
    for len in [16, 32, 17, 15, 47, 1, 33, 31, 64, 100].into_iter().cycle() {
        let (piece, after) = rest.split_at(len.min(rest.len()));
        peer.send(piece);
        server.exchange(std::slice::from_mut(&mut peer))?;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, line)| (*name, line.as_str()))
        .collect();
    lines(
        &mut server,
        &expected,
        "30 records came in pieces that end anywhere",
    )?;
    server.end(SignalName::SIGTERM)?;
    large_records()
}

/// A record larger than any read, and many smaller than one.
fn large_records() -> Verdict {
    let mut server = LAB.command(&["recv", ADDRESS, "!200000xI"]).serve()?;
    let mut peer = server.connect()?;
    let name = peer.address();
    let large = |n: u32| [vec![7; 200_000], n.to_be_bytes().to_vec()].concat();
    peer.send(&[large(1), large(2), large(3)].concat());
    server.exchange(std::slice::from_mut(&mut peer))?;
    lines(
        &mut server,
        &[(name, "(1)"), (name, "(2)"), (name, "(3)")],
        "three records of 200,004 bytes came",
    )?;
    server.end(SignalName::SIGTERM)?;
    let mut server = LAB.command(&["recv", ADDRESS, "B"]).serve()?;
    let mut peer = server.connect()?;
    let name = peer.address();
    let bytes: Vec<u8> = (0..500).map(|n| (n % 251) as u8).collect();
    peer.send(&bytes);
    server.exchange(std::slice::from_mut(&mut peer))?;
    let expected: Vec<String> = bytes.iter().map(|n| format!("({n})")).collect();
    let expected: Vec<_> = expected.iter().map(|line| (name, line.as_str())).collect();
    lines(&mut server, &expected, "500 records of one byte came at once")?;
    server.end(SignalName::SIGTERM).map(drop)
}

/// Peers end, or vanish, inside a record; another was there before, and one comes after.
fn step_5_wire_cut_short() -> Verdict {
    let mut server = start("i5sf")?;
    let at_rest = server.descriptors()?;
    let mut other = server.connect()?;
    other.send(&record(1, b"zhang")[..9]);
    server.settle()?;
    let mut said = String::new();
    for (i, len) in [7, 1, 15, 16 + 7].into_iter().enumerate() {
        let mut peer = server.connect()?;
        said += &format!(
            "struct: {}: record cut short: {} of 16 bytes\n",
            peer.address(),
            len % 16
        );
        let bytes = record(5, b"short").repeat(2);
        match i % 2 {
            0 => {
                peer.send_and_finish(&bytes[..len]);
                server.expect_closed(&mut peer, "it has sent its end of input inside a record")?;
            }
            _ => {
                peer.send(&bytes[..len]);
                server.exchange(std::slice::from_mut(&mut peer))?;
                server.reset(peer)?;
            }
        }
        expect_stderr(&mut server, &said, "a connection ended inside a record")?;
    }
    let silent = server.connect()?;
    server.settle()?;
    server.reset(silent)?;
    expect_stderr(&mut server, &said, "a connection was reset before its first byte")?;
    other.send(&record(1, b"zhang")[9..]);
    server.exchange(std::slice::from_mut(&mut other))?;
    let story = server.story()?;
    let name = other.address();
    expect_among(
        &story,
        &format!("{name} (1, \"zhang\", 1.75)"),
        "others had gone inside a record",
    )?;
    other.finish();
    server.expect_closed(&mut other, "it has sent its end of input after a whole record")?;
    server.expect_descriptors(&at_rest, PEERS)?;
    server.expect_asleep_in(WAITS)?;
    server.end(SignalName::SIGTERM).map(drop)
}

/// Three peers, whose bytes come in turns: each has a record of its own, and none waits for another.
fn step_5_wire_of_several() -> Verdict {
    let mut server = start("i5sf")?;
    let mut peers = server.connect_many(3)?;
    let records = [record(1, b"zhang"), record(2, b"wangx"), record(3, b"liliu")];
    for at in 0..15 {
        for (peer, record) in peers.iter_mut().zip(&records) {
            peer.send(&record[at..=at]);
        }
        server.exchange(&mut peers)?;
    }
    lines(&mut server, &[], "of each record 15 bytes of 16 have come")?;
    let mut expected = Vec::new();
    for i in [1, 2, 0] {
        peers[i].send(&records[i][15..]);
        server.exchange(&mut peers)?;
        let line = [
            "(1, \"zhang\", 1.75)",
            "(2, \"wangx\", 1.75)",
            "(3, \"liliu\", 1.75)",
        ][i];
        expected.push((peers[i].address(), line));
        lines(
            &mut server,
            &expected,
            "one peer's last byte has come, and not yet the others'",
        )?;
    }
    let told = server.end(SignalName::SIGTERM)?;
    told.expect_one_thread(PEERS)
}

fn step_5_wire_of_100() -> Verdict {
    let mut server = LAB.command(&["recv", ADDRESS, "<I"]).serve()?;
    let mut peers = server.connect_many(100)?;
    for part in [0..3, 3..4] {
        for (n, peer) in (0u32..).zip(&mut peers) {
            peer.send(&n.to_le_bytes()[part.clone()]);
        }
        server.exchange(&mut peers)?;
    }
    let story = server.story()?;
    let expected: Vec<String> = (0..100)
        .zip(&peers)
        .map(|(n, peer)| format!("{} ({n})", peer.address()))
        .collect();
    let first = format!("listening on {}", server.address());
    let all: Vec<&str> = std::iter::once(&first)
        .chain(&expected)
        .map(String::as_str)
        .collect();
    story.expect_lines_in_any_order(&all)?;
    server.expect_asleep_in(WAITS)?;
    server.end(SignalName::SIGTERM).map(drop)
}

/// Who cannot be let in waits, and so does the server; when somebody leaves, there is room.
fn step_5_wire_no_descriptors() -> Verdict {
    let mut server = LAB.command(&["recv", ADDRESS, "B"]).descriptors(12).serve()?;
    let mut peers = server.connect_many(20)?;
    peers.iter_mut().for_each(|peer| peer.send(b"A"));
    server.exchange(&mut peers)?;
    server.expect_asleep_in(WAITS)?;
    let mut left: Vec<_> = peers.into_iter().map(Some).collect();
    for _ in 0..left.len() {
        let stdout = server.story()?.stdout();
        let served = left.iter_mut().find(|peer| {
            peer.as_ref()
                .is_some_and(|peer| stdout.contains(&format!("{} (65)\n", peer.address())))
        });
        let Some(peer) = served.and_then(Option::take) else {
            let gone = left.iter().filter(|peer| peer.is_none()).count();
            let why =
                "A full table of descriptors is a pause: who waits in the backlog loses nothing but time.";
            let happened = format!("{gone} of 20 were served, and the server sleeps");
            return Err(server.missed("as peers leave, those in the backlog are served", happened, why));
        };
        let mut peer = peer;
        peer.finish();
        server.expect_closed(&mut peer, "it has sent its end of input")?;
    }
    server.end(SignalName::SIGTERM).map(drop)
}

fn step_5_wire_when_interrupted() -> Verdict {
    for (family, nth) in [(Family::Poll, 1), (Family::Poll, 2), (Family::Poll, 4)] {
        let mut server = LAB
            .command(&["recv", ADDRESS, "i5sf"])
            .interrupt(family, nth)
            .serve()?;
        takes_a_record(&mut server, "a signal interrupted its sleep")?;
        server.end(SignalName::SIGTERM)?;
    }
    let mut server = LAB
        .command(&["recv", ADDRESS, "i5sf"])
        .fail(Family::Accept, 1, Errno::ECONNABORTED)
        .serve()?;
    takes_a_record(&mut server, "accept failed once with ECONNABORTED")?;
    server.end(SignalName::SIGTERM).map(drop)
}

fn takes_a_record(server: &mut Server, case: &str) -> Verdict {
    let mut peer = server.connect()?;
    let bytes = record(1, b"zhang");
    let name = peer.address();
    for piece in [&bytes[..9], &bytes[9..]] {
        peer.send(piece);
        server.exchange(std::slice::from_mut(&mut peer))?;
    }
    lines(server, &[(name, "(1, \"zhang\", 1.75)")], case)
}

fn step_5_wire_when_a_call_fails() -> Verdict {
    let server = start("i5sf")?;
    let taken = server.address().to_string();
    LAB.command(&["recv", &taken, "i"])
        .run()?
        .expect_error_line(LAB.name())?;
    server.end(SignalName::SIGTERM)?;
    let run = LAB.command(&["recv", ADDRESS, "i"]);
    run.clone()
        .fail(Family::Bind, 1, Errno::EACCES)
        .run()?
        .expect_error_line(LAB.name())?;
    run.clone().disk_full().run()?.expect_error_line(LAB.name())?;
    run.reader_gone().run()?.expect_end_without_reader()?;
    let (_bound, nobody) = deaf().map_err(|errno| broken(errno.into()))?;
    LAB.command(&["send", &nobody, "i", "1"])
        .run()?
        .expect_error_line(LAB.name())
}

/// An address where nobody listens. As long as the socket is bound to it, nobody else gets it.
fn deaf() -> nix::Result<(OwnedFd, String)> {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))?;
    let address: SockaddrIn = getsockname(socket.as_raw_fd())?;
    Ok((socket, address.to_string()))
}

/// What `send` sends, `recv` of any other program can read: here it is this check that listens.
fn step_5_wire_send() -> Verdict {
    for (args, bytes) in [
        (
            &["i5sf", "1", "zhang", "1.75"][..],
            "010000007a68616e670000000000e03f",
        ),
        (&["!hq", "-2", "5"], "fffe0000000000000005"),
    ] {
        sends(args, bytes)?;
    }
    for family in [Family::Connect, Family::Write] {
        let run = |args: &[&str]| LAB.command(args).interrupt(family, 1);
        sends_by(run, &["!b", "7"], "07")?;
    }
    Ok(())
}

fn sends(args: &[&str], bytes: &str) -> Verdict {
    sends_by(|args| LAB.command(args), args, bytes)
}

fn sends_by(run: impl Fn(&[&str]) -> Run, args: &[&str], bytes: &str) -> Verdict {
    let listener = TcpListener::bind(ADDRESS).map_err(broken)?;
    let address = listener.local_addr().map_err(broken)?;
    let receiver = thread::spawn(move || {
        let mut came = Vec::new();
        let (mut peer, _) = listener.accept()?;
        peer.read_to_end(&mut came).map(|_| came)
    });
    let name = address.to_string();
    let args: Vec<&str> = ["send", &name].into_iter().chain(args.iter().copied()).collect();
    let told = run(&args).run();
    // Should the program not have come, this one does, and sends nothing.
    let _ = TcpStream::connect(address);
    let panicked = |_| grader::Refusal::Broken("a thread of the check panicked".to_owned());
    let came = receiver.join().map_err(panicked)?.map_err(broken)?;
    let told = told?;
    told.expect_exit(0)?;
    told.expect_stdout("")?;
    let came: String = came.iter().map(|byte| format!("{byte:02x}")).collect();
    let why = "A record is its bytes and nothing else: no length, no newline.";
    told.demand(
        came == bytes,
        None,
        format!("it sends {bytes}"),
        format!("it sent {came:?}"),
        why,
    )
}

fn step_5_wire_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[
        &["recv"],
        &["recv", ADDRESS],
        &["recv", ADDRESS, "i", "1"],
        &["recv", "nowhere", "i"],
        &["recv", "127.0.0.1:65536", "i"],
        &["send", "127.0.0.1:9"],
        &["send", "nowhere", "i", "1"],
    ])
}

// Step 6, refuse. What comes from outside is not what one hopes for. Each case ends with one line that names it.

fn step_6_refuse() -> Verdict {
    LAB.wrong_usage(&[
        &["calcsize", "z"],
        &["calcsize", "5"],
        &["pack", "b", "128"],
        &["pack", "B", "-1"],
        &["pack", "i", "one"],
        &["pack", "<f", "1e39"],
        &["pack", "?", "1"],
        &["unpack", "i", "0100"],
    ])
}

fn step_6_refuse_table() -> Verdict {
    table::refusals()
}

fn step_6_refuse_hex() -> Verdict {
    for hex in [
        "",
        "01",
        "0100000",
        "010000000",
        "0100000000",
        "0100000g",
        "0x000000",
        "+1000000",
        "01 00000",
        "0100000\u{e9}",
    ] {
        table::refuses(&[b"unpack", b"i", hex.as_bytes()])?;
    }
    table::refuses(&[b"unpack", b"i", b"0100000\xff"])?;
    table::refuses(&[b"unpack", b"", b"00"])?;
    table::refuses(&[b"unpack", b"z", b"00"])
}

/// Sizes at the border: 1 MiB and a byte more, and a format as long as an argument can be.
fn step_6_refuse_sizes() -> Verdict {
    let longest = "i".repeat(131_071);
    let told = LAB.quick(&[b"calcsize", longest.as_bytes()])?;
    told.expect_exit(0)?;
    told.expect_lines(&["524284"])?;
    let digits = "9".repeat(131_071);
    table::refuses(&[b"calcsize", digits.as_bytes()])?;
    table::refuses(&[b"calcsize", format!("{}z", "i".repeat(131_070)).as_bytes()])?;
    table::refuses(&[b"pack", longest.as_bytes()])?;
    table::refuses(&[b"pack", b"i", digits.as_bytes()])?;
    for args in [
        &["pack", "1048577x"][..],
        &["pack", "1048577s", "x"],
        &["pack", "9223372036854775807b"],
        &["pack", "1000000000000x"],
        &["unpack", "1048577x", "00"],
        &["unpack", "9223372036854775807s", ""],
    ] {
        let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        table::refuses(&args)?;
    }
    let told = LAB.quick(&[b"pack", b"1048576x"])?;
    told.expect_exit(0)?;
    let (len, why) = (
        told.stdout.len(),
        "The border itself is inside: 1 MiB, and not one byte less.",
    );
    let expected = "a record of 1,048,576 bytes is packed: 2,097,152 digits and a newline";
    told.demand(
        len == 2 * 1_048_576 + 1,
        None,
        expected,
        format!("{len} bytes came"),
        why,
    )
}

/// Whatever the input is made of, the message is one line of text.
fn step_6_refuse_in_one_line() -> Verdict {
    for args in [
        [&b"pack"[..], b"i", b"1\n2"],
        [b"pack", b"i", b"\x1b[2J"],
        [b"pack", b"i", b"\xff\xfe"],
        [b"pack", b"\n%", b"1"],
        [b"pack", b"\xff", b"1"],
        [b"pack", b"\xe2\x80\xa8", b"1"],
        [b"unpack", b"i", b"0\n00\r0\x1b"],
        [b"unpack", b"2s", b"\xff\xff\xff\xff"],
    ] {
        let story = table::refused(&args)?;
        let stderr = story.stderr();
        let fits =
            stderr.ends_with('\n') && !stderr.trim_end_matches('\n').contains(|c: char| c.is_control());
        let why = "Somebody else's bytes can end your line, steer the terminal, or not be text at all: escape what you quote.";
        let happened = format!("it wrote {stderr:?}");
        story.demand(fits, None, "the refusal is one line of plain text", happened, why)?;
    }
    Ok(())
}

/// Nothing listens, nothing is sent, when the input is bad.
fn step_6_refuse_on_the_wire() -> Verdict {
    for format in ["0x", "", "0s", "z", "1048577x", "9223372036854775808x", "3 i"] {
        makes_no_connection(&["recv", ADDRESS, format])?;
    }
    for args in [
        &["0x"][..],
        &["0s", ""],
        &["i"],
        &["i", "1", "2"],
        &["i", "2147483648"],
        &["ib", "1", "x"],
        &["<f", "1e39"],
        &["1048577s", "x"],
    ] {
        let args: Vec<&str> = ["send", "127.0.0.1:9"]
            .into_iter()
            .chain(args.iter().copied())
            .collect();
        makes_no_connection(&args)?;
    }
    Ok(())
}

/// A stream socket may be made too early; as long as nothing is done with it, nobody outside sees it.
fn makes_no_connection(args: &[&str]) -> Verdict {
    let told = LAB.command(args).run()?;
    let streams: BTreeSet<u64> = told
        .calls(MAIN)
        .filter(|(_, call)| is_stream(call))
        .filter_map(|(_, call)| u64::try_from(call.result?).ok())
        .collect();
    let shows = ["connect", "bind", "listen", "sendto", "sendmsg", "sendmmsg"];
    let shown = told.calls(MAIN).find(|(_, call)| {
        shows.contains(&call.name.as_str()) && call.args.first().is_some_and(|fd| streams.contains(fd))
    });
    let why = "Half a job is worse than none: look at everything first, and then begin.";
    let happened = shown.map_or(String::new(), |(_, call)| format!("it called {}", call.name));
    told.demand(
        shown.is_none(),
        shown.map(|(at, _)| at),
        "nothing goes out before all of the input is known to be good",
        happened,
        why,
    )?;
    both(told.observed(), told.expect_usage_error())
}

/// It asks for a TCP socket.
fn is_stream(call: &Call) -> bool {
    let internet = [libc::AF_INET, libc::AF_INET6].map(|domain| domain as u64);
    match call.args[..] {
        [domain, kind, ..] if call.name == "socket" => {
            internet.contains(&domain) && kind as i32 & 0xf == libc::SOCK_STREAM
        }
        _ => false,
    }
}

// What the steps have in common

const ADDRESS: &str = "127.0.0.1:0";
const PEERS: &str = "peers";

/// What the server may sleep in; the first is what the reference does.
const WAITS: &[&str] = &[
    "poll",
    "ppoll",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "select",
    "pselect6",
];

fn prints(args: &[&str], line: &str) -> Verdict {
    let told = LAB.command(args).run()?;
    told.expect_exit(0)?;
    told.expect_lines(&[line])
}

fn start(format: &str) -> Verdict<Server> {
    LAB.command(&["recv", ADDRESS, format]).serve()
}

/// A record of the format `i5sf`.
fn record(n: i32, name: &[u8]) -> Vec<u8> {
    let mut record = vec![0; 16];
    record[..4].copy_from_slice(&n.to_ne_bytes());
    record[4..4 + name.len()].copy_from_slice(name);
    record[12..].copy_from_slice(&1.75f32.to_ne_bytes());
    record
}

fn broken(error: std::io::Error) -> grader::Refusal {
    grader::Refusal::Broken(format!("a socket of the check's own: {error}"))
}

/// After its first line the server has printed exactly these: who, and what.
fn lines(server: &mut Server, expected: &[(SocketAddr, &str)], case: &str) -> Verdict {
    let story = server.story()?;
    let mut text = format!("listening on {}\n", server.address());
    expected
        .iter()
        .for_each(|(peer, line)| text += &format!("{peer} {line}\n"));
    let stdout = story.stdout();
    if stdout == text {
        return Ok(());
    }
    let differs = text
        .lines()
        .zip(stdout.lines())
        .position(|(wanted, got)| wanted != got);
    let at = differs.unwrap_or(text.lines().count().min(stdout.lines().count()));
    let next = |text: &str| match text.lines().nth(at) {
        Some(line) => format!("the line {}", nameless(line)),
        None => "no other line".to_owned(),
    };
    let happened = format!("after {at} lines came {}", next(&stdout));
    let expected = format!("{case}: after {at} lines comes {}", next(&text));
    let why = "TCP keeps the order of the bytes and forgets how they were sent: only counting them tells where a record ends.";
    Err(server.missed(expected, happened, why))
}

/// A line without the port that chance gave to the peer.
fn nameless(line: &str) -> String {
    let colon = |word: &str| if word.ends_with(':') { "PEER:" } else { "PEER" };
    let words = line.split(' ').map(|word| {
        if word.starts_with("127.0.0.1:") {
            colon(word)
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn expect_among(story: &Story, line: &str, case: &str) -> Verdict {
    let stdout = story.stdout();
    let happened = format!(
        "the last line is {:?}",
        nameless(stdout.lines().next_back().unwrap_or_default())
    );
    let why = "Whatever one peer does, the others have done nothing to deserve it.";
    story.demand(
        stdout.lines().any(|printed| printed == line),
        None,
        format!("{case}: the line {:?} is printed", nameless(line)),
        happened,
        why,
    )
}

fn expect_stderr(server: &mut Server, text: &str, case: &str) -> Verdict {
    let stderr = server.story()?.stderr();
    if stderr == text {
        return Ok(());
    }
    let last = |text: &str| match text.lines().next_back() {
        Some(line) => format!("the last line on standard error is {:?}", nameless(line)),
        None => "standard error is empty".to_owned(),
    };
    let why =
        "Half a record is no record, but its sender believes that it has arrived: somebody must hear of it.";
    Err(server.missed(format!("{case}: {}", last(text)), last(&stderr), why))
}
