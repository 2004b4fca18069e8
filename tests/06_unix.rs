//! Lab 6, Unix sockets: the steps, what each wants of a program, and how the kernel proves it.
//!
//! Which path was bound, unlinked and opened, and when, the witness sees. Who is first where two start on the same path is
//! not left to luck: one of them is stopped behind each of its calls in turn, while the other does what it wants.

use grader::{
    Ending, Errno, Family, Lab, MAIN, Peer, Proc, Refusal, Run, Running, Server, SignalName, Story, Told,
    Verdict, checks, directory, external, lab,
};
use nix::{
    cmsg_space,
    sys::{
        socket::{
            Backlog, ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, listen, recvmsg, sendmsg,
        },
        stat::Mode,
    },
    unistd::{geteuid, mkfifo},
};
use std::{
    fs::{self, File},
    io::{ErrorKind, IoSlice, IoSliceMut, Read, Write},
    net::Shutdown,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::{
            fs::{MetadataExt, PermissionsExt, symlink},
            net::{UnixDatagram, UnixListener, UnixStream},
        },
    },
    path::Path,
    process::{ExitCode, ExitStatus},
    thread,
};

const LAB: Lab = lab!();

fn main() -> ExitCode {
    LAB.main(checks![
        step_1_kind,
        step_1_kind_of_what_is_missing,
        step_1_kind_when_the_disk_is_full,
        step_1_kind_wrong_usage,
        step_2_talk,
        step_2_talk_lines,
        step_2_talk_many,
        step_2_talk_send,
        step_2_talk_send_to_nobody,
        step_2_talk_when_interrupted,
        step_2_talk_with_socat,
        step_2_talk_with_nc,
        step_2_talk_wrong_usage,
        step_3_stale,
        step_3_stale_is_not_alive,
        step_3_stale_is_a_socket,
        step_3_stale_one_is_slow,
        step_3_stale_both_are_slow,
        step_3_stale_two_at_once,
        step_3_stale_when_it_cannot_be,
        step_4_tidy,
        step_4_tidy_what_is_its_own,
        step_4_tidy_when_a_call_fails,
        step_4_tidy_one_is_slow,
        step_4_tidy_another_is_slow,
        step_5_who,
        step_5_who_is_let_in,
        step_5_who_wrong_usage,
        step_6_pass,
        step_6_pass_take_from_us,
        step_6_pass_give_to_us,
        step_6_pass_to_another_user,
        step_6_pass_nothing,
        step_6_pass_when_a_call_fails,
        step_6_pass_wrong_usage,
        step_7_pair,
        step_7_pair_when_interrupted,
        step_7_pair_when_a_call_fails,
        step_7_pair_wrong_usage,
    ])
}

const C1: Proc = 1;
const PATH: &str = "here";
/// A user who is not the test's: `nobody` on most systems, and in any case one without rights.
const OTHER: u32 = 65_534;

// Step 1, kind. A socket in the file system is a file of its own kind: one letter in front of what `ls -l` shows.

fn step_1_kind() -> Verdict {
    let dir = directory()?;
    furnish(dir.path()).map_err(broken)?;
    let kinds = [
        ("d", "dir"),
        ("-", "file"),
        ("-", "two words"),
        ("l", "link"),
        ("l", "dangling"),
        ("s", "sock"),
        ("p", "fifo"),
        ("c", "/dev/null"),
        ("d", "/"),
    ];
    let paths = kinds.map(|(_, path)| path);
    let story = LAB
        .command(&[&["kind"], &paths[..]].concat())
        .directory(dir.path())
        .run()?;
    story.expect_exit(0)?;
    let lines = kinds.map(|(letter, path)| format!("{letter} {path}"));
    story.expect_lines(&lines.each_ref().map(String::as_str))
}

/// The file of a socket whose owner is gone. A child that another check has forked holds a copy of every descriptor until
/// its exec closes it: so it is waited for that nobody listens there.
fn dead_socket(path: &Path) -> std::io::Result<()> {
    drop(UnixListener::bind(path)?);
    while UnixStream::connect(path).is_ok() {
        std::thread::yield_now();
    }
    Ok(())
}

/// One of each kind.
fn furnish(dir: &Path) -> std::io::Result<()> {
    fs::create_dir(dir.join("dir"))?;
    fs::write(dir.join("file"), "")?;
    fs::write(dir.join("two words"), "")?;
    symlink("sock", dir.join("link"))?;
    symlink("nowhere", dir.join("dangling"))?;
    dead_socket(&dir.join("sock"))?;
    mkfifo(&dir.join("fifo"), Mode::S_IRUSR | Mode::S_IWUSR)?;
    Ok(())
}

fn broken(error: std::io::Error) -> Refusal {
    Refusal::Broken(format!("the check could not prepare its directory: {error}"))
}

fn step_1_kind_of_what_is_missing() -> Verdict {
    let story = LAB.command(&["kind", "nowhere", "/", "neither", "/dev"]).run()?;
    story.expect_exit(1)?;
    story.expect_lines(&["d /", "d /dev"])?;
    let told: Vec<String> = story.stderr().lines().map(str::to_owned).collect();
    let wanted = ["nowhere", "neither"].map(|path| format!("unix: {path}: No such file or directory"));
    story.demand(
        told == wanted,
        None,
        format!("standard error is {wanted:?}"),
        format!("it is {told:?}"),
        "One bad name among many is told, and the others get their answer.",
    )
}

fn step_1_kind_when_the_disk_is_full() -> Verdict {
    LAB.command(&["kind", "/"])
        .disk_full()
        .run()?
        .expect_error_line(LAB.name())
}

fn step_1_kind_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[&[], &["sort", "/"], &["kind"]])
}

// Step 2, talk. A socket in the file system: any number of senders, and whole lines, however they come in pieces.

fn step_2_talk() -> Verdict {
    let mut server = recv()?;
    let mut peer = server.connect()?;
    peer.send(b"hello\n");
    server.story()?.expect_stdout("listening on here\nhello\n")?;
    let sleeper = server.sleeper()?;
    let idle = sleeper.blocking == grader::Blocking::Until;
    let happened = format!("it sleeps in {} with a timeout", sleeper.call);
    if !idle {
        return Err(server.refuse(
            "an idle recv sleeps until something comes",
            happened,
            "Waiting costs nothing, when the kernel wakes you.",
        ));
    }
    peer.finish();
    server.expect_closed(&mut peer, "a sender has gone")?;
    if let Some(told) = ends(server, SignalName::SIGTERM)? {
        LAB.snapshot("talk", &told);
    }
    Ok(())
}

