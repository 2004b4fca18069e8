//! The answers of the HTTP server. This file is complete. (They carry no `Date`: that takes a calendar.)

use std::io::Write;

use crate::request::Request;

/// Appends the answer to a request.
pub fn answer(out: &mut Vec<u8>, request: &Request) {
    let connection = match (request.keep_alive, request.http_1_0) {
        (false, _) => "Connection: close\r\n",
        (true, true) => "Connection: keep-alive\r\n",
        (true, false) => "",
    };
    // The method is judged before the path.
    match (request.method, request.path) {
        ("GET", "/") => append(out, "200 OK", connection, page(request).as_bytes()),
        ("GET", _) => append(out, "404 Not Found", connection, &notice("404 Not Found")),
        (method, _) => {
            let status = "405 Method Not Allowed";
            // An answer to HEAD ends after its headers.
            let body = if method == "HEAD" {
                Vec::new()
            } else {
                notice(status)
            };
            append(out, status, &format!("Allow: GET\r\n{connection}"), &body);
        }
    }
}

/// Appends the answer to what is no request. After it, the connection is closed.
pub fn refusal(out: &mut Vec<u8>, status: &str) {
    append(out, status, "Connection: close\r\n", &notice(status));
}

fn append(out: &mut Vec<u8>, status: &str, headers: &str, body: &[u8]) {
    let (kind, length) = ("text/html; charset=utf-8", body.len());
    // To write to a Vec never fails.
    let _ = write!(
        out,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    out.extend_from_slice(body);
}

/// A page that shows the request line and the headers as they came.
fn page(request: &Request) -> String {
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>What you sent</title>\n\
         <h1>What you sent</h1>\n<pre>\n",
    );
    escape(&String::from_utf8_lossy(request.text), &mut page);
    page.push_str("\n</pre>\n</html>\n");
    page
}

fn notice(text: &str) -> Vec<u8> {
    format!("<!DOCTYPE html>\n<html lang=\"en\">\n<title>{text}</title>\n<h1>{text}</h1>\n</html>\n")
        .into_bytes()
}

/// Appends text so that a browser shows it and does not obey it: what a client has sent may hold a script.
fn escape(text: &str, page: &mut String) {
    for c in text.chars() {
        match c {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            // Line ends are LF in a page.
            '\r' => {}
            c => page.push(c),
        }
    }
}
