//! Refused by step 7 (http). Replaces src/request.rs.
//! Headers of any length: who sends `GET /xxx…` and never a line end fills the memory.

/// How long a request line and its headers may be, up to and with the empty line.
const HEAD_MAX: usize = usize::MAX;

/// How long a body is skipped; after a longer one the connection is closed.
const BODY_MAX: u64 = 64 * 1024;

const BAD_REQUEST: &str = "400 Bad Request";
const HEAD_TOO_LARGE: &str = "431 Request Header Fields Too Large";
const NOT_IMPLEMENTED: &str = "501 Not Implemented";
const VERSION_NOT_SUPPORTED: &str = "505 HTTP Version Not Supported";

/// What stands at the front of the input.
pub enum Parsed<'a> {
    /// Not all of a head yet.
    Partial,
    /// A head, and how many bytes of the input it took.
    Whole(Request<'a>, usize),
    /// No request: to be refused with this status, and where the next one begins is not known.
    Refused(&'static str),
}

/// The head of a request.
pub struct Request<'a> {
    pub method: &'a str,
    /// Without the query.
    pub path: &'a str,
    /// Request line and headers as they came.
    pub text: &'a [u8],
    /// How many bytes of body follow.
    pub body: u64,
    pub http_1_0: bool,
    /// Whether the connection is to stay open.
    pub keep_alive: bool,
}

/// Parses the request at the front of the input.
pub fn parse(input: &[u8]) -> Parsed<'_> {
    // Empty lines in front of a request are passed over (RFC 9112, 2.2).
    let start = input.iter().take_while(|byte| b"\r\n".contains(byte)).count();
    match head_len(&input[start..]) {
        Some(len) if start + len <= HEAD_MAX => match request(&input[start..start + len]) {
            Ok(request) => Parsed::Whole(request, start + len),
            Err(status) => Parsed::Refused(status),
        },
        None if input.len() < HEAD_MAX => Parsed::Partial,
        _ => Parsed::Refused(HEAD_TOO_LARGE),
    }
}

/// The length of the head, with the empty line that ends it.
fn head_len(input: &[u8]) -> Option<usize> {
    let mut len = 0;
    for line in input.split_inclusive(|byte| *byte == b'\n') {
        len += line.len();
        if line == b"\r\n" || line == b"\n" {
            return Some(len);
        }
    }
    None
}

fn request(head: &[u8]) -> Result<Request<'_>, &'static str> {
    let mut lines = head.split(|byte| *byte == b'\n').map(without_cr);
    let (method, target, version) = request_line(lines.next().unwrap_or_default())?;
    let mut fields = Fields::default();
    for line in lines.take_while(|line| !line.is_empty()) {
        fields.add(line)?;
    }
    let http_1_0 = version == "HTTP/1.0";
    if !http_1_0 && fields.hosts != 1 {
        return Err(BAD_REQUEST);
    }
    let body = fields.body(http_1_0)?;
    let wanted = if http_1_0 { fields.keep_alive } else { true };
    Ok(Request {
        method,
        path: path(method, target)?,
        text: head.trim_ascii_end(),
        body,
        http_1_0,
        // Who expects to be told to continue, and is told the outcome, may or may not send the body: no telling.
        keep_alive: wanted && !fields.close && body <= BODY_MAX && !(fields.expects && body > 0),
    })
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// `METHOD TARGET VERSION`, with one blank between each.
fn request_line(line: &[u8]) -> Result<(&str, &str, &str), &'static str> {
    let line = str::from_utf8(line).map_err(|_| BAD_REQUEST)?;
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(BAD_REQUEST);
    };
    if !is_token(method.as_bytes())
        || target.is_empty()
        || !target.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(BAD_REQUEST);
    }
    match version.strip_prefix("HTTP/").map(str::as_bytes) {
        Some([b'1', b'.', b'0'..=b'9']) => Ok((method, target, version)),
        Some([b'0'..=b'9', b'.', b'0'..=b'9']) => Err(VERSION_NOT_SUPPORTED),
        _ => Err(BAD_REQUEST),
    }
}

/// The path in `/PATH?QUERY` or in `http://HOST/PATH?QUERY`.
fn path<'a>(method: &str, target: &'a str) -> Result<&'a str, &'static str> {
    let target = target.split('?').next().unwrap_or_default();
    // `OPTIONS *` and `CONNECT HOST:PORT` have no path.
    if target.starts_with('/') || target == "*" || method == "CONNECT" {
        return Ok(target);
    }
    let (_, rest) = target.split_once("://").ok_or(BAD_REQUEST)?;
    Ok(rest.find('/').map_or("/", |at| &rest[at..]))
}

/// What the headers say that matters here.
#[derive(Default)]
struct Fields {
    hosts: usize,
    length: Option<u64>,
    encoded: bool,
    close: bool,
    keep_alive: bool,
    expects: bool,
}

impl Fields {
    /// Takes in a line, `NAME: VALUE`.
    fn add(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let colon = line.iter().position(|byte| *byte == b':').ok_or(BAD_REQUEST)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        // A blank before the colon, or at the front of the line (obsolete folding), is read differently by different
        // programs; so are control characters.
        if !is_token(name) || value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return Err(BAD_REQUEST);
        }
        match name.to_ascii_lowercase().as_slice() {
            b"host" => self.hosts += 1,
            b"content-length" => self.add_length(value)?,
            b"transfer-encoding" => self.encoded = true,
            b"connection" => {
                self.close |= lists(value, b"close");
                self.keep_alive |= lists(value, b"keep-alive");
            }
            b"expect" => self.expects = true,
            _ => {}
        }
        Ok(())
    }

    /// `Content-Length`: digits. Said twice it must be the same.
    fn add_length(&mut self, value: &[u8]) -> Result<(), &'static str> {
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(BAD_REQUEST);
        }
        // A number that is too great for a u64 is too great in any case.
        let digit =
            |number: u64, digit: &u8| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
        let length = value.iter().fold(0, digit);
        match self.length.replace(length) {
            Some(before) if before != length => Err(BAD_REQUEST),
            _ => Ok(()),
        }
    }

    /// How long the body is. To send both lengths, or a coding to HTTP/1.0, is the classic attempt at smuggling.
    fn body(&self, http_1_0: bool) -> Result<u64, &'static str> {
        match (self.encoded, self.length) {
            (true, Some(_)) => Err(BAD_REQUEST),
            (true, None) if http_1_0 => Err(BAD_REQUEST),
            (true, None) => Err(NOT_IMPLEMENTED),
            (false, length) => Ok(length.unwrap_or(0)),
        }
    }
}

/// Whether a list, `WORD, WORD`, holds this word.
fn lists(value: &[u8], word: &[u8]) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(word))
}

/// Whether it is a token (RFC 9110, 5.6.2), as methods and header names are.
fn is_token(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_part)
}
