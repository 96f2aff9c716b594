//! A connection for requests over HTTP/1.1 that is kept between them, for thousands of players on one thread: a request is
//! one write, an answer mostly one read into a buffer that all of them share, and of its head nothing is read but
//! what the body needs. One request at a time.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyhow::{Context as _, bail, ensure};
use hyper::Uri;
use memchr::memmem;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};

use crate::line::{Line, Trust, WAIT_MAX};

/// What is read at once.
const INPUT_BYTES: usize = 256 << 10;
/// An answer, at most.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// What a browser says with each request of a player.
const HEADERS: &str = "Connection: keep-alive\r\nAccept: */*\r\nAccept-Encoding: gzip\r\nAccept-Language: en-US,en;q=0.9\r\n\
     User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\r\n";

thread_local! {
    static INPUT: RefCell<Vec<u8>> = RefCell::new(vec![0; INPUT_BYTES]);
}

/// A connection to a server.
pub(super) struct KeepAlive {
    line: Line,
    /// What stands behind the path of each request.
    tail: String,
    request: Vec<u8>,
    /// An answer of which not all has come.
    begun: Vec<u8>,
}

/// What a player looks at in an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    /// Whether the body is packed by gzip.
    pub(super) is_packed: bool,
    pub(super) body: Cow<'a, [u8]>,
}

impl KeepAlive {
    /// Connects to the host of an address.
    pub(super) async fn open(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url} is no address"))?;
        let authority = uri.authority().with_context(|| format!("{url} names no host"))?;
        let with_tls = uri.scheme_str() == Some("https");
        let port = authority.port_u16().unwrap_or(if with_tls { 443 } else { 80 });
        let host = authority.host().trim_matches(['[', ']']);
        let line = Trust::default().reach(host, port, with_tls, WAIT_MAX).await?;
        let tail = format!(" HTTP/1.1\r\nHost: {authority}\r\n{HEADERS}");
        Ok(Self { line, tail, request: Vec::new(), begun: Vec::new() })
    }

    /// Asks for a path, and gives what `read` makes of the answer.
    ///
    /// # Errors
    ///
    /// If the connection breaks off, or the answer is no success, none of HTTP/1.1 or too long.
    pub(super) async fn get<T>(
        &mut self,
        path: impl fmt::Display,
        mut read: impl FnMut(Answer<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.request.clear();
        write!(self.request, "GET {path}{}", self.tail)?;
        self.line.write_all(&self.request).await.context("the connection broke off")?;
        let answered = poll_fn(|context| self.poll_answer(context, &mut read)).await;
        answered.with_context(|| path.to_string())
    }

    fn poll_answer<T>(
        &mut self,
        context: &mut Context<'_>,
        read: &mut impl FnMut(Answer<'_>) -> anyhow::Result<T>,
    ) -> Poll<anyhow::Result<T>> {
        INPUT.with_borrow_mut(|input| {
            loop {
                let mut buffer = ReadBuf::new(input);
                ready!(Pin::new(&mut self.line).poll_read(context, &mut buffer))?;
                if let Some(made) = self.take(buffer.filled(), read)? {
                    return Poll::Ready(Ok(made));
                }
            }
        })
    }

    /// Takes what has come; what `read` makes of the answer if that is whole.
    fn take<T>(
        &mut self,
        come: &[u8],
        read: &mut impl FnMut(Answer<'_>) -> anyhow::Result<T>,
    ) -> anyhow::Result<Option<T>> {
        ensure!(!come.is_empty(), "the connection broke off");
        let is_begun = !self.begun.is_empty();
        if is_begun {
            self.begun.extend_from_slice(come);
            ensure!(self.begun.len() <= ANSWER_BYTES_MAX, "more than {ANSWER_BYTES_MAX} bytes");
        }
        let answer = whole(if is_begun { &self.begun } else { come })?;
        let made = match answer {
            Some(answer) => {
                ensure!(answer.status == 200, "the server answers {}", answer.status);
                Some(read(answer)?)
            }
            None => None,
        };
        match made {
            Some(_) => self.begun.clear(),
            None if !is_begun => self.begun.extend_from_slice(come),
            None => {}
        }
        Ok(made)
    }
}

/// The answer in `bytes`; none as long as not all of it is there.
fn whole(bytes: &[u8]) -> anyhow::Result<Option<Answer<'_>>> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let (head, body) = (&bytes[..end], &bytes[end + 4..]);
    let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.next().and_then(|first| first.strip_prefix(b"HTTP/1.1 "));
    let status = first.and_then(|first| number(first.get(..3)?)).context("no answer of HTTP/1.1")?;
    let (mut length, mut is_packed, mut in_chunks) = (None, false, false);
    for line in lines {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        // Most have other lengths, which is seen at once.
        if name.eq_ignore_ascii_case(b"content-length") {
            length = number(value);
        } else if name.eq_ignore_ascii_case(b"content-encoding") {
            is_packed = value.eq_ignore_ascii_case(b"gzip");
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            in_chunks = value.eq_ignore_ascii_case(b"chunked");
        }
    }
    let status = u16::try_from(status)?;
    if in_chunks {
        let body = joined(body)?.map(Cow::Owned);
        return Ok(body.map(|body| Answer { status, is_packed, body }));
    }
    let Some(length) = length else { bail!("an answer without its length") };
    ensure!(length <= ANSWER_BYTES_MAX, "an answer of {length} bytes");
    ensure!(body.len() <= length, "more comes than the answer");
    Ok((body.len() == length).then_some(Answer { status, is_packed, body: Cow::Borrowed(body) }))
}

/// A body of chunks; none as long as not all of them are there.
fn joined(mut rest: &[u8]) -> anyhow::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let Some(end) = memmem::find(rest, b"\r\n") else { return Ok(None) };
        let line = std::str::from_utf8(&rest[..end])?.split(';').next().unwrap_or_default();
        let length = usize::from_str_radix(line.trim(), 16).context("a chunk without its length")?;
        ensure!(length <= ANSWER_BYTES_MAX, "a chunk of {length} bytes");
        let Some(chunk) = rest.get(end + 2..end + 2 + length + 2) else { return Ok(None) };
        if length == 0 {
            return Ok(Some(body));
        }
        body.extend_from_slice(&chunk[..length]);
        rest = &rest[end + 2 + length + 2..];
    }
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, is_packed: bool, body: &[u8]) -> Answer<'_> {
        Answer { status, is_packed, body: Cow::Borrowed(body) }
    }

    #[test]
    fn an_answer_is_read_when_all_of_it_is_there() {
        let plain =
            b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\ncontent-LENGTH: 5\r\nContent-Encoding: gzip\r\n\r\nabcde";
        let chunks = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        for (bytes, wanted) in
            [(&plain[..], answer(200, true, b"abcde")), (&chunks[..], answer(404, false, b"abcde"))]
        {
            for cut in 0..bytes.len() {
                assert_eq!(whole(&bytes[..cut]).unwrap(), None, "{cut}");
            }
            assert_eq!(whole(bytes).unwrap(), Some(wanted));
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bytes in [
            &b"SSH-2.0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ] {
            assert!(whole(bytes).is_err(), "{bytes:?}");
        }
    }
}
