//! A viewer's place in a film, and its playback, beside a clock that does not run by itself.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use headwater_hub::{News, Playback};
use headwater_media::flv::{Contents, growing};
use headwater_media::{Frame, MediaKind, TrackId};

use super::*;
use crate::{Config, Film, FilmCursor, Library};

const FOREVER: Duration = Duration::from_secs(1 << 30);
const FAR: Timestamp = Timestamp::from_ms(1 << 40);

fn testdata() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

async fn open(name: &str) -> (Arc<Library>, Arc<Film>) {
    let library = Arc::new(Library::new(&testdata(), &Config::default()));
    let film = library.open("vod", name).await.unwrap();
    (library, film)
}

async fn cursor(name: &str, at_ms: i64) -> FilmCursor {
    let (library, film) = open(name).await;
    FilmCursor::on(library, "vod", film, Timestamp::from_ms(at_ms))
}

async fn play(name: &str) -> Playback {
    playback(cursor(name, 0).await)
}

fn playback(cursor: FilmCursor) -> Playback {
    Playback::new(Box::new(cursor), Duration::ZERO, Duration::ZERO)
}

/// What goes out within this time.
async fn receive(playback: &mut Playback, within: Duration) -> Vec<Frame> {
    let until = Instant::now() + within;
    let mut frames = Vec::new();
    let mut batch = Batch::default();
    loop {
        // The file is read on another thread, which a clock that stands still does not wait for.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        match playback.read(&mut batch) {
            Next::Frames => {
                // In portions: a socket does not take all at once.
                let some = playback.admitted().div_ceil(2);
                frames.extend(batch.frames[..some].iter().cloned());
                playback.advance(&batch, some);
            }
            Next::Ended => return frames,
            _ if Instant::now() >= until => return frames,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// The next frames, as soon as they come.
async fn next_batch(cursor: &mut FilmCursor) -> Batch {
    let mut batch = Batch::default();
    while cursor.read(&mut batch) != Next::Frames {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    batch
}

fn last_ms(frames: &[Frame]) -> i64 {
    frames.last().map_or(-1, |frame| frame.dts.as_ms())
}

fn videos(frames: &[Frame]) -> Vec<&Frame> {
    frames.iter().filter(|frame| frame.track.kind == MediaKind::Video).collect()
}

#[tokio::test(start_paused = true)]
async fn a_large_buffer_gets_the_whole_film_at_once() {
    for name in ["demo.flv", "bframes.mp4", "fragmented.mp4", "multitrack.flv", "film.f4v", "audio.flv"] {
        let (library, film) = open(name).await;
        let mut player = playback(FilmCursor::on(library, "vod", Arc::clone(&film), Timestamp::ZERO));
        player.set_buffer(FOREVER);
        let frames = receive(&mut player, Duration::from_secs(1)).await;
        let samples: Vec<_> = film.index().samples().iter().collect();
        let wanted = film.frames_of(&samples).await.unwrap();
        let shift = film.index().origin().min(Timestamp::ZERO);
        assert_eq!(frames.len(), wanted.len(), "{name}");
        for (frame, wanted) in frames.iter().zip(&wanted) {
            assert_eq!((frame.dts, &frame.payload), (wanted.dts - shift, &wanted.payload), "{name}");
        }
        assert_eq!(player.news(), Some(News::Ended(End::Complete)), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_buffer_is_filled_at_once_and_then_kept_full() {
    let mut player = play("demo.flv").await;
    player.set_buffer(Duration::from_secs(2));
    let filled = receive(&mut player, Duration::from_millis(100)).await;
    assert!((1_900..=2_200).contains(&last_ms(&filled)), "{}", last_ms(&filled));
    for second in 1..6 {
        let frames = receive(&mut player, Duration::from_secs(1)).await;
        let ahead = last_ms(&frames) - second * 1_000;
        assert!((1_400..=2_400).contains(&ahead), "after {second} s it is {ahead} ms ahead");
    }
}

#[tokio::test(start_paused = true)]
async fn a_seek_goes_to_the_key_frame_before_and_tells_everything_again() {
    let mut cursor = cursor("demo.flv", 3_500).await;
    let batch = next_batch(&mut cursor).await;
    assert_eq!((batch.frames[0].dts.as_ms(), batch.frames[0].key), (2_000, true));
    cursor.advance(&batch, 3);
    assert!(cursor.seen().is_some());
    assert_eq!(cursor.seek(Timestamp::from_ms(7_999)).as_ms(), 6_000);
    assert_eq!(cursor.seen(), None);
    let batch = next_batch(&mut cursor).await;
    assert_eq!(batch.frames[0].dts.as_ms(), 6_000);
    assert_eq!(batch.setup.unseen(cursor.seen()).count(), 3, "metadata and two tracks");
    assert_eq!(
        cursor.seek(Timestamp::from_ms(60_000)).as_ms(),
        8_000,
        "behind the end is the last key frame"
    );
    cursor.advance(&batch, 5);
    let rest = receive(&mut playback(cursor), Duration::from_secs(20)).await;
    assert_eq!((rest[0].dts.as_ms(), last_ms(&rest)), (8_000, 9_984));
}

#[tokio::test(start_paused = true)]
async fn a_paused_film_stands_and_shows_one_picture_where_it_is_sought() {
    let mut player = play("demo.flv").await;
    player.set_buffer(Duration::from_secs(1));
    receive(&mut player, Duration::from_millis(500)).await;
    player.pause();
    assert!(receive(&mut player, Duration::from_secs(5)).await.is_empty());
    player.seek(Timestamp::from_ms(4_700)).unwrap();
    let still = receive(&mut player, Duration::from_secs(5)).await;
    assert_eq!(videos(&still).len(), 1);
    assert_eq!((still.len() < 3, still[0].dts.as_ms(), still[0].key), (true, 4_000, true));
    player.resume(Timestamp::from_ms(4_700));
    let on = receive(&mut player, Duration::from_millis(50)).await;
    assert_eq!(videos(&on)[0].dts.as_ms(), 4_040, "it goes on behind the picture");
}

#[tokio::test(start_paused = true)]
async fn a_player_that_resumes_gets_what_is_later_than_it_has_seen() {
    let mut player = play("demo.flv").await;
    player.set_buffer(Duration::from_secs(3));
    let before = receive(&mut player, Duration::from_millis(50)).await;
    assert!(last_ms(&before) > 2_800);
    player.pause();
    player.resume(Timestamp::from_ms(1_000));
    let again = receive(&mut player, Duration::from_millis(50)).await;
    assert_eq!(videos(&again)[0].dts.as_ms(), 1_040);
    assert!(player.seen().is_some(), "its decoder goes on: no configuration is sent again");
    let place = last_ms(&again);
    player.pause();
    player.resume(Timestamp::from_ms(9_000));
    let on = receive(&mut player, Duration::from_millis(50)).await;
    assert!(on[0].dts.as_ms() - place < 50, "it cannot have seen what was not sent");
}

#[tokio::test(start_paused = true)]
async fn a_film_ends_where_it_was_asked_to() {
    let mut player = play("bframes.mp4").await;
    player.set_buffer(FOREVER);
    player.limit(Timestamp::from_ms(1_000));
    let frames = receive(&mut player, Duration::from_secs(9)).await;
    assert!(frames.iter().all(|frame| frame.dts < Timestamp::from_ms(1_000)));
    assert!(last_ms(&frames) > 930, "{}", last_ms(&frames));
    assert_eq!(player.news(), Some(News::Ended(End::Complete)));
    player.play_until(FAR);
    assert!(last_ms(&receive(&mut player, Duration::from_secs(9)).await) > 1_900);
}

#[tokio::test(start_paused = true)]
async fn what_was_read_ahead_of_a_limit_is_not_sent() {
    let mut cursor = cursor("demo.flv", 0).await;
    let batch = next_batch(&mut cursor).await;
    assert!(last_ms(&batch.frames) > 1_000);
    let mut player = playback(cursor);
    player.limit(Timestamp::ZERO);
    let frames = receive(&mut player, Duration::from_secs(5)).await;
    assert_eq!((videos(&frames).len(), last_ms(&frames)), (1, 0));
    assert_eq!(player.news(), Some(News::Ended(End::Complete)));
}

#[tokio::test(start_paused = true)]
async fn an_end_is_told_once_and_a_player_may_go_back() {
    let mut player = play("bframes.mp4").await;
    player.set_buffer(FOREVER);
    receive(&mut player, Duration::from_secs(9)).await;
    assert_eq!(
        (player.news(), player.news(), player.has_news()),
        (Some(News::Ended(End::Complete)), None, false)
    );
    assert!(player.seek(FAR).is_err(), "there is no such place");
    assert!(receive(&mut player, Duration::from_secs(1)).await.is_empty());
    let breaks = player.breaks();
    player.seek(Timestamp::ZERO).unwrap();
    assert_eq!(player.breaks(), breaks + 1);
    assert!(last_ms(&receive(&mut player, Duration::from_secs(9)).await) > 1_900);
    assert_eq!(player.news(), Some(News::Ended(End::Complete)));
}

#[tokio::test(start_paused = true)]
async fn script_data_comes_at_once_if_wanted_so() {
    let directory = std::env::temp_dir().join(format!("headwater-cues-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let source = std::fs::read(testdata().join("demo.flv")).unwrap();
    let cue = [&b"\x02\x00\x0aonCuePoint\x02\x00\x01"[..], b"x"].concat();
    let mut film = source.clone();
    for ms in [20_000, 21_000] {
        film.extend(headwater_media::flv::tag_head(headwater_media::flv::TagKind::Script, cue.len(), ms));
        film.extend(&cue);
        film.extend(headwater_media::flv::previous_tag_size(cue.len()));
    }
    std::fs::write(directory.join("film.flv"), &film).unwrap();
    let library = Arc::new(Library::new(&directory, &Config::default()));
    let opened = library.open("vod", "film").await.unwrap();
    let mut player = playback(FilmCursor::on(library, "vod", opened, Timestamp::ZERO));
    player.set_buffer(FOREVER);
    player.send_data_first();
    let frames = receive(&mut player, Duration::from_secs(1)).await;
    let cues: Vec<usize> = (0..frames.len()).filter(|&at| frames[at].track.kind == MediaKind::Data).collect();
    assert_eq!(cues.len(), 2, "each once");
    assert!(cues.iter().all(|&at| frames[at].dts.as_ms() < 10_000), "in front of their time");
    assert_eq!(videos(&frames).len(), 250);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn what_changes_in_a_film_that_is_written_is_told_when_it_comes() {
    let directory = std::env::temp_dir().join(format!("headwater-changing-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let whole = std::fs::read(testdata().join("demo.flv")).unwrap();
    let path = directory.join("film.flv");
    let tag = |body: &[u8], ms| {
        let head = headwater_media::flv::tag_head(headwater_media::flv::TagKind::Video, body.len(), ms);
        [&head[..], body, &headwater_media::flv::previous_tag_size(body.len())[..]].concat()
    };
    std::fs::write(&path, &whole).unwrap();
    let library = Arc::new(Library::new(&directory, &Config::default()));
    let film = library.open("vod", "film").await.unwrap();
    let first = film.index().tracks_at(0).into_iter().find(|track| track.id == TrackId::VIDEO).unwrap();
    let mut cursor = FilmCursor::on(library, "vod", film, Timestamp::ZERO);
    cursor.set_buffer(FOREVER);
    // The same with other compatibility flags.
    let mut config = first.config.to_vec();
    config[2] ^= 0x20;
    let picture = [0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 0x88];
    let added = [tag(&[&[0x17, 0, 0, 0, 0][..], &config].concat(), 10_100), tag(&picture, 10_100)].concat();
    let (mut told, mut pictures) = (Vec::new(), 0);
    while pictures < 251 {
        let batch = next_batch(&mut cursor).await;
        pictures += videos(&batch.frames).len();
        let holds = batch.setup.track(TrackId::VIDEO).cloned().unwrap();
        if told.last() != Some(&holds) {
            told.push(holds);
        }
        cursor.advance(&batch, batch.frames.len());
        if pictures == 250 {
            std::fs::write(&path, [&whole[..], &added].concat()).unwrap();
        }
    }
    assert_eq!(
        told.iter().map(|track| track.config.to_vec()).collect::<Vec<_>>(),
        [first.config.to_vec(), config]
    );
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn a_film_that_is_written_goes_on_with_what_comes() {
    let directory = std::env::temp_dir().join(format!("headwater-player-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let whole = std::fs::read(testdata().join("demo.flv")).unwrap();
    let path = directory.join("film.flv");
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let library = Arc::new(Library::new(&directory, &Config::default()));
    let film = library.open("vod", "film").await.unwrap();
    let mut player = playback(FilmCursor::on(library, "vod", film, Timestamp::ZERO));
    player.set_buffer(FOREVER);
    let first = receive(&mut player, Duration::from_millis(300)).await;
    assert!(last_ms(&first) < 6_000 && player.news().is_none());
    std::fs::write(&path, &whole).unwrap();
    let mut all = first;
    while last_ms(&all) < 9_984 {
        let more = receive(&mut player, Duration::from_millis(500)).await;
        all.extend(more);
    }
    assert_eq!(videos(&all).len(), 250);
    std::fs::remove_dir_all(&directory).unwrap();
}

/// A recording's file, at times that are long gone: as its publisher had been silent since.
struct Recording {
    path: std::path::PathBuf,
    looks: u64,
}

impl Recording {
    fn write(&mut self, bytes: &[u8]) {
        std::fs::write(&self.path, bytes).unwrap();
        self.looks += 1;
        let file = std::fs::File::options().write(true).open(&self.path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(self.looks)).unwrap();
    }
}

#[tokio::test]
async fn a_recording_goes_on_for_as_long_as_it_is_recorded_and_to_its_very_last_frame() {
    const ROOM: usize = (64 << 10) + 4;
    let directory = std::env::temp_dir().join(format!("headwater-recorded-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let mut recording = Recording { path: directory.join("film.flv"), looks: 0 };
    let tags = &std::fs::read(testdata().join("demo.flv")).unwrap()[13..];
    let front = growing::begin_file(None, &Contents::default(), ROOM, &[]).unwrap();
    let whole = [&front, tags].concat();
    recording.write(&whole[..whole.len() / 2]);
    let is_recorded = Arc::new(AtomicBool::new(true));
    let grows = Arc::clone(&is_recorded);
    let library = Library::new(&directory, &Config::default()).sparing(move |_| grows.load(Ordering::SeqCst));
    let library = Arc::new(library);
    let film = library.open("vod", "film").await.unwrap();
    let mut player = playback(FilmCursor::on(library, "vod", film, Timestamp::ZERO));
    player.set_buffer(FOREVER);
    let mut all = receive(&mut player, Duration::from_millis(1_500)).await;
    assert!(last_ms(&all) < 6_000 && player.news().is_none(), "{}", last_ms(&all));
    recording.write(&whole);
    while last_ms(&all) < 9_900 {
        all.extend(receive(&mut player, Duration::from_millis(500)).await);
    }
    assert!(player.news().is_none() && all.len() < 250 + 469, "what others may come before is held back");
    let mut complete = whole.clone();
    for (at, bytes) in growing::complete(&Contents::default(), &front, 0, whole.len() as u64).unwrap() {
        complete[at as usize..][..bytes.len()].copy_from_slice(&bytes);
    }
    recording.write(&complete);
    is_recorded.store(false, Ordering::SeqCst);
    while !player.has_ended() {
        all.extend(receive(&mut player, Duration::from_millis(500)).await);
    }
    assert_eq!(player.news(), Some(News::Ended(End::Complete)));
    assert_eq!((videos(&all).len(), all.len()), (250, 250 + 469));
    std::fs::remove_dir_all(&directory).unwrap();
}
