//! What is recorded as FLV, compared with what was published; its index, and what a crash at any place leaves.

use std::fs;
use std::path::PathBuf;
use std::slice;
use std::time::{Duration, SystemTime};

use headwater_media::amf::{Object, Value};
use headwater_media::flv::{TagKind, TagReader, keyframe_index, parse_on_metadata};
use headwater_media::{Codec, Track, TrackId};

use super::*;
use crate::parts::tests::{AAC, AAC_48, AVC, Broadcast, sound, video};
use crate::recording::growing_file::GrowingFile;
use crate::recording::tests::{Place, always, usual, written};
use crate::recording::{
    AppConfig, Happened, Outcome, RecordFormat, Recorder, Repaired, Written, repair, repair_all,
};
use crate::window::Data;

fn as_flv() -> AppConfig {
    AppConfig { record_format: RecordFormat::Flv, ..always() }
}

/// Records a broadcast; what grows is not completed.
fn grown(place: &Place, broadcast: &Broadcast) -> (Recorder, PathBuf) {
    let mut recorder = place.recorder(as_flv());
    recorder.write(written(&broadcast.made));
    let path = place.films().pop().unwrap();
    (recorder, path)
}

fn tags(bytes: &[u8]) -> Vec<Tag> {
    let mut reader = TagReader::default();
    reader.feed(bytes);
    let tags = std::iter::from_fn(|| reader.next_tag().unwrap()).collect();
    assert_eq!(reader.irregular(), &Default::default());
    tags
}

fn about(bytes: &[u8]) -> Object {
    parse_on_metadata(&tags(bytes)[0].body).expect("the description can be read")
}

fn number(about: &Object, name: &str) -> Option<f64> {
    about.get(name).and_then(Value::as_number)
}

/// The payloads of all frames, in the order of the files, and their times in milliseconds.
fn frames(files: &[PathBuf]) -> Vec<(Vec<u8>, i64)> {
    let tags = files.iter().flat_map(|path| tags(&fs::read(path).unwrap()).into_iter().skip(1));
    let frames = tags.filter_map(|tag| {
        let payload = match (tag.kind, &tag.body[..2]) {
            (TagKind::Video, [0x17 | 0x27, 1]) => &tag.body[5..],
            (TagKind::Audio, [0xAF, 1]) => &tag.body[2..],
            (TagKind::Script, _) => &tag.body[..],
            _ => return None,
        };
        Some((payload.to_vec(), i64::from(tag.timestamp_ms)))
    });
    frames.collect()
}

/// Every frame is there once, in the order in which it was published.
#[track_caller]
fn assert_published(files: &[PathBuf], broadcast: &Broadcast) {
    let published: Vec<_> = broadcast.frames.iter().map(|(_, frame)| frame.payload.to_vec()).collect();
    let kept: Vec<_> = frames(files).into_iter().map(|(payload, _)| payload).collect();
    assert!(kept == published, "{} of {}", kept.len(), published.len());
}

/// The file's description is complete and true.
#[track_caller]
fn assert_described(bytes: &[u8]) {
    let (tags, about) = (tags(bytes), about(bytes));
    assert!(!growing::is_growing(bytes));
    assert_eq!(number(&about, "filesize"), Some(bytes.len() as f64));
    assert_eq!(
        number(&about, "lasttimestamp"),
        tags.iter().map(|tag| f64::from(tag.timestamp_ms) / 1000.0).reduce(f64::max)
    );
    assert_eq!(number(&about, "width"), Some(640.0));
    let at = |position| tags.iter().find(|tag| tag.position == position).expect("a tag is there");
    let keyframes = keyframe_index(&about).unwrap();
    // First the configuration, then every key frame; where a configuration changes, it stands in front of its key frame.
    let pictures = tags.iter().filter(|tag| tag.kind == TagKind::Video);
    let is_config = |tag: &Tag| tag.body[..2] == [0x17, 0];
    let keys: Vec<_> = pictures.clone().filter(|tag| tag.body[..2] == [0x17, 1]).collect();
    assert_eq!(keyframes.len(), keys.len() + 1);
    assert!(is_config(at(keyframes[0].1)) && keyframes[0].0 == keyframes[1].0);
    for (&(time, position), key) in keyframes[1..].iter().zip(keys) {
        let found = at(position);
        assert!(found.position == key.position || is_config(found) && found.position < key.position);
        assert!((time.as_ms() - i64::from(key.timestamp_ms)).abs() <= 80, "{time}");
    }
}

