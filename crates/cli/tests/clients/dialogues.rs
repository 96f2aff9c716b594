//! What Flash did with films, said by a script and heard to the end: play, seek, pause, playlists, `play2`.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use headwater_media::MediaKind;
use headwater_rtmp::command::{Level, PlayStart, Status, Transition};
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::message::UserControl;
use headwater_rtmp::session::{ClientConfig, ClientEvent, ClientSession, Play2Options, PlayOptions};
use headwater_rtmp::url::RtmpUrl;
use headwater_rtmp::{MessageStreamId, Output};

use crate::films;
use crate::flv_tags::Tag;
use crate::harness::Server;
use crate::program::needs;
use crate::sources::testdata;

const SOON: Duration = Duration::from_secs(10);
/// What is on its way has come by then.
const BRIEFLY: Duration = Duration::from_millis(400);
const ALL_AT_ONCE: u32 = 3_600_000;

/// A player that writes down what it hears, a line for each thing.
pub(crate) struct Player {
    socket: TcpStream,
    pub(crate) session: ClientSession,
    input: BytesMut,
    pub(crate) stream: MessageStreamId,
    /// All media that has come.
    pub(crate) media: Vec<Tag>,
    /// All script data that has come.
    pub(crate) data: Vec<Tag>,
}

impl Player {
    /// Connects, and asks for a film.
    fn play(server: &Server, name: &str, options: PlayOptions) -> Self {
        let mut player = Self::connect(server);
        player.session.play(name, options).unwrap();
        player
    }

    /// Connects, and asks for a live stream.
    pub(crate) fn watch(server: &Server, name: &str, options: PlayOptions) -> Self {
        let mut player = Self::connect_to(server, &server.rtmp(name));
        player.session.play(name, options).unwrap();
        player
    }

    fn connect(server: &Server) -> Self {
        Self::connect_to(server, &server.rtmp_film("x"))
    }

    pub(crate) fn connect_to(server: &Server, url: &str) -> Self {
        let socket = TcpStream::connect(server.rtmp_address()).unwrap();
        let url = url.parse::<RtmpUrl>().unwrap();
        let session =
            ClientSession::new(Arc::new(ClientConfig::default()), url, Nonce([7; 32]), Duration::ZERO);
        let stream = MessageStreamId(1);
        let mut player =
            Self { socket, session, input: BytesMut::new(), stream, media: Vec::new(), data: Vec::new() };
        player.until("connected");
        player
    }

    /// Everything that comes within this time.
    pub(crate) fn hear(&mut self, within: Duration) -> Vec<String> {
        let end = Instant::now() + within;
        let mut lines = Vec::new();
        while Instant::now() < end {
            lines.extend(self.turn());
        }
        lines
    }

    /// Everything up to the first line that begins so, which must come.
    #[track_caller]
    pub(crate) fn until(&mut self, beginning: &str) -> Vec<String> {
        let end = Instant::now() + SOON;
        let mut lines: Vec<String> = Vec::new();
        loop {
            lines.extend(self.turn());
            if let Some(at) = lines.iter().position(|line| line.starts_with(beginning)) {
                // What came with it is looked at too.
                let rest = lines.split_off(at + 1);
                return [lines, rest].concat();
            }
            assert!(Instant::now() < end, "{beginning:?} does not come after {lines:?}");
        }
    }

    pub(crate) fn turn(&mut self) -> Vec<String> {
        send(&mut self.socket, self.session.output());
        self.socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut bytes = vec![0; 1 << 20];
        match self.socket.read(&mut bytes) {
            Ok(count) => self.input.extend_from_slice(&bytes[..count]),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
            }
        }
        let mut lines = Vec::new();
        while let Some(event) = self.session.read(&mut self.input).unwrap() {
            lines.extend(line(&event));
            if let ClientEvent::Media { kind, timestamp, body, .. } = &event {
                let kind = if *kind == MediaKind::Video { 9 } else { 8 };
                self.media.push((kind, *timestamp, body.to_vec()));
            }
            if let ClientEvent::Data { timestamp, payload, .. } = &event {
                self.data.push((18, *timestamp, payload.to_vec()));
            }
            send(&mut self.socket, self.session.output());
        }
        lines
    }
}

