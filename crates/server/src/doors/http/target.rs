//! Whom a request is for: its target and its `Host`, as RFC 9112 (3.2), RFC 9113 (8.3.1) and RFC 9110 (7.2) have them.
//! What hyper lets pass and is no request is refused here, before any route sees it.

use axum::http::header::{CONNECTION, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version};
use axum::response::{IntoResponse, Response};

/// A target's length, in bytes. RFC 9110 (4.1) asks for 8,000 at least; no name of ours is nearly as long.
const TARGET_BYTES_MAX: usize = 16 << 10;

/// What is wrong with a request: the status and the sentence that it is answered with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed(StatusCode, &'static str);

impl Malformed {
    const fn bad(text: &'static str) -> Self {
        Self(StatusCode::BAD_REQUEST, text)
    }

    /// What is wrong, as a sentence.
    pub(super) const fn text(&self) -> &'static str {
        self.1
    }
}

impl IntoResponse for Malformed {
    /// The connection ends with it: what comes next on it may be anything.
    fn into_response(self) -> Response {
        (self.0, [(CONNECTION, "close")], format!("{}\n", self.1)).into_response()
    }
}

/// Makes sure that the request says whom it is for. Where the target itself does, that holds, and `Host` is set to it
/// (RFC 9112, 3.2.2).
///
/// # Errors
/// What is wrong with it.
pub(super) fn settle<B>(request: &mut Request<B>) -> Result<(), Malformed> {
    let is_named = request.version() == Version::HTTP_2 && request.uri().authority().is_some();
    let host = host(request.version(), request.headers(), is_named)?;
    check_coding(request.headers())?;
    let uri = request.uri();
    if target_bytes(uri) > TARGET_BYTES_MAX {
        return Err(Malformed(StatusCode::URI_TOO_LONG, "The request's target is too long."));
    }
    match (uri.scheme_str(), uri.authority()) {
        (Some("http" | "https"), Some(authority)) if is_host(authority.as_str()) => {
            let is_other = !host.is_empty() && !host.eq_ignore_ascii_case(authority.as_str());
            if request.version() == Version::HTTP_2 && is_other {
                return Err(Malformed::bad("Host is another one than :authority."));
            }
            let named = HeaderValue::try_from(authority.as_str());
            let named = named.map_err(|_| Malformed::bad("The target names no host."))?;
            request.headers_mut().insert(HOST, named);
        }
        (Some(_), _) => return Err(Malformed::bad("The target is no address of a web server.")),
        // It is a host and no path.
        (None, Some(_)) if request.method() != Method::CONNECT => {
            return Err(Malformed::bad("The target must begin with a slash."));
        }
        (None, _) if uri.path() == "*" && request.method() != Method::OPTIONS => {
            return Err(Malformed::bad("The target * is for OPTIONS alone."));
        }
        (None, _) if !host.is_empty() && !is_host(host) => {
            return Err(Malformed::bad("Host names no host."));
        }
        (None, _) => {}
    }
    Ok(())
}

/// The one `Host`; none is an empty one in HTTP/1.0, and where HTTP/2 `is_named` by its `:authority`.
fn host(version: Version, headers: &HeaderMap, is_named: bool) -> Result<&str, Malformed> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().map_err(|_| Malformed::bad("Host names no host.")),
        (None, _) if is_named || version < Version::HTTP_11 => Ok(""),
        (None, _) => Err(Malformed::bad("A request needs a Host.")),
        (Some(_), Some(_)) => Err(Malformed::bad("A request has one Host.")),
    }
}

/// Whether this is a host, perhaps with a port, and nothing before them: nobody logs in by `user@host`.
fn is_host(text: &str) -> bool {
    let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => ("bracketed", port),
        Some(_) => return false,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    // RFC 3986, 3.2.2.
    let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || "-._~%!$&'()*+,;=".contains(letter);
    !name.is_empty()
        && name.chars().all(is_of_name)
        && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// Bodies come as they are, or in chunks. What else there is must not be taken for the bytes themselves
/// (RFC 9112, 6.1).
fn check_coding(headers: &HeaderMap) -> Result<(), Malformed> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if codings.all(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked")) {
        return Ok(());
    }
    Err(Malformed(StatusCode::NOT_IMPLEMENTED, "The only transfer coding that is understood is chunked."))
}

