//! The web pages, as they lie in the binary: the table that `build.rs` made of `console/`.
//!
//! Not a file server: it knows no request, sets no header and reads no file. Whoever answers a request asks
//! [`find`] for the path and sends what it gets, with [`CONTENT_SECURITY_POLICY`] on every page.

use super::negotiation::Coding;

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The policy that the pages are built for: everything from this server, nothing inline. `blob:` is how a
/// browser names the live source of a `<video>`. Its last rule names whose pages may show them, and goes on with other
/// origins where there are some.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; media-src 'self' blob:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'self'";

/// One file of the pages.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Where it is asked for, with the leading slash: `/assets/watch-1a2b3c.js`. Unique in the table.
    pub(crate) path: &'static str,
    /// The value of `Content-Type`.
    pub(crate) content_type: &'static str,
    /// The file as it is, and packed where that is worth it.
    pub(crate) forms: &'static [Form],
    /// The name carries a hash of the content, so that `Cache-Control: max-age=31536000, immutable` is safe.
    /// All else is to be sent with `no-cache`.
    pub(crate) immutable: bool,
}

/// What is sent of a file.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) coding: Coding,
    pub(crate) bytes: &'static [u8],
    /// The value of `ETag`, quotes included; a hash of `bytes`, so that each form has its own (RFC 9110, 8.8.3).
    pub(crate) etag: &'static str,
}

impl Asset {
    /// The first of the `wanted` codings that there is of this file.
    pub(crate) fn form(&self, wanted: &[Coding]) -> Option<&'static Form> {
        let has = |coding: &Coding| self.forms.iter().find(|form| form.coding == *coding);
        wanted.iter().find_map(has).or_else(|| self.forms.first())
    }
}

/// The file that answers a request for `path` (of the URL as it was sent: percent-encoded, without the query).
///
/// `/` is the console; `/watch` and everything below it is the watch page, which reads the stream's name from
/// its address. `None` for everything that is not a page: a stream, the API, or nothing at all.
pub(crate) fn find(path: &str) -> Option<&'static Asset> {
    let file = match path {
        "/" => "/index.html",
        "/watch" => "/watch.html",
        _ if path.starts_with("/watch/") => "/watch.html",
        _ => path,
    };
    TABLE.iter().find(|asset| asset.path == file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(asset: &Asset) -> &'static str {
        std::str::from_utf8(asset.forms[0].bytes).unwrap()
    }

    #[test]
    fn the_console_and_every_watch_address_have_a_page() {
        for path in ["/", "/index.html", "/watch", "/watch/", "/watch/live/demo", "/watch/live/a%2Fb/c%20d"] {
            let page = find(path).unwrap();
            assert_eq!(page.content_type, "text/html; charset=utf-8", "{path}");
            assert!(text(page).starts_with("<!doctype html>"), "{path}");
            assert!(!page.immutable, "{path}: a page must never be kept without asking");
        }
        assert_eq!(find("/watch").unwrap().path, find("/watch/live/x").unwrap().path);
    }

    #[test]
    fn streams_and_the_api_are_not_pages() {
        for path in
            ["", "/live/demo.flv", "/api/v1/streams", "/watching", "/assets", "/assets/", "/../Cargo.toml"]
        {
            assert!(find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_complete_build_has_every_file_that_its_pages_name_and_nothing_inline() {
        if !COMPLETE {
            assert!(text(find("/").unwrap()).contains("Node.js"), "the page must say what is missing");
            return;
        }
        for page in ["/", "/watch/live/demo"].map(|path| text(find(path).unwrap())) {
            let named: Vec<&str> = page
                .split(['"', '\''])
                .filter(|piece| piece.starts_with('/') && !piece.contains(['<', '>', ' ']))
                .collect();
            assert!(named.iter().any(|name| name.ends_with(".js")), "no script in {page}");
            for name in named {
                assert!(find(name).is_some(), "{name} is named by a page but is not in the table");
            }
            assert!(!page.contains("<style") && !page.contains("style="), "inline style in {page}");
            assert!(page.split("<script").skip(1).all(|tag| tag.contains("src=")), "inline script in {page}");
        }
    }

    #[test]
    fn only_hashed_files_are_immutable_and_tags_are_quoted() {
        for asset in TABLE {
            assert_eq!(asset.immutable, asset.path.starts_with("/assets/"), "{}", asset.path);
            for form in asset.forms {
                let tag = form.etag;
                assert!(tag.len() == 18 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
                assert!(!form.bytes.is_empty(), "{}", asset.path);
                assert_eq!(asset.forms.iter().filter(|other| other.etag == tag).count(), 1, "{}", asset.path);
            }
        }
    }

    #[test]
    fn a_complete_build_has_its_scripts_packed_twice() {
        if !COMPLETE {
            return;
        }
        let scripts: Vec<&Asset> = TABLE.iter().filter(|asset| asset.path.ends_with(".js")).collect();
        assert!(scripts.len() > 3, "{}", scripts.len());
        for script in scripts {
            let size = |coding| script.form(&[coding]).unwrap().bytes.len();
            let (plain, gzip, brotli) = (size(Coding::Identity), size(Coding::Gzip), size(Coding::Brotli));
            assert!(brotli < gzip && gzip * 5 < plain * 4, "{}: {plain} {gzip} {brotli}", script.path);
            assert!(script.form(&[Coding::Gzip]).unwrap().bytes.starts_with(&[0x1f, 0x8b]));
        }
    }
}
