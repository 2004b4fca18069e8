//! A sequence chart, as SVG: a lane for each process, from its birth to its end; an arrow for each message, from the moment
//! in which it was sent to the one in which it was received. Each row is one event, in the order of the trace.

use std::collections::HashMap;
use std::fmt::Write;

use crate::Result;
use crate::trace::{Process, Trace, What};

const WIDTH: usize = 900;
/// Where the lanes are: a client and its child, the server and its child, and the other client's child and that client.
const LANES: [usize; 6] = [70, 190, 370, 540, 710, 830];
/// Each program's colours: its lanes' fill, and their edge.
const COLORS: [(&str, &str); 3] = [
    ("#e6eedb", "#55762b"),
    ("#dbe9f6", "#2b5f8f"),
    ("#fbe3cf", "#a8581b"),
];
const TOP: usize = 92;
const ROW: usize = 17;

/// A message that was received.
struct Arrow<'a> {
    text: &'a str,
    /// Who sent it, and in which row; who received it, and in which row.
    from: (usize, usize),
    to: (usize, usize),
}

/// Where a process was born, ended and was reaped: rows.
struct Life {
    born: usize,
    ended: usize,
    reaped: Option<usize>,
}

/// Draws a session of a server and two clients, started in this order.
pub fn draw(trace: &Trace) -> Result<String> {
    let lanes = trace.processes.iter().map(lane).collect::<Result<Vec<_>>>()?;
    if lanes.len() != LANES.len() {
        return Err(format!("{} processes, not {}", lanes.len(), LANES.len()));
    }
    let height = TOP + (trace.events.len() + 1) * ROW;
    let mut svg = head(height);
    for (who, lane) in lanes.iter().enumerate() {
        let colors = COLORS[trace.processes[who].program];
        title(&mut svg, *lane, name(trace, who));
        life(&mut svg, *lane, &life_of(trace, who), colors);
    }
    for (at, event) in trace.events.iter().enumerate() {
        match event.what {
            What::Forks(child) => step(&mut svg, at, lanes[event.who], lanes[child], "forks"),
            What::Reaps(child) => step(&mut svg, at, lanes[event.who], lanes[child], "reaps"),
            _ => {}
        }
    }
    for message in arrows(trace)? {
        // Within a client the child hands over what has just been drawn.
        let (from, to) = (message.from.0, message.to.0);
        let inside = trace.processes[from].program == trace.processes[to].program;
        let known = inside && trace.processes[from].program > 0;
        arrow(&mut svg, &message, (lanes[from], lanes[to]), inside, !known);
    }
    Ok(svg + "</svg>\n")
}

/// The server in the middle, a client's child next to it.
fn lane(process: &Process) -> Result<usize> {
    let at = match (process.program, process.is_main) {
        (1, true) => 0,
        (1, false) => 1,
        (0, true) => 2,
        (0, false) => 3,
        (2, false) => 4,
        (2, true) => 5,
        (program, _) => return Err(format!("no lane for program {program}")),
    };
    Ok(LANES[at])
}

/// Two lines: whose process it is, and what it is for.
fn name(trace: &Trace, who: usize) -> (String, &'static str) {
    let Process { program, is_main, .. } = trace.processes[who];
    if program == 0 {
        return (
            "server".to_owned(),
            if is_main { "the room" } else { "announcer" },
        );
    }
    let entered = trace.events.iter().find_map(|event| match &event.what {
        What::Sends(text, _) if trace.processes[event.who].program == program => text.strip_prefix("L "),
        _ => None,
    });
    let role = if is_main { "keyboard" } else { "receiver" };
    (entered.unwrap_or("client").to_owned(), role)
}

fn life_of(trace: &Trace, who: usize) -> Life {
    let row =
        |is: &dyn Fn(usize, &What) -> bool| trace.events.iter().position(|event| is(event.who, &event.what));
    let forked = row(&|_, what| matches!(what, What::Forks(child) if *child == who));
    let first = row(&|by, _| by == who);
    Life {
        born: forked.or(first).unwrap_or(0),
        ended: row(&|by, what| by == who && matches!(what, What::Ends)).unwrap_or(trace.events.len()),
        reaped: row(&|_, what| matches!(what, What::Reaps(child) if *child == who)),
    }
}