/// Ends it with this signal. What it does about its file then is step 4's affair: nobody is held up by that before.
fn ends(server: Server, signal: SignalName) -> Verdict<Option<Told>> {
    match server.end(signal) {
        Err(Refusal::Undone { step: 4, .. }) => Ok(None),
        Err(Refusal::Failed(failure)) if failure.story.status == Some(Ending::Killed(signal as i32)) => {
            Ok(None)
        }
        told => told.map(Some),
    }
}

fn recv() -> Verdict<Server> {
    LAB.command(&["recv", PATH]).serve()
}

fn step_2_talk_lines() -> Verdict {
    let mut server = recv()?;
    let (mut one, mut two) = (server.connect()?, server.connect()?);
    let mut text = "listening on here\n".to_owned();
    let mut say = |server: &mut Server, peer: &mut Peer, piece: &[u8], line: &str| {
        peer.send(piece);
        text.push_str(line);
        server.story()?.expect_stdout(&text)
    };
    say(&mut server, &mut one, b"half a ", "")?;
    say(&mut server, &mut two, b"of two\nand ", "of two\n")?;
    say(
        &mut server,
        &mut one,
        b"line\n\nthree\nfo",
        "half a line\n\nthree\n",
    )?;
    say(&mut server, &mut two, b"again\n", "and again\n")?;
    say(&mut server, &mut one, b"ur", "")?;
    one.finish();
    server.expect_closed(&mut one, "a sender has gone, without a newline at the end")?;
    say(
        &mut server,
        &mut two,
        b"\xff\xfe\0\x1b[31m\n",
        "four\n\u{fffd}\u{fffd}\0\u{1b}[31m\n",
    )?;
    let story = server.story()?;
    let raw = story.stdout.windows(5).any(|bytes| bytes == b"\xff\xfe\0\x1b[");
    story.demand(
        raw,
        None,
        "bytes go unchanged, those that are no text too",
        "they came out as others",
        "A relay that looks into what it carries breaks what it does not know.",
    )?;
    ends(server, SignalName::SIGINT)?;
    Ok(())
}

fn step_2_talk_many() -> Verdict {
    let mut server = recv()?;
    let at_rest = server.descriptors()?;
    let mut peers = server.connect_at_once(100)?;
    for (i, peer) in peers.iter_mut().enumerate() {
        peer.send(format!("sender {i} says ").as_bytes());
    }
    server.settle()?;
    for (i, peer) in peers.iter_mut().enumerate() {
        peer.send(format!("{}\n", "x".repeat(i)).as_bytes());
        peer.finish();
    }
    server.exchange(&mut peers)?;
    let story = server.story()?;
    let lines: Vec<String> = (0..100)
        .map(|i| format!("sender {i} says {}", "x".repeat(i)))
        .collect();
    let all: Vec<&str> = ["listening on here"]
        .into_iter()
        .chain(lines.iter().map(String::as_str))
        .collect();
    story.expect_lines_in_any_order(&all)?;
    server.expect_descriptors(&at_rest, "senders")?;
    server.story()?.expect_one_thread("senders")?;
    ends(server, SignalName::SIGTERM)?;
    Ok(())
}

/// The program's `send`, and the test at the other end.
fn step_2_talk_send() -> Verdict {
    for (typed, comes) in [
        ("one\ntwo\n", "one\ntwo\n"),
        ("one\n\nnever\n", "one\n"),
        ("no newline", "no newline\n"),
        ("", ""),
        ("\n", ""),
    ] {
        let dir = directory()?;
        let listener = UnixListener::bind(dir.path().join(PATH)).map_err(broken)?;
        let story = LAB
            .command(&["send", PATH])
            .directory(dir.path())
            .input(typed)
            .run()?;
        story.expect_exit(0)?;
        story.expect_stdout("")?;
        let came = accepted(&story, &listener)?;
        let without = comes.strip_suffix('\n').unwrap_or(comes);
        let right = came == comes || !typed.ends_with('\n') && came == without;
        story.demand(
            right,
            None,
            format!("of the input {typed:?} are sent {comes:?}"),
            format!("{came:?} came"),
            "What is typed goes out line by line, up to the end or an empty line, and nothing else does.",
        )?;
    }
    each_line_at_once()
}

/// What a sender that has ended has left in its connection.
fn accepted(story: &Story, listener: &UnixListener) -> Verdict<String> {
    let mut came = String::new();
    let read = listener
        .set_nonblocking(true)
        .and_then(|()| listener.accept())
        .and_then(|(mut stream, _)| {
            stream.set_nonblocking(true)?;
            stream.read_to_string(&mut came)
        });
    match read {
        Ok(_) => Ok(came),
        Err(error) => Err(story.refusal(
            None,
            "send connects, sends, and closes",
            format!("the other end has: {error}"),
            "Only a connection can carry anything.",
        )),
    }
}

fn each_line_at_once() -> Verdict {
    let dir = directory()?;
    let listener = UnixListener::bind(dir.path().join(PATH)).map_err(broken)?;
    let mut running = LAB
        .command(&["send", PATH])
        .directory(dir.path())
        .input("")
        .start()?;
    running.until_quiet()?;
    running.input(b"typed\n")?;
    let story = running.until_quiet()?;
    let came = listener
        .set_nonblocking(true)
        .and_then(|()| listener.accept())
        .and_then(|(mut stream, _)| {
            stream.set_nonblocking(true)?;
            let mut bytes = [0; 64];
            stream.read(&mut bytes).map(|n| bytes[..n].to_vec())
        });
    let came = came.unwrap_or_default();
    let happened = format!("the other end has {:?}", String::from_utf8_lossy(&came));
    story.demand(
        came == b"typed\n",
        None,
        "a line goes out as soon as it is typed",
        happened,
        "A conversation of which one side sees nothing until the other has gone is none.",
    )
}

fn step_2_talk_send_to_nobody() -> Verdict {
    LAB.command(&["send", PATH])
        .input("hello\n")
        .run()?
        .expect_error_line(LAB.name())?;
    let dir = directory()?;
    dead_socket(&dir.path().join(PATH)).map_err(broken)?;
    let run = LAB
        .command(&["send", PATH])
        .directory(dir.path())
        .input("hello\n");
    run.run()?.expect_error_line(LAB.name())?;
    goes_away()
}

/// The receiver closes while the sender still has something to say.
fn goes_away() -> Verdict {
    let dir = directory()?;
    let listener = UnixListener::bind(dir.path().join(PATH)).map_err(broken)?;
    let mut running = LAB
        .command(&["send", PATH])
        .directory(dir.path())
        .input("")
        .start()?;
    running.until_quiet()?;
    // Shut down, and not only closed: a child that another check has forked may hold a copy until its exec.
    listener.set_nonblocking(true).map_err(broken)?;
    if let Ok((accepted, _)) = listener.accept() {
        accepted.shutdown(Shutdown::Both).map_err(broken)?;
    }
    drop(listener);
    running.input(b"anybody?\n")?;
    running.close_input()?;
    running.finish()?.expect_error_line(LAB.name())
}

