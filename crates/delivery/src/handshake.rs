//! What the opening handshake agrees on, read from the values of its headers (RFC 6455 §4.2 and §9.1, RFC 7692 §7.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::deflate::WINDOW;

/// The value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2, step 5.4); `None` if the key is
/// not 16 bytes in base64.
pub fn accept_key(key: &str) -> Option<String> {
    let key = key.trim();
    STANDARD.decode(key).ok().filter(|bytes| bytes.len() == 16)?;
    let mut sha = Sha1::new();
    sha.update(key);
    sha.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    Some(STANDARD.encode(sha.finalize()))
}

/// A header that breaks its grammar: the handshake must fail (RFC 6455 §9.1), with HTTP status 400.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// The subprotocols that a client offers in the values of `Sec-WebSocket-Protocol`, the one it likes best first.
pub fn subprotocols<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<&'a str>, Malformed> {
    let mut offered = Vec::new();
    for value in values {
        let mut scanner = Scanner { rest: value };
        while scanner.next_element()? {
            offered.push(scanner.token()?);
        }
    }
    Ok(offered)
}

/// Compression by permessage-deflate, as it was agreed on (RFC 7692). Both sides start every message afresh, so that
/// no connection needs a window of its own and one deflated message fits all connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deflate {
    /// The client asked for a small window on the server's side.
    bounded: bool,
}

impl Deflate {
    /// The first offer in the values of `Sec-WebSocket-Extensions` that the server accepts; `None` if there is none.
    ///
    /// An offer is passed over if one of its parameters is unknown, wrong or there twice, or if it wants the server's
    /// window smaller than 12 bits (RFC 7692 §7.1).
    pub fn negotiate<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Deflate>, Malformed> {
        let mut agreed = None;
        for value in values {
            let mut scanner = Scanner { rest: value };
            while scanner.next_element()? {
                let name = scanner.token()?;
                let parameters = scanner.parameters()?;
                if name == "permessage-deflate" {
                    agreed = agreed.or_else(|| Deflate::take(&parameters));
                }
            }
        }
        Ok(agreed)
    }

    /// The value of `Sec-WebSocket-Extensions` in the answer.
    pub fn answer(self) -> &'static str {
        const _: () = assert!(WINDOW == 12, "the answer names the window");
        if self.bounded {
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12"
        } else {
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
        }
    }

    /// The agreement from an offer, if the server accepts it (RFC 7692 §7.1.1 and §7.1.2).
    fn take(parameters: &[Parameter<'_>]) -> Option<Deflate> {
        for (at, parameter) in parameters.iter().enumerate() {
            let bits = parameter.value.as_deref().map(window_bits);
            let fine = match (parameter.name, bits) {
                ("server_no_context_takeover" | "client_no_context_takeover", None) => true,
                ("server_max_window_bits", Some(bits)) => bits? >= WINDOW,
                // The server's window for inflating holds any window of the client's, so the server asks nothing of
                // it.
                ("client_max_window_bits", None) => true,
                ("client_max_window_bits", Some(bits)) => bits.is_some(),
                _ => false,
            };
            let again = parameters[..at].iter().any(|earlier| earlier.name == parameter.name);
            if again || !fine {
                return None;
            }
        }
        let bounded = parameters.iter().any(|parameter| parameter.name == "server_max_window_bits");
        Some(Deflate { bounded })
    }
}

/// A number of bits from 8 to 15, without leading zeros (RFC 7692 §7.1.2).
fn window_bits(value: &str) -> Option<u8> {
    let canonical = !value.starts_with(['0', '+']);
    value.parse().ok().filter(|bits| canonical && (8..=15).contains(bits))
}

struct Parameter<'a> {
    name: &'a str,
    value: Option<String>,
}

/// Reads a list of tokens with parameters (RFC 6455 §9.1, with the lists and tokens of RFC 9110 §5.6).
struct Scanner<'a> {
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    /// Moves to the next element of a list; `false` at the end. Empty elements are passed over (RFC 9110 §5.6.1.2).
    fn next_element(&mut self) -> Result<bool, Malformed> {
        loop {
            self.skip_blanks();
            match self.rest {
                [] => return Ok(false),
                [b',', rest @ ..] => self.rest = rest,
                _ => return Ok(true),
            }
        }
    }

    /// The next token, up to the sign that ends the element or the list. The sign stays.
    fn token(&mut self) -> Result<&'a str, Malformed> {
        let len = self.rest.iter().take_while(|byte| is_token(**byte)).count();
        let (token, rest) = self.rest.split_at(len);
        self.rest = rest;
        self.skip_blanks();
        let ended = matches!(self.rest, [] | [b',' | b';' | b'=', ..]);
        match std::str::from_utf8(token) {
            Ok(token) if len > 0 && ended => Ok(token),
            Ok(_) | Err(_) => Err(Malformed),
        }
    }

    /// The parameters of an element, to its end.
    fn parameters(&mut self) -> Result<Vec<Parameter<'a>>, Malformed> {
        let mut parameters = Vec::new();
        while self.eat(b';') {
            let name = self.token()?;
            let value = if self.eat(b'=') { Some(self.value()?) } else { None };
            parameters.push(Parameter { name, value });
        }
        if matches!(self.rest, [] | [b',', ..]) { Ok(parameters) } else { Err(Malformed) }
    }

    /// A token, bare or quoted. The text in quotes must be a token, too (RFC 6455 §9.1).
    fn value(&mut self) -> Result<String, Malformed> {
        let [b'"', rest @ ..] = self.rest else { return self.token().map(str::to_owned) };
        self.rest = rest;
        let mut value = String::new();
        loop {
            let (byte, rest) = match self.rest {
                [b'\\', byte, rest @ ..] => (*byte, rest),
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    self.skip_blanks();
                    return if value.is_empty() { Err(Malformed) } else { Ok(value) };
                }
                [byte, rest @ ..] => (*byte, rest),
                [] => return Err(Malformed),
            };
            if !is_token(byte) {
                return Err(Malformed);
            }
            value.push(char::from(byte));
            self.rest = rest;
        }
    }

    /// Passes over a sign and the blanks behind it, if the sign is next.
    fn eat(&mut self, sign: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == sign => {
                self.rest = rest;
                self.skip_blanks();
                true
            }
            _ => false,
        }
    }

    fn skip_blanks(&mut self) {
        let blanks = self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        self.rest = &self.rest[blanks..];
    }
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