/// Finds for each message that was received the one that was sent: the oldest of this text that was for this program.
fn arrows(trace: &Trace) -> Result<Vec<Arrow<'_>>> {
    let program = |who: usize| trace.processes[who].program;
    let mut under_way: Vec<(&str, Option<u16>, usize, usize)> = Vec::new();
    let mut owner: HashMap<u16, usize> = HashMap::new();
    let mut arrows = Vec::new();
    for (at, event) in trace.events.iter().enumerate() {
        let (to, what) = (event.who, &event.what);
        if let What::Sends(text, port) = what {
            under_way.push((text, *port, to, at));
        }
        let What::Receives(text, port) = what else {
            continue;
        };
        let is_it = |(sent, for_port, from, _): &(&str, Option<u16>, usize, usize)| {
            let mine = for_port.is_none_or(|port| owner.get(&port) == Some(&program(to)));
            sent == text && *from != to && mine
        };
        let found = under_way
            .iter()
            .position(is_it)
            .ok_or(format!("nobody has sent {text:?}"))?;
        let (text, _, from, sent) = under_way.remove(found);
        owner.extend(port.map(|port| (port, program(from))));
        arrows.push(Arrow {
            text,
            from: (from, sent),
            to: (to, at),
        });
    }
    Ok(arrows)
}

fn y(row: usize) -> usize {
    TOP + row * ROW
}

fn head(height: usize) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" font-family=\"system-ui, \
         sans-serif\" font-size=\"13\">\n  \
         <title>A session in the chat room, drawn from a run by tests/bench/session.sh</title>\n  \
         <!-- A sheet of its own, so that it can be read on any theme. -->\n  \
         <rect width=\"{WIDTH}\" height=\"{height}\" rx=\"10\" fill=\"#f7f5ef\"/>\n  \
         <defs>\n    <marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto\">\n      <path d=\"M0 0 10 5 0 10z\" fill=\"#333\"/>\n    </marker>\n  </defs>\n  \
         <text x=\"20\" y=\"24\" fill=\"#333\" font-size=\"12\">solid: a datagram · dashed: through a socket pair · \
         grey: a zombie · time goes down</text>\n"
    )
}

fn title(svg: &mut String, x: usize, (whose, role): (String, &str)) {
    let _ = writeln!(
        svg,
        "  <g text-anchor=\"middle\" fill=\"#1d1d1d\"><text x=\"{x}\" y=\"54\" font-weight=\"bold\">{whose}</text>\
         <text x=\"{x}\" y=\"72\">{role}</text></g>"
    );
}

fn life(svg: &mut String, x: usize, life: &Life, (fill, edge): (&str, &str)) {
    let mut bar = |from: usize, to: usize, fill: &str, edge: &str| {
        let (x, y, height) = (x - 5, y(from), (to - from).max(1) * ROW);
        let _ = writeln!(
            svg,
            "  <rect x=\"{x}\" y=\"{y}\" width=\"10\" height=\"{height}\" rx=\"3\" fill=\"{fill}\" stroke=\"{edge}\" \
             stroke-width=\"1.5\"/>"
        );
    };
    bar(life.born, life.ended, fill, edge);
    if let Some(reaped) = life.reaped.filter(|reaped| *reaped > life.ended) {
        bar(life.ended, reaped, "#ddd", "#888");
    }
}

/// What a process does to its child.
fn step(svg: &mut String, at: usize, parent: usize, child: usize, verb: &str) {
    let (from, to) = if parent < child {
        (parent + 6, child - 7)
    } else {
        (parent - 6, child + 7)
    };
    let _ = writeln!(
        svg,
        "  <path d=\"M{from} {y}H{to}\" stroke=\"#888\" stroke-dasharray=\"1 3\"/>",
        y = y(at)
    );
    label(svg, usize::midpoint(parent, child), y(at) - 3, verb, "#666");
}

fn arrow(svg: &mut String, arrow: &Arrow<'_>, (from, to): (usize, usize), inside: bool, named: bool) {
    let (y1, y2) = (y(arrow.from.1), y(arrow.to.1));
    let (x1, x2) = if from < to {
        (from + 6, to - 6)
    } else {
        (from - 6, to + 6)
    };
    let dashes = if inside { " stroke-dasharray=\"5 4\"" } else { "" };
    let _ = writeln!(
        svg,
        "  <path d=\"M{x1} {y1}L{x2} {y2}\" stroke=\"#333\" stroke-width=\"1.5\"{dashes} marker-end=\"url(#tip)\"/>"
    );
    if named {
        // Above the line, which falls or rises below the word.
        let (across, down) = (x1.abs_diff(x2), y1.abs_diff(y2));
        let lift = 4 + arrow.text.len() * 3 * down / across;
        let (x, y) = (usize::midpoint(x1, x2), usize::midpoint(y1, y2));
        label(svg, x, y - lift, arrow.text, "#1d1d1d");
    }
}

/// A word that can be read across the lanes.
fn label(svg: &mut String, x: usize, y: usize, text: &str, color: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "  <text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" font-size=\"12\" fill=\"{color}\" stroke=\"#f7f5ef\" \
         stroke-width=\"4\" stroke-linejoin=\"round\" paint-order=\"stroke\">{text}</text>"
    );
}
