//! A document of subtitles: it is refused in words, or every cue has a text and a time.
#![no_main]

use headwater_media::ttml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match ttml::cues(bytes) {
        Ok(cues) => assert!(cues.iter().all(|cue| cue.from < cue.until && !cue.text.is_empty())),
        Err(why) => assert!(why.len() < 100),
    }
});
