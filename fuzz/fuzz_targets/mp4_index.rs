//! Any bytes as an MP4 file: no panic, an end, and no sample outside the file.
#![no_main]

use headwater_media::mp4::Scan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut scan = Scan::new(bytes.len() as u64);
    while let Some(range) = scan.wants() {
        let range = range.start as usize..range.end as usize;
        if scan.supply(&bytes[range]).is_err() {
            return;
        }
    }
    let Ok(index) = scan.finish() else { return };
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
