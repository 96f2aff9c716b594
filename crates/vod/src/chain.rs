//! Several readings one after the other as one live stream: a list of files, or one again and again.

use std::collections::VecDeque;

use anyhow::{Context, bail};
use headwater_media::flv::{LeftOut, live_metadata, on_metadata};
use headwater_media::{Frame, Timestamp, TrackId};

use crate::item::Item;
use crate::reader::Reader;

/// How long a last frame lasts of which nothing is known: the usual picture.
const LONE: Timestamp = Timestamp::from_ms(40);
/// Nothing for longer than this, and it is cut out: no viewer waits for it, and servers let go of who says nothing.
const SILENCE_MAX: Timestamp = Timestamp::from_ms(10_000);
/// Frames that are looked at to find where a reading begins: its tracks do not begin with one and the same time.
const LOOK_AHEAD_MAX: usize = 64;

/// Readings one after the other. Each begins where the one before has ended, whatever its own clock says first, and
/// with a description that holds for a live stream.
pub struct Chain<F> {
    next_reader: F,
    reader: Reader,
    /// Read to see where the reading begins.
    ahead: VecDeque<Item>,
    /// What is added to the reading's times; `None` before it has begun.
    shift: Option<Timestamp>,
    /// The decoding time of the frame before.
    last: Timestamp,
    /// Where the reading's tracks would go on.
    ends: Vec<TrackEnd>,
    /// What of the readings before could not be used.
    left_out: LeftOut,
}

/// Where a track of a reading ends so far.
struct TrackEnd {
    id: TrackId,
    last: Timestamp,
    lasts: Timestamp,
}

impl<F: FnMut() -> anyhow::Result<Option<Reader>>> Chain<F> {
    /// `next_reader` gives the readings, `None` after the last one.
    ///
    /// # Errors
    /// Those of the first reading, and that there is none.
    pub fn new(mut next_reader: F) -> anyhow::Result<Self> {
        let reader = next_reader()?.context("there is nothing to read")?;
        Ok(Self {
            next_reader,
            reader,
            ahead: VecDeque::new(),
            shift: None,
            last: Timestamp::ZERO,
            ends: Vec::new(),
            left_out: LeftOut::default(),
        })
    }

    /// The next item; `None` after the last reading.
    ///
    /// # Errors
    /// Those of the readings, and that there is neither picture nor sound in one.
    pub fn next_item(&mut self) -> anyhow::Result<Option<Item>> {
        loop {
            if self.shift.is_none() {
                self.begin()?;
            }
            let item = match self.ahead.pop_front() {
                Some(item) => Some(item),
                None => self.reader.next_item()?,
            };
            match item {
                Some(Item::Frame(frame)) => return Ok(Some(Item::Frame(self.place(frame)))),
                Some(Item::Metadata(values)) => return Ok(Some(Item::Metadata(live_metadata(&values)))),
                Some(item) => return Ok(Some(item)),
                None => {
                    let Some(reader) = (self.next_reader)()? else { return Ok(None) };
                    self.left_out.merge(&self.reader.left_out());
                    self.reader = reader;
                    self.shift = None;
                }
            }
        }
    }

    /// What of the readings could not be used so far.
    pub fn left_out(&self) -> LeftOut {
        let mut all = self.left_out.clone();
        all.merge(&self.reader.left_out());
        all
    }

    /// Reads on to where the reading begins, and puts that behind the reading before.
    fn begin(&mut self) -> anyhow::Result<()> {
        let (mut frames, mut tracks, mut is_described) = (0, Vec::new(), false);
        let mut first: Option<Timestamp> = None;
        while frames < LOOK_AHEAD_MAX
            && let Some(item) = self.reader.next_item()?
        {
            match &item {
                Item::Frame(frame) => {
                    frames += 1;
                    if frame.track != TrackId::DATA {
                        first = Some(first.map_or(frame.dts, |first| first.min(frame.dts)));
                    }
                }
                Item::Track(track) if frames == 0 => tracks.push(track.clone()),
                Item::Metadata(_) => is_described = true,
                Item::Track(_) => {}
            }
            self.ahead.push_back(item);
        }
        if !is_described {
            self.ahead.push_front(Item::Metadata(on_metadata(&tracks, None)));
        }
        let Some(first) = first else { bail!("there is neither picture nor sound in it") };
        let end = self.ends.iter().map(|end| end.last + end.lasts).max().unwrap_or_default();
        self.shift = Some(end - first);
        self.last = end;
        self.ends.clear();
        Ok(())
    }

