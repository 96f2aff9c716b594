//! Pictures of films: beside what ffmpeg decodes of the same key frame, and of films that are none.

use std::fs;

use crate::server::{Answer, Server, ffmpeg, has_ffmpeg, testdata};

/// Ten frames a second for six seconds, edges soft enough for JPEG to keep them: it is not JPEG that is tested.
const SOURCE: &str = "-f lavfi -i testsrc2=s=SIZE:r=10:d=6,gblur=sigma=BLUR";

struct Case {
    name: &'static str,
    size: &'static str,
    /// How ffmpeg encodes it.
    how: &'static str,
    /// The size at width 320.
    drawn: (usize, usize),
}

const CASES: [Case; 11] = [
    Case {
        name: "cropped",
        size: "1920x1080",
        how: "-vf scale=out_color_matrix=bt709,format=yuv420p -colorspace bt709",
        drawn: (320, 180),
    },
    Case { name: "odd", size: "322x182", how: "-pix_fmt yuv420p", drawn: (320, 181) },
    Case { name: "small", size: "160x90", how: "-pix_fmt yuv420p", drawn: (160, 90) },
    Case {
        name: "full-range",
        size: "640x360",
        how: "-vf scale=out_range=full,format=yuvj420p -color_range pc",
        drawn: (320, 180),
    },
    Case {
        name: "bt709",
        size: "640x360",
        how: "-vf scale=out_color_matrix=bt709,format=yuv420p -colorspace bt709",
        drawn: (320, 180),
    },
    Case {
        name: "wide-pixels",
        size: "720x576",
        how: "-vf setsar=64/45 -pix_fmt yuv420p",
        drawn: (320, 180),
    },
    Case {
        name: "slices",
        size: "640x480",
        how: "-pix_fmt yuv420p -profile:v baseline -x264-params slices=8",
        drawn: (320, 240),
    },
    Case {
        name: "open-group",
        size: "640x480",
        how: "-pix_fmt yuv420p -x264-params open-gop=1:bframes=3:b-adapt=0",
        drawn: (320, 240),
    },
    Case { name: "mbaff", size: "720x480", how: "-pix_fmt yuv420p -flags +ildct+ilme", drawn: (320, 213) },
    Case { name: "ten-bits", size: "640x360", how: "-pix_fmt yuv420p10le", drawn: (320, 180) },
    Case { name: "422", size: "640x360", how: "-pix_fmt yuv422p", drawn: (320, 180) },
];

#[test]
fn pictures_are_what_ffmpeg_decodes() {
    if !has_ffmpeg() {
        return;
    }
    let server = Server::start("");
    for case in &CASES {
        let file = server.media().join(format!("{}.mp4", case.name));
        let width: u32 = case.size.split('x').next().unwrap().parse().unwrap();
        let source = SOURCE.replace("SIZE", case.size).replace("BLUR", &(width / 64).max(6).to_string());
        let how = case.how;
        ffmpeg(&format!(
            "{source} {how} -c:v libx264 -preset fast -crf 16 -g 10 -sc_threshold 0 {}",
            file.display()
        ));
        let (width, height) = case.drawn;
        let scale = "flags=bilinear+accurate_rnd+full_chroma_int+full_chroma_inp";
        let keys = ffmpeg(&format!(
            "-skip_frame nokey -i {} -vf scale={width}:{height}:{scale},format=rgb24 -fps_mode passthrough -f rawvideo -",
            file.display()
        ));
        let keys: Vec<&[u8]> = keys.chunks(3 * width * height).collect();
        assert!(keys.len() >= 6, "{}: {} key frames", case.name, keys.len());
        for (time, number) in [("0", 0), ("0.9", 0), ("3.05", 3), ("5.9", 5), ("1000", keys.len() - 1)] {
            let answer = server.get(&format!("/vod/{}.mp4/thumbnail.jpg?t={time}", case.name)).must_be(200);
            let (drawn, pixels) = decode(&server, &answer);
            assert_eq!(drawn, case.drawn, "{}", case.name);
            let psnr = psnr(&pixels, keys[number]);
            println!("{} at {time} s: {psnr:.1} dB", case.name);
            assert!(psnr > 35.0, "{} at {time} s: {psnr:.1} dB", case.name);
        }
    }
}