fn step_2_talk_when_interrupted() -> Verdict {
    for (family, nth) in [
        (Family::Poll, 1),
        (Family::Poll, 2),
        (Family::Poll, 3),
        (Family::Read, 1),
        (Family::Accept, 1),
    ] {
        let mut server = LAB.command(&["recv", PATH]).interrupt(family, nth).serve()?;
        let mut peer = server.connect()?;
        server.settle()?;
        peer.send(b"hello\n");
        server.story()?.expect_stdout("listening on here\nhello\n")?;
        ends(server, SignalName::SIGTERM)?;
    }
    let dir = directory()?;
    let listener = UnixListener::bind(dir.path().join(PATH)).map_err(broken)?;
    let mut running = LAB
        .command(&["send", PATH])
        .directory(dir.path())
        .input("")
        .interrupt(Family::Read, 1)
        .start()?;
    running.until_quiet()?;
    running.input(b"hello\n")?;
    running.close_input()?;
    let told = running.finish()?;
    told.expect_exit(0)?;
    let came = accepted(&told, &listener)?;
    told.demand(
        came == "hello\n",
        None,
        "the line is sent",
        format!("{came:?} came"),
        "A signal that the program does not care about changes nothing.",
    )
}

fn step_2_talk_with_socat() -> Verdict {
    talks_with("socat", |path| {
        vec!["-".to_owned(), format!("UNIX-CONNECT:{path}")]
    })
}

fn step_2_talk_with_nc() -> Verdict {
    talks_with("nc", |path| {
        vec!["-N".to_owned(), "-U".to_owned(), path.to_owned()]
    })
}

const FROM_OUTSIDE: &[u8] = b"from outside\nno newline";

fn talks_with(program: &str, args: impl Fn(&str) -> Vec<String>) -> Verdict {
    let send_to = |path: &Path| {
        let args = args(&path.to_string_lossy());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        external(program, &args, FROM_OUTSIDE).map(|output| output.status)
    };
    is_able(program, send_to)?;
    let mut server = recv()?;
    let status = send_to(server.path())?;
    let story = server.story()?;
    story.demand(
        status.success(),
        None,
        format!("{program} connects, sends and ends"),
        format!("{program} ends with {status}"),
        "It is what people try first.",
    )?;
    story.expect_stdout("listening on here\nfrom outside\nno newline\n")?;
    ends(server, SignalName::SIGTERM)?;
    Ok(())
}

/// There are several programs of that name; not all of them know of Unix sockets. This one does if the check itself can
/// hear it.
fn is_able(program: &str, send_to: impl Fn(&Path) -> Verdict<ExitStatus>) -> Verdict {
    let dir = directory()?;
    let path = dir.path().join(PATH);
    let listener = UnixListener::bind(&path).map_err(broken)?;
    let hearer = thread::spawn(move || {
        let mut heard = Vec::new();
        let (mut peer, _) = listener.accept()?;
        peer.read_to_end(&mut heard).map(|_| heard)
    });
    let status = send_to(&path);
    // Should nobody have come, this one does.
    let _ = UnixStream::connect(&path);
    let heard = hearer.join().ok().and_then(Result::ok);
    if status?.success() && heard.as_deref() == Some(FROM_OUTSIDE) {
        return Ok(());
    }
    let reason =
        format!("{program}: the one that is here cannot do that; install another to have this checked");
    Err(Refusal::NotChecked(reason))
}

fn step_2_talk_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[
        &["recv"],
        &["send"],
        &["recv", PATH, "again"],
        &["send", PATH, "again"],
    ])?;
    let long = "x".repeat(108);
    let sent = LAB.command(&["send", &long]).run()?;
    sent.expect_error_line(LAB.name())?;
    let case = "the path has 108 bytes, one more than fit";
    let why = "sun_path has 108 bytes, and a path that is cut to that is another path.";
    let told = refused(LAB.command(&["recv", &long]), case, TOO_LONG, why)?;
    told.expect_no_file()
}

const TOO_LONG: &str = "unix: bind: File name too long\n";
const IN_USE: &str = "unix: bind: Address already in use\n";

/// A recv that does not get its path: it says so in these words, and its exit status is 1.
fn refused(run: Run, case: &str, words: &str, why: &str) -> Verdict<Told> {
    let mut running = run.start()?;
    let story = running.until_quiet()?;
    let expected = format!("{case}: recv says {words:?}, and its exit status is 1");
    if story.status.is_none() && !story.asleep.is_empty() {
        return Err(story.refusal(None, expected, what_it_does(&story), why));
    }
    let told = running.finish()?;
    told.expect_error_line(LAB.name())?;
    told.expect_stdout("")?;
    let happened = format!("it says {:?}", told.stderr());
    told.demand(told.stderr() == words, None, expected, happened, why)?;
    Ok(told)
}

/// Where one stands that should have ended.
fn what_it_does(story: &Story) -> String {
    let calls: Vec<&str> = story.asleep.iter().map(|sleeper| sleeper.call.as_str()).collect();
    match story.stdout().as_str() {
        "" => format!("it sleeps in {}", calls.join(", ")),
        _ => "it serves there now".to_owned(),
    }
}

// Step 3, stale. The file of a socket outlives its program. Only one on which nobody listens may be replaced, and nobody may
// come in between.

fn step_3_stale() -> Verdict {
    let dir = directory()?;
    dead_socket(&dir.path().join(PATH)).map_err(broken)?;
    let mut server = LAB.command(&["recv", PATH]).directory(dir.path()).serve()?;
    let mut peer = server.connect()?;
    peer.send(b"hello\n");
    server.story()?.expect_stdout("listening on here\nhello\n")?;
    expect_private(&mut server)?;
    no_other_file(&server.story()?, dir.path())?;
    if let Some(told) = ends(server, SignalName::SIGTERM)? {
        LAB.snapshot("stale", &told);
    }
    Ok(())
}

/// Nothing but the socket is in its directory.
fn no_other_file(story: &Story, dir: &Path) -> Verdict {
    let entries = fs::read_dir(dir).map_err(broken)?.flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let others: Vec<String> = names.filter(|name| name != PATH).collect();
    story.demand(
        others.is_empty(),
        None,
        "the socket's file is the only one that recv makes",
        format!("there is {}", others.join(", ")),
        "A lock file that is removed brings the race back, and one that stays is in the way for ever.",
    )
}