fn send(socket: &mut TcpStream, output: &mut Output) {
    if !output.is_empty() {
        let bytes = output.copy_to_bytes(output.remaining());
        socket.write_all(&bytes).unwrap();
    }
}

fn line(event: &ClientEvent) -> Option<String> {
    Some(match event {
        ClientEvent::Connected { .. } => "connected".to_owned(),
        ClientEvent::PlayStarted { .. } => "Play.Start".to_owned(),
        ClientEvent::Status { status, .. } | ClientEvent::Rejected { status, .. } => {
            format!("{} {}", status.code.trim_start_matches("NetStream."), level(status))
        }
        ClientEvent::EndOfStream { status, .. } => {
            format!("end {}", status.code.trim_start_matches("NetStream."))
        }
        ClientEvent::StreamLength { seconds } => format!("length {seconds:?}"),
        ClientEvent::UserControl(UserControl::StreamIsRecorded(_)) => "recorded".to_owned(),
        ClientEvent::UserControl(UserControl::StreamBegin(stream)) if stream.0 > 0 => "begin".to_owned(),
        ClientEvent::UserControl(UserControl::StreamEof(_)) => "eof".to_owned(),
        ClientEvent::UserControl(UserControl::BufferEmpty(_)) => "buffer empty".to_owned(),
        ClientEvent::UserControl(UserControl::BufferReady(_)) => "buffer ready".to_owned(),
        ClientEvent::Media { kind, timestamp, body, .. } => match (kind, &body[..]) {
            (MediaKind::Video, [_, 0, ..]) => "video config".to_owned(),
            (MediaKind::Video, [first, ..]) if first >> 4 == 1 => format!("key {timestamp}"),
            (MediaKind::Video, _) => format!("video {timestamp}"),
            (_, [0xA0..=0xAF, 0, ..]) => "audio config".to_owned(),
            _ => format!("audio {timestamp}"),
        },
        ClientEvent::Data { payload, .. } => {
            let length = usize::from(payload[2]);
            format!("data {}", String::from_utf8_lossy(&payload[3..3 + length]))
        }
        _ => return None,
    })
}

