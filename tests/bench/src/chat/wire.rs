//! What a member of a room sends and gets: in forkroom's own, in one of IRC, in a topic of MQTT, in a subject of NATS.

use nix::sys::socket::SockType;

/// What ends every text that is said, and stands nowhere else: so a message that has come is one more of these, whatever
/// each protocol wraps it in.
pub const MARK: u8 = b'|';

/// How long a text is.
pub const TEXT: usize = 64;

/// What a member sends to get in, and what it waits for then.
pub struct Step {
    pub send: Vec<u8>,
    pub until: &'static str,
}

fn step(send: impl Into<Vec<u8>>, until: &'static str) -> Step {
    Step {
        send: send.into(),
        until,
    }
}

pub trait Wire: Sync {
    fn kind(&self) -> SockType {
        SockType::Stream
    }

    fn is_stream(&self) -> bool {
        self.kind() == SockType::Stream
    }

    /// How the nth member gets in. The last step takes it into the room, and the others may hear of that.
    fn enter(&self, nth: usize) -> Vec<Step>;

    /// What the first member sends to say something.
    fn say(&self, text: &str) -> Vec<u8>;

    /// Whether who says something gets it, too.
    fn echoes(&self) -> bool {
        false
    }
}

/// Lab 7's protocol, a datagram a message.
pub struct Datagrams;

/// Lab 7's protocol, a line a message.
pub struct Lines;

/// RFC 2812.
pub struct Irc;

/// MQTT 3.1.1 with QoS 0.
pub struct Mqtt;

/// <https://docs.nats.io/reference/reference-protocols/nats-protocol>
pub struct Nats;

impl Wire for Datagrams {
    fn kind(&self) -> SockType {
        SockType::Datagram
    }

    fn enter(&self, nth: usize) -> Vec<Step> {
        vec![step(format!("L m{nth}"), "OK")]
    }

    fn say(&self, text: &str) -> Vec<u8> {
        format!("C m0 {text}").into()
    }
}

impl Wire for Lines {
    fn enter(&self, nth: usize) -> Vec<Step> {
        vec![step(format!("L m{nth}\n"), "OK\n")]
    }

    fn say(&self, text: &str) -> Vec<u8> {
        format!("C m0 {text}\n").into()
    }
}

impl Wire for Irc {
    fn enter(&self, nth: usize) -> Vec<Step> {
        // 376: the end of the message of the day, the last word of the welcome. 366: the end of the list of who is there.
        vec![
            step(format!("NICK m{nth}\r\nUSER m 0 * :m\r\n"), " 376 "),
            step("JOIN #room\r\n", " 366 "),
        ]
    }

    fn say(&self, text: &str) -> Vec<u8> {
        format!("PRIVMSG #room :{text}\r\n").into()
    }
}

impl Wire for Mqtt {
    fn enter(&self, nth: usize) -> Vec<Step> {
        // CONNECT with a clean session and without a keep-alive; SUBSCRIBE with QoS 0. They wait for CONNACK and SUBACK.
        let connect = packet(0x10, &[&field("MQTT"), &[4, 2, 0, 0], &field(&format!("m{nth}"))]);
        let subscribe = packet(0x82, &[&[0, 1], &field("room"), &[0]]);
        vec![step(connect, "\x20\x02\0\0"), step(subscribe, "\x03\0\x01\0")]
    }

    fn say(&self, text: &str) -> Vec<u8> {
        packet(0x30, &[&field("room"), text.as_bytes()])
    }

    fn echoes(&self) -> bool {
        true
    }
}

impl Wire for Nats {
    fn enter(&self, _nth: usize) -> Vec<Step> {
        let connect =
            r#"CONNECT {"verbose":false,"pedantic":false,"echo":false,"lang":"bench","version":"1"}"#;
        vec![step(format!("{connect}\r\nSUB room 1\r\nPING\r\n"), "PONG\r\n")]
    }

    fn say(&self, text: &str) -> Vec<u8> {
        format!("PUB room {}\r\n{text}\r\n", text.len()).into()
    }
}

/// A packet of MQTT, of less than 128 bytes: its length takes one.
fn packet(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&[kind, body.len() as u8], body.as_slice()].concat()
}

/// A text in a packet of MQTT.
fn field(text: &str) -> Vec<u8> {
    [&[0, text.len() as u8], text.as_bytes()].concat()
}
