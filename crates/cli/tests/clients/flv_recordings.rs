//! Recordings as FLV, by what ffmpeg reads of them: the places that their descriptions name are those of key frames, who
//! seeks comes there at once, and a crash takes neither.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use headwater_media::Timestamp;
use headwater_media::amf::Value;
use headwater_media::flv::{keyframe_index, parse_on_metadata};

use crate::archive::{NAME, always, files, growing, wait};
use crate::enhanced;
use crate::flv_tags;
use crate::harness::Server;
use crate::modern::{self, needs_modern_ffmpeg};
use crate::program::needs;
use crate::recording::{Recording, compare, whole};
use crate::sources;

const LIMIT_S: u64 = 30;

/// Times in milliseconds and places of the key frames, as ffprobe finds them.
fn key_frames(path: &Path, more: &[&str]) -> Vec<(i64, u64)> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time,pos,flags"]);
    let output = command.args(["-of", "csv=p=0"]).args(more).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let packet = |line: &str| {
        let mut fields = line.split(',');
        let pts: f64 = fields.next()?.parse().ok()?;
        let position = fields.next()?.parse().ok()?;
        fields.next()?.starts_with('K').then_some(((pts * 1000.0).round() as i64, position))
    };
    text.lines().filter_map(packet).collect()
}

/// What its description says of key frames is what ffprobe finds, and what it says of the file is true.
#[track_caller]
fn assert_index(path: &Path) {
    let (_, tags) = flv_tags::read(path);
    let about = parse_on_metadata(&tags[0].2).unwrap();
    let listed = keyframe_index(&about).unwrap();
    let found = key_frames(path, &[]);
    let places = |all: &[(Timestamp, u64)]| all.iter().map(|(_, at)| *at).collect::<Vec<_>>();
    assert_eq!(places(&listed[1..]), found.iter().map(|(_, at)| *at).collect::<Vec<_>>());
    assert!(found.len() > 1);
    for ((listed, _), (found, _)) in listed[1..].iter().zip(&found) {
        assert!((listed.as_ms() - found).abs() <= 1, "{listed} {found}");
    }
    // The first is the configuration, which players like mpegts.js take it for.
    let at = listed[0].1 as usize;
    assert!(at < listed[1].1 as usize && std::fs::read(path).unwrap()[at] == 9);
    let number = |name: &str| about.get(name).and_then(Value::as_number);
    assert_eq!(number("filesize"), Some(std::fs::metadata(path).unwrap().len() as f64));
    let last = tags.iter().map(|tag| tag.1).max().unwrap();
    assert_eq!(number("lasttimestamp"), Some(f64::from(last) / 1000.0));
    let duration = number("duration").unwrap() * 1000.0;
    assert!((0.0..500.0).contains(&(duration - f64::from(last))), "{duration} {last}");
    // Who seeks lands on the key frame before.
    let (wanted, _) = found[found.len() / 2];
    let interval = format!("{}%+#1", (wanted + 200) as f64 / 1000.0);
    let sought = key_frames(path, &["-read_intervals", &interval]);
    assert_eq!(sought, [found[found.len() / 2]], "{interval}");
}

/// Old players ask for the places that they were told, and get the keyframe that is there, with its configuration.
#[track_caller]
pub(crate) fn assert_served(server: &Server, path: &Path) {
    let file = std::fs::read(path).unwrap();
    let about = parse_on_metadata(&flv_tags::of(&file).1[0].2).unwrap();
    let name = format!("/recordings/live/{NAME}/{}", path.file_name().unwrap().to_str().unwrap());
    let listed = keyframe_index(&about).unwrap();
    for ((time, at), query) in listed.iter().flat_map(|place| ["start", "pos"].map(|query| (place, query))) {
        let mut socket = TcpStream::connect(server.http_address()).unwrap();
        write!(socket, "GET {name}?{query}={at} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        let head = answer.windows(4).position(|at| at == b"\r\n\r\n").unwrap() + 4;
        let (_, tags) = flv_tags::of(&answer[head..]);
        let first = tags.iter().find(|tag| tag.0 == 9 && !flv_tags::is_config(tag)).unwrap();
        let composition = u32::from_be_bytes([0, first.2[2], first.2[3], first.2[4]]);
        let shown = i64::from(first.1 + composition);
        assert!(first.2[0] >> 4 == 1 && (shown - time.as_ms()).abs() <= 1, "{at}: {time} {shown}");
        assert!(flv_tags::is_config(&tags[0]) && answer.ends_with(&file[file.len() - 4..]), "{at}");
    }
}

#[test]
fn the_index_of_an_flv_recording_names_the_places_of_its_key_frames() {
    needs!("ffmpeg", "ffprobe");
    for source in [sources::bframes(), sources::plain()] {
        let mut server = Server::start_with(&always("flv"));
        server.publish(&source, NAME).succeed(LIMIT_S);
        wait(&server, "the end of the recording", || {
            growing(&server).is_empty() && !files(&server).is_empty()
        });
        let [path] = files(&server).try_into().unwrap();
        let source_read = Recording::read(&source);
        compare(&source_read, &Recording::read(&path), whole(&source_read)).unwrap();
        assert_index(&path);
        assert_served(&server, &path);

        let publisher = server.publish(&source, NAME);
        wait(&server, "a second file", || files(&server).len() == 2);
        std::thread::sleep(Duration::from_secs(4));
        server.program.kill();
        drop(publisher);
        server.crash_and_start();
        wait(&server, "the repair", || server.program.log().contains("a file was left unfinished"));
        assert_index(&files(&server)[1]);
    }
}

#[test]
fn codecs_of_enhanced_rtmp_are_recorded_as_flv() {
    needs_modern_ffmpeg!();
    for (source, streams) in enhanced::sources() {
        let server = Server::start_with(&always("flv"));
        modern::publish(&server, &source, NAME).succeed(LIMIT_S);
        wait(&server, "the end of the recording", || {
            growing(&server).is_empty() && !files(&server).is_empty()
        });
        let [path] = files(&server).try_into().unwrap();
        let streams: Vec<_> = (0..streams).collect();
        modern::assert_received(&source, &path, &streams, enhanced::WHOLE);
        modern::assert_decodes(&path);
    }
}