fn level(status: &Status) -> &'static str {
    match status.level {
        Level::Status => "status",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

/// The times of the lines that begin so, in milliseconds.
fn times(lines: &[String], kinds: &[&str]) -> Vec<i64> {
    let time = |line: &String| {
        let (kind, time) = line.split_once(' ')?;
        kinds.contains(&kind).then(|| time.parse().ok())?
    };
    lines.iter().filter_map(time).collect()
}

pub(crate) fn pictures(lines: &[String]) -> Vec<i64> {
    times(lines, &["key", "video"])
}

#[track_caller]
pub(crate) fn assert_order(lines: &[String], wanted: &[&str]) {
    let mut rest = lines.iter();
    for want in wanted {
        let heard = || lines.iter().filter(|line| !line.starts_with("audio ") && !line.starts_with("video "));
        let words: Vec<&String> = heard().collect();
        assert!(rest.any(|line| line.starts_with(want)), "{want:?} does not come in its turn: {words:?}");
    }
}

/// A server with the clips of the repository: `demo.flv` has 10 s and a key frame every 2 s.
fn server() -> Server {
    let films = testdata("demo.flv");
    Server::start_with_films(films.parent())
}

fn from(ms: u64) -> PlayOptions {
    PlayOptions { start: PlayStart::Recorded { ms }, buffer_ms: ALL_AT_ONCE, ..PlayOptions::default() }
}

#[test]
fn a_film_begins_in_the_order_that_players_know() {
    let server = server();
    let mut player = Player::play(&server, "demo", from(0));
    let lines = player.until("end Play.Complete");
    let head: Vec<&str> = lines.iter().map(String::as_str).take(8).collect();
    let wanted = [
        "recorded",
        "begin",
        "Play.Reset status",
        "Play.Start",
        "data |RtmpSampleAccess",
        "data onMetaData",
        "video config",
        "audio config",
    ];
    assert_eq!(head, wanted);
    assert_eq!(pictures(&lines).len(), 250);
    assert_eq!(lines.iter().filter(|line| *line == "video config").count(), 1);
    player.session.request_stream_length("demo").unwrap();
    assert!(player.until("length").contains(&"length Some(10.005333333)".to_owned()));
}

#[test]
fn a_part_of_a_film_begins_at_its_key_frame_and_ends_in_time() {
    let server = server();
    for (start, duration, first, last, count) in [
        (0, 0, 0, 0, 1),
        (0, 2_000, 0, 1_960, 50),
        (5_000, 1_500, 0, 1_480, 38),
        (9_999, 60_000, 0, 1_960, 50),
    ] {
        let options = PlayOptions { duration_ms: Some(duration), ..from(start) };
        let mut player = Player::play(&server, "flv:demo", options);
        let lines = player.until("end Play.Complete");
        let pictures = pictures(&lines);
        // A viewer's time begins where it begins: librtmp adds what it asked for.
        assert_eq!((pictures[0], *pictures.last().unwrap(), pictures.len()), (first, last, count), "{start}");
        assert!(lines.iter().any(|line| line == &format!("key {first}")));
    }
}

#[test]
fn a_seek_goes_to_the_key_frame_before_it() {
    let server = server();
    let options = PlayOptions { buffer_ms: 1_000, ..from(0) };
    let mut player = Player::play(&server, "demo", options);
    player.until("key 0");
    for (to, key) in [(7_999, 6_000), (4_000, 4_000), (1_999, 0), (9_000, 8_000)] {
        player.session.seek(player.stream, to).unwrap();
        let lines = [player.until("Seek.Notify"), player.hear(BRIEFLY)].concat();
        let at = lines.iter().position(|line| line.starts_with("Seek.Notify")).unwrap();
        let after = &lines[at..];
        assert_order(
            after,
            &["Seek.Notify status", "Play.Start", "data onMetaData", "video config", "audio config"],
        );
        assert_eq!(pictures(after)[0], key, "for {to}: {after:?}");
    }
    player.session.seek(player.stream, 60_000).unwrap();
    let lines = player.until("Seek.InvalidTime");
    assert!(lines.contains(&"Seek.InvalidTime warning".to_owned()));
    assert!(!player.until("end Play.Complete").is_empty(), "it goes on");
    player.session.seek(player.stream, 0).unwrap();
    player.until("key 0");
}

#[test]
fn a_paused_film_stands_and_shows_where_it_is_sought() {
    let server = server();
    let mut player = Player::play(&server, "demo", PlayOptions { buffer_ms: 1_000, ..from(0) });
    player.until("key 0");
    player.session.pause(player.stream, true, 500).unwrap();
    player.until("Pause.Notify");
    assert_eq!(pictures(&player.hear(BRIEFLY)), [0; 0]);
    player.session.seek(player.stream, 4_500).unwrap();
    let lines = [player.until("Seek.Notify"), player.hear(BRIEFLY)].concat();
    assert_eq!(pictures(&lines), [4_000], "one picture: {lines:?}");
    player.session.pause(player.stream, false, 4_500).unwrap();
    let lines = [player.until("Unpause.Notify"), player.hear(BRIEFLY)].concat();
    let at = lines.iter().position(|line| line.starts_with("Unpause.Notify")).unwrap();
    assert_eq!(pictures(&lines[at..])[0], 4_040);
    // It says that it has thrown away what is later than this.
    player.session.pause(player.stream, true, 4_600).unwrap();
    player.until("Pause.Notify");
    player.session.pause(player.stream, false, 4_600).unwrap();
    let lines = [player.until("Unpause.Notify"), player.hear(BRIEFLY)].concat();
    let at = lines.iter().position(|line| line.starts_with("Unpause.Notify")).unwrap();
    assert_eq!(pictures(&lines[at..])[0], 4_640, "{lines:?}");
    assert!(!lines[at..].iter().any(|line| line == "video config"), "its decoder goes on");
}

#[test]
fn a_buffer_is_filled_at_once_and_kept_full() {
    let server = server();
    for buffer_ms in [1_000, 4_000] {
        let mut player = Player::play(&server, "demo", PlayOptions { buffer_ms, ..from(0) });
        let lines = [player.until("key 0"), player.hear(BRIEFLY)].concat();
        let newest = *pictures(&lines).last().unwrap();
        let buffer = i64::from(buffer_ms);
        assert!((buffer - 100..buffer + 900).contains(&newest), "{newest} ms of {buffer_ms}");
        let lines = [lines, player.hear(Duration::from_secs(1))].concat();
        assert_order(&lines, &["buffer empty", "buffer ready"]);
    }
}

#[test]
fn a_playlist_is_played_in_its_order_on_one_line_of_time() {
    let server = server();
    let mut player = Player::play(
        &server,
        "demo",
        PlayOptions { duration_ms: Some(2_000), buffer_ms: 1_000, ..from(8_000) },
    );
    player.until("key 0");
    for name in ["bframes.mp4", "no such film", "keyframes"] {
        player.session.play_later(player.stream, name, from(0)).unwrap();
    }
    let lines = player.until("end Play.Complete");
    assert_order(
        &lines,
        &["Play.Switch", "recorded", "begin", "video config", "key", "Play.StreamNotFound warning"],
    );
    assert_order(
        &lines,
        &["Play.StreamNotFound warning", "Play.Switch", "video config", "key", "end Play.Complete"],
    );
    assert_eq!(lines.iter().filter(|line| line.starts_with("Play.Switch")).count(), 2);
    let times = pictures(&lines);
    assert!(times.is_sorted(), "{times:?}");
    let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(steps.clone().all(|step| step < 200), "{:?}", steps.max());
    assert!(*times.last().unwrap() > 5_000);
}

#[test]
fn another_rate_takes_over_at_its_key_frame() {
    needs!("ffmpeg");
    // The same film twice.
    let (first, second) = (films::film("flash.flv"), films::film("plain.mp4"));
    assert_eq!(first.parent(), second.parent());
    let server = Server::start_with_films(first.parent());
    let mut player = Player::play(&server, "flash.flv", PlayOptions { buffer_ms: 1_000, ..from(0) });
    let before = player.until("key 0");
    let options = Play2Options { transition: Transition::Switch, ..Play2Options::default() };
    player.session.play2(player.stream, "mp4:plain.mp4", &options).unwrap();
    let lines = [before, player.until("end Play.Complete")].concat();
    assert_order(&lines, &["Play.Transition status", "Play.TransitionComplete", "video config", "key"]);
    let times = pictures(&lines);
    assert_eq!(times.len(), 150, "no picture twice and none left out: {times:?}");
    assert!(times.windows(2).all(|pair| (39..=41).contains(&(pair[1] - pair[0]))), "{times:?}");
}

#[test]
fn films_are_swapped_stopped_and_appended() {
    let server = server();
    let mut player = Player::play(&server, "demo", PlayOptions { buffer_ms: 1_000, ..from(0) });
    player.until("key 0");
    let transition = |transition| Play2Options { transition, ..Play2Options::default() };
    player.session.play2(player.stream, "bframes.mp4", &transition(Transition::Append)).unwrap();
    let swap = Play2Options { old_name: "bframes.mp4".into(), ..transition(Transition::Swap) };
    player.session.play2(player.stream, "keyframes", &swap).unwrap();
    player.session.play2(player.stream, "hevc", &swap).unwrap();
    player.session.play2(player.stream, "audio", &transition(Transition::Swap)).unwrap();
    player.until("Play.Switch");
    player.session.play2(player.stream, "", &transition(Transition::Stop)).unwrap();
    player.until("end Play.Complete");
    player.session.play_later(player.stream, "demo", from(0)).unwrap();
    assert_order(&[player.until("Play.Switch"), player.hear(BRIEFLY)].concat(), &["Play.Switch", "key"]);
}

#[test]
fn sound_and_pictures_are_switched_off_and_on() {
    let server = server();
    let mut player = Player::play(&server, "demo", PlayOptions { buffer_ms: 500, ..from(0) });
    player.until("key 0");
    player.session.receive(player.stream, MediaKind::Video, false).unwrap();
    player.hear(BRIEFLY);
    let lines = player.hear(Duration::from_millis(800));
    assert!(pictures(&lines).is_empty() && !times(&lines, &["audio"]).is_empty(), "{lines:?}");
    player.session.receive(player.stream, MediaKind::Video, true).unwrap();
    let lines = [player.until("Seek.Notify"), player.hear(BRIEFLY)].concat();
    assert_order(&lines, &["Seek.Notify status", "Play.Start", "video config", "key"]);
    player.session.receive(player.stream, MediaKind::Audio, false).unwrap();
    player.hear(BRIEFLY);
    let lines = player.hear(Duration::from_millis(800));
    assert!(times(&lines, &["audio"]).is_empty() && !pictures(&lines).is_empty(), "{lines:?}");
}

#[test]
fn two_hundred_viewers_have_two_hundred_places() {
    let server = server();
    let players: Vec<Player> = (0..200)
        .map(|number| Player::play(&server, "demo", PlayOptions { buffer_ms: 200, ..from(number * 50) }))
        .collect();
    for (number, mut player) in players.into_iter().enumerate() {
        player.until("key 0");
        player.session.seek(player.stream, 0).unwrap();
        player.until("Seek.Notify");
        if number % 50 == 0 {
            thread::sleep(Duration::from_millis(20));
        }
    }
    let end = Instant::now() + SOON;
    while server.request("GET", "/metrics").contains("headwater_viewers{door=\"rtmp\"} 2") {
        assert!(Instant::now() < end, "viewers that have left are still counted");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Of each key frame when it is shown, in milliseconds from the first moment that the film shows, and when it is decoded,
/// from the first decoding time on.
fn keys(film: &Path) -> Vec<(i64, i64)> {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args([
        "-v",
        "error",
        "-show_entries",
        "packet=codec_type,pts_time,dts_time,flags",
        "-of",
        "csv=p=0",
    ]);
    let output = ffprobe.arg(film).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let packet = |line: &str| {
        let mut fields = line.split(',');
        let is_video = fields.next()? == "video";
        let (pts, dts): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let flags = fields.next()?;
        Some((pts, dts, is_video && flags.starts_with('K'), flags.contains('D')))
    };
    let packets: Vec<(f64, f64, bool, bool)> = text.lines().filter_map(packet).collect();
    let first = |times: &mut dyn Iterator<Item = f64>| times.fold(f64::MAX, f64::min);
    let shown = first(&mut packets.iter().filter(|(.., is_discarded)| !is_discarded).map(|(pts, ..)| *pts));
    let decoded = first(&mut packets.iter().map(|(_, dts, ..)| *dts)).min(shown);
    let ms = |time: f64| (time * 1000.0).round() as i64;
    let keys = packets.iter().filter(|(_, _, key, _)| *key);
    keys.map(|(pts, dts, ..)| (ms(pts - shown), ms(dts - decoded))).collect()
}

#[test]
fn any_seek_lands_where_ffprobe_sees_a_key_frame() {
    needs!("ffmpeg", "ffprobe");
    let films = ["flash.flv", "plain.mp4", "fragments.mp4", "variable.mp4", "late_picture.mp4"];
    let made = films.map(films::film);
    let server = Server::start_with_films(made[0].parent());
    for (name, film) in films.iter().zip(&made) {
        let keys = keys(film);
        let mut player = Player::play(&server, name, PlayOptions { buffer_ms: 300, ..from(0) });
        player.until("key");
        let mut seed = 12_345_u64;
        for _ in 0..12 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let to = (seed >> 33) % 6_000;
            player.session.seek(player.stream, i64::try_from(to).unwrap()).unwrap();
            let lines = [player.until("Seek.Notify"), player.hear(Duration::from_millis(120))].concat();
            let at = lines.iter().position(|line| line.starts_with("Seek.Notify")).unwrap();
            let found = times(&lines[at..], &["key"])[0];
            let (_, wanted) = keys.iter().rev().find(|(shown, _)| *shown <= to as i64).unwrap_or(&keys[0]);
            assert!((found - wanted).abs() <= 1, "{name} at {to}: {found}, not {wanted} of {keys:?}");
        }
    }
}