/// A sheet's tiles are the film's key frames at even distances, as the layout says.
#[test]
fn the_sprite_shows_the_film_where_the_layout_says() {
    if !has_ffmpeg() {
        return;
    }
    let server = Server::start("");
    let file = server.media().join("long.flv");
    ffmpeg(&format!(
        "-f lavfi -i testsrc2=s=320x180:r=5:d=61,gblur=sigma=8 -c:v libx264 -preset fast -crf 16 -g 10 -sc_threshold 0 -bf 0 \
         -pix_fmt yuv420p {}",
        file.display()
    ));
    let layout = server.get("/vod/long.flv/sprite.vtt").must_be(200);
    assert_eq!(layout.header("content-type"), Some("text/vtt; charset=utf-8"));
    let text = layout.text();
    let cues: Vec<(&str, &str)> =
        text.split("\n\n").skip(1).map(|cue| cue.trim().split_once('\n').unwrap()).collect();
    assert_eq!(cues.len(), 31, "{text}");
    assert_eq!(cues[30].0, "00:01:00.000 --> 00:01:01.000");
    let keys = ffmpeg(&format!(
        "-skip_frame nokey -i {} -vf scale=160:90:flags=bilinear+accurate_rnd+full_chroma_int,format=rgb24 \
         -fps_mode passthrough -f rawvideo -",
        file.display()
    ));
    let keys: Vec<&[u8]> = keys.chunks(3 * 160 * 90).collect();
    let mut sheets = std::collections::HashMap::new();
    for (number, (_, place)) in cues.iter().enumerate() {
        let (sheet, corner) = place.split_once("#xywh=").unwrap();
        let ((width, _), pixels) = sheets.entry(sheet.to_owned()).or_insert_with(|| {
            let answer = server.get(&format!("/vod/long.flv/{sheet}")).must_be(200);
            assert!(answer.header("cache-control").unwrap().contains("immutable"), "{}", answer.head);
            decode(&server, &answer)
        });
        let corner: Vec<usize> = corner.split(',').map(|part| part.parse().unwrap()).collect();
        assert_eq!(corner[2..], [160, 90]);
        let tile: Vec<u8> = (0..90)
            .flat_map(|row| {
                let from = 3 * ((corner[1] + row) * *width + corner[0]);
                pixels[from..from + 3 * 160].to_vec()
            })
            .collect();
        let psnr = psnr(&tile, keys[number]);
        assert!(psnr > 33.0, "tile {number}: {psnr:.1} dB");
    }
    assert_eq!(sheets.len(), 2);
    server.get("/vod/long.flv/sprite-2.jpg").must_be(404);
}

#[test]
fn a_picture_is_asked_for_again_without_being_sent_again() {
    let server = Server::start("");
    fs::copy(testdata("bframes.mp4"), server.media().join("a film.mp4")).unwrap();
    let path = "/vod/a%20film.mp4/thumbnail.jpg?t=1&width=64";
    let first = server.get(path).must_be(200);
    assert_eq!(first.header("content-type"), Some("image/jpeg"));
    assert_eq!(first.header("access-control-allow-origin"), Some("*"));
    let etag = first.header("etag").unwrap();
    let again = server.request("GET", path, &[("If-None-Match", etag)], b"").must_be(304);
    assert!(again.body.is_empty());
    let head = server.request("HEAD", path, &[], b"").must_be(200);
    assert_eq!(head.header("content-length"), Some(first.body.len().to_string().as_str()));
    assert!(head.body.is_empty());
    // Another state of the file is another picture.
    fs::copy(testdata("faststart.mp4"), server.media().join("a film.mp4")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1200));
    server.request("GET", path, &[("If-None-Match", etag)], b"").must_be(200);
    for bad in ["?t=x", "?width=9", "?width=100000"] {
        server.get(&format!("/vod/a%20film.mp4/thumbnail.jpg{bad}")).must_be(400);
    }
}

#[test]
fn what_cannot_be_drawn_is_refused_with_a_sentence() {
    let mut server = Server::start("");
    for name in ["hevc.flv", "av1.flv", "vp9.flv", "audio.flv"] {
        fs::copy(testdata(name), server.media().join(name)).unwrap();
        for part in ["thumbnail.jpg", "sprite.vtt", "sprite-0.jpg"] {
            let answer = server.get(&format!("/vod/{name}/{part}")).must_be(501);
            assert!(answer.text().len() > 20, "{}", answer.text());
        }
    }
    fs::write(server.media().join("noise.mp4"), [0x55; 5000]).unwrap();
    server.get("/vod/noise.mp4/thumbnail.jpg").must_be(415);
    server.get("/vod/nothing.mp4/thumbnail.jpg").must_be(404);
    server.must_live();
}

/// Bits turned over anywhere in the file, drawn from everywhere.
#[test]
fn damaged_films_never_kill_the_server() {
    let mut server = Server::start("");
    let film = fs::read(testdata("bframes.mp4")).unwrap();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut drawn = 0;
    for number in 0..40 {
        let mut damaged = film.clone();
        for _ in 0..10 + random(400) {
            let place = random(damaged.len());
            damaged[place] ^= 1 << random(8);
        }
        let name = format!("{number}.mp4");
        fs::write(server.media().join(&name), damaged).unwrap();
        for part in ["thumbnail.jpg", "thumbnail.jpg?t=1.5", "sprite.vtt", "sprite-0.jpg"] {
            let answer = server.get(&format!("/vod/{name}/{part}"));
            assert!([200, 404, 415, 422, 501].contains(&answer.status), "{}: {}", answer.head, answer.text());
            drawn += usize::from(answer.status == 200);
        }
    }
    server.must_live();
    assert!(drawn > 0, "the damage is so large that nothing is tested");
}

/// A JPEG's size and pixels, by ffmpeg.
fn decode(server: &Server, answer: &Answer) -> ((usize, usize), Vec<u8>) {
    assert_eq!(answer.header("content-type"), Some("image/jpeg"));
    let file = server.data().join("picture.jpg");
    fs::write(&file, &answer.body).unwrap();
    let ppm = ffmpeg(&format!("-i {} -f image2pipe -c:v ppm -pix_fmt rgb24 -", file.display()));
    let mut lines = ppm.splitn(4, |byte| *byte == b'\n');
    assert_eq!(lines.next(), Some(&b"P6"[..]));
    let size = String::from_utf8(lines.next().unwrap().to_vec()).unwrap();
    let (width, height) = size.split_once(' ').unwrap();
    assert_eq!(lines.next(), Some(&b"255"[..]));
    ((width.parse().unwrap(), height.parse().unwrap()), lines.next().unwrap().to_vec())
}

/// How alike two pictures are, in decibels.
fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let error: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 / (error / a.len() as f64).max(1e-9)).log10()
}
