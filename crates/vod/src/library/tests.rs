//! A library beside a directory that changes.

use std::fs;
use std::io::Write as _;

use headwater_media::Timestamp;

use super::*;

/// A library and its directory, gone with it.
struct Films {
    directory: PathBuf,
    library: Library,
}

impl Films {
    fn new(name: &str, config: &Config) -> Self {
        let directory = std::env::temp_dir().join(format!("headwater-library-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        let library = Library::new(&directory, config);
        Self { directory, library }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.directory.join(name), bytes).unwrap();
    }

    async fn open(&self, name: &str) -> Result<Arc<Film>, Refusal> {
        self.library.open("vod", name).await
    }
}

impl Drop for Films {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(format!("{}/../../testdata/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

async fn until_looked_at_again() {
    tokio::time::sleep(BELIEVED + Duration::from_millis(20)).await;
}

#[tokio::test]
async fn a_film_is_indexed_once_for_all_who_ask() {
    let films = Films::new("once", &Config::default());
    films.write("film.mp4", &fixture("bframes.mp4"));
    let asked = futures_util::future::join_all((0..20).map(|_| films.open("mp4:film"))).await;
    let first = asked[0].as_ref().unwrap();
    assert!(asked.iter().all(|film| Arc::ptr_eq(film.as_ref().unwrap(), first)));
    until_looked_at_again().await;
    assert!(Arc::ptr_eq(&films.open("film.mp4").await.unwrap(), first), "the file has not changed");
    assert_eq!(films.library.in_memory().0, 1);
    let frames = first.frames(0..first.index().samples().len()).await.unwrap();
    assert_eq!(frames.len(), first.index().samples().len());
}

#[tokio::test]
async fn new_changed_and_removed_films_are_noticed() {
    let films = Films::new("changes", &Config::default());
    assert!(matches!(films.open("film").await, Err(Refusal { kind: RefusalKind::NotFound, .. })));
    films.write("film.flv", &fixture("audio.flv"));
    let before = films.open("film").await.unwrap();
    films.write("film.flv", &fixture("demo.flv"));
    until_looked_at_again().await;
    let after = films.open("film").await.unwrap();
    assert_ne!(before.etag(), after.etag());
    assert_eq!(after.index().tracks().len(), 2);
    fs::remove_file(films.directory.join("film.flv")).unwrap();
    until_looked_at_again().await;
    assert!(matches!(films.open("film").await, Err(Refusal { kind: RefusalKind::NotFound, .. })));
    assert_eq!(films.library.in_memory().0, 0);
    let end = after.bytes() - 10;
    assert_eq!(after.read(end..end + 10).await.unwrap().len(), 10, "who has it open can still read it");
}

#[tokio::test]
async fn a_film_that_is_still_written_grows() {
    let films = Films::new("growing", &Config::default());
    for (name, file) in [("a.flv", "demo.flv"), ("b.mp4", "fragmented.mp4")] {
        let whole = fixture(file);
        films.write(name, &whole[..whole.len() / 2]);
        let half = films.open(name).await.unwrap();
        assert!(half.index().duration() > Timestamp::ZERO);
        films.write(name, &whole);
        until_looked_at_again().await;
        let all = films.open(name).await.unwrap();
        assert!(all.index().samples().len() > half.index().samples().len(), "{name}");
        let afresh = Films::new("afresh", &Config::default());
        afresh.write(name, &whole);
        assert_eq!(all.index(), afresh.open(name).await.unwrap().index(), "{name}");
    }
}

#[tokio::test]
async fn what_is_no_film_is_refused_with_the_reason() {
    let films = Films::new("refused", &Config::default());
    let cut = fixture("bframes.mp4");
    for (name, bytes, reason) in [
        ("empty.mp4", &b""[..], "it is empty"),
        ("text.flv", b"Once upon a time", "it is text and no film"),
        (
            "film.mp4",
            b"\x1A\x45\xDF\xA3\x01\0\0\0",
            "it is Matroska or WebM; make an MP4 of it: ffmpeg -i FILE -c copy",
        ),
        ("noise.mp4", &[0xA5; 5000], "neither FLV nor MP4"),
        ("head.flv", b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00", "no frame that can be played"),
        ("cut.mp4", &cut[..cut.len() / 2], "no moov box"),
        ("tiny.mp4", b"\x00\x00", "neither FLV nor MP4"),
    ] {
        films.write(name, bytes);
        match films.open(name).await {
            Err(Refusal { kind: RefusalKind::NoMedia, text }) => {
                assert!(text.starts_with(name) && text.contains(reason), "{text}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(films.library.in_memory().0, 0);
}

#[tokio::test]
async fn films_that_nobody_watches_leave_room_for_others() {
    let films = Films::new("trimmed", &Config { films_max: 3, ..Config::default() });
    for number in 0..6 {
        films.write(&format!("{number}.flv"), &fixture("audio.flv"));
        films.open(&format!("{number}")).await.unwrap();
        films.open("0").await.unwrap();
    }
    assert_eq!(films.library.in_memory().0, 3);
    let small = Films::new("small", &Config { index_max_bytes: 1, ..Config::default() });
    for number in 0..3 {
        small.write(&format!("{number}.flv"), &fixture("audio.flv"));
        small.open(&format!("{number}")).await.unwrap();
        assert_eq!(small.library.in_memory().0, 1);
    }
}

#[tokio::test]
async fn what_is_being_written_stays_and_a_new_name_changes_no_kind() {
    let mut films = Films::new("grows", &Config::default());
    films.write("film.mp4", &fixture("bframes.mp4"));
    films.write("other.mp4", &fixture("bframes.mp4"));
    let path = films.directory.join("film.mp4");
    let grows = path.clone();
    films.library = Library::new(&films.directory, &Config::default()).sparing(move |path| path == grows);
    let library = &films.library;
    let kind = |refused: Result<(), Refusal>| refused.unwrap_err().kind;
    assert_eq!(kind(library.remove("vod", "film.mp4").await), RefusalKind::Growing);
    assert_eq!(kind(library.rename("vod", "film.mp4", "new.mp4").await), RefusalKind::Growing);
    assert_eq!(kind(library.refuse_growing("vod", "film.mp4").await), RefusalKind::Growing);
    assert!(path.exists());
    assert_eq!(kind(library.rename("vod", "other.mp4", "film.mp4").await), RefusalKind::Taken);
    for ending in ["other.flv", "other.vtt", "other"] {
        assert_eq!(kind(library.rename("vod", "other.mp4", ending).await), RefusalKind::Invalid);
    }
    library.rename("vod", "other.mp4", "new.MP4").await.unwrap();
    library.remove("vod", "new.MP4").await.unwrap();
}

#[tokio::test]
async fn a_new_file_is_there_when_it_is_whole_and_in_the_place_of_none() {
    let films = Films::new("put", &Config::default());
    let put = async |bytes: Vec<u8>| {
        films.library.put("vod", "a/film.mp4", move |file| file.write_all(&bytes)).await
    };
    put(fixture("bframes.mp4")).await.unwrap();
    assert!(films.open("a/film.mp4").await.is_ok());
    assert_eq!(put(fixture("faststart.mp4")).await.unwrap_err().kind, RefusalKind::Taken);
    assert_eq!(fs::read(films.directory.join("a/film.mp4")).unwrap(), fixture("bframes.mp4"));
    let fails = films.library.put("vod", "a/other.mp4", |_| Err(io::ErrorKind::StorageFull.into())).await;
    assert_eq!(fails.unwrap_err().kind, RefusalKind::Full);
    assert_eq!(fs::read_dir(films.directory.join("a")).unwrap().count(), 1, "something is left beside it");
    let fails = films.library.put("vod", "a/b/c/d.mp4", |_| Err(io::ErrorKind::StorageFull.into())).await;
    assert_eq!(fails.unwrap_err().kind, RefusalKind::Full);
    assert!(!films.directory.join("a/b").exists(), "directories stay that were made for nothing");
    let hidden = films.library.put("vod", "a/.b.mp4", |_| Ok(())).await.unwrap_err();
    assert!(hidden.text.starts_with("No film can have this name: "), "{hidden}");
}

#[test]
fn what_a_crash_left_of_an_upload_on_its_way_to_another_disk_goes_at_the_start() {
    let films = Films::new("left", &Config::default());
    let (number, other) = ("0123456789abcdef0123456789abcdef", "ffffffffffffffffffffffffffffffff");
    let data = films.directory.join("data");
    fs::create_dir_all(data.join("uploads")).unwrap();
    fs::write(data.join(format!("uploads/{number}.part")), "pa").unwrap();
    let note = "app = \"vod\"\nname = \"a.mp4\"\nbytes = 4\n";
    fs::write(data.join(format!("uploads/{number}.toml")), note).unwrap();
    for left in [number, other] {
        films.write(&format!(".headwater-{left}"), b"pa");
    }
    let library = Arc::new(Library::new(&films.directory, &Config::default()));
    let uploads = crate::uploads::Uploads::open(&Default::default(), &data, library);
    assert_eq!(uploads.list().len(), 1, "the upload itself can be gone on with");
    let is_there = |number| films.directory.join(format!(".headwater-{number}")).exists();
    assert!(!is_there(number) && is_there(other));
}
