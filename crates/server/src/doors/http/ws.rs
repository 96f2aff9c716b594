//! WebSocket (RFC 6455), as far as a server needs it that sends messages and hears nothing but pings and farewells.

use std::io::Cursor;

use axum::http::header::{CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Version, header};
use axum::response::IntoResponse;
use bytes::{Buf, Bytes, BytesMut};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::coding::{CloseCode, Control, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader};

/// What one frame of a viewer may hold.
const FRAME_BYTES_MAX: u64 = 4096;
/// The same for pings, pongs and farewells (5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// The key of a request for a WebSocket; none of any other request (4.2.1).
pub(super) fn key(request: &Parts) -> Option<&[u8]> {
    let headers = &request.headers;
    let asks = request.method == Method::GET
        && request.version == Version::HTTP_11
        && has_token(headers, &CONNECTION, "upgrade")
        && has_token(headers, &UPGRADE, "websocket")
        && headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    headers.get(SEC_WEBSOCKET_KEY).filter(|_| asks).map(header::HeaderValue::as_bytes)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(token))
}

/// The head of the answer to a request with this key (4.2.2).
pub(super) fn accept(key: &[u8]) -> impl IntoResponse {
    let headers = [
        (CONNECTION, "Upgrade".to_owned()),
        (UPGRADE, "websocket".to_owned()),
        (header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key)),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers)
}

/// What a viewer says that is to be answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It wants to hear this.
    Ping(Bytes),
    /// It goes.
    Close,
}

/// What a viewer may not say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// For the viewer.
    pub(super) code: CloseCode,
    /// For the log.
    pub(super) text: String,
}

/// Takes what is to be answered from the front of `input`, and with it what is not; `None` until more has come.
///
/// # Errors
/// [`Fault`]: the viewer breaks the protocol, or says more than 4,096 bytes at once.
pub(super) fn hear(input: &mut BytesMut) -> Result<Option<Said>, Fault> {
    loop {
        let mut cursor = Cursor::new(&*input);
        let broken = |text: String| Fault { code: CloseCode::Protocol, text };
        let Some((head, length)) =
            FrameHeader::parse(&mut cursor).map_err(|error| broken(error.to_string()))?
        else {
            return Ok(None);
        };
        let head_len = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        let Some(mask) = head.mask else {
            return Err(broken("a frame of a client that is not masked".to_owned()));
        };
        if head.rsv1 || head.rsv2 || head.rsv3 {
            return Err(broken("a frame with bits of an extension that was not agreed on".to_owned()));
        }
        let is_control = matches!(head.opcode, OpCode::Control(_));
        if is_control && (length > CONTROL_BYTES_MAX || !head.is_final) {
            return Err(broken("a ping, pong or farewell that is too long or in pieces".to_owned()));
        }
        if length > FRAME_BYTES_MAX {
            let text = format!("a frame of {length} bytes; a viewer may send {FRAME_BYTES_MAX}");
            return Err(Fault { code: CloseCode::Size, text });
        }
        let length = length as usize;
        if input.len() < head_len + length {
            return Ok(None);
        }
        input.advance(head_len);
        let mut content = input.split_to(length);
        match head.opcode {
            OpCode::Control(Control::Close) => return Ok(Some(Said::Close)),
            OpCode::Control(Control::Ping) => {
                content.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
                return Ok(Some(Said::Ping(content.freeze())));
            }
            _ => {}
        }
    }
}

/// The answer to a ping.
pub(super) fn pong(content: Bytes) -> Bytes {
    bytes_of(Frame::pong(content))
}

/// The farewell.
pub(super) fn close(code: CloseCode) -> Bytes {
    bytes_of(Frame::close(Some(CloseFrame { code, reason: "".into() })))
}

fn bytes_of(frame: Frame) -> Bytes {
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    drop(frame.format(&mut bytes));
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame.
    fn frame(first: u8, content: &[u8]) -> Vec<u8> {
        let mask = [9, 8, 7, 6];
        let masked = content.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        [first, 0x80 | content.len() as u8].into_iter().chain(mask).chain(masked).collect()
    }

    fn request(headers: &[(&str, &str)], version: Version) -> Parts {
        let mut request = axum::http::Request::builder().version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_websocket_is_asked_for_with_every_header() {
        let all = [
            ("Connection", "keep-alive, Upgrade"),
            ("Upgrade", "WebSocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let whole = request(&all, Version::HTTP_11);
        let accepted = accept(key(&whole).unwrap()).into_response();
        assert_eq!(accepted.headers()[header::SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(key(&request(&all, Version::HTTP_10)), None);
        for missing in 0..all.len() {
            let mut some = all.to_vec();
            some.remove(missing);
            assert_eq!(key(&request(&some, Version::HTTP_11)), None, "without {}", all[missing].0);
        }
    }

    #[test]
    fn pings_and_farewells_are_heard_however_they_are_cut() {
        let said =
            [frame(0x89, b"are you there"), frame(0x81, b"text"), frame(0x8A, b""), frame(0x88, b"\x03\xe8")];
        let bytes = said.concat();
        for cut in 0..bytes.len() {
            let mut heard = Vec::new();
            let mut input = BytesMut::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                input.extend_from_slice(part);
                while let Some(said) = hear(&mut input).unwrap() {
                    heard.push(said);
                }
            }
            assert_eq!(
                heard,
                [Said::Ping(Bytes::from_static(b"are you there")), Said::Close],
                "cut at {cut}"
            );
        }
        assert_eq!(&pong(Bytes::from_static(b"yes"))[..], b"\x8A\x03yes");
        assert_eq!(&close(CloseCode::Normal)[..], b"\x88\x02\x03\xe8");
    }

    #[test]
    fn who_breaks_the_protocol_is_told_how() {
        let long = [&[0x82, 0x80 | 126, 0x10, 0x01][..], &[0; 4]].concat();
        let cases: [(Vec<u8>, CloseCode, &str); 6] = [
            (vec![0x81, 1, b'x'], CloseCode::Protocol, "not masked"),
            (frame(0xC1, b"x"), CloseCode::Protocol, "extension"),
            (frame(0x83, b"x"), CloseCode::Protocol, "opcode"),
            (frame(0x09, b"x"), CloseCode::Protocol, "in pieces"),
            (vec![0x89, 0x80 | 126, 0, 126, 1, 2, 3, 4], CloseCode::Protocol, "too long"),
            (long, CloseCode::Size, "4097"),
        ];
        for (bytes, code, word) in cases {
            let fault = hear(&mut BytesMut::from(&bytes[..])).unwrap_err();
            assert!(fault.code == code && fault.text.to_lowercase().contains(word), "{word}: {fault:?}");
        }
    }
}
