//! Any bytes as an FLV file that grows: no panic, no frame outside the file, and the index of what is there.
#![no_main]

use bytes::Bytes;
use headwater_media::first_frames::FirstFrames;
use headwater_media::flv::Indexer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, bytes) = input;
    // With a true header in front, so that the tags are reached.
    let file = [b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00", bytes].concat();
    let cut = usize::from(cut).min(file.len());
    let mut indexer = Indexer::new(1 << 16);
    indexer.feed(&file[..cut]);
    let mut whole = Indexer::new(1 << 16);
    whole.feed(&file);
    let _ = indexer.clone().finish();
    indexer.feed(&file[cut..]);
    let (grown, whole) = (indexer.finish(), whole.finish());
    assert_eq!(grown, whole);
    let Ok(index) = whole else { return };
    let mut frames = FirstFrames::new(index.clone());
    while let Some(range) = frames.wants() {
        frames.supply(&file[range.start as usize..range.end as usize]);
    }
    let described = frames.finish();
    // FLV's tracks are announced by tags, so that each is described.
    assert_eq!(described.map(|described| described.samples().len()), Ok(index.samples().len()));
    for (number, sample) in index.samples().iter().enumerate() {
        let range = sample.offset as usize..sample.offset as usize + sample.size as usize;
        let frame = index.frame(sample, Bytes::copy_from_slice(&file[range]));
        if sample.needs_repair {
            // Its configuration may have changed inside a frame before it.
            let _ = frame;
        } else {
            assert_eq!(frame.map(|frame| frame.payload.len()), Ok(index.payload_len(sample) as usize));
        }
        assert!(index.next_change(number).is_none_or(|next| next > number));
    }
    assert!(index.start_for(index.duration()) < index.samples().len());
});
