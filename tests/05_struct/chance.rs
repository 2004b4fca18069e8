//! Formats and values by chance, the same ones in every run.

use crate::{LAB, table::prints};
use arbtest::arbitrary::{Result, Unstructured};
use grader::Verdict;

/// How many formats are tried.
const CASES: u64 = 64;

/// A format, and values for it as arguments, and as `unpack` prints them.
pub struct Case {
    pub format: String,
    pub values: Vec<Vec<u8>>,
    pub tuple: String,
}

/// Calls `judge` with one case after the other, the short ones first, up to the first refusal: so that the case that is
/// shown is a simple one.
pub fn each(prefixes: &[&str], mut judge: impl FnMut(&Case) -> Verdict) -> Verdict {
    let mut verdict = Ok(());
    for n in 1..=CASES {
        // What arbtest calls a seed: in its lower half, how many bytes chance has to play with.
        let seed = (n * 0x9E37_79B1) << 32 | (8 + 2 * n);
        let property = |chance: &mut Unstructured| {
            if verdict.is_ok() {
                verdict = judge(&case(prefixes, chance)?);
            }
            Ok(())
        };
        arbtest::arbtest(property).seed(seed).run();
    }
    verdict
}

/// The program unpacks what it has packed.
pub fn there_and_back(prefixes: &[&str]) -> Verdict {
    each(prefixes, |case| {
        let format = case.format.as_bytes();
        let args: Vec<&[u8]> = [b"pack", format]
            .into_iter()
            .chain(case.values.iter().map(Vec::as_slice))
            .collect();
        let packed = LAB.quick(&args)?;
        packed.expect_exit(0)?;
        let hex = packed.stdout();
        prints(
            &[b"unpack", format, hex.trim_end().as_bytes()],
            case.tuple.as_bytes(),
        )
    })
}

fn case(prefixes: &[&str], chance: &mut Unstructured) -> Result<Case> {
    let (mut format, mut values, mut shown) =
        (String::from(*chance.choose(prefixes)?), Vec::new(), Vec::new());
    while format.is_empty() || !chance.is_empty() && format.len() < 40 {
        let code = *chance.choose(b"xcbB?hHiIlLqQfds")?;
        let count = match chance.int_in_range(0..=3)? {
            0 => Some(chance.int_in_range(0..=4usize)?),
            _ => None,
        };
        let blank = if chance.ratio(1, 8)? { " " } else { "" };
        format += &format!(
            "{blank}{}{}",
            count.map_or(String::new(), |count| count.to_string()),
            code as char
        );
        let times = match code {
            b'x' => 0,
            b's' => 1,
            _ => count.unwrap_or(1),
        };
        for _ in 0..times {
            let (value, printed) = value(code, count.unwrap_or(1), chance)?;
            values.push(value);
            shown.push(printed);
        }
    }
    Ok(Case {
        format,
        values,
        tuple: format!("({})", shown.join(", ")),
    })
}

/// A value as an argument, and as it is printed.
fn value(code: u8, count: usize, chance: &mut Unstructured) -> Result<(Vec<u8>, String)> {
    let text = match code {
        b'?' => chance.arbitrary::<bool>()?.to_string(),
        b'b' => chance.arbitrary::<i8>()?.to_string(),
        b'B' => chance.arbitrary::<u8>()?.to_string(),
        b'h' => chance.arbitrary::<i16>()?.to_string(),
        b'H' => chance.arbitrary::<u16>()?.to_string(),
        // `l` has 4 bytes with some prefixes.
        b'i' | b'l' => chance.arbitrary::<i32>()?.to_string(),
        b'I' | b'L' => chance.arbitrary::<u32>()?.to_string(),
        b'q' => chance.arbitrary::<i64>()?.to_string(),
        b'Q' => chance.arbitrary::<u64>()?.to_string(),
        b'f' => format!("{:?}", chance.arbitrary::<f32>()?),
        b'd' => format!("{:?}", chance.arbitrary::<f64>()?),
        _ => return bytes(if code == b's' { count } else { 1 }, chance),
    };
    Ok((text.clone().into_bytes(), text))
}

/// Bytes as long as their field; no argument can have a zero byte in it.
fn bytes(len: usize, chance: &mut Unstructured) -> Result<(Vec<u8>, String)> {
    let bytes = (0..len)
        .map(|_| chance.int_in_range(1..=255))
        .collect::<Result<Vec<u8>>>()?;
    let shown = format!("\"{}\"", bytes.escape_ascii());
    Ok((bytes, shown))
}