/// Only its user may talk to it.
fn expect_private(server: &mut Server) -> Verdict {
    let mode = fs::metadata(server.path()).map_or(0, |meta| meta.mode() & 0o777);
    if mode == 0o600 {
        return Ok(());
    }
    let why = "Who may write to the file may connect: from the moment on at which it is there.";
    Err(server.refuse("the socket's file has mode 600", format!("it has {mode:o}"), why))
}

fn step_3_stale_is_not_alive() -> Verdict {
    let mut first = recv()?;
    let dir = first.story()?.directory;
    let before = inode(first.path());
    in_use(Path::new(&dir), PATH, "somebody listens there")?;
    if inode(first.path()) != before {
        return Err(first.refuse("the file is left alone", "it is another now", DEED));
    }
    let mut peer = first.connect()?;
    peer.send(b"still here\n");
    first.story()?.expect_stdout("listening on here\nstill here\n")?;
    ends(first, SignalName::SIGTERM)?;
    full_backlog()?;
    datagrams()
}

fn inode(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|meta| meta.ino())
}

const DEED: &str =
    "Only who is told ECONNREFUSED by a socket knows that nobody listens; and an unlink cannot be undone.";

/// A recv is refused with the words of bind, and what is at its path stays as it is.
fn in_use(dir: &Path, name: &str, case: &str) -> Verdict {
    let path = dir.join(name);
    let before = inode(&path);
    let told = refused(LAB.command(&["recv", name]).directory(dir), case, IN_USE, DEED)?;
    told.demand(
        before.is_some() && inode(&path) == before,
        None,
        format!("{case}: it is left alone"),
        "it is gone, or another",
        DEED,
    )
}

/// Somebody listens, and is so busy that a connect would have to wait.
fn full_backlog() -> Verdict {
    let dir = directory()?;
    let path = dir.path().join(PATH);
    let listener = UnixListener::bind(&path).map_err(broken)?;
    // One connection may wait, and the next would have to.
    listen(&listener, Backlog::new(0).unwrap_or(Backlog::MAXCONN)).map_err(|errno| broken(errno.into()))?;
    let _waiting = UnixStream::connect(&path).map_err(broken)?;
    in_use(
        dir.path(),
        PATH,
        "somebody listens there, and his backlog is full",
    )
}

/// Somebody has the path for datagrams.
fn datagrams() -> Verdict {
    let dir = directory()?;
    let _socket = UnixDatagram::bind(dir.path().join(PATH)).map_err(broken)?;
    in_use(dir.path(), PATH, "somebody has a datagram socket there")
}

fn step_3_stale_is_a_socket() -> Verdict {
    for (kind, case) in [
        ("file", "a file is there"),
        ("dir", "a directory is there"),
        ("fifo", "a FIFO is there"),
        ("link", "a symbolic link to a stale socket is there"),
        ("dangling", "a symbolic link to nowhere is there"),
    ] {
        let dir = directory()?;
        furnish(dir.path()).map_err(broken)?;
        let target = inode(&dir.path().join("sock"));
        in_use(dir.path(), kind, case)?;
        if inode(&dir.path().join("sock")) != target {
            let story = LAB.command(&["kind", "/"]).run()?;
            return Err(story.refusal(
                None,
                "what the link points to is left alone",
                "it is gone, or another",
                DEED,
            ));
        }
    }
    Ok(())
}

/// A hundred times two that start at the same moment on a stale path, four such pairs at a time.
fn step_3_stale_two_at_once() -> Verdict {
    thread::scope(|scope| {
        let four = [(); 4].map(|()| scope.spawn(|| (0..25).try_for_each(|_| two_at_once())));
        four.into_iter().try_for_each(|pairs| {
            let panicked = |_| Refusal::Broken("a thread of the check panicked".to_owned());
            pairs.join().map_err(panicked)?
        })
    })
}

fn two_at_once() -> Verdict {
    let dir = directory()?;
    dead_socket(&dir.path().join(PATH)).map_err(broken)?;
    let run = || LAB.command(&["recv", PATH]).directory(dir.path()).start();
    let (one, two) = (run()?, run()?);
    one_serves(dir.path(), one, two)
}

/// One of the two serves, and can be reached; the other has been refused.
fn one_serves(dir: &Path, mut one: Running, mut two: Running) -> Verdict {
    one.until_quiet()?;
    let (second, first) = (two.until_quiet()?, one.until_quiet()?);
    let (loser, winner) = match (serves(&first), serves(&second)) {
        (true, false) => (second, first),
        (false, true) => (first, second),
        (both, _) => return Err(not_one(&first, &second, both)),
    };
    loser.demand(
        loser.status == Some(grader::Ending::Exited(1)) && loser.stderr() == IN_USE,
        None,
        format!("one of two serves, the other says {IN_USE:?}, and its exit status is 1"),
        format!("it says {:?}", loser.stderr()),
        RACE,
    )?;
    let said =
        UnixStream::connect(dir.join(PATH)).and_then(|mut stream| stream.write_all(b"who is there?\n"));
    let heard = said.is_ok() && (hears(&mut one)? || hears(&mut two)?);
    winner.demand(
        heard,
        None,
        "the one that serves can be reached by its path",
        said.map_or_else(
            |error| format!("connect says: {error}"),
            |()| "nobody heard what was sent there".to_owned(),
        ),
        RACE,
    )
}

fn serves(story: &Story) -> bool {
    story.status.is_none() && story.stdout() == "listening on here\n"
}

fn hears(running: &mut Running) -> Verdict<bool> {
    let story = running.until_quiet()?;
    Ok(story.stdout().ends_with("who is there?\n"))
}

fn not_one(first: &Story, second: &Story, both: bool) -> Refusal {
    let happened = match both {
        true => "both say that they listen".to_owned(),
        false => format!("neither does: {:?} and {:?}", first.stderr(), second.stderr()),
    };
    // Told by the one that was not stopped: where the other stood need not be the place of the gap.
    second.refusal(None, "one of two serves, the other is refused", happened, RACE)
}

const RACE: &str =
    "Between the look and the deed there is always a moment: only a lock makes one step of the two.";

/// The first is stopped behind each of its calls, and the second starts and does what it wants; then the first goes on.
fn step_3_stale_one_is_slow() -> Verdict {
    for nth in 1..CALLS {
        let dir = directory()?;
        dead_socket(&dir.path().join(PATH)).map_err(broken)?;
        let run = || LAB.command(&["recv", PATH]).directory(dir.path());
        let mut slow = run().pause_after(nth).start()?;
        let story = slow.until_quiet()?;
        story.observed()?;
        if story.paused.is_none() {
            return expect_serves(&story);
        }
        expect_private_file(&story, dir.path())?;
        let mut quick = run().start()?;
        quick.until_quiet()?;
        slow.go()?;
        one_serves(dir.path(), slow, quick)?;
    }
    Err(too_many_calls())
}

