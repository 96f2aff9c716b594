//! How clients take their URLs apart, one row each, and what must never come through.

use proptest::prelude::*;

use super::*;

/// What comes out of tcUrl, app and stream name: `app/[prefix:]name?query`.
#[track_caller]
fn check(tc_url: &str, app: &str, stream: &str, expect: &str) {
    let path = StreamPath::resolve(tc_url, app, stream).unwrap();
    let query: Vec<_> = path.query.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    assert_eq!(format!("{path}{query}"), expect);
}

#[test]
fn ffmpeg_and_obs_split_where_they_please() {
    check("rtmp://h:1935/live", "live", "cam", "live/cam");
    // FFmpeg puts two segments into the app (quirk 1).
    check("rtmp://h:1935/live/a", "live/a", "b/c", "live/a/b/c");
    check("rtmp://h/live", "live", "a/b/c", "live/a/b/c");
    check("rtmp://h/live/", "live/", "cam", "live/cam");
    check("rtmp://h/live/_definst_", "live/_definst_", "cam", "live/cam");
    // The stream is the app's second segment when it has no name of its own.
    check("rtmp://h/live/cam", "live/cam", "", "live/cam");
    // GoPro without a key (quirk 35).
    check("rtmp://h/live", "live", "", "live/");
    check("rtmp://h/live", "", "cam", "live/cam");
}

#[test]
fn the_query_may_be_anywhere_and_the_stream_names_own_is_the_first() {
    check("rtmp://h/live", "live", "cam?key=1", "live/cam?key=1");
    // OBS with the key in the server's field (quirk 12).
    check("rtmp://h/live?key=1", "live?key=1", "cam", "live/cam?key=1");
    check("rtmp://h/live?key=1&a=b", "live?key=2", "cam?key=3", "live/cam?key=3&a=b");
    // Flash Media Live Encoder.
    check("rtmp://h/live?key=1/cam", "live?key=1/cam", "", "live/cam?key=1");
    check("rtmp://h/live", "live", "?key=1", "live/?key=1");
    // Base64 is sent raw.
    check("", "live?authmod=adobe&response=a+b/c==", "cam", "live/cam?authmod=adobe&response=a+b/c==");
    let path = StreamPath::resolve("", "live", "cam?user=Zo%C3%AB&flag").unwrap();
    assert_eq!((path.query.decoded("user").as_deref(), path.query.get("flag")), (Some("Zoë"), Some("")));
}

#[test]
fn a_slash_in_a_value_may_have_been_a_place_to_cut() {
    // What FFmpeg and librtmp make of `rtmp://h/live/cam?key=a/b+c=`: the other reading has it whole.
    let path = StreamPath::resolve("rtmp://h/live/cam?key=a", "live/cam?key=a", "b+c=").unwrap();
    assert_eq!((path.name.as_str(), path.query.get("key")), ("cam/b+c=", Some("a")));
    let uncut = path.uncut.unwrap();
    assert_eq!((uncut.to_string().as_str(), uncut.query.get("key")), ("live/cam", Some("a/b+c=")));
    // What Flash Media Live Encoder makes of `live?key=a/b/cam`.
    let path = StreamPath::resolve("", "live?key=a/b/cam", "").unwrap();
    assert_eq!((path.to_string().as_str(), path.query.get("key")), ("live/b/cam", Some("a")));
    let uncut = path.uncut.unwrap();
    assert_eq!((uncut.to_string().as_str(), uncut.query.get("key")), ("live/cam", Some("a/b")));
    // All of it in the app: the slash may stand in front of the name or in the value.
    let path = StreamPath::resolve("", "live/cam?key=a/b", "").unwrap();
    assert_eq!((path.to_string().as_str(), path.query.get("key")), ("live/cam/b", Some("a")));
    let uncut = path.uncut.unwrap();
    assert_eq!((uncut.to_string().as_str(), uncut.query.get("key")), ("live/cam", Some("a/b")));
    // A word without a name can be cut as well.
    let uncut = StreamPath::resolve("", "live/cam?a", "b+c").unwrap().uncut.unwrap();
    assert_eq!((uncut.to_string().as_str(), uncut.query.get("a/b+c")), ("live/cam", Some("")));
    // A value that would be no name is none.
    let path = StreamPath::resolve("", "live/cam?key=a", "../b").unwrap();
    assert_eq!((path.to_string().as_str(), path.query.get("key")), ("live/cam", Some("a/../b")));
    // Where nothing can have been cut there is one way to read it.
    for (app, stream) in [("live", "cam?key=a/b"), ("live/cam?key=a", ""), ("live", "a/b"), ("live?", "cam")]
    {
        assert_eq!(StreamPath::resolve("", app, stream).unwrap().uncut, None, "{app} {stream}");
    }
}

#[test]
fn files_keep_their_prefix_apart() {
    let path = StreamPath::resolve("", "vod", "mp4:dir/film.mp4?start=3").unwrap();
    assert_eq!((path.app.as_str(), path.prefix, path.name.as_str()), ("vod", Some("mp4"), "dir/film.mp4"));
    check("", "vod", "flv:film", "vod/flv:film");
    check("", "vod", "F4V:film.f4v", "vod/f4v:film.f4v");
    check("", "vod/dir", "mp4:film.mp4", "vod/mp4:dir/film.mp4");
    check("", "vod/mp4:film.mp4", "", "vod/mp4:film.mp4");
    check("", "live", "a:b", "live/a:b");
}

