//! Step 7: HTTP/1.1 as far as a browser needs it (RFC 9110, RFC 9112), judged with raw bytes, with curl and with Chromium.

use super::{ADDRESS, CLIENTS, EPOLL, LAB, expect_line, start, wrong_addresses};
use grader::{Peer, PeerEnd, Server, SignalName, Verdict, external};

// Step 7, http. The same loop serves browsers: what is read is a request, possibly half of one, possibly three; what is
// owed is an answer.

pub fn answers() -> Verdict {
    let mut server = start("http")?;
    server.expect_asleep_in(EPOLL)?;
    let mut peer = server.connect()?;
    peer.send(b"GET / HTTP/1.1\r\nHost: here\r\nX-Word: <b>&\"quoted\"</b> \xc3\xa4\xc3\xb6\r\n\r\n");
    let answer = answer(&mut server, &mut peer, "a GET of /")?;
    let case = "GET / with a header X-Word: <b>&\"quoted\"</b>";
    expect_status(&mut server, &answer, 200, case)?;
    let html = answer
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("text/html"));
    demand(
        &mut server,
        html,
        case,
        "the answer is text/html",
        format!("Content-Type: {:?}", answer.header("content-type")),
    )?;
    let page = String::from_utf8_lossy(&answer.body).into_owned();
    let page = page
        .replace("&#60;", "&lt;")
        .replace("&#62;", "&gt;")
        .replace("&#x3c;", "&lt;")
        .replace("&#x3e;", "&gt;");
    for shown in ["GET / HTTP/1.1", "X-Word", "&lt;b&gt;"] {
        demand(
            &mut server,
            page.contains(shown),
            case,
            &format!("the page shows {shown:?}"),
            format!("the page is {page:?}"),
        )?;
    }
    demand(
        &mut server,
        !page.contains("<b>&"),
        case,
        "what came from outside is escaped",
        "the page holds it as it came".to_owned(),
    )?;
    server.expect_open(&mut peer, "HTTP/1.1 keeps the connection")?;
    let told = server.stop(SignalName::SIGTERM)?;
    told.expect_one_thread(CLIENTS)
}