#[test]
fn a_broadcast_becomes_a_file_with_every_frame_at_its_time_and_an_index() {
    let place = Place::new("flv");
    let broadcast = usual(9);
    let (recorder, path) = grown(&place, &broadcast);
    assert!(path.ends_with("1970-01-01_00-00-00.flv"));
    let bytes = fs::read(&path).unwrap();
    assert!(growing::is_growing(&bytes) && about(&bytes).get("duration").is_none());
    assert_eq!(bytes[4], 5, "sound and pictures");
    let ended = recorder.finish();
    let [Happened::Ended { path: ended, bytes: len, duration }] = &ended[..] else { panic!("{ended:?}") };
    let complete = fs::read(&path).unwrap();
    assert_eq!((ended, *len), (&path, complete.len() as u64));
    assert!((9_000..9_130).contains(&duration.as_ms()), "{duration}");
    assert!(
        complete.len() >= bytes.len()
            && complete[MEDIA_AT as usize..].starts_with(&bytes[MEDIA_AT as usize..])
    );
    assert_described(&complete);
    assert_eq!(number(&about(&complete), "duration"), Some(duration.as_seconds()));
    assert_published(slice::from_ref(&path), &broadcast);
    for ((_, at), (_, frame)) in frames(&[path]).iter().zip(&broadcast.frames) {
        assert!((at - frame.dts.as_ms()).abs() <= 2, "{at} {}", frame.dts);
    }
}

#[test]
fn another_configuration_and_sound_that_comes_late_are_in_the_same_file() {
    let place = Place::new("flv-changes");
    let mut broadcast = Broadcast::new(&[video()]);
    broadcast.play(0, 3_000, 40.0, 50);
    broadcast.set(sound(AAC));
    broadcast.play(3_000, 6_000, 40.0, 50);
    let mut turned = AVC.to_vec();
    turned[1] = 0x64;
    broadcast.set(Track::new(TrackId::VIDEO, Codec::H264, turned.into()));
    broadcast.set(sound(AAC_48));
    broadcast.play(6_000, 9_000, 40.0, 50);
    let broadcast = broadcast.end();
    let (recorder, path) = grown(&place, &broadcast);
    recorder.finish();
    assert_eq!(place.films().len(), 1);
    assert_published(&place.films(), &broadcast);
    let bytes = fs::read(&path).unwrap();
    assert_described(&bytes);
    let mut told: Vec<_> = tags(&bytes).into_iter().map(|tag| tag.body).collect();
    told.retain(|body| body[..2] == [0xAF, 0]);
    // It comes again with every key frame.
    assert!(told.len() > 4, "{}", told.len());
    told.dedup();
    assert_eq!(
        (bytes[4], told),
        (5, vec![[&[0xAF, 0], AAC].concat().into(), [&[0xAF, 0], AAC_48].concat().into()])
    );
}

/// A player that seeks reads from the place of a key frame on, and nothing before.
#[test]
fn behind_a_change_every_key_frame_is_listed_with_the_configuration_that_holds() {
    let place = Place::new("flv-seek");
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    broadcast.play(0, 6_000, 40.0, 50);
    let mut turned = AVC.to_vec();
    turned[1] = 0x64;
    broadcast.set(Track::new(TrackId::VIDEO, Codec::H264, turned.clone().into()));
    broadcast.set(sound(AAC_48));
    broadcast.play(6_000, 14_000, 40.0, 50);
    let broadcast = broadcast.end();
    let (recorder, path) = grown(&place, &broadcast);
    let crashed = fs::read(&path).unwrap();
    recorder.finish();
    let bytes = fs::read(&path).unwrap();
    assert_described(&bytes);
    let tags = tags(&bytes);
    let mut behind = 0;
    for (time, position) in keyframe_index(&about(&bytes)).unwrap() {
        if time.as_ms() < 6_000 {
            continue;
        }
        let at = tags.iter().position(|tag| tag.position == position).unwrap();
        assert_eq!((&tags[at].body[..2], &tags[at].body[5..]), (&[0x17, 0][..], &turned[..]), "{time}");
        let told = tags[at + 1..].iter().take_while(|tag| tag.body[..2] != [0x17, 1]);
        let told: Vec<_> = told.map(|tag| (tag.kind, tag.body.slice(2..))).collect();
        // With the change itself, sound may be told before its next frame.
        assert!(behind == 0 || told == [(TagKind::Audio, Bytes::from_static(AAC_48))], "{time}: {told:?}");
        behind += 1;
    }
    assert!(behind >= 4, "{behind}");
    // What a crash leaves is completed alike.
    fs::write(&path, crashed).unwrap();
    assert!(matches!(repair::repair(&path).unwrap(), Outcome::Completed { .. }));
    let repaired = fs::read(&path).unwrap();
    assert_described(&repaired);
    let listed = |bytes: &[u8]| keyframe_index(&about(bytes)).unwrap();
    assert!(listed(&bytes).starts_with(&listed(&repaired)));
}

