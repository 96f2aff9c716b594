//! Any bytes as an MP4 file: no panic, an end, and no sample outside the file; also of one that grows. What its first
//! frames say is read too.
#![no_main]

use headwater_media::first_frames::FirstFrames;
use headwater_media::mp4::Scan;
use libfuzzer_sys::fuzz_target;

/// Reads what the scan wants; false if it finds fault.
fn supply(scan: &mut Scan, bytes: &[u8]) -> bool {
    while let Some(range) = scan.wants() {
        if scan.supply(&bytes[range.start as usize..range.end as usize]).is_err() {
            return false;
        }
    }
    true
}

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, bytes) = input;
    let cut = usize::from(cut).min(bytes.len());
    let mut growing = Scan::new(cut as u64);
    if supply(&mut growing, &bytes[..cut]) && growing.grow(bytes.len() as u64) {
        supply(&mut growing, bytes);
        let _ = growing.finish();
    }
    let mut scan = Scan::new(bytes.len() as u64);
    if !supply(&mut scan, bytes) {
        return;
    }
    let Ok(index) = scan.finish() else { return };
    let mut frames = FirstFrames::new(index);
    while let Some(range) = frames.wants() {
        frames.supply(&bytes[range.start as usize..range.end as usize]);
    }
    let Ok(index) = frames.finish() else { return };
    index.tracks().iter().for_each(|track| drop(track.described().details()));
    for sample in index.samples() {
        assert!(sample.size > 0);
        assert!(sample.offset + u64::from(sample.size) <= bytes.len() as u64);
        assert!(usize::from(sample.track) < index.tracks().len());
    }
    assert!(index.samples().is_sorted_by_key(|sample| sample.dts));
    if !index.samples().is_empty() {
        assert!(index.start_for(index.duration()) < index.samples().len());
    }
});
