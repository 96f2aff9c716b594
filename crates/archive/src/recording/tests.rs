//! What is recorded, compared with what was published; and what becomes of it when something goes wrong.

use std::collections::BTreeMap;
use std::fs::{self, File};

use bytes::Bytes;
use headwater_media::index::Index;
use headwater_media::{Codec, Track, TrackId};
use headwater_vod::{FileBlob, read_index};

use super::*;
use crate::parts::Made;
use crate::parts::tests::{AAC, AAC_48, AVC, Broadcast, sound, video};

/// A directory that goes with the test.
pub(super) struct Place(pub(super) PathBuf);

impl Place {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("headwater-recording-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn recorder(&self, policy: AppConfig) -> Recorder {
        let config = RecordingsConfig { free_min_bytes: 0, ..RecordingsConfig::default() };
        let stream = StreamName::parse("live/cam").unwrap();
        let is_on = policy.record == Record::Always;
        Recorder::new(&self.0, &config, policy, stream, SystemTime::UNIX_EPOCH, is_on)
    }

    pub(super) fn films(&self) -> Vec<PathBuf> {
        let Ok(listing) = fs::read_dir(self.0.join("live/cam")) else { return Vec::new() };
        let mut films: Vec<_> = listing.map(|entry| entry.unwrap().path()).collect();
        films.sort();
        films
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn always() -> AppConfig {
    AppConfig { record: Record::Always, ..AppConfig::default() }
}

pub(super) fn written(made: &[Made]) -> Vec<Written> {
    let written = made.iter().filter_map(|made| match made {
        Made::Tracks(tracks) => Some(Written::Tracks(Arc::clone(tracks))),
        Made::Part(part, bytes) => Some(Written::Part(Arc::new(Kept::new(Arc::clone(part), bytes.clone())))),
        _ => None,
    });
    written.collect()
}

fn index(path: &Path) -> Index {
    read_index(&FileBlob::new(File::open(path).unwrap()).unwrap()).unwrap()
}

/// All payloads of the films, by track, in order; and their times within their film in milliseconds.
fn payloads(films: &[PathBuf]) -> BTreeMap<TrackId, Vec<(Vec<u8>, i64)>> {
    let mut all: BTreeMap<TrackId, Vec<_>> = BTreeMap::new();
    for path in films {
        let (bytes, index) = (fs::read(path).unwrap(), index(path));
        for sample in index.samples() {
            let track = &index.tracks()[usize::from(sample.track)].track;
            let payload = bytes[sample.offset as usize..][..sample.size as usize].to_vec();
            all.entry(track.id).or_default().push((payload, sample.dts.as_ms()));
        }
    }
    all
}

fn published(broadcast: &Broadcast) -> BTreeMap<TrackId, Vec<Vec<u8>>> {
    let mut all: BTreeMap<TrackId, Vec<_>> = BTreeMap::new();
    for (_, frame) in &broadcast.frames {
        all.entry(frame.track).or_default().push(frame.payload.to_vec());
    }
    all
}

fn is_same(films: &[PathBuf], broadcast: &Broadcast) -> bool {
    let kept = payloads(films).into_iter();
    let kept: BTreeMap<_, Vec<_>> =
        kept.map(|(id, all)| (id, all.into_iter().map(|it| it.0).collect())).collect();
    kept == published(broadcast)
}

pub(super) fn usual(seconds: i64) -> Broadcast {
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    broadcast.play(0, seconds * 500, 40.0, 50);
    broadcast.put(TrackId::DATA, seconds * 500 - 10, true);
    broadcast.play(seconds * 500, seconds * 1000, 40.0, 50);
    broadcast.put(TrackId::DATA, seconds * 1000 - 30, true);
    broadcast.end()
}

#[test]
fn a_broadcast_becomes_an_ordinary_film_with_every_frame_at_its_time() {
    let place = Place::new("whole");
    let broadcast = usual(9);
    let mut recorder = place.recorder(always());
    let began = recorder.write(written(&broadcast.made));
    let path = place.0.join("live/cam/1970-01-01_00-00-00.mp4");
    assert_eq!(began, [Happened::Began(path.clone())]);
    let (growing, bytes) = (index(&path), fs::read(&path).unwrap());
    assert!(headwater_media::mp4::growing::is_growing(&bytes));
    let ended = recorder.finish();
    assert!(
        matches!(&ended[..], [Happened::Ended { path: ended, duration, bytes }] if *ended == path
            && (9_000..9_090).contains(&duration.as_ms()) && *bytes == fs::metadata(&path).unwrap().len()),
        "{ended:?}"
    );
    // It is no fragmented file any more, and tells the same.
    let whole = fs::read(&path).unwrap();
    let seal = u32::from_be_bytes(*bytes.first_chunk().unwrap()) as usize;
    assert_eq!(&whole[seal + 4..seal + 8], b"mdat");
    assert!(bytes[seal + 16..] == whole[seal + 16..bytes.len()], "the media has changed");
    let complete = index(&path);
    assert_eq!((growing.samples(), growing.duration()), (complete.samples(), complete.duration()));
    assert!(is_same(&place.films(), &broadcast));
    for (id, kept) in payloads(&place.films()) {
        let frames = broadcast.frames.iter().filter(|(_, frame)| frame.track == id);
        for ((_, at), (_, frame)) in kept.iter().zip(frames) {
            assert!((at - frame.dts.as_ms()).abs() <= 2, "{id:?} {at} {}", frame.dts);
        }
    }
}

#[test]
fn sound_that_comes_late_is_in_the_same_film() {
    let place = Place::new("late");
    let mut broadcast = Broadcast::new(&[video()]);
    broadcast.play(0, 3_000, 40.0, 50);
    broadcast.set(sound(AAC));
    broadcast.play(3_000, 7_000, 40.0, 50);
    let broadcast = broadcast.end();
    let mut recorder = place.recorder(always());
    recorder.write(written(&broadcast.made));
    let path = place.films().remove(0);
    assert_eq!(index(&path).tracks().len(), 2, "the head that has grown holds");
    recorder.finish();
    assert!(is_same(std::slice::from_ref(&path), &broadcast));
    let kept = payloads(&[path]);
    assert!((kept[&TrackId::AUDIO][0].1 - 3_000).abs() < 3);
}

#[test]
fn after_a_restart_numbers_go_on_from_the_recordings_whatever_the_clock_says() {
    for record_format in [RecordFormat::Mp4, RecordFormat::Flv] {
        numbers_go_on(&AppConfig { record_format, ..always() });
    }
}

fn numbers_go_on(policy: &AppConfig) {
    let place = Place::new("numbers");
    let name = StreamName::parse("live/cam").unwrap();
    let apps = || BTreeMap::from([("live".to_owned(), policy.clone())]);
    let archive = || {
        let config = RecordingsConfig { free_min_bytes: 0, ..RecordingsConfig::default() };
        let recordings = crate::Recordings::new(place.0.clone(), config, apps()).recalled();
        crate::Archive::new(crate::ArchiveConfig::default(), recordings, None)
    };
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let broadcast = usual(9);
    let first = archive();
    // In the year 2030; a server whose clock was lost then believes that it is 1970.
    let (window, maker) = first.begin(&name, 1, at(1_900_000_000));
    assert_eq!(maker.segment(), 1_900_000_000);
    let mut recorder = first.recordings().recorder(&name, at(1_900_000_000)).unwrap().numbered_by(&window);
    // The maker of these begins with 100; the window keeps the numbers that it is given.
    let parts = Written::through(&window, broadcast.made);
    recorder.write(parts);
    drop((recorder, first));
    let given = window.numbers();
    assert!(given.segment > 100 && given.discontinuities > 200_000);
    let second = archive();
    let (window, maker) = second.begin(&name, 1, at(50));
    assert!(maker.segment() >= given.segment, "{} {given:?}", maker.segment());
    assert!(window.numbers().discontinuities > given.discontinuities);
    // Another name has had none, and what is newer than the files is the clock's.
    let other = StreamName::parse("live/other").unwrap();
    assert_eq!(second.begin(&other, 2, at(50)).1.segment(), 50);
    assert_eq!(archive().begin(&name, 3, at(1_900_000_000)).1.segment(), 1_900_000_000);
}

/// H.264 of another profile, as many as there are numbers.
fn turned(number: u8) -> Track {
    let mut config = AVC.to_vec();
    config[2] = number;
    Track::new(TrackId::VIDEO, Codec::H264, config.into())
}

/// The configurations of a track in a film, and from which millisecond on they hold.
fn configurations(index: &Index, id: TrackId) -> Vec<(i64, Track)> {
    let mut all: Vec<(i64, Track)> = Vec::new();
    for (number, sample) in index.samples().iter().enumerate() {
        let track = index.tracks_at(number).into_iter().find(|track| track.id == id).unwrap();
        if all.last().is_none_or(|(_, before)| *before != track) {
            all.push((sample.dts.as_ms(), track));
        }
    }
    all
}

#[test]
fn another_configuration_goes_on_in_the_same_film() {
    let place = Place::new("changes");
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    broadcast.play(0, 5_000, 40.0, 50);
    broadcast.set(turned(1));
    broadcast.set(sound(AAC_48));
    broadcast.play(5_000, 9_000, 40.0, 50);
    broadcast.set(video());
    broadcast.play(9_000, 12_000, 40.0, 50);
    let broadcast = broadcast.end();
    let mut recorder = place.recorder(always());
    recorder.write(written(&broadcast.made));
    let path = place.films().remove(0);
    let growing = index(&path);
    assert!(matches!(&recorder.finish()[..], [Happened::Ended { .. }]));
    assert_eq!(place.films().len(), 1);
    assert!(is_same(&place.films(), &broadcast));
    let complete = index(&path);
    for index in [&growing, &complete] {
        assert!(index.notes().is_empty(), "{:?}", index.notes());
        let pictures = [(0, video()), (5_000, turned(1)), (9_000, video())];
        assert_eq!(configurations(index, TrackId::VIDEO), pictures);
        let sounds = configurations(index, TrackId::AUDIO);
        assert_eq!(
            sounds.iter().map(|(_, track)| track.clone()).collect::<Vec<_>>(),
            [sound(AAC), sound(AAC_48)]
        );
        assert!((4_990..5_030).contains(&sounds[1].0), "{sounds:?}");
    }
    assert_eq!((growing.samples(), growing.duration()), (complete.samples(), complete.duration()));
    let frames = |id| broadcast.frames.iter().filter(move |(_, frame)| frame.track == id);
    for (id, kept) in payloads(&[path]) {
        for ((_, at), (_, frame)) in kept.iter().zip(frames(id)) {
            // Sound that was cut off between two of its frames goes on where the one before it ends.
            assert!((at - frame.dts.as_ms()).abs() <= 25, "{id:?} {at} {}", frame.dts);
        }
    }
}

#[test]
fn another_codec_goes_on_in_the_same_film_and_so_does_sound_that_comes_then() {
    let place = Place::new("codecs");
    let mut broadcast = Broadcast::new(&[video()]);
    broadcast.play(0, 3_000, 40.0, 50);
    let av1 = [0x81, 0, 0x0C, 0, 0x0A, 0x0A, 0, 0, 0, 3, 0xB4, 0xFD, 0x90, 0x0B, 0xE0, 1];
    broadcast.set(Track::new(TrackId::VIDEO, Codec::Av1, Bytes::copy_from_slice(&av1)));
    broadcast.set(sound(AAC));
    broadcast.play(3_000, 6_000, 40.0, 50);
    broadcast.set(Track::new(TrackId::AUDIO, Codec::Mp3 { flv_flags: 0x2F }, Bytes::new()));
    broadcast.set(video());
    broadcast.play(6_000, 9_000, 40.0, 50);
    let broadcast = broadcast.end();
    let mut recorder = place.recorder(always());
    recorder.write(written(&broadcast.made));
    let path = place.films().remove(0);
    let growing = index(&path);
    recorder.finish();
    assert!(is_same(&place.films(), &broadcast));
    let codecs = |index: &Index, id| -> Vec<_> {
        configurations(index, id).into_iter().map(|(at, track)| (at, track.codec)).collect()
    };
    for index in [growing, index(&path)] {
        let [h264, av1] = [Codec::H264, Codec::Av1];
        assert_eq!(codecs(&index, TrackId::VIDEO), [(0, h264), (3_000, av1), (6_000, h264)]);
        let sounds = codecs(&index, TrackId::AUDIO);
        assert!(sounds.len() == 2 && matches!(sounds[1].1, Codec::Mp3 { .. }), "{sounds:?}");
        assert_eq!(index.tracks().len(), 2);
    }
}

#[test]
fn a_film_that_is_split_describes_what_is_in_it_and_a_change_is_no_split() {
    let place = Place::new("split-changes");
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    for (turn, from) in (0..).zip((0..200_000).step_by(20_000)) {
        broadcast.set(turned(turn));
        broadcast.play(from, from + 20_000, 40.0, 50);
    }
    let broadcast = broadcast.end();
    let mut recorder = place.recorder(AppConfig { split_minutes: 1, ..always() });
    recorder.write(written(&broadcast.made));
    let films = place.films();
    assert_eq!(films.len(), 4);
    let growing = fs::read(&films[3]).unwrap();
    let described = growing.windows(4).filter(|kind| kind == b"avcC").count();
    assert_eq!(described, 1, "no track that is empty");
    recorder.finish();
    assert!(is_same(&films, &broadcast));
    let turns: Vec<_> = films.iter().map(|film| configurations(&index(film), TrackId::VIDEO).len()).collect();
    assert_eq!(turns, [3, 3, 3, 1]);
}

/// Each with parameter sets that no other had: more than a head has room for.
#[test]
fn a_broadcast_that_changes_all_the_time_becomes_few_films_and_nothing_is_lost() {
    let place = Place::new("restless");
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    for (turn, from) in (0..120).zip((0..).step_by(400)) {
        broadcast.set(turned(turn));
        broadcast.play(from, from + 400, 40.0, 50);
    }
    let broadcast = broadcast.end();
    let mut recorder = place.recorder(always());
    recorder.write(written(&broadcast.made));
    recorder.finish();
    let films = place.films();
    assert!((2..=4).contains(&films.len()), "{films:?}");
    assert!(is_same(&films, &broadcast));
    let held = films.iter().map(|film| configurations(&index(film), TrackId::VIDEO).len());
    let held: Vec<_> = held.collect();
    assert!(held[0] > 40 && held.iter().sum::<usize>() == 120, "{held:?}");
}

#[test]
fn what_a_crash_leaves_of_a_broadcast_that_changed_is_one_film() {
    let place = Place::new("crash-changed");
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    broadcast.play(0, 3_000, 40.0, 50);
    broadcast.set(turned(1));
    broadcast.play(3_000, 5_000, 40.0, 50);
    let broadcast = broadcast.end();
    let mut recorder = place.recorder(always());
    recorder.write(written(&broadcast.made));
    std::mem::forget(recorder);
    let path = place.films().remove(0);
    let bytes = fs::read(&path).unwrap();
    let lens: Vec<_> = broadcast.parts().map(|part| part.len as usize).collect();
    for (cut, lost) in [(0, 0), (1, 1), (lens[lens.len() - 1], 1), (lens[lens.len() - 1] + 3, 2)] {
        fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
        let whole = broadcast.parts().take(lens.len() - lost);
        let before: usize = whole.map(|part| part.samples.len()).sum();
        let outcome = repair::repair(&path).unwrap();
        assert!(matches!(outcome, Outcome::Completed { .. }), "{outcome:?}");
        let film = index(&path);
        assert_eq!(film.samples().len(), before, "{cut}");
        assert_eq!(configurations(&film, TrackId::VIDEO), [(0, video()), (3_000, turned(1))]);
    }
}

#[test]
fn films_are_split_at_key_frames_and_nothing_between_them_is_lost() {
    let place = Place::new("split");
    let broadcast = usual(200);
    let mut recorder = place.recorder(AppConfig { split_minutes: 1, ..always() });
    recorder.write(written(&broadcast.made));
    recorder.finish();
    let films = place.films();
    assert_eq!(films.len(), 4);
    assert!(is_same(&films, &broadcast));
    for film in &films {
        let index = index(film);
        let first = index
            .samples()
            .iter()
            .find(|sample| index.tracks()[usize::from(sample.track)].track.id == TrackId::VIDEO);
        assert!(first.unwrap().key && index.duration() <= Timestamp::from_ms(62_100));
    }
}

#[test]
fn on_demand_nothing_is_written_until_somebody_asks_and_then_from_a_key_frame_on() {
    let place = Place::new("demand");
    let broadcast = usual(20);
    let mut recorder = place.recorder(AppConfig { record: Record::OnDemand, ..AppConfig::default() });
    let mut all = written(&broadcast.made);
    let rest = all.split_off(all.len() / 2);
    assert!(recorder.write(all).is_empty() && place.films().is_empty());
    let mut second = vec![Written::Begin];
    second.extend(rest);
    second.insert(second.len() * 3 / 4, Written::End);
    let happened = recorder.write(second);
    assert!(
        matches!(&happened[..], [Happened::Began(_), Happened::Ended { .. }]),
        "who asks misses nothing of what was before: {happened:?}"
    );
    let kept = payloads(&place.films());
    assert!(index(&place.films()[0]).samples().iter().any(|sample| sample.key));
    assert!(kept[&TrackId::VIDEO].len() > 100);
    assert!(recorder.finish().is_empty());
}

#[test]
#[cfg(unix)]
fn a_file_that_others_take_away_is_not_said_to_be_recorded() {
    let place = Place::new("taken");
    let broadcast = usual(4);
    for replace in [false, true] {
        let mut recorder = place.recorder(always());
        recorder.write(written(&broadcast.made));
        let path = place.films().remove(0);
        fs::remove_file(&path).unwrap();
        if replace {
            fs::write(&path, b"of somebody else").unwrap();
        }
        let ended = recorder.finish();
        assert!(
            matches!(&ended[..], [Happened::Failed { path: failed, text }] if *failed == path
                && text.contains("removed, replaced or renamed")),
            "{ended:?}"
        );
        assert!(!replace || fs::read(&path).unwrap() == b"of somebody else");
    }
}

#[test]
fn what_is_recorded_behind_a_file_that_others_rename_goes_on_in_another() {
    for record_format in [RecordFormat::Mp4, RecordFormat::Flv] {
        let place = Place::new("renamed");
        let broadcast = usual(20);
        let mut recorder = place.recorder(AppConfig { record_format, ..always() });
        let mut all = written(&broadcast.made);
        let rest = all.split_off(all.len() / 2);
        recorder.write(all);
        let path = place.films().remove(0);
        let renamed = place.0.join("mine");
        fs::rename(&path, &renamed).unwrap();
        recorder.file.as_mut().unwrap().noted = Instant::now().checked_sub(NOTE_EVERY).unwrap();
        let mut happened = recorder.write(rest);
        happened.extend(recorder.finish());
        assert!(
            matches!(
                &happened[..],
                [
                    Happened::Failed { path: failed, text },
                    Happened::Lost(1..),
                    Happened::Began(_),
                    Happened::Ended { .. }
                ] if *failed == path && text.contains("renamed")
            ),
            "{happened:?}"
        );
        // Both can be played, and what lies between them is the rest of a segment.
        assert_eq!(place.films().len(), 1);
        let frames = [renamed, place.films().remove(0)].map(|film| index(&film).samples().len());
        assert!(frames.iter().sum::<usize>() > broadcast.frames.len() / 2, "{frames:?}");
    }
}

#[test]
fn behind_a_gap_another_film_begins_and_what_is_missing_is_counted() {
    let place = Place::new("gap");
    let broadcast = usual(20);
    let mut recorder = place.recorder(always());
    let mut all = written(&broadcast.made);
    // In the middle of a segment.
    let starts = |written: &Written| matches!(written, Written::Part(kept) if kept.part().number == 0);
    let at = (all.len() / 2..).find(|&at| !starts(&all[at]) && !starts(&all[at + 1])).unwrap();
    all.insert(at, Written::Gap);
    let mut happened = recorder.write(all);
    happened.extend(recorder.finish());
    assert!(
        matches!(
            &happened[..],
            [
                Happened::Began(_),
                Happened::Ended { .. },
                Happened::Lost(1..),
                Happened::Began(_),
                Happened::Ended { .. }
            ]
        ),
        "{happened:?}"
    );
    // One that is not recorded has no gaps.
    let mut recorder = place.recorder(AppConfig { record: Record::OnDemand, ..AppConfig::default() });
    let mut all = written(&broadcast.made);
    all.insert(at, Written::Gap);
    assert!(recorder.write(all).is_empty() && recorder.finish().is_empty());
}

/// As power that is cut leaves it: any number of bytes at the end are missing.
#[test]
fn a_file_cut_at_any_byte_of_its_last_fragments_is_a_film_with_all_before() {
    let place = Place::new("cut");
    let broadcast = usual(4);
    let mut recorder = place.recorder(always());
    recorder.write(written(&broadcast.made));
    let path = place.films().remove(0);
    let bytes = fs::read(&path).unwrap();
    let lens: Vec<_> = broadcast.parts().map(|part| u64::from(part.len)).collect();
    let mut ends = vec![bytes.len() as u64];
    lens.iter().rev().take(4).for_each(|len| ends.push(ends[ends.len() - 1] - len));
    let whole = payloads(std::slice::from_ref(&path));
    let before = payloads(&{
        fs::write(&path, &bytes[..ends[3] as usize]).unwrap();
        vec![path.clone()]
    });
    for end in ends[3]..=ends[0] {
        fs::write(&path, &bytes[..end as usize]).unwrap();
        let is_readable = index(&path).samples().len() >= before.values().map(Vec::len).sum();
        assert!(is_readable, "cut at {end} the growing file cannot be read");
        let Outcome::Completed { cut, .. } = repair::repair(&path).unwrap() else { panic!("cut at {end}") };
        let longest = lens.iter().rev().take(3).max().unwrap();
        assert!(cut < *longest, "cut at {end}, {cut} bytes were lost");
        for (id, kept) in payloads(std::slice::from_ref(&path)) {
            assert!(whole[&id].starts_with(&kept) && kept.len() >= before[&id].len(), "{id:?} cut at {end}");
        }
    }
    drop(recorder);
}

#[test]
fn what_a_crash_left_is_found_and_named_and_what_is_complete_stays() {
    let place = Place::new("crash");
    let broadcast = usual(4);
    let mut recorder = place.recorder(always());
    recorder.write(written(&broadcast.made));
    std::mem::forget(recorder);
    let mut recorder = place.recorder(always());
    recorder.write(written(&broadcast.made));
    recorder.finish();
    let [crashed, complete] = place.films().try_into().unwrap();
    let (crashed, complete) =
        if crashed.ends_with("1970-01-01_00-00-00.mp4") { (crashed, complete) } else { (complete, crashed) };
    let bytes = fs::read(&complete).unwrap();
    // A moov that was half written when the power went.
    let mut cut = fs::read(&crashed).unwrap();
    cut.extend_from_slice(b"\0\0\x40\0moov\0\0");
    fs::write(&crashed, cut).unwrap();
    fs::write(place.0.join("live/stray.mp4"), b"no film at all").unwrap();
    let empty = place.0.join("live/empty.flv");
    fs::write(&empty, b"").unwrap();
    let mut told = Vec::new();
    let now = SystemTime::now() + Duration::from_secs(1);
    repair_all(&place.0, now, |repaired| told.push(repaired));
    told.sort_by_key(|repaired| repaired.path != crashed);
    assert!(
        matches!(&told[..], [Repaired { path, outcome: Outcome::Completed { cut: 10, .. } }, of_empty]
            if *path == crashed && *of_empty == Repaired { path: empty.clone(), outcome: Outcome::Empty }),
        "{told:?}"
    );
    assert!(!empty.exists());
    assert_eq!(fs::read(&complete).unwrap(), bytes);
    assert!(is_same(&[crashed], &broadcast));
    repair_all(&place.0, now, |repaired| panic!("{repaired:?}"));
}

#[test]
fn a_disk_that_fails_or_is_full_is_said_once_and_nothing_else_happens() {
    let place = Place::new("failing");
    fs::write(place.0.join("live"), b"a file where a directory is to be").unwrap();
    let broadcast = usual(4);
    let happened = place.recorder(always()).write(written(&broadcast.made));
    let path = place.0.join("live/cam/1970-01-01_00-00-00.mp4");
    assert!(
        matches!(&happened[..], [Happened::Failed { path: failed, .. }] if *failed == path),
        "{happened:?}"
    );

    let config = RecordingsConfig { free_min_bytes: u64::MAX, ..RecordingsConfig::default() };
    let stream = StreamName::parse("live/cam").unwrap();
    let mut recorder = Recorder::new(&place.0, &config, always(), stream, SystemTime::UNIX_EPOCH, true);
    let happened = recorder.write(written(&broadcast.made));
    assert!(matches!(&happened[..], [Happened::OutOfRoom { .. }]), "{happened:?}");
    assert!(matches!(recorder.finish()[..], [Happened::Lost(lost)] if lost > 10));
}

#[test]
fn a_window_of_a_recorded_broadcast_leaves_memory_and_is_read_from_the_file() {
    use crate::window::{Lookup, Window, WindowConfig};
    let place = Place::new("window");
    let mut broadcast = Broadcast::new(&[video(), sound(AAC)]);
    broadcast.play(0, 100_000, 40.0, 50);
    let broadcast = broadcast.end();
    let stream = StreamName::parse("live/cam").unwrap();
    let window = Window::new(
        stream,
        1,
        SystemTime::UNIX_EPOCH,
        WindowConfig::default(),
        0,
        crate::window::InAll::default(),
    );
    let mut recorder = place.recorder(always());
    for made in &broadcast.made {
        let mut write: Vec<_> = written(std::slice::from_ref(made))
            .into_iter()
            .filter(|it| matches!(it, Written::Tracks(_)))
            .collect();
        write.extend(window.take(vec![made.clone()]).into_iter().map(Written::Part));
        recorder.write(write);
    }
    let mut in_files = 0;
    for (ordinal, (part, bytes)) in (0..).zip(broadcast.parts_and_bytes()) {
        let Lookup::Part(kept) = window.lookup(ordinal) else { panic!("{ordinal} is gone") };
        match kept.data() {
            Data::Memory(kept) => assert_eq!(kept, *bytes),
            Data::File(file, offset) => {
                in_files += 1;
                let mut read = vec![0; part.len as usize];
                let blob: &dyn headwater_vod::Blob = &FileBlob::new(file.try_clone().unwrap()).unwrap();
                blob.read_exact_at(&mut read, offset).unwrap();
                assert_eq!(read, *bytes);
            }
        }
    }
    assert!(in_files > 400, "{in_files}");
}

#[test]
fn what_a_crash_left_of_a_clip_is_removed_and_nothing_that_is_not_ours() {
    let place = Place::new("left");
    let left = place.0.join("clips/today/.headwater-0123456789abcdef");
    let others = [".headwater-0123456789abcde", ".headwater-notes-of-mine", ".other-0123456789abcdef"];
    fs::create_dir_all(left.parent().unwrap()).unwrap();
    others.iter().for_each(|name| fs::write(place.0.join(name), "mine").unwrap());
    fs::write(&left, "a part").unwrap();
    // What is being written now is younger than the start.
    repair_all(&place.0, SystemTime::UNIX_EPOCH, |repaired| panic!("{repaired:?}"));
    let mut told = Vec::new();
    repair_all(&place.0, SystemTime::now() + Duration::from_secs(1), |repaired| told.push(repaired));
    assert_eq!(told, [Repaired { path: left.clone(), outcome: Outcome::Removed }]);
    assert!(!left.exists());
    assert!(others.iter().all(|name| place.0.join(name).exists()), "what is not ours stays");
}
