//! `headwater probe`: what a stream or a file holds, and how healthy it is.

use std::time::{Duration, Instant};

use clap::Args;
use headwater_media::codec::sbr::{ImplicitSbr, SbrSearch};
use headwater_media::{Codec, DescribedTrack, Frame, MediaKind, SampleEntry, Timestamp, Track};
use headwater_rtmp::session::PlayOptions;
use serde::Serialize;

use super::incoming::{Incoming, shown};
use super::left_out::LeftOutReport;
use super::line::Trust;
use super::output;
use super::progress::Progress;
use headwater_vod::Item;

/// A step between two frames of a track that counts as a gap.
const GAP: Timestamp = Timestamp::from_ms(1_000);

/// Say what a stream or a file holds.
///
/// Codecs, size, rates, keyframes, the health of the timestamps, and how long it took to the first picture.
///
/// Example: headwater probe rtmp://localhost/live/demo --json
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// rtmp://HOST/APP/NAME, http://HOST/APP/NAME.flv, http://HOST/PATH.mp4 or .m3u8 (rtmps:// and https:// too), or a
    /// file.
    target: String,
    /// Look at this much of a stream or of HLS, in seconds. Files are read whole.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    duration: f64,
    #[command(flatten)]
    trust: Trust,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    target: String,
    /// Milliseconds from the start of the connection to the first frame, and to the first keyframe.
    join_ms: Option<f64>,
    picture_ms: Option<f64>,
    duration_seconds: f64,
    bytes: u64,
    bitrate_bps: u64,
    metadata: bool,
    tracks: Vec<TrackReport>,
    left_out: LeftOutReport,
}

#[derive(Debug, Serialize)]
struct TrackReport {
    kind: &'static str,
    codec: String,
    codec_string: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    sample_rate: Option<u32>,
    channels: Option<u8>,
    frames: u64,
    bytes: u64,
    bitrate_bps: u64,
    frames_per_second: Option<f64>,
    keyframes: u64,
    gop_ms_max: Option<i64>,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
    b_frames: bool,
    configurations: u64,
    backward_steps: u64,
    gaps: u64,
    gap_ms_max: i64,
}

/// What is gathered of one track.
struct Tally {
    track: Track,
    /// What frames say of it, since the first that decoding can start with.
    entry: Option<SampleEntry>,
    sbr: SbrSearch,
    frames: u64,
    bytes: u64,
    keyframes: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// When the first and the last are shown.
    shown: Option<(Timestamp, Timestamp)>,
    /// Between the last two.
    step: Timestamp,
    last_key: Option<Timestamp>,
    gop_max: Option<Timestamp>,
    reordered: bool,
    configurations: u64,
    backward: u64,
    gaps: u64,
    gap_max: Timestamp,
}

/// Runs the command.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let began = Instant::now();
    let duration = Duration::try_from_secs_f64(arguments.duration).unwrap_or(Duration::MAX);
    let mut progress = Progress::new(&shown(&arguments.target), None);
    let looked = look(&arguments, duration, &mut progress, began).await;
    progress.finish();
    let (incoming, gathered) = looked?;
    let left_out = LeftOutReport::from(incoming.left_out());
    anyhow::ensure!(
        !gathered.tracks.is_empty(),
        "{}: nothing came that could be read\n{}",
        shown(&arguments.target),
        left_out.lines()
    );
    let report = gathered.report(shown(&arguments.target), left_out);
    output::print(&if arguments.json { serde_json::to_string_pretty(&report)? + "\n" } else { text(&report) })
}

/// Reads what is to be looked at.
async fn look(
    arguments: &Arguments,
    duration: Duration,
    progress: &mut Progress,
    began: Instant,
) -> anyhow::Result<(Incoming, Gathered)> {
    let opened = Incoming::look_at(&arguments.target, PlayOptions::default(), &arguments.trust, duration);
    let mut incoming = progress.wait(opened).await?;
    let limit = (!incoming.is_file()).then_some(duration);
    let mut gathered = Gathered { said: incoming.duration(), ..Gathered::default() };
    while let Some(item) = progress.wait(next_within(&mut incoming, limit, &gathered)).await? {
        if let Item::Frame(frame) = &item {
            progress.frame(frame.dts, frame.payload.len());
        }
        gathered.take(item, began);
    }
    Ok((incoming, gathered))
}

/// The next item, as long as there is time left since the first frame.
async fn next_within(
    incoming: &mut Incoming,
    limit: Option<Duration>,
    gathered: &Gathered,
) -> anyhow::Result<Option<Item>> {
    let Some((limit, began)) = limit.zip(gathered.first_frame) else { return incoming.next().await };
    let left = limit.saturating_sub(began.elapsed());
    tokio::time::timeout(left, incoming.next()).await.unwrap_or(Ok(None))
}

