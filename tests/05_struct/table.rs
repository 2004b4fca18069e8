//! Python's answers, and whether the program gives the same. `table.py` says what a row is.
//!
//! The program runs once for each row, and nobody watches: only the answer counts here. The first row that is wrong makes
//! the message.

use crate::LAB;
use grader::{End, Story, Verdict};

const TABLE: &str = include_str!("table.txt");

/// A row of the table: its kind, and the fields after it.
pub struct Row {
    kind: &'static str,
    fields: Vec<Vec<u8>>,
}

impl Row {
    pub fn has_prefix(&self) -> bool {
        matches!(self.fields[0].first(), Some(b'@' | b'=' | b'<' | b'>' | b'!'))
    }
}

fn rows() -> impl Iterator<Item = Row> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let (kind, fields) = line.split_once('\t').unwrap_or((line, ""));
        Row {
            kind,
            fields: fields.split('\t').map(unescape).collect(),
        }
    })
}

fn unescape(field: &str) -> Vec<u8> {
    let mut pieces = field.split("\\x");
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).expect("table.py writes two digits"));
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

/// The program's `calcsize` agrees about these rows.
pub fn sizes(wanted: impl Fn(&Row) -> bool) -> Verdict {
    for row in rows().filter(wanted) {
        if let ("pack" | "size", [format, size, ..]) = (row.kind, &row.fields[..]) {
            prints(&[b"calcsize", format], size)?;
        }
    }
    Ok(())
}

/// The program's `pack` agrees about these rows.
pub fn packs(wanted: impl Fn(&Row) -> bool) -> Verdict {
    for row in rows().filter(wanted) {
        if let ("pack", [format, _, hex, _, values @ ..]) = (row.kind, &row.fields[..]) {
            let args: Vec<&[u8]> = [b"pack", &format[..]]
                .into_iter()
                .chain(values.iter().map(Vec::as_slice))
                .collect();
            prints(&args, hex)?;
        }
    }
    Ok(())
}

/// The program's `unpack` agrees about these rows.
pub fn unpacks(wanted: impl Fn(&Row) -> bool) -> Verdict {
    for row in rows().filter(wanted) {
        match (row.kind, &row.fields[..]) {
            ("pack", [format, _, hex, tuple, ..]) | ("unpack", [format, hex, tuple]) => {
                prints(&[b"unpack", format, hex], tuple)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The program refuses what Python refuses.
pub fn refusals() -> Verdict {
    for row in rows() {
        let step: &[u8] = match row.kind {
            "refuse" => b"pack",
            "nosize" => b"calcsize",
            _ => continue,
        };
        let args: Vec<&[u8]> = std::iter::once(step)
            .chain(row.fields.iter().map(Vec::as_slice))
            .collect();
        refuses(&args)?;
    }
    Ok(())
}

/// It prints this line, and no more.
pub fn prints(args: &[&[u8]], line: &[u8]) -> Verdict {
    let story = LAB.quick(args)?;
    let (line, stdout) = (String::from_utf8_lossy(line), story.stdout());
    if stdout.strip_suffix('\n') == Some(&line) {
        return story.expect_exit(0);
    }
    let happened = match (&stdout[..], story.status) {
        ("", Some(_)) => format!("it printed nothing{}", said(&story)),
        _ => format!("it printed {}", cut(&stdout)),
    };
    let why = "Python's struct is the judge: whoever unpacks this with it must get what you packed.";
    Err(story.refusal(None, format!("standard output is the line {line}"), happened, why))
}

/// What fits a message, of a line that is escaped already.
fn cut(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let start: String = line.chars().take(60).collect();
    match text.strip_suffix('\n') {
        Some(whole) if whole == start => format!("the line {whole}"),
        None if text == start => format!("{text} without a newline"),
        _ => format!("{start}…, {} bytes", text.len()),
    }
}

fn said(story: &Story) -> String {
    let stderr = story.stderr();
    stderr
        .lines()
        .rfind(|line| !line.starts_with("note: "))
        .map_or(String::new(), |line| format!(": {line}"))
}

/// It refuses: exit status 2, nothing on standard output, one line on standard error.
pub fn refuses(args: &[&[u8]]) -> Verdict {
    refused(args).map(drop)
}

/// As [`refuses`]; the story of the run.
pub fn refused(args: &[&[u8]]) -> Verdict<Story> {
    let story = LAB.quick(args)?;
    let happened = match (&story.end, story.stdout().as_str()) {
        (End::Over, "") if story.stderr.is_empty() => "it said nothing on standard error".to_owned(),
        (_, "") => format!("it ended otherwise{}", said(&story)),
        (_, stdout) => format!("it printed {}", cut(stdout)),
    };
    let why = "A number that was cut or a byte that was guessed travels on as if it were true: refuse what you cannot keep.";
    let is_two = story.status == Some(grader::Ending::Exited(2));
    let silent = story.stdout.is_empty() && story.stderr.iter().filter(|byte| **byte == b'\n').count() == 1;
    let expected = "it is refused: exit status 2, nothing on standard output, one line on standard error";
    if is_two && silent {
        Ok(story)
    } else {
        Err(story.refusal(None, expected, happened, why))
    }
}
