//! What is sent of a page, and the pages that the server writes.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::http::HeaderName;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY,
    ETAG, IF_NONE_MATCH, VARY,
};

use super::*;
use crate::access::Peer;
use crate::doors::http::Config;

fn asking(fields: &[(HeaderName, &str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
}

fn field(response: &Response, name: HeaderName) -> Option<&str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn a_page_comes_packed_as_asked_and_each_form_has_its_own_tag() {
    if !assets::COMPLETE {
        return;
    }
    let mut tags = Vec::new();
    for (asked, coding) in [("br, gzip", Some("br")), ("gzip", Some("gzip")), ("", None), ("br;q=0", None)] {
        let response = file("/", &asking(&[(ACCEPT_ENCODING, asked)]));
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(field(&response, CONTENT_ENCODING), coding, "{asked}");
        assert_eq!(field(&response, VARY), Some("Accept-Encoding"), "{asked}");
        let tag = field(&response, ETAG).unwrap().to_owned();
        let again = file("/", &asking(&[(ACCEPT_ENCODING, asked), (IF_NONE_MATCH, &tag)]));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{asked}");
        assert_eq!((field(&again, VARY), field(&again, ETAG)), (Some("Accept-Encoding"), Some(&*tag)));
        assert_eq!(field(&again, CONTENT_ENCODING), None, "there is nothing that is packed");
        tags.push(tag);
    }
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[2] == tags[3], "{tags:?}");
    let other = asking(&[(ACCEPT_ENCODING, "br"), (IF_NONE_MATCH, &tags[1])]);
    assert_eq!(file("/", &other).status(), StatusCode::OK, "the gzip form is not the Brotli form");
}

#[tokio::test]
async fn pages_of_others_show_the_watch_page_only_where_they_are_named() {
    let policy = |page: Response| field(&page, CONTENT_SECURITY_POLICY).unwrap_or_default().to_owned();
    let named = |origins: &[&str]| {
        let embed_origins = origins.iter().map(|&origin| origin.to_owned()).collect();
        let peer = Peer { address: "127.0.0.1:5".parse().unwrap(), is_local: true };
        let config = Arc::new(Config { embed_origins, ..Config::default() });
        Extension(Asker { config, ..Asker::of(peer) })
    };
    if !assets::COMPLETE {
        return;
    }
    assert!(policy(watch(HeaderMap::new(), named(&[])).await).ends_with("frame-ancestors 'self'"));
    let origins = named(&["https://a.example", "https://*.b.example:8443"]);
    let page = policy(watch(HeaderMap::new(), origins).await);
    assert!(page.ends_with("frame-ancestors 'self' https://a.example https://*.b.example:8443"), "{page}");
    assert!(
        policy(console(HeaderMap::new()).await).ends_with("frame-ancestors 'self'"),
        "the console stays alone"
    );
}

#[test]
fn what_is_no_origin_is_refused_with_what_one_looks_like() {
    let check = |origin: &str| Config { embed_origins: vec![origin.to_owned()], ..Config::default() }.check();
    for origin in
        ["*", "https://example.org", "http://localhost:3000", "https://*.example.org", "http://[::1]:80"]
    {
        check(origin).unwrap();
    }
    for none in
        ["", "example.org", "https://", "https://a/b", "https://a; script-src *", "https://a b", "'self'"]
    {
        let error = check(none).unwrap_err().to_string();
        assert!(
            error.starts_with("[http] embed_origins") && error.contains("https://example.org"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_page_for_browsers_and_a_line_for_programs() {
    let browser = "text/html,*/*;q=0.8";
    let page = file("/nowhere", &asking(&[(ACCEPT, browser)]));
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    assert_eq!(field(&page, CONTENT_SECURITY_POLICY), Some(WRITTEN_SECURITY_POLICY));
    let page = text(page).await;
    assert!(page.contains("<html lang=\"en\">") && page.contains("<h1>There is nothing here</h1>"), "{page}");
    let page =
        text(file("/nowhere", &asking(&[(ACCEPT, browser), (ACCEPT_LANGUAGE, "zh-CN,en;q=0.5")]))).await;
    assert!(page.contains("<html lang=\"zh-CN\">") && page.contains("<h1>这里什么都没有</h1>"), "{page}");
    let line = file("/nowhere", &asking(&[(ACCEPT, "*/*")]));
    assert_eq!((line.status(), field(&line, CONTENT_LENGTH)), (StatusCode::NOT_FOUND, None));
    assert!(text(line).await.starts_with("there is nothing here;"));
}

#[tokio::test]
async fn written_pages_have_no_empty_place_in_either_language() {
    for accept in ["en", "zh"] {
        let headers = asking(&[(ACCEPT_LANGUAGE, accept)]);
        let problems = [None, Some(LoginProblem::NoToken), Some(LoginProblem::WrongToken)];
        let mut pages: Vec<Response> = problems.iter().map(|&why| login_page(&headers, why)).collect();
        pages.push(missing_page(&headers));
        for page in pages {
            assert_eq!(field(&page, VARY), Some("Accept-Language"));
            let page = text(page).await;
            assert!(!page.contains(['{', '}']), "a place is left: {page}");
            assert_eq!(page.contains("lang=\"zh-CN\""), accept == "zh");
            assert!(page.contains("href=\"/house.css\"") && !page.contains("style="), "{page}");
        }
    }
}