#[derive(Default)]
struct Gathered {
    tracks: Vec<Tally>,
    /// How long the file is by its index.
    said: Option<Timestamp>,
    metadata: bool,
    first_frame: Option<Instant>,
    join: Option<Duration>,
    picture: Option<Duration>,
}

impl Gathered {
    fn take(&mut self, item: Item, began: Instant) {
        match item {
            Item::Metadata(_) => self.metadata = true,
            Item::Track(track) => match self.tracks.iter_mut().find(|known| known.track.id == track.id) {
                Some(known) => {
                    known.configurations += 1;
                    known.track = track;
                    (known.entry, known.sbr) = (None, SbrSearch::default());
                }
                None => self.tracks.push(Tally::new(track)),
            },
            Item::Frame(frame) => {
                self.first_frame.get_or_insert_with(Instant::now);
                self.join.get_or_insert_with(|| began.elapsed());
                if frame.is_video_key() {
                    self.picture.get_or_insert_with(|| began.elapsed());
                }
                if let Some(track) = self.tracks.iter_mut().find(|track| track.track.id == frame.track) {
                    track.take(&frame);
                }
            }
        }
    }

    fn report(self, target: String, left_out: LeftOutReport) -> Report {
        let media = || self.tracks.iter().filter(|track| track.track.id.kind != MediaKind::Data);
        let shown = || media().filter_map(|track| Some((track.shown?, track.step)));
        let first = shown().map(|((first, _), _)| first).min().unwrap_or_default();
        // The last frame lasts as long as the one before it.
        let last = shown().map(|((_, last), step)| last + step).max().unwrap_or_default();
        let duration = self.said.unwrap_or(last - first);
        let bytes = self.tracks.iter().map(|track| track.bytes).sum();
        let millis = |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64() * 1e3);
        Report {
            target,
            join_ms: millis(self.join),
            picture_ms: millis(self.picture),
            duration_seconds: duration.as_seconds(),
            bytes,
            bitrate_bps: rate(bytes, duration),
            metadata: self.metadata,
            tracks: self.tracks.into_iter().map(|track| track.report(duration)).collect(),
            left_out,
        }
    }
}

impl Tally {
    fn new(track: Track) -> Self {
        Self {
            track,
            entry: None,
            sbr: SbrSearch::default(),
            frames: 0,
            bytes: 0,
            keyframes: 0,
            first: None,
            last: None,
            shown: None,
            step: Timestamp::ZERO,
            last_key: None,
            gop_max: None,
            reordered: false,
            configurations: 1,
            backward: 0,
            gaps: 0,
            gap_max: Timestamp::ZERO,
        }
    }

    fn take(&mut self, frame: &Frame) {
        self.look(frame);
        self.frames += 1;
        self.bytes += frame.payload.len() as u64;
        self.reordered |= frame.pts != frame.dts;
        self.first.get_or_insert(frame.dts);
        let (first, latest) = self.shown.unwrap_or((frame.pts, frame.pts));
        self.shown = Some((first.min(frame.pts), latest.max(frame.pts)));
        if let Some(last) = self.last {
            let step = frame.dts - last;
            self.step = step.clamp(Timestamp::ZERO, GAP);
            self.backward += u64::from(step < Timestamp::ZERO);
            self.gaps += u64::from(step > GAP);
            self.gap_max = self.gap_max.max(step);
        }
        self.last = Some(frame.dts);
        if frame.is_video_key() {
            self.keyframes += 1;
            if let Some(last) = self.last_key.replace(frame.dts) {
                self.gop_max = self.gop_max.max(Some(frame.dts - last));
            }
        }
    }

    /// Takes what a frame says of its track. Of AAC the first and some that lie apart are asked for SBR that is announced
    /// nowhere: silence says little.
    fn look(&mut self, frame: &Frame) {
        const APART: u64 = 16;
        if !frame.key {
            return;
        }
        let entry = self.entry.get_or_insert_with(|| SampleEntry::of_frame(&frame.payload));
        let is_asked = self.frames < APART || self.frames.is_multiple_of(APART);
        if is_asked && self.track.codec == Codec::Aac && ImplicitSbr::may_be_in(&self.track.config) {
            self.sbr.look(&frame.payload);
            entry.sbr = self.sbr.found();
        }
    }

