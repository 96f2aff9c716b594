//! Films in every listed form and the odd ones: made once by ffmpeg, or put together from what it made.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

const VIDEO: &str = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=6";
const NOISE: &str = "-f lavfi -i anoisesrc=r=44100:d=6:seed=7:a=0.3";
const NOISE_2: &str = "-f lavfi -i anoisesrc=r=48000:d=6:seed=9:a=0.2";
const X264: &str = "-c:v libx264 -preset veryfast -g 25 -keyint_min 25 -sc_threshold 0 -pix_fmt yuv420p";
const BFRAMES: &str = "-bf 2 -b_strategy 0";
const AAC: &str = "-c:a aac -b:a 64k";

/// How a film is made by ffmpeg: its name and the arguments.
pub(crate) struct Recipe(pub(crate) &'static str, pub(crate) String);

/// Everything that ffmpeg itself can make of H.264, AAC, MP3 and the Flash age.
pub(crate) fn recipes() -> Vec<Recipe> {
    let film = |name, rest: &str| Recipe(name, format!("{VIDEO} {NOISE} {X264} {rest}"));
    vec![
        film("plain.mp4", &format!("{BFRAMES} {AAC}")),
        film("front.m4v", &format!("{BFRAMES} {AAC} -movflags faststart")),
        film("quick.mov", &format!("{BFRAMES} {AAC}")),
        film("flash.f4v", &format!("{AAC} -f f4v")),
        film("flash.flv", &format!("{BFRAMES} {AAC}")),
        film("indexed.flv", &format!("{AAC} -flvflags add_keyframe_index")),
        film(
            "fragments.mp4",
            &format!("{BFRAMES} {AAC} -movflags frag_keyframe+empty_moov+default_base_moof"),
        ),
        film("fragments_edited.mp4", &format!("{BFRAMES} {AAC} -movflags frag_keyframe+delay_moov")),
        film("cmaf.mp4", &format!("{BFRAMES} {AAC} -movflags cmaf+delay_moov")),
        // Composition offsets below zero in place of an edit list.
        film("negative.mp4", &format!("{BFRAMES} {AAC} -movflags negative_cts_offsets")),
        // The picture begins later than the sound: an edit list with an empty edit.
        Recipe("late_picture.mp4", format!("-itsoffset 0.7 {VIDEO} {NOISE} {X264} {BFRAMES} {AAC}")),
        // Variable frame rate: two of three pictures are left out of the second half.
        film("variable.mp4", &format!("{AAC} -vf select='lt(t,3)+not(mod(n,3))' -vsync vfr -bf 0")),
        Recipe("sound.mp4", format!("{NOISE} {AAC}")),
        Recipe("sound.m4a", format!("{NOISE} {AAC} -f ipod")),
        Recipe("picture.mp4", format!("{VIDEO} {X264} {BFRAMES}")),
        Recipe("one_frame.mp4", format!("{VIDEO} {X264} -frames:v 1")),
        film("mp3.mp4", "-c:a libmp3lame -b:a 64k"),
        film("mp3.flv", "-c:a libmp3lame -b:a 64k"),
        film("sorenson.flv", "-c:v flv1 -g 25 -c:a libmp3lame -ar 44100"),
        film("Süden & Meer/ein Film 100%.mp4", &format!("{BFRAMES} {AAC}")),
    ]
}

/// Two tracks of sound in two languages.
pub(crate) fn languages() -> PathBuf {
    let coders = format!("-map 0:v -map 1:a -map 2:a {X264} {BFRAMES} {AAC}");
    let words = "-metadata:s:a:0 language=eng -metadata:s:a:1 language=deu";
    made(&Recipe("languages.mp4", format!("{VIDEO} {NOISE} {NOISE_2} {coders} {words}")))
}

/// The film, made if it is not there yet.
pub(crate) fn made(Recipe(name, arguments): &Recipe) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let path = directory().join(name);
    if !path.exists() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let extension = path.extension().unwrap().to_str().unwrap();
        let part = directory().join(format!("part-{}.{extension}", std::process::id()));
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-y"]).args(arguments.split_whitespace()).arg(&part);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        fs::rename(&part, &path).unwrap();
    }
    path
}

/// The film of that name of [`recipes`].
pub(crate) fn film(name: &str) -> PathBuf {
    made(recipes().iter().find(|recipe| recipe.0 == name).unwrap())
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("films")
}

/// `film`, which is fragmented or has `moov` in front, behind a hole so large that all offsets need 64 bits.
/// The hole takes no room on the disk.
pub(crate) fn far_away(source: &Path, target: &Path) {
    const HOLE: u64 = 5 << 30;
    let bytes = fs::read(source).unwrap();
    let ftyp = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
    let file = File::create(target).unwrap();
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        file.write_all_at(bytes, at).unwrap();
        at += bytes.len() as u64;
    };
    put(&bytes[..ftyp]);
    let mut hole = Vec::from(1_u32.to_be_bytes());
    hole.extend(b"free");
    hole.extend((HOLE + 16).to_be_bytes());
    put(&hole);
    file.write_all_at(&bytes[ftyp..], ftyp as u64 + 16 + HOLE).unwrap();
}

/// The start of a film, as after a crash or while it is still written.
pub(crate) fn start_of(source: &Path, part: f64, target: &Path) {
    let bytes = fs::read(source).unwrap();
    fs::write(target, &bytes[..(bytes.len() as f64 * part) as usize]).unwrap();
}

/// Files that are no films at all.
pub(crate) fn no_films(directory: &Path) -> [&'static str; 3] {
    fs::write(directory.join("nothing.mp4"), b"").unwrap();
    fs::write(directory.join("zeros.mp4"), vec![0; 100_000]).unwrap();
    let noise: Vec<u8> = (0_u32..100_000).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut file = File::create(directory.join("noise.flv")).unwrap();
    file.write_all(&noise).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    ["nothing.mp4", "zeros.mp4", "noise.flv"]
}