#[test]
fn what_finds_no_room_on_the_disk_is_not_in_the_description() {
    let place = Place::new("flv-full");
    let broadcast = usual(8);
    let mut recorder = place.recorder(as_flv());
    let mut all = written(&broadcast.made);
    let rest = all.split_off(all.len() / 2);
    recorder.write(all);
    let path = place.films().remove(0);
    let Some(GrowingFile::Flv(mut file)) = recorder.file.take().map(|open| open.file) else {
        panic!("no FLV")
    };
    file.appended.fill_disk();
    let mut failed = 0;
    for written in &rest {
        let Written::Part(kept) = written else { continue };
        let Data::Memory(bytes) = kept.data() else { panic!("it is in memory") };
        failed += u64::from(file.put(kept.part(), &bytes).is_err());
    }
    assert!(failed > 1, "{failed}");
    let again = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    complete(&again, &file.contents, file.appended.len()).unwrap();
    assert_described(&fs::read(&path).unwrap());
}

#[test]
fn files_are_split_and_numbered_as_those_of_mp4() {
    let place = Place::new("flv-split");
    let broadcast = usual(200);
    let mut recorder = place.recorder(AppConfig { split_minutes: 1, ..as_flv() });
    recorder.write(written(&broadcast.made));
    recorder.finish();
    assert_eq!(place.films().len(), 4);
    let mut published: Vec<_> = broadcast.frames.iter().map(|(_, frame)| frame.payload.to_vec()).collect();
    let mut kept: Vec<_> = frames(&place.films()).into_iter().map(|(payload, _)| payload).collect();
    // Sound of the moment of a split is in one file or the other.
    published.sort();
    kept.sort();
    assert!(kept == published);
    for film in place.films() {
        let bytes = fs::read(&film).unwrap();
        assert_described(&bytes);
        assert_eq!(tags(&bytes)[1].timestamp_ms, 0);
    }
}

/// As a crash or power that is cut leaves it: any number of bytes at the end are missing.
#[test]
fn a_file_cut_at_any_byte_of_its_last_tags_is_completed_with_all_before() {
    let place = Place::new("flv-cut");
    let broadcast = usual(4);
    let (recorder, path) = grown(&place, &broadcast);
    drop(recorder.finish());
    let mut bytes = fs::read(&path).unwrap();
    bytes[..growing::START_LEN][growing::START_LEN - 1] = 1;
    assert!(growing::is_growing(&bytes));
    let whole = frames(slice::from_ref(&path));
    let ends: Vec<_> = tags(&bytes).iter().map(|tag| tag.position as usize).chain([bytes.len()]).collect();
    let [first, .., last] = ends[ends.len() - 9..] else { panic!("there are more tags") };
    for end in first..=last {
        fs::write(&path, &bytes[..end]).unwrap();
        let before = ends.iter().rposition(|&whole| whole <= end).unwrap();
        let Outcome::Completed { cut, .. } = repair::repair(&path).unwrap() else { panic!("cut at {end}") };
        assert_eq!(cut as usize, end - ends[before]);
        let repaired = fs::read(&path).unwrap();
        assert_described(&repaired);
        assert!(whole.starts_with(&frames(slice::from_ref(&path))), "cut at {end}");
    }
    // Zeros are what some file systems leave.
    fs::write(&path, [&bytes[..], &[0; 5_000]].concat()).unwrap();
    assert!(matches!(repair::repair(&path).unwrap(), Outcome::Completed { cut: 5_000, .. }));
    // Nothing, or a configuration alone.
    for tags in [0, 1] {
        fs::write(&path, &bytes[..ends[tags + 1]]).unwrap();
        assert_eq!(repair::repair(&path).unwrap(), Outcome::Empty, "{tags} tags");
        assert!(!path.exists());
    }
}

#[test]
fn a_file_whose_completion_was_cut_off_can_be_read_and_is_completed_anew() {
    let place = Place::new("flv-completion");
    let broadcast = usual(4);
    let (recorder, path) = grown(&place, &broadcast);
    std::mem::forget(recorder);
    let bytes = fs::read(&path).unwrap();
    let (end, contents) = whole_tags(&File::open(&path).unwrap(), bytes.len() as u64).unwrap();
    let writes = growing::complete(&contents, &bytes[..MEDIA_AT as usize], NOTE, end).unwrap();
    let mut state = bytes.clone();
    let mut states = vec![bytes];
    for (at, bytes) in writes {
        state[at as usize..][..bytes.len()].copy_from_slice(&bytes);
        states.push(state.clone());
    }
    let [before, again @ .., complete] = &states[..] else { unreachable!() };
    assert_eq!(about(before).iter().count(), 1);
    for (number, state) in again.iter().enumerate() {
        assert_eq!(about(state).get("keyframes").is_some(), number == 1, "{number}");
        fs::write(&path, state).unwrap();
        let mut told = Vec::new();
        repair_all(&place.0, SystemTime::now() + Duration::from_secs(1), |repaired| told.push(repaired));
        assert!(
            matches!(&told[..], [Repaired { outcome: Outcome::Completed { cut: 0, .. }, .. }]),
            "{told:?}"
        );
        assert_eq!(fs::read(&path).unwrap(), *complete);
    }
    assert_described(complete);
    repair_all(&place.0, SystemTime::now() + Duration::from_secs(1), |repaired| panic!("{repaired:?}"));
}