/// Both are stopped behind the same call, so that each has seen what the other has not changed yet. Then one goes on and
/// does what it wants, and after it the other.
fn step_3_stale_both_are_slow() -> Verdict {
    for nth in 1..CALLS {
        for first_goes_first in [true, false] {
            if !both_stop_behind(nth, first_goes_first)? {
                return Ok(());
            }
        }
    }
    Err(too_many_calls())
}

/// `false` when the first is not stopped any more: it makes fewer calls.
fn both_stop_behind(nth: usize, first_goes_first: bool) -> Verdict<bool> {
    let dir = directory()?;
    dead_socket(&dir.path().join(PATH)).map_err(broken)?;
    let run = || {
        let run = LAB.command(&["recv", PATH]).directory(dir.path());
        run.pause_after(nth).start()
    };
    let mut first = run()?;
    let story = first.until_quiet()?;
    story.observed()?;
    if story.paused.is_none() {
        expect_serves(&story)?;
        return Ok(false);
    }
    let mut second = run()?;
    // One that waits for the lock comes to its stop only when the first has gone on.
    let waits = second.until_quiet()?.paused.is_none();
    let (one, other) = match (first_goes_first, waits) {
        (true, _) => (&mut first, &mut second),
        (false, false) => (&mut second, &mut first),
        (false, true) => return Ok(true),
    };
    one.go()?;
    one.until_quiet()?;
    other.until_quiet()?;
    other.go()?;
    one_serves(dir.path(), first, second)?;
    Ok(true)
}

/// More calls than any recv needs, behind which it is stopped.
const CALLS: usize = 200;

fn too_many_calls() -> Refusal {
    Refusal::NotChecked(format!(
        "recv makes more than {CALLS} calls; behind those after them it was not stopped"
    ))
}

/// It was not stopped any more: it serves already.
fn expect_serves(story: &Story) -> Verdict {
    story.demand(
        serves(story),
        None,
        "recv serves",
        format!("it prints {:?}, and says {:?}", story.stdout(), story.stderr()),
        "A stale file is no reason to give up.",
    )
}

/// From the moment on at which the file is there. (The stale one is the test's, and opened up here.)
fn expect_private_file(story: &Story, dir: &Path) -> Verdict {
    let bound = story
        .calls_of(MAIN, Family::Bind)
        .rfind(|(_, call)| call.result == Some(0));
    let mode = fs::symlink_metadata(dir.join(PATH)).map(|meta| meta.permissions().mode() & 0o777);
    match (bound, mode) {
        (Some((at, call)), Ok(mode))
            if call.on.get(1).is_some_and(|on| on.ends_with(PATH)) && mode != 0o600 =>
        {
            Err(story.refusal(
                Some(at),
                "the socket's file has mode 600 from its creation on",
                format!(
                    "behind {} it has {mode:o}",
                    story.paused.as_deref().unwrap_or("a call")
                ),
                "A chmod behind the bind leaves a moment in which everybody may connect.",
            ))
        }
        _ => Ok(()),
    }
}

fn step_3_stale_when_it_cannot_be() -> Verdict {
    let nowhere = LAB.command(&["recv", "nowhere/here"]).run()?;
    nowhere.expect_error_line(LAB.name())?;
    let failing = LAB
        .command(&["recv", PATH])
        .fail(Family::Bind, 1, Errno::EACCES)
        .run()?;
    failing.expect_error_line(LAB.name())?;
    if !is_root() {
        return Ok(());
    }
    let dir = directory()?;
    let closed = LAB
        .command(&["recv", &format!("{}/here", dir.path().display())])
        .user(OTHER)
        .run();
    startable(closed)?.expect_error_line(LAB.name())
}

fn is_root() -> bool {
    geteuid().is_root()
}

/// The program may lie where another user does not come.
fn startable<T: std::ops::Deref<Target = Story>>(told: Verdict<T>) -> Verdict<T> {
    match told {
        Ok(told) => match &told.end {
            grader::End::NotStarted(reason) => Err(Refusal::NotChecked(format!(
                "another user cannot start the program: {reason}"
            ))),
            _ => Ok(told),
        },
        Err(refusal) => Err(refusal),
    }
}

// Step 4, tidy. Who made the file removes it, whatever ends the program; and removes nothing that is another's.

fn step_4_tidy() -> Verdict {
    for signal in [SignalName::SIGINT, SignalName::SIGTERM] {
        let mut server = recv()?;
        let mut peer = server.connect()?;
        peer.send(b"half a line");
        server.settle()?;
        let path = server.path().to_owned();
        let told = server.end(signal)?;
        gone(&told, &path)?;
    }
    Ok(())
}

fn gone(story: &Story, path: &Path) -> Verdict {
    story.demand(
        inode(path).is_none(),
        None,
        "the socket's file is gone with its program",
        "it is still there",
        "Who finds it thinks that somebody might listen, and has to try.",
    )
}

fn step_4_tidy_what_is_its_own() -> Verdict {
    for replace in [as_file, as_socket] {
        let server = recv()?;
        let path = server.path().to_owned();
        fs::remove_file(&path).map_err(broken)?;
        let _other = replace(&path).map_err(broken)?;
        let before = inode(&path);
        let told = server.end(SignalName::SIGTERM)?;
        told.demand(
            inode(&path) == before,
            None,
            "what somebody else has put there meanwhile is left alone",
            "it was removed",
            "A path is only a name: whose file it is now, its inode tells.",
        )?;
    }
    let server = recv()?;
    fs::remove_file(server.path()).map_err(broken)?;
    server.end(SignalName::SIGTERM)?;
    Ok(())
}

fn as_file(path: &Path) -> std::io::Result<Option<UnixListener>> {
    fs::write(path, "another's").map(|()| None)
}

fn as_socket(path: &Path) -> std::io::Result<Option<UnixListener>> {
    UnixListener::bind(path).map(Some)
}

fn step_4_tidy_when_a_call_fails() -> Verdict {
    let full = LAB.command(&["recv", PATH]).disk_full().run()?;
    full.expect_error_line(LAB.name())?;
    full.expect_no_file()?;
    let deaf = LAB
        .command(&["recv", PATH])
        .fail(Family::Poll, 1, Errno::ENOMEM)
        .run()?;
    // One that waits in another call, or tries once more, serves: then there was nothing to tell.
    if matches!(deaf.end, grader::End::Hung(_)) {
        return Ok(());
    }
    deaf.expect_error_told(LAB.name())?;
    deaf.expect_no_file()
}