fn target_bytes(uri: &Uri) -> usize {
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    authority + uri.path_and_query().map_or(0, |path| path.as_str().len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(method: &str, target: &str, hosts: &[&str], version: Version) -> Result<String, StatusCode> {
        let mut request = Request::builder().method(method).uri(target).version(version).body(()).unwrap();
        for host in hosts {
            request.headers_mut().append(HOST, HeaderValue::from_str(host).unwrap());
        }
        settle(&mut request).map_err(|malformed| malformed.0)?;
        Ok(request.headers().get(HOST).map(|host| host.to_str().unwrap().to_owned()).unwrap_or_default())
    }

    #[test]
    fn a_request_has_one_host_that_is_one() {
        let by = |hosts: &[&str]| settled("GET", "/a?b", hosts, Version::HTTP_11);
        for host in
            ["a", "a:80", "a:", "", "127.0.0.1:8080", "[::1]", "[::1]:80", "xn--a.example", "a_b", "a%20b"]
        {
            assert_eq!(by(&[host]).as_deref(), Ok(host));
        }
        for host in
            ["a b", "a/b", "u@a", "a:x", "a:99999", "[::1", "[::1]x", "[a]", "a?b", "a#b", ":80", "a,b c"]
        {
            assert_eq!(by(&[host]), Err(StatusCode::BAD_REQUEST), "{host}");
        }
        assert_eq!(by(&[]), Err(StatusCode::BAD_REQUEST));
        assert_eq!(by(&["a", "a"]), Err(StatusCode::BAD_REQUEST));
        assert_eq!(settled("GET", "/", &[], Version::HTTP_10).as_deref(), Ok(""));
        assert_eq!(settled("GET", "/", &["a", "b"], Version::HTTP_10), Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn a_target_that_names_its_host_wins() {
        let to = |method, target| settled(method, target, &["a"], Version::HTTP_11);
        assert_eq!(to("GET", "http://b:81/c").as_deref(), Ok("b:81"));
        assert_eq!(to("OPTIONS", "*").as_deref(), Ok("a"));
        assert_eq!(to("CONNECT", "b:80").as_deref(), Ok("a"));
        for target in ["ftp://b/c", "http://u@b/c", "b", "*"] {
            assert_eq!(to("GET", target), Err(StatusCode::BAD_REQUEST), "{target}");
        }
        let long = format!("/{}", "x".repeat(TARGET_BYTES_MAX));
        assert_eq!(to("GET", &long), Err(StatusCode::URI_TOO_LONG));
        assert_eq!(to("GET", &long[1..]), Err(StatusCode::BAD_REQUEST), "a name and no path");
    }

    #[test]
    fn over_http_2_the_authority_is_the_host() {
        let to = |target, hosts: &[&str]| settled("GET", target, hosts, Version::HTTP_2);
        assert_eq!(to("https://b:81/c", &[]).as_deref(), Ok("b:81"));
        assert_eq!(to("https://b:81/c", &["B:81"]).as_deref(), Ok("b:81"));
        assert_eq!(to("/c", &["a"]).as_deref(), Ok("a"), "without :authority");
        for (target, hosts) in [("https://b/c", &["a"][..]), ("https://b/c", &["b", "b"]), ("/c", &[])] {
            assert_eq!(to(target, hosts), Err(StatusCode::BAD_REQUEST), "{target} {hosts:?}");
        }
    }

    #[test]
    fn only_chunks_are_understood() {
        let coded = |codings: &[&'static str]| {
            let pairs = codings.iter().map(|coding| (TRANSFER_ENCODING, HeaderValue::from_static(coding)));
            check_coding(&pairs.collect()).map_err(|malformed| malformed.0)
        };
        assert_eq!(coded(&[]), Ok(()));
        assert_eq!(coded(&["Chunked"]), Ok(()));
        assert_eq!(coded(&["gzip, chunked"]), Err(StatusCode::NOT_IMPLEMENTED));
        assert_eq!(coded(&["gzip", "chunked"]), Err(StatusCode::NOT_IMPLEMENTED));
    }
}