    /// Moves a frame behind the readings before and notes where its track would go on.
    fn place(&mut self, mut frame: Frame) -> Frame {
        let mut shift = self.shift.unwrap_or_default();
        let silence = frame.dts + shift - self.last;
        if silence > SILENCE_MAX {
            shift = shift - silence + LONE;
            self.shift = Some(shift);
        }
        frame.dts = frame.dts + shift;
        frame.pts = frame.pts + shift;
        self.last = self.last.max(frame.dts);
        match self.ends.iter_mut().find(|end| end.id == frame.track) {
            Some(end) => {
                end.lasts = (frame.dts - end.last).max(Timestamp::ZERO);
                end.last = frame.dts;
            }
            None if frame.track == TrackId::DATA => {}
            None => self.ends.push(TrackEnd { id: frame.track, last: frame.dts, lasts: LONE }),
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::{Bytes, BytesMut};
    use headwater_media::amf::{Object, Value, amf0};
    use headwater_media::flv::{Dialect, Muxer, parse_on_metadata};
    use headwater_media::{Codec, MediaKind, Track};

    /// An FLV file of MP3 sounds at these times.
    fn sounds(times_ms: &[i64]) -> Bytes {
        let codec = Codec::Mp3 { flv_flags: 0x2F };
        let mut file = BytesMut::new();
        let mut muxer = Muxer::new(Timestamp::ZERO, Dialect::FULL);
        muxer.write_header(true, false, &mut file);
        muxer.write_track(&Track::new(TrackId::AUDIO, codec, Bytes::new()), Timestamp::ZERO, &mut file);
        for &ms in times_ms {
            let dts = Timestamp::from_ms(ms);
            let payload = Bytes::from_static(&[0xFF, 0xFB, 0x90, 0]);
            let frame = Frame { track: TrackId::AUDIO, codec, dts, pts: dts, key: true, payload };
            muxer.write_frame(&frame, &mut file);
        }
        file.freeze()
    }

    fn times(files: &[&[i64]]) -> anyhow::Result<Vec<i64>> {
        let mut files = files.iter().map(|times| Reader::from_flv(sounds(times))).collect::<VecDeque<_>>();
        let mut chain = Chain::new(move || Ok(files.pop_front()))?;
        let mut times = Vec::new();
        while let Some(item) = chain.next_item()? {
            if let Item::Frame(frame) = item
                && frame.track.kind == MediaKind::Audio
            {
                times.push(frame.dts.as_ms());
            }
        }
        Ok(times)
    }

    #[test]
    fn readings_follow_each_other_whatever_their_clocks_say() {
        let late = [100_000, 100_026, 100_052];
        assert_eq!(times(&[&late, &[0, 30], &late]).unwrap(), [0, 26, 52, 78, 108, 138, 164, 190]);
    }

    #[test]
    fn a_live_stream_has_no_length() {
        let described = |own: Option<Bytes>| {
            let mut file = BytesMut::from(&sounds(&[0, 26])[..]);
            if let Some(values) = own {
                let muxer = Muxer::new(Timestamp::ZERO, Dialect::FULL);
                muxer.write_script(&values, Timestamp::ZERO, &mut file);
            }
            let mut file = Some(Reader::from_flv(file.freeze()));
            let mut chain = Chain::new(move || Ok(file.take())).unwrap();
            let mut metadata = Vec::new();
            while let Some(item) = chain.next_item().unwrap() {
                if let Item::Metadata(values) = item {
                    metadata.push(parse_on_metadata(&values).unwrap());
                }
            }
            let [about] = &metadata[..] else { panic!("{metadata:?}") };
            about.iter().map(|(key, _)| key.to_str_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert!(described(None).contains(&"audiocodecid".to_owned()), "{:?}", described(None));
        let own = Object::new().with("duration", 12.0).with("title", "Sea").with("filesize", 99.0);
        let own = amf0::encode_all(&[Value::string("onMetaData"), Value::EcmaArray(own)]);
        assert_eq!(described(Some(own)), ["title"]);
    }

    #[test]
    fn a_lone_frame_takes_its_time() {
        assert_eq!(times(&[&[7], &[7], &[7]]).unwrap(), [0, 40, 80]);
    }

    #[test]
    fn long_silence_is_cut_out() {
        assert_eq!(times(&[&[0, 26, 9_000, 3_600_000, 3_600_026]]).unwrap(), [0, 26, 9_000, 9_040, 9_066]);
    }

    #[test]
    fn a_reading_without_anything_is_an_error() {
        assert!(times(&[&[0], &[]]).unwrap_err().to_string().contains("neither picture nor sound"));
    }
}