#[test]
fn names_of_all_the_world() {
    // Names as people type them and as browsers and librtmp send them (quirk 63).
    check("", "live", "my%20cam", "live/my cam");
    check("", "live", "кино,1:2", "live/кино,1:2");
    check("", "live", "100%", "live/100%");
    check("", "live", "a//b/", "live/a/b");
    // No second decoding.
    check("", "live", "%2525", "live/%25");
}

#[test]
fn what_must_not_come_through() {
    let fault = |stream: &str| StreamPath::resolve("", "live", stream).unwrap_err();
    for dots in ["..", "a/../b", "%2e%2e/x", "a/.", "mp4:../x", "..%2fx", "a\\..\\b"] {
        assert_eq!(fault(dots), PathFault::Dots, "{dots}");
    }
    for control in ["a\0", "a%00", "a\nb", "a%7f"] {
        assert_eq!(fault(control), PathFault::ControlCharacter, "{control:?}");
    }
    assert_eq!(fault("%ff"), PathFault::NotUtf8);
    let fits = "x".repeat(PATH_BYTES_MAX - "live/".len());
    assert_eq!(StreamPath::resolve("", "live", &fits).unwrap().name, fits);
    assert_eq!(fault(&format!("{fits}x")), PathFault::TooLong(1025));
}

#[test]
fn client_urls() {
    #[track_caller]
    fn check(url: &str, tc_url: &str, stream: &str) {
        let parsed: RtmpUrl = url.parse().unwrap();
        assert_eq!((parsed.tc_url().as_str(), parsed.stream.as_str()), (tc_url, stream));
        let shown = RtmpUrl { credentials: None, ..parsed.clone() };
        assert_eq!(parsed.to_string().parse(), Ok(shown));
    }
    check("rtmp://h/live/cam", "rtmp://h/live", "cam");
    check("RTMP://h:1935/live/a/b?key=x/y", "rtmp://h/live", "a/b?key=x/y");
    check("rtmp://h:80/live", "rtmp://h:80/live", "");
    check("rtmps://[::1]:8443/live/cam", "rtmps://[::1]:8443/live", "cam");
    check("rtmps://u:p@h/live/cam", "rtmps://h/live", "cam");
    check("rtmp://h/live?key=1", "rtmp://h/live", "?key=1");
    let login = "rtmp://a%40b:p:w%2F@h/live/cam".parse::<RtmpUrl>().unwrap().credentials.unwrap();
    assert_eq!((login.user.as_str(), login.password.as_str()), ("a@b", "p:w/"));
    assert_eq!("rtmps://[::1]/a/b".parse::<RtmpUrl>().unwrap().port, 443);

    let fault = |url: &str| url.parse::<RtmpUrl>().unwrap_err();
    assert!(matches!(fault("http://h/live/x"), UrlFault::Scheme(_)));
    for url in
        ["http://u:secret@h/x?key=secret", "h/live?key=secret", "rtmp://?key=secret", "rtmp://u:secret@h"]
    {
        assert!(!fault(url).to_string().contains("secret"), "{}", fault(url));
    }
    assert!(matches!(fault("live/x"), UrlFault::Scheme(_)));
    assert!(matches!(fault("rtmp:///live/x"), UrlFault::Host(_)));
    assert!(matches!(fault("rtmp://h:0/live/x"), UrlFault::Port(_)));
    assert!(matches!(fault("rtmp://h"), UrlFault::App(_)));
}

proptest! {
    #[test]
    fn no_name_leads_out_of_its_folder(tc_url in ".{0,40}", app in ".{0,40}", stream in "[./%2eE\\\\a:?&=mp4]{0,40}") {
        if let Ok(path) = StreamPath::resolve(&tc_url, &app, &stream) {
            for segment in path.name.split('/').chain([path.app.as_str()]).filter(|_| !path.name.is_empty()) {
                prop_assert!(!matches!(segment, "" | "." | ".."), "{path:?}");
                prop_assert!(!segment.chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn any_url_is_taken_or_refused(url in ".{0,60}", rest in "rtmp://.{0,60}") {
        let _ = url.parse::<RtmpUrl>();
        let _ = rest.parse::<RtmpUrl>();
    }
}

#[test]
fn a_server_may_send_us_elsewhere() {
    let here: RtmpUrl = "rtmp://one:1999/live/talk?key=k".parse().unwrap();
    let moved = |tc_url| here.moved(tc_url).unwrap().to_string();
    assert_eq!(moved(None), "rtmp://one:1999/live/talk?key=k");
    assert_eq!(moved(Some("")), "rtmp://one:1999/live/talk?key=k");
    assert_eq!(moved(Some("rtmps://two/other")), "rtmps://two/other/talk?key=k");
    assert_eq!(moved(Some("//two:1936/live")), "rtmp://two:1936/live/talk?key=k");
    assert_eq!(moved(Some("/other/")), "rtmp://one:1999/other/talk?key=k");
    assert_eq!(moved(Some("/app/instance")), "rtmp://one:1999/app/instance/talk?key=k");
    assert!(here.moved(Some("http://two/live")).is_err());
}
