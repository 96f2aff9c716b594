//! How long the index of a film takes, first frames included, when the file is in memory: the median of so many runs.
//!
//!     cargo run --release --manifest-path benches/Cargo.toml --example index_time -- FILE... [RUNS]

use std::time::{Duration, Instant};

use headwater_media::first_frames::FirstFrames;
use headwater_media::flv::Indexer;
use headwater_media::index::Index;
use headwater_media::mp4::Scan;

/// As the server reads an FLV file.
const READ_BYTES: usize = 1 << 20;
const TAG_BYTES_MAX: u32 = 16 << 20;

fn index(file: &[u8]) -> Index {
    let index = if file.starts_with(b"FLV") {
        let mut indexer = Indexer::new(TAG_BYTES_MAX);
        for bytes in file.chunks(READ_BYTES) {
            indexer.feed(bytes);
        }
        indexer.finish()
    } else {
        let mut scan = Scan::new(file.len() as u64);
        while let Some(range) = scan.wants() {
            scan.supply(&file[range.start as usize..range.end as usize]).expect("a film");
        }
        scan.finish()
    };
    let mut frames = FirstFrames::new(index.expect("a film"));
    while let Some(range) = frames.wants() {
        frames.supply(&file[range.start as usize..range.end as usize]);
    }
    frames.finish().expect("a film")
}

fn main() {
    let (runs, files): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|word| word.parse::<usize>().is_ok());
    let runs = runs.first().and_then(|runs| runs.parse().ok()).unwrap_or(7usize).max(1);
    for name in files {
        let file = std::fs::read(&name).expect("a file");
        let mut took: Vec<Duration> = (0..runs)
            .map(|_| {
                let begun = Instant::now();
                std::hint::black_box(index(&file));
                begun.elapsed()
            })
            .collect();
        took.sort();
        let samples = index(&file).samples().len();
        println!("{name}: {samples} frames, {:.1} ms", took[runs / 2].as_secs_f64() * 1000.0);
    }
}