/// Method, path and version: what each request gets, and whether the connection stays.
pub fn statuses() -> Verdict {
    let host = "Host: here\r\n";
    let long = |bytes: usize| format!("GET / HTTP/1.1\r\n{host}X: {}\r\n\r\n", "x".repeat(bytes));
    let cases: [(&str, String, u16, bool); 22] = [
        (
            "the query is ignored",
            format!("GET /?a=1&b=2 HTTP/1.1\r\n{host}\r\n"),
            200,
            true,
        ),
        (
            "another path",
            format!("GET /favicon.ico HTTP/1.1\r\n{host}\r\n"),
            404,
            true,
        ),
        (
            "a POST",
            format!("POST / HTTP/1.1\r\n{host}Content-Length: 3\r\n\r\nabc"),
            405,
            true,
        ),
        (
            "the method is judged before the path",
            format!("DELETE /nowhere HTTP/1.1\r\n{host}\r\n"),
            405,
            true,
        ),
        (
            "an unknown method",
            format!("BREW / HTTP/1.1\r\n{host}\r\n"),
            405,
            true,
        ),
        (
            "1.1 without Host",
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            400,
            false,
        ),
        ("no version", "GET /\r\n\r\n".to_owned(), 400, false),
        (
            "an odd version",
            format!("GET / HTTP/x.y\r\n{host}\r\n"),
            400,
            false,
        ),
        ("no words", format!("\u{1}\u{2}\u{3}\r\n{host}\r\n"), 400, false),
        (
            "a header without a colon",
            format!("GET / HTTP/1.1\r\n{host}nonsense\r\n\r\n"),
            400,
            false,
        ),
        (
            "a space before the colon",
            format!("GET / HTTP/1.1\r\n{host}X : 1\r\n\r\n"),
            400,
            false,
        ),
        (
            "a length that is no number",
            format!("POST / HTTP/1.1\r\n{host}Content-Length: ten\r\n\r\n"),
            400,
            false,
        ),
        (
            "a negative length",
            format!("POST / HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n"),
            400,
            false,
        ),
        (
            "two lengths",
            format!("POST / HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
            400,
            false,
        ),
        ("headers of 9,000 bytes", long(9000), 431, false),
        ("headers of 8,000 bytes", long(7900), 200, true),
        (
            "9,000 bytes and no end",
            format!("GET /{}", "x".repeat(9000)),
            431,
            false,
        ),
        ("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n".to_owned(), 200, false),
        (
            "HTTP/1.0 that asks for keep-alive",
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_owned(),
            200,
            true,
        ),
        (
            "1.1 that asks for the end",
            format!("GET / HTTP/1.1\r\n{host}Connection: close\r\n\r\n"),
            200,
            false,
        ),
        (
            "a header name in capitals",
            "GET / HTTP/1.1\r\nHOST: here\r\nCONNECTION: CLOSE\r\n\r\n".to_owned(),
            200,
            false,
        ),
        (
            "a body that is skipped",
            format!("GET / HTTP/1.1\r\n{host}Content-Length: 16\r\n\r\nGET /x HTTP/1.1\r"),
            200,
            true,
        ),
    ];
    let mut server = start("http")?;
    for (case, request, status, stays) in cases {
        let mut peer = server.connect()?;
        peer.send(request.as_bytes());
        let answer = answer(&mut server, &mut peer, case)?;
        expect_status(&mut server, &answer, status, case)?;
        if status == 405 {
            let allows = answer.header("allow") == Some("GET");
            demand(
                &mut server,
                allows,
                case,
                "a 405 has the header \"Allow: GET\"",
                format!("{:?}", answer.header("allow")),
            )?;
        }
        if stays {
            server.expect_open(&mut peer, case)?;
        } else {
            server.expect_closed(&mut peer, case)?;
        }
        let said = answer
            .header("connection")
            .unwrap_or_default()
            .to_ascii_lowercase();
        let old = request.contains("HTTP/1.0") && stays;
        demand(
            &mut server,
            !old || said == "keep-alive",
            case,
            "the answer says Connection: keep-alive",
            format!("it says {said:?}"),
        )?;
    }
    server.stop(SignalName::SIGTERM)?;
    Ok(())
}

/// HEAD is not allowed either, and its answer has no body, whatever length it tells.
pub fn head() -> Verdict {
    let mut server = start("http")?;
    let mut peer = server.connect()?;
    peer.send(b"HEAD / HTTP/1.1\r\nHost: here\r\n\r\nGET / HTTP/1.1\r\nHost: here\r\n\r\n");
    server.exchange(std::slice::from_mut(&mut peer))?;
    let case = "a HEAD, and a GET behind it";
    let text = String::from_utf8_lossy(&peer.received).into_owned();
    let next = text
        .split_once("\r\n\r\n")
        .is_some_and(|(_, rest)| rest.starts_with("HTTP/1.1 200"));
    let happened = format!("came: {:?}", text.chars().take(200).collect::<String>());
    demand(
        &mut server,
        text.starts_with("HTTP/1.1 405") && next,
        case,
        "the 405 to a HEAD has no body, and the 200 comes behind it",
        happened,
    )?;
    let (name, written) = (peer.address(), peer.received.len());
    peer.received.clear();
    peer.finish();
    server.expect_closed(&mut peer, "it has sent its end of input")?;
    expect_line(&server.story()?, &format!("close {name} {written}"))?;
    server.stop(SignalName::SIGTERM)?;
    Ok(())
}

/// Several requests in one segment, and one request in single bytes.
pub fn pipelining() -> Verdict {
    let mut server = start("http")?;
    let mut peer = server.connect()?;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n");
    let post = "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\nhello";
    peer.send(
        [&get("/"), post, &get("/nowhere"), &get("/?last")]
            .concat()
            .as_bytes(),
    );
    for status in [200, 405, 404, 200] {
        let answer = answer(&mut server, &mut peer, "four requests in one piece")?;
        expect_status(&mut server, &answer, status, "four requests in one piece")?;
    }
    for byte in get("/").bytes() {
        peer.send(&[byte]);
        server.settle()?;
    }
    let answer = answer(&mut server, &mut peer, "a request byte by byte")?;
    expect_status(&mut server, &answer, 200, "a request byte by byte")?;
    server.expect_open(&mut peer, "HTTP/1.1 keeps the connection")?;
    server.stop(SignalName::SIGTERM)?;
    Ok(())
}

/// A body up to 64 KiB is skipped, and the next request is found behind it; a longer one ends the connection.
pub fn bodies() -> Verdict {
    let mut server = start("http")?;
    let post = |len: usize| format!("POST / HTTP/1.1\r\nHost: here\r\nContent-Length: {len}\r\n\r\n");
    let mut peer = server.connect()?;
    peer.send(
        [
            post(65_536).as_bytes(),
            &[b'G'; 65_536],
            b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
        ]
        .concat()
        .as_slice(),
    );
    for status in [405, 200] {
        let answer = answer(
            &mut server,
            &mut peer,
            "a body of 64 KiB, and a request behind it",
        )?;
        expect_status(
            &mut server,
            &answer,
            status,
            "a body of 64 KiB, and a request behind it",
        )?;
    }
    let mut peer = server.connect()?;
    peer.send(post(65_537).as_bytes());
    server.exchange(std::slice::from_mut(&mut peer))?;
    let closed = peer.end == Some(PeerEnd::Finished);
    demand(
        &mut server,
        closed,
        "a body of 65,537 bytes is announced",
        "the connection is closed",
        "it is open".to_owned(),
    )?;
    let mut peer = server.connect()?;
    peer.send(&[post(300_000).as_bytes(), &[b'x'; 300_000]].concat());
    let case = "a body of 300,000 bytes comes";
    let answer = answer(&mut server, &mut peer, case)?;
    expect_status(&mut server, &answer, 405, case)?;
    server.expect_closed(&mut peer, case)?;
    server.stop(SignalName::SIGTERM)?;
    Ok(())
}

/// A client that asks and asks and reads nothing: its answers are not piled up without a bound.
pub fn pressure() -> Verdict {
    let mut server = start("http")?;
    let mut peer = server.connect()?;
    let request = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";
    let requests = request.repeat(2000);
    let (mut sent, address) = (0, [peer.address()]);
    server.drive(&address, || {
        match peer.offer(&requests.as_bytes()[sent % requests.len()..]) {
            0 => grader::Turn::Stuck,
            _ if sent > 64 << 20 => grader::Turn::Done,
            n => {
                sent += n;
                grader::Turn::Moved
            }
        }
    })?;
    let case = "a client sends requests and reads no answer";
    demand(
        &mut server,
        sent < 64 << 20,
        case,
        "at some point the server reads no more of them",
        format!("it has read {sent} bytes"),
    )?;
    server.expect_asleep_in(EPOLL)?;
    let mut other = server.connect()?;
    other.send(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n");
    let answer = answer(&mut server, &mut other, "another client meanwhile")?;
    expect_status(&mut server, &answer, 200, "another client meanwhile")?;
    let asked = sent / request.len();
    let answers = count_answers(&mut server, &mut peer)?;
    demand(
        &mut server,
        answers == asked,
        "a client sends many requests, and then reads all answers",
        "each request that was sent is answered, without another that would wake the server",
        format!("of {asked} requests {answers} were answered"),
    )?;
    server.stop(SignalName::SIGTERM)?;
    Ok(())
}

/// Takes all that comes, and answers how many status lines were in it.
fn count_answers(server: &mut Server, peer: &mut Peer) -> Verdict<usize> {
    const STATUS: &str = "HTTP/1.1 200";
    let (mut answers, address) = (0, [peer.address()]);
    server.drive(&address, || {
        let moved = peer.pull();
        answers += String::from_utf8_lossy(&peer.received).matches(STATUS).count();
        // What is too short for another may be the beginning of one.
        let counted = peer.received.len().saturating_sub(STATUS.len() - 1);
        peer.received.drain(..counted);
        if moved {
            grader::Turn::Moved
        } else {
            grader::Turn::Stuck
        }
    })?;
    Ok(answers)
}

/// curl: twice over one connection, and a POST.
pub fn curl() -> Verdict {
    let mut server = start("http")?;
    let url = format!("http://{}/", server.address());
    let out = printed_by(
        "curl",
        &[
            "-sS",
            "--noproxy",
            "*",
            "-w",
            "%{http_code} %{num_connects}\n",
            "-o",
            "/dev/null",
            "-o",
            "/dev/null",
            &url,
            &url,
        ],
    )?;
    demand(
        &mut server,
        out == "200 1\n200 0\n",
        "curl, twice",
        "200 and 200, over one connection",
        format!("curl says {out:?}"),
    )?;
    let big = "x".repeat(5000);
    let out = printed_by(
        "curl",
        &[
            "-sS",
            "--noproxy",
            "*",
            "-w",
            "%{http_code}",
            "-o",
            "/dev/null",
            "-d",
            &big,
            &url,
        ],
    )?;
    demand(
        &mut server,
        out == "405",
        "curl -d with 5,000 bytes",
        "405",
        format!("curl says {out:?}"),
    )?;
    server.stop(SignalName::SIGTERM)?;
    Ok(())
}

/// A real browser shows the page, and what it has sent.
pub fn chromium() -> Verdict {
    let mut server = start("http")?;
    let url = format!("http://{}/", server.address());
    let profile = format!("--user-data-dir={}/profile", server.story()?.directory);
    let quiet = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-proxy-server",
        "--dump-dom",
        &profile,
        &url,
    ];
    let page = printed_by("chromium", &quiet)?;
    let shows = page.contains("GET / HTTP/1.1") && page.to_lowercase().contains("user-agent");
    demand(
        &mut server,
        shows,
        "Chromium",
        "the page shows the request line and the headers",
        format!("Chromium shows {page:?}"),
    )?;
    server.stop(SignalName::SIGTERM)?;
    Ok(())
}

pub fn wrong_usage() -> Verdict {
    wrong_addresses("http")?;
    LAB.wrong_usage(&[&["http", ADDRESS, "/var/www"]])
}

/// What this program prints; "not checked" where it is not installed, or takes too long.
fn printed_by(program: &str, args: &[&str]) -> Verdict<String> {
    let output = external(program, args, b"")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Takes the next whole answer out of what the peer has received.
fn answer(server: &mut Server, peer: &mut Peer, case: &str) -> Verdict<Answer> {
    server.until(peer, |peer| parse(&peer.received).is_some())?;
    if let Some((answer, len)) = parse(&peer.received) {
        peer.received.drain(..len);
        return Ok(answer);
    }
    let came = String::from_utf8_lossy(&peer.received[..peer.received.len().min(300)]).into_owned();
    let end = match peer.end {
        Some(PeerEnd::Finished) => ", and then the end",
        Some(PeerEnd::Reset) => ", and then a reset",
        None => ", and the server sleeps",
    };
    let why = "A client knows from the status line, the headers and Content-Length what it got and where the next answer begins.";
    Err(server.missed(
        format!("{case}: a whole answer comes, with Content-Length"),
        format!("came {came:?}{end}"),
        why,
    ))
}

fn parse(bytes: &[u8]) -> Option<(Answer, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.trim_end().split("\r\n");
    let status = lines
        .next()?
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    let pair = |line: &str| {
        line.split_once(':')
            .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
    };
    let headers: Vec<(String, String)> = lines.map(pair).collect::<Option<_>>()?;
    let mut answer = Answer {
        status,
        headers,
        body: Vec::new(),
    };
    let length: usize = answer.header("content-length")?.parse().ok()?;
    answer.body = bytes.get(end..end + length)?.to_vec();
    Some((answer, end + length))
}

fn expect_status(server: &mut Server, answer: &Answer, status: u16, case: &str) -> Verdict {
    let got = answer.status;
    demand(
        server,
        got == status,
        case,
        &format!("the status is {status}"),
        format!("it is {got}"),
    )
}

fn demand(server: &mut Server, fact: bool, case: &str, expected: &str, happened: String) -> Verdict {
    if fact {
        return Ok(());
    }
    let why = "Browsers, proxies and curl go by these few rules of RFC 9112, and by nothing else.";
    Err(server.missed(format!("{case}: {expected}"), happened, why))
}