/// One that is on its way out is stopped behind each of its calls, and another starts.
fn step_4_tidy_one_is_slow() -> Verdict {
    let starts = calls_until_it_serves()?;
    for nth in starts + 1..starts + CALLS {
        let dir = directory()?;
        let run = || LAB.command(&["recv", PATH]).directory(dir.path());
        let mut leaving = run().pause_after(nth).start()?;
        leaving.until_quiet()?;
        let file = inode(&dir.path().join(PATH));
        leaving.signal("main", SignalName::SIGTERM)?;
        let story = leaving.until_quiet()?;
        story.observed()?;
        if story.paused.is_none() {
            leaving.finish()?.expect_exit(0)?;
            return Ok(());
        }
        answers_while_it_is_there(&story, dir.path(), file)?;
        let mut coming = run().start()?;
        coming.until_quiet()?;
        leaving.go()?;
        leaving.finish()?.expect_exit(0)?;
        came_through(dir.path(), coming)?;
    }
    Err(too_many_calls())
}

/// How many calls, from its first socket on, a recv makes until it sleeps.
fn calls_until_it_serves() -> Verdict<usize> {
    for nth in 1..CALLS {
        let mut running = LAB.command(&["recv", PATH]).pause_after(nth).start()?;
        let story = running.until_quiet()?;
        story.observed()?;
        if story.paused.is_none() {
            expect_serves(&story)?;
            return Ok(nth - 1);
        }
    }
    Err(too_many_calls())
}

/// As long as its own file is there, somebody listens behind it.
fn answers_while_it_is_there(story: &Story, dir: &Path, file: Option<u64>) -> Verdict {
    let path = dir.join(PATH);
    story.demand(
        inode(&path) != file || UnixStream::connect(&path).is_ok(),
        None,
        "first the file goes, and then the socket is closed",
        format!("behind {} the file is there, and nobody listens", story.paused.as_deref().unwrap_or("a call")),
        "What nobody listens behind is stale: another may replace it, and the file that is removed then is his.",
    )
}

/// One that comes is stopped behind each of its calls, and the one that served leaves meanwhile.
fn step_4_tidy_another_is_slow() -> Verdict {
    for nth in 1..CALLS {
        let dir = directory()?;
        let run = || LAB.command(&["recv", PATH]).directory(dir.path());
        let mut leaving = run().start()?;
        expect_serves(&leaving.until_quiet()?)?;
        let mut coming = run().pause_after(nth).start()?;
        let story = coming.until_quiet()?;
        story.observed()?;
        if story.paused.is_none() {
            return story.expect_error_told(LAB.name());
        }
        leaving.signal("main", SignalName::SIGTERM)?;
        leaving.until_quiet()?; // it has ended, or waits for the lock
        coming.go()?;
        came_through(dir.path(), coming)?;
        leaving.finish()?.expect_exit(0)?;
    }
    Err(too_many_calls())
}

/// It serves where it can be reached; or it was refused, since the other was still there.
fn came_through(dir: &Path, mut coming: Running) -> Verdict {
    let story = coming.until_quiet()?;
    if story.status.is_some() {
        return story.demand(
            story.stderr() == IN_USE,
            None,
            "one that comes while another leaves serves, or is refused because the other is still there",
            format!("it says {:?}", story.stderr()),
            RACE,
        );
    }
    let reached = UnixStream::connect(dir.join(PATH));
    story.demand(
        reached.is_ok(),
        None,
        "who has come can be reached by its path, whatever the other did when it left",
        "nobody listens there: its file has been removed",
        RACE,
    )
}

// Step 5, who. The kernel knows who is at the other end. What the sender says of itself is only text.

fn step_5_who() -> Verdict {
    let mut server = LAB.command(&["who", PATH]).serve()?;
    expect_private(&mut server)?;
    let mut peer = server.connect()?;
    peer.send(b"pid 1 uid 2: I am somebody else\nsecond");
    peer.send(b" line\n");
    let mut senders = vec![(std::process::id(), "TEST")];
    let lines = "pid TEST uid MINE: pid 1 uid 2: I am somebody else\npid TEST uid MINE: second line\n";
    expect_said(&server.story()?, &senders, lines)?;
    let dir = server.story()?.directory;
    let sent = LAB
        .command(&["send", PATH])
        .directory(Path::new(&dir))
        .input("hello\n");
    let sent = sent.run()?;
    sent.expect_exit(0)?;
    senders.push((sent.pid(MAIN).unsigned_abs(), "SEND"));
    expect_said(
        &server.story()?,
        &senders,
        &format!("{lines}pid SEND uid MINE: hello\n"),
    )?;
    let path = server.path().to_owned();
    let told = server.end(SignalName::SIGTERM)?;
    gone(&told, &path)
}

/// What it has printed, with the ids of those who sent replaced by names.
fn expect_said(story: &Story, senders: &[(u32, &str)], lines: &str) -> Verdict {
    let mut said = story
        .stdout()
        .replace(&format!(" uid {}: ", geteuid()), " uid MINE: ");
    for (pid, name) in senders {
        said = said.replace(&format!("pid {pid} "), &format!("pid {name} "));
    }
    said = said.replace(&format!("pid {} ", story.pid(MAIN)), "pid WHO ");
    let said = said.strip_prefix("listening on here\n").unwrap_or(&said);
    story.demand(
        said == lines,
        None,
        format!("behind \"listening on here\" it prints {lines:?}"),
        format!("it prints {said:?}"),
        "In front of each line stands who has connected, as the kernel says; what he says himself is only text.",
    )
}

fn step_5_who_is_let_in() -> Verdict {
    keeps_strangers_out()?;
    if !others_can_come() {
        let reason =
            "only root can send as another user, and only where the temporary directory lets others in";
        return Err(Refusal::NotChecked(reason.to_owned()));
    }
    lets_root_in()
}

/// Root runs this, and whoever else it lets run can come to the directories of the runs.
fn others_can_come() -> bool {
    let top = std::env::temp_dir();
    let lets_in = |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.mode() & 0o001 != 0);
    is_root() && top.ancestors().all(lets_in)
}

/// The file has been opened up to everybody, and so has its directory: it is the program that looks who comes.
fn keeps_strangers_out() -> Verdict {
    let dir = directory()?;
    let mut server = LAB.command(&["who", PATH]).directory(dir.path()).serve()?;
    for (path, mode) in [(dir.path(), 0o777), (server.path(), 0o666)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(broken)?;
    }
    let mut senders = vec![(std::process::id(), "TEST")];
    if others_can_come() {
        let there = dir.path().join(PATH).to_string_lossy().into_owned();
        let stranger = LAB.command(&["send", &there]).user(OTHER).input("let me in\n");
        let stranger = startable(stranger.run())?;
        senders.push((stranger.pid(MAIN).unsigned_abs(), "STRANGER"));
        expect_said(&server.story()?, &senders, "")?;
    }
    let mut peer = server.connect()?;
    peer.send(b"me\n");
    expect_said(&server.story()?, &senders, "pid TEST uid MINE: me\n")?;
    server.end(SignalName::SIGTERM)?;
    Ok(())
}

