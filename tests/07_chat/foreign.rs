//! Clients and a server of another make, in Python: who keeps to the wire can join.

use super::{house::House, shows, stage};
use grader::{Ending, Party, Refusal, Run, Verdict, until_still};
use std::{net::SocketAddr, path::Path};

const CLIENT: &str = include_str!("client.py");
const SERVER: &str = include_str!("server.py");

/// A program in Python. It runs under observation too: so it is known when it sleeps.
fn python(name: &str, text: &str, args: &[&str]) -> Verdict<Party> {
    let command = [&["python3", name], args].concat();
    let run = Run::new(Path::new("/usr/bin/env"), &command)
        .file(name, text)
        .input("");
    let mut party = run.join()?;
    let story = party.story()?;
    match story.status {
        Some(Ending::Exited(126 | 127)) => {
            let reason = "python3 is missing here; install it to have this checked";
            Err(Refusal::NotChecked(reason.to_owned()))
        }
        Some(_) => Err(Refusal::NotChecked(format!(
            "python3 cannot do that here{}",
            story.said()
        ))),
        None => Ok(party),
    }
}

/// Two of another make in a room under judgement.
pub fn clients() -> Verdict {
    let mut house = House::open()?;
    let address = house.address.to_string();
    let mut one = python("client.py", CLIENT, &[&address])?;
    let mut two = python("client.py", CLIENT, &[&address])?;
    one.input("Zoë\n".as_bytes())?;
    until_still(&mut [&mut house.server, &mut one])?;
    shows(&mut one, "in as Zoë\n", "a client in Python enters")?;
    two.input("Zoë\n".as_bytes())?;
    until_still(&mut [&mut house.server, &mut two])?;
    let told = two.story()?;
    let refused = told.stdout().starts_with("no: ") && told.stdout().len() > 5;
    let happened = format!("its standard output is {:?}", told.stdout());
    let why = "A second one of that name could not be told from the first.";
    told.demand(
        refused,
        None,
        "the second client of that name is told why not",
        happened,
        why,
    )?;
    let before = told.stdout();
    two.input(b"bert\n")?;
    until_still(&mut [&mut house.server, &mut one, &mut two])?;
    one.input("größer\n".as_bytes())?;
    two.input(b"als 100\n")?;
    until_still(&mut [&mut house.server, &mut one, &mut two])?;
    let heard = "in as Zoë\nbert entered the chat room\nbert: als 100\n";
    shows(&mut one, heard, "two clients in Python talk")?;
    let heard = format!("{before}in as bert\nZoë: größer\n");
    shows(&mut two, &heard, "two clients in Python talk")?;
    two.input(b"quit\n")?;
    until_still(&mut [&mut house.server, &mut one, &mut two])?;
    let over = two.is_over()?;
    let expected = "told EXIT, the client in Python ends";
    two.story()?
        .demand(over, None, expected, "it still waits", "That is the word for it.")?;
    let heard = "in as Zoë\nbert entered the chat room\nbert: als 100\nbert left the chat room\n";
    shows(&mut one, heard, "one of them has left")
}

/// A room of another make, and a client under judgement that has entered it.
fn room() -> Verdict<(Party, SocketAddr, Party)> {
    let mut room = python("server.py", SERVER, &[])?;
    let port = room.story()?.stdout().trim_end().parse::<u16>();
    let port = port.map_err(|_| Refusal::NotChecked("python3 has no socket here".to_owned()))?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut anna = stage::client(address).join()?;
    anna.input(b"anna\n")?;
    until_still(&mut [&mut room, &mut anna])?;
    shows(
        &mut anna,
        "name: welcome, anna\n",
        "a server in Python has answered OK",
    )?;
    Ok((room, address, anna))
}

/// Two clients under judgement in it.
pub fn server() -> Verdict {
    let (mut room, address, mut anna) = room()?;
    let mut bert = stage::client(address).join()?;
    bert.input(b"anna\n")?;
    until_still(&mut [&mut room, &mut bert])?;
    let story = bert.story()?;
    let (stdout, said) = (story.stdout(), story.stdout() + &story.stderr());
    let again = said.contains("name schon vergeben") && stdout.ends_with("name: ");
    let happened = format!("its standard output is {stdout:?}");
    let why = "Reasons are words, and the words are the server's own.";
    story.demand(
        again,
        None,
        "refused in German, the client says so and asks again",
        happened,
        why,
    )?;
    bert.input(b"bert\n")?;
    until_still(&mut [&mut room, &mut anna, &mut bert])?;
    anna.input("größer\n".as_bytes())?;
    until_still(&mut [&mut room, &mut anna, &mut bert])?;
    shows(
        &mut bert,
        &format!("{stdout}welcome, bert\nanna: größer\n"),
        "anna says something",
    )?;
    shows(&mut anna, "name: welcome, anna\nbert ist da\n", "bert has come")
}

/// One of two leaves.
pub fn server_is_left() -> Verdict {
    let (mut room, address, mut anna) = room()?;
    let mut bert = stage::client(address).join()?;
    bert.input(b"bert\nq\n")?;
    until_still(&mut [&mut room, &mut anna, &mut bert])?;
    stage::expect_left(bert, 0, "the server in Python has said EXIT")?;
    let heard = "name: welcome, anna\nbert ist da\nbert ist gegangen\n";
    shows(&mut anna, heard, "bert has come and gone")
}