    fn report(self, duration: Timestamp) -> TrackReport {
        let entry = self.entry.unwrap_or_default();
        let details = DescribedTrack { track: &self.track, entry: &entry }.details();
        let span = self.last.zip(self.first).map(|(last, first)| (last - first).as_seconds());
        TrackReport {
            kind: match self.track.id.kind {
                MediaKind::Video => "video",
                MediaKind::Audio => "audio",
                MediaKind::Data => "data",
            },
            codec: self.track.codec.to_string(),
            codec_string: details.codec_string,
            width: details.width,
            height: details.height,
            sample_rate: details.sample_rate,
            channels: details.channels,
            frames: self.frames,
            bytes: self.bytes,
            bitrate_bps: rate(self.bytes, duration),
            frames_per_second: span.filter(|span| *span > 0.0).map(|span| (self.frames - 1) as f64 / span),
            keyframes: self.keyframes,
            gop_ms_max: self.gop_max.map(Timestamp::as_ms),
            first_ms: self.first.map(Timestamp::as_ms),
            last_ms: self.last.map(Timestamp::as_ms),
            b_frames: self.reordered,
            configurations: self.configurations,
            backward_steps: self.backward,
            gaps: self.gaps,
            gap_ms_max: self.gap_max.as_ms(),
        }
    }
}

fn rate(bytes: u64, duration: Timestamp) -> u64 {
    let millis = u64::try_from(duration.as_ms()).unwrap_or(0);
    (bytes * 8_000).checked_div(millis).unwrap_or(0)
}

/// The report for people.
fn text(report: &Report) -> String {
    let mut text = format!("{}\n", report.target);
    if let Some(join) = report.join_ms {
        let picture = report
            .picture_ms
            .map_or_else(|| "no picture".into(), |ms| format!("first picture after {ms:.0} ms"));
        text += &format!("  first frame after {join:.0} ms, {picture}\n");
    }
    let kbps = report.bitrate_bps / 1000;
    text += &format!("  {:.2} s, {} bytes, {kbps} kbit/s\n", report.duration_seconds, report.bytes);
    for track in &report.tracks {
        text += &format!("  {}: {}", track.kind, track.codec);
        text += &track.codec_string.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
        if let (Some(width), Some(height)) = (track.width, track.height) {
            text += &format!(", {width}x{height}");
        }
        if let Some(fps) = track.frames_per_second.filter(|_| track.kind == "video") {
            text += &format!(", {fps:.2} frames/s");
        }
        if let Some(sample_rate) = track.sample_rate {
            text += &format!(", {sample_rate} Hz, {} channels", track.channels.unwrap_or(0));
        }
        text += &format!(", {} frames, {} kbit/s\n", track.frames, track.bitrate_bps / 1000);
        if let Some(gop) = track.gop_ms_max {
            let reordered = if track.b_frames { "with" } else { "without" };
            text +=
                &format!("    {} keyframes, at most {gop} ms apart, {reordered} B-frames\n", track.keyframes);
        }
        text += &health(track);
    }
    text + &report.left_out.lines()
}

fn health(track: &TrackReport) -> String {
    if track.backward_steps == 0 && track.gaps == 0 {
        return format!("    timestamps in order, largest step {} ms\n", track.gap_ms_max);
    }
    let (back, gaps, max) = (track.backward_steps, track.gaps, track.gap_ms_max);
    format!("    timestamps: {back} steps backwards, {gaps} gaps over 1 s, largest step {max} ms\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use headwater_media::TrackId;
    use headwater_media::flv::LeftOut;

    fn frame(track: TrackId, ms: i64, key: bool) -> Item {
        let at = Timestamp::from_ms(ms);
        Item::Frame(Frame {
            track,
            codec: Codec::H264,
            dts: at,
            pts: at,
            key,
            payload: Bytes::from_static(b"abcd"),
        })
    }

    #[test]
    fn keyframes_gaps_and_backward_steps_are_counted() {
        let mut gathered = Gathered::default();
        let track = Track::new(TrackId::VIDEO, Codec::H264, Bytes::new());
        let began = Instant::now();
        gathered.take(Item::Track(track), began);
        for (ms, key) in [(0, true), (40, false), (2000, true), (1990, false), (2030, false)] {
            gathered.take(frame(TrackId::VIDEO, ms, key), began);
        }
        let report = gathered.report("x".into(), LeftOut::default().into());
        let video = &report.tracks[0];
        assert_eq!((video.frames, video.keyframes, video.gop_ms_max), (5, 2, Some(2000)));
        assert_eq!((video.backward_steps, video.gaps, video.gap_ms_max), (1, 1, 1960));
        // The last picture lasts as long as the one before.
        assert_eq!(report.bitrate_bps, 20 * 8_000 / 2070);
    }
}
