//! The beginning of any file: it is called something, in a sentence, and a film is what the scan takes for one.
#![no_main]

use headwater_media::container::Container;
use headwater_media::mp4::Scan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Container::recognise(bytes) {
        Ok(Container::Flv) => assert!(bytes.starts_with(b"FLV")),
        Ok(Container::Mp4) => assert!(bytes.len() >= 8),
        Err(foreign) => {
            let sentence = foreign.to_string();
            assert!(sentence.starts_with("it is ") && sentence.len() < 200);
            let mut scan = Scan::new(bytes.len() as u64);
            if let Some(range) = scan.wants() {
                assert!(scan.supply(&bytes[range.start as usize..range.end as usize]).is_err());
            }
        }
    }
});