/// Another user has started it: root may talk to it, and he himself.
fn lets_root_in() -> Verdict {
    let mut server = LAB.command(&["who", PATH]).user(OTHER).serve()?;
    let mut root = server.connect()?;
    root.send(b"root\n");
    let mut senders = vec![(std::process::id(), "TEST")];
    expect_said(&server.story()?, &senders, "pid TEST uid MINE: root\n")?;
    let there = server.path().to_string_lossy().into_owned();
    let own = LAB.command(&["send", &there]).user(OTHER).input("own\n").run()?;
    senders.push((own.pid(MAIN).unsigned_abs(), "SEND"));
    let lines = format!("pid TEST uid MINE: root\npid SEND uid {OTHER}: own\n");
    expect_said(&server.story()?, &senders, &lines)?;
    own.expect_exit(0)?;
    server.end(SignalName::SIGTERM)?;
    Ok(())
}

fn step_5_who_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[&["who"], &["who", PATH, "again"]])
}

// Step 6, pass. An open file goes through the socket: not its name, and not its bytes. Who takes it need not be allowed to
// open it.

const SECRET: &str = "what is in the file\nline two";

fn step_6_pass() -> Verdict {
    let mut server = LAB.command(&["take", PATH]).serve()?;
    expect_private(&mut server)?;
    let dir = server.story()?.directory;
    fs::write(Path::new(&dir).join("secret"), SECRET).map_err(broken)?;
    let mut giver = LAB
        .command(&["give", PATH, "secret"])
        .directory(Path::new(&dir))
        .start()?;
    giver.until_quiet()?; // it may wait for the taker's end
    let path = server.path().to_owned();
    let told = server.finish()?;
    let given = giver.finish()?;
    given.expect_exit(0)?;
    given.expect_stdout("")?;
    never_opened(&told)?;
    taken(&told, &path)?;
    LAB.snapshot("take", &told);
    LAB.snapshot("give", &given);
    Ok(())
}

fn taken(told: &Story, path: &Path) -> Verdict {
    told.expect_exit(0)?;
    told.expect_stdout(&format!("listening on here\n{SECRET}"))?;
    gone(told, path)
}

fn never_opened(story: &Story) -> Verdict {
    story.observed()?;
    let mut calls = story.calls(MAIN);
    let opened = calls
        .find(|(_, call)| call.name.starts_with("open") && call.on.iter().any(|on| on.ends_with("secret")));
    story.demand(
        opened.is_none(),
        opened.map(|(at, _)| at),
        "take never opens the file itself",
        "it opened it by its name",
        "What is passed is the right to read this open file. A name gives no right.",
    )
}

/// The test gives: a descriptor of a file that has no name any more, and with it a byte that says nothing.
fn step_6_pass_take_from_us() -> Verdict {
    // More than one read or one page, and no text.
    let secret: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
    let server = LAB.command(&["take", PATH]).serve()?;
    let taker = UnixStream::connect(server.path()).map_err(broken)?;
    pass(&taker, &unnamed(&secret).map_err(broken)?).map_err(broken)?;
    let path = server.path().to_owned();
    let told = server.finish()?;
    let (head, printed) = told.stdout.split_at(told.stdout.len().min(18));
    told.demand(
        head == b"listening on here\n" && printed == secret,
        None,
        format!(
            "take prints all {} bytes that it reads from the descriptor it was passed",
            secret.len()
        ),
        format!("it prints {}{}", differently(printed, &secret), stderr_of(&told)),
        "What was passed is an open file. It need not have a name, nor hold text, nor fit into one read.",
    )?;
    told.expect_exit(0)?;
    gone(&told, &path)
}

fn differently(printed: &[u8], secret: &[u8]) -> String {
    let same = printed.iter().zip(secret).take_while(|(a, b)| a == b).count();
    format!("{} bytes, of which the first {same} are right", printed.len())
}

fn stderr_of(story: &Story) -> String {
    match story.stderr().as_str() {
        "" => String::new(),
        said => format!(", and says {said:?}"),
    }
}

/// An open file with these contents, to be read from its start, that no directory has.
fn unnamed(contents: &[u8]) -> std::io::Result<File> {
    let dir = grader::directory().map_err(|_| ErrorKind::Other)?;
    fs::write(dir.path().join("file"), contents)?;
    File::open(dir.path().join("file"))
}

/// Passes the descriptor of this file.
fn pass(to: &UnixStream, file: &File) -> std::io::Result<()> {
    let (byte, fds) = ([IoSlice::new(b"?")], [file.as_raw_fd()]);
    let message = [ControlMessage::ScmRights(&fds)];
    sendmsg::<UnixAddr>(to.as_raw_fd(), &byte, &message, MsgFlags::empty(), None)?;
    Ok(())
}

/// The test takes.
fn step_6_pass_give_to_us() -> Verdict {
    let dir = directory()?;
    fs::write(dir.path().join("secret"), SECRET).map_err(broken)?;
    let listener = UnixListener::bind(dir.path().join(PATH)).map_err(broken)?;
    listener.set_nonblocking(true).map_err(broken)?;
    let mut giver = LAB
        .command(&["give", PATH, "secret"])
        .directory(dir.path())
        .start()?;
    let story = giver.until_quiet()?;
    let passed = listener.accept().and_then(|(giver, _)| receive(&giver));
    let passed = passed.map(|file| file.and_then(|file| file.metadata().ok()).map(|meta| meta.ino()));
    let happened = match &passed {
        Ok(None) => "its message carries none".to_owned(),
        Ok(Some(_)) => "it is the descriptor of something else".to_owned(),
        Err(error) => format!("it can be asked for none: {error}"),
    };
    story.demand(
        passed.ok().flatten() == inode(&dir.path().join("secret")),
        None,
        "give passes a descriptor of FILE (SCM_RIGHTS)",
        happened,
        "Bytes are a copy, and a name is only a name: a descriptor is the open file itself.",
    )?;
    let given = giver.finish()?;
    given.expect_exit(0)
}

/// Receives a message; the file that came with it, if one did.
fn receive(from: &UnixStream) -> std::io::Result<Option<File>> {
    let (mut byte, mut space) = ([0; 64], cmsg_space!([RawFd; 8]));
    let mut data = [IoSliceMut::new(&mut byte)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<UnixAddr>(from.as_raw_fd(), &mut data, Some(&mut space), flags)?;
    let mut files = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = control {
            // SAFETY: the kernel has just made these descriptors for us; nobody else owns them.
            files.extend(
                fds.into_iter()
                    .map(|fd| File::from(unsafe { OwnedFd::from_raw_fd(fd) })),
            );
        }
    }
    Ok(files.into_iter().next())
}

/// The taker may not open the file. (Without root he is the test's user, and may.)
fn step_6_pass_to_another_user() -> Verdict {
    let dir = directory()?;
    fs::write(dir.path().join("secret"), SECRET).map_err(broken)?;
    fs::set_permissions(dir.path().join("secret"), fs::Permissions::from_mode(0o600)).map_err(broken)?;
    let take = LAB.command(&["take", PATH]);
    let mut taker = if is_root() { take.user(OTHER) } else { take }.start()?;
    let story = startable(taker.until_quiet().map(Box::new))?;
    let there = Path::new(&story.directory).join(PATH);
    let mut giver = LAB
        .command(&["give", &there.to_string_lossy(), "secret"])
        .directory(dir.path())
        .start()?;
    giver.until_quiet()?; // it may wait for the taker's end
    let told = taker.finish()?;
    taken(&told, &there)?;
    giver.finish()?.expect_exit(0)?;
    if is_root() {
        return Ok(());
    }
    let reason = "only root can take as another user".to_owned();
    Err(Refusal::NotChecked(reason))
}

fn step_6_pass_nothing() -> Verdict {
    for bytes in [&b""[..], b"x", b"no descriptor here"] {
        let mut server = LAB.command(&["take", PATH]).serve()?;
        let mut peer = server.connect()?;
        peer.send(bytes);
        peer.finish();
        let path = server.path().to_owned();
        let told = server.finish()?;
        told.expect_error_told(LAB.name())?;
        let happened = format!("it says {:?}", told.stderr());
        let line = "unix: recvmsg: no descriptor\n";
        told.demand(
            told.stderr() == line,
            None,
            format!("standard error is {line:?}"),
            happened,
            "Who expects a descriptor must look whether one came.",
        )?;
        gone(&told, &path)?;
    }
    Ok(())
}

fn step_6_pass_when_a_call_fails() -> Verdict {
    LAB.command(&["give", PATH, "nowhere"])
        .run()?
        .expect_error_line(LAB.name())?;
    LAB.command(&["give", "nowhere", PATH])
        .file(PATH, "x")
        .run()?
        .expect_error_line(LAB.name())?;
    let full = LAB.command(&["take", PATH]).disk_full().run()?;
    full.expect_error_line(LAB.name())?;
    full.expect_no_file()
}

fn step_6_pass_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[
        &["take"],
        &["give"],
        &["give", PATH],
        &["take", PATH, "again"],
        &["give", PATH, "file", "again"],
    ])
}

// Step 7, pair. Two ends without a name, made before the fork: each side keeps one and closes the other, or nobody ever sees
// the end.

fn step_7_pair() -> Verdict {
    let story = LAB.command(&["pair"]).hold_exits().run()?;
    story.expect_processes(&["main", "c1"])?;
    closes_the_other_end(&story)?;
    hears_prints_and_answers(&story)?;
    story.expect_exit(0)?;
    story.expect_lines(&["child: ping", "parent: pong"])?;
    story.expect_line_by("child: ping", C1)?;
    story.expect_line_by("parent: pong", MAIN)?;
    story.expect_all_reaped()?;
    LAB.snapshot("pair", &story);
    Ok(())
}

/// Before it first reads, each has closed an end.
fn closes_the_other_end(story: &Story) -> Verdict {
    let born = story.processes[C1].born;
    for who in [MAIN, C1] {
        let read = story
            .calls_of(who, Family::Read)
            .find(|(at, call)| *at > born && call.on.iter().any(|on| on.starts_with("socket:")));
        let until = read.map_or(usize::MAX, |(at, _)| at);
        let closed = story
            .calls(who)
            .any(|(at, call)| at > born && at < until && call.name == "close" && call.result == Some(0));
        story.demand(
            closed,
            read.map(|(at, _)| at),
            format!(
                "{} closes the end that it does not use, before it waits",
                story.name(who)
            ),
            "it still had it open",
            "Whoever holds the other end open himself waits for ever for its end.",
        )?;
    }
    Ok(())
}

/// The child has read before it prints, and printed before it writes to its end; the parent has read before it prints.
fn hears_prints_and_answers(story: &Story) -> Verdict {
    let born = story.processes[C1].born;
    for (who, line) in [(C1, "child: ping"), (MAIN, "parent: pong")] {
        let calls = |family| {
            story
                .calls_of(who, family)
                .filter(|(at, call)| *at > born && call.result > Some(0))
        };
        let heard = calls(Family::Read).next().map_or(usize::MAX, |(at, _)| at);
        let printed = story.writers_of(line).first().map(|(at, _)| *at);
        let answered = calls(Family::Write)
            .find(|(_, call)| call.text.is_empty())
            .map(|(at, _)| at);
        let in_order = who == MAIN || answered.is_none_or(|at| printed.is_some_and(|printed| printed < at));
        story.demand(
            printed.is_none_or(|printed| heard < printed) && in_order,
            printed.or(answered),
            format!("{} first hears, then prints {line:?}, and only then answers", story.name(who)),
            "it did so in another order",
            "What is printed is what came, and in the order in which it came: an answer that is under way cannot wait for a line.",
        )?;
    }
    Ok(())
}

fn step_7_pair_when_interrupted() -> Verdict {
    for (family, nth) in [(Family::Read, 1), (Family::Read, 2), (Family::Wait, 1)] {
        let story = LAB.command(&["pair"]).hold_exits().interrupt(family, nth).run()?;
        story.expect_exit(0)?;
        story.expect_lines(&["child: ping", "parent: pong"])?;
    }
    Ok(())
}

fn step_7_pair_when_a_call_fails() -> Verdict {
    LAB.command(&["pair"])
        .fail(Family::Fork, 1, Errno::EAGAIN)
        .run()?
        .expect_error_line(LAB.name())?;
    // The child's answer fails: the parent sees the end, and does not wait for ever.
    let story = LAB.command(&["pair"]).fail(Family::Write, 3, Errno::EIO).run()?;
    story.expect_error_told(LAB.name())?;
    story.expect_all_reaped()
}

fn step_7_pair_wrong_usage() -> Verdict {
    LAB.wrong_usage(&[&["pair", "again"]])
}
