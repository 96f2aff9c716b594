//! `headwater play`: a stream into a file or to standard output.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use clap::Args;
use headwater_media::{Frame, MediaKind, Timestamp, Track, TrackId, flv, mp4};
use headwater_rtmp::command::PlayStart;
use headwater_rtmp::session::PlayOptions;
use serde::Serialize;

use super::incoming::{Incoming, shown};
use super::left_out::{LeftOutReport, counted};
use super::line::Trust;
use super::progress::{Progress, clock};
use headwater_vod::Item;

/// The buffer that is announced where a film goes into a file: ten hours, so that it comes as fast as it can.
const FILE_BUFFER_MS: u32 = 36_000_000;

/// Play (record) a stream into a file or to standard output.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  headwater play rtmp://localhost/live/demo -o demo.flv --duration 10
  headwater play rtmp://localhost/live/demo -o - | ffplay -")]
pub(super) struct Arguments {
    /// rtmp://HOST/APP/NAME or http://HOST/APP/NAME.flv; rtmps:// and https:// too
    url: String,
    /// The file: FLV, or MP4 if its name ends so; `-` is standard output, in FLV. Without it the stream is
    /// received and counted only.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Begin here, in seconds from the start (recorded streams).
    #[arg(long, value_name = "SECONDS", conflicts_with = "live")]
    start: Option<f64>,
    /// Play the live stream only, never a recording of the same name.
    #[arg(long)]
    live: bool,
    /// End after this much media, in seconds.
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,
    #[command(flatten)]
    trust: Trust,
    /// Print what was received as JSON, to standard error if the stream goes to standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    url: String,
    output: Option<String>,
    frames: u64,
    bytes: u64,
    media_seconds: f64,
    first_frame_ms: Option<u128>,
    wall_seconds: f64,
    left_out: LeftOutReport,
    ended: Ending,
    error: Option<String>,
}

/// Why there is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Ending {
    /// The stream has ended.
    Stream,
    /// As much as was asked for has come.
    Duration,
    /// Ctrl-C.
    Interrupted,
    /// Something went wrong.
    Error,
}

/// Runs the command.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let began = Instant::now();
    let limit = arguments
        .duration
        .map(|seconds| Timestamp::from_ms(i64::try_from(millis(seconds)).unwrap_or(i64::MAX)));
    let mut incoming = Incoming::open(&arguments.url, options(&arguments), &arguments.trust).await?;
    let mut writer = Writer::create(arguments.output.as_ref())?;
    let mut progress = Progress::new(&shown(&arguments.url), limit);
    let mut first_frame = None;
    let received = tokio::select! {
        received = receive(&mut incoming, &mut writer, &mut progress, limit, &mut first_frame) => received,
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| Ending::Interrupted).map_err(Into::into),
    };
    progress.finish();
    // What came before an error is kept and playable.
    let received = writer.finish().and(received);
    let report = Report {
        url: shown(&arguments.url),
        output: arguments.output.as_ref().map(|output| output.display().to_string()),
        frames: progress.frames(),
        bytes: progress.bytes(),
        media_seconds: progress.at().as_seconds(),
        first_frame_ms: first_frame.map(|at: Instant| at.duration_since(began).as_millis()),
        wall_seconds: began.elapsed().as_secs_f64(),
        left_out: incoming.left_out().into(),
        ended: received.as_ref().map_or(Ending::Error, |ending| *ending),
        error: received.as_ref().err().map(|error| format!("{error:#}")),
    };
    tell(&report, arguments.json, arguments.output.is_some_and(|output| output.as_os_str() == "-"))?;
    received?;
    anyhow::ensure!(
        report.frames > 0 || report.left_out.messages() == 0,
        "{}: nothing of what came could be used",
        report.url
    );
    Ok(())
}

fn options(arguments: &Arguments) -> PlayOptions {
    let start = match (arguments.start, arguments.live) {
        (Some(seconds), _) => PlayStart::Recorded { ms: millis(seconds) },
        (None, true) => PlayStart::Live,
        (None, false) => PlayStart::LiveOrRecorded,
    };
    let to_file = arguments.output.as_deref().is_some_and(|output| output != Path::new("-"));
    let buffer_ms = if to_file { FILE_BUFFER_MS } else { PlayOptions::default().buffer_ms };
    PlayOptions { start, duration_ms: arguments.duration.map(millis), buffer_ms, ..PlayOptions::default() }
}

async fn receive(
    incoming: &mut Incoming,
    writer: &mut Writer,
    progress: &mut Progress,
    limit: Option<Timestamp>,
    first_frame: &mut Option<Instant>,
) -> anyhow::Result<Ending> {
    let mut origin = None;
    while let Some(item) = incoming.next().await? {
        progress.left_out(incoming.left_out_count());
        if let Item::Frame(frame) = &item {
            let origin = *origin.get_or_insert(frame.dts);
            first_frame.get_or_insert_with(Instant::now);
            if limit.is_some_and(|limit| frame.dts - origin >= limit) {
                return Ok(Ending::Duration);
            }
            progress.frame(frame.dts - origin, frame.payload.len());
        }
        writer.put(item)?;
    }
    Ok(Ending::Stream)
}

fn tell(report: &Report, json: bool, stdout_is_taken: bool) -> anyhow::Result<()> {
    let text = if json {
        serde_json::to_string(report)? + "\n"
    } else {
        let media = clock(Timestamp::from_ms((report.media_seconds * 1000.0) as i64));
        let (frames, left_out) = (counted(report.frames, "frame"), report.left_out.lines());
        format!("received {frames}, {} bytes, {media}\n{left_out}", report.bytes)
    };
    if json && !stdout_is_taken {
        write!(std::io::stdout(), "{text}")?;
    } else {
        eprint!("{text}");
    }
    Ok(())
}

fn millis(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds.max(0.0))
        .map_or(u64::MAX, |duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Where a recording goes. Each form is playable up to where it was cut off.
enum Writer {
    Nowhere,
    Flv {
        out: Box<dyn Write>,
        muxer: Option<flv::Muxer>,
        tracks: Vec<Track>,
        metadata: Option<Bytes>,
        at: Timestamp,
    },
    Mp4 {
        out: BufWriter<File>,
        muxer: Option<mp4::Muxer>,
        tracks: Vec<Track>,
        gop: Vec<Frame>,
    },
}

impl Writer {
    fn create(output: Option<&PathBuf>) -> anyhow::Result<Self> {
        let Some(path) = output else { return Ok(Self::Nowhere) };
        let create = || File::create(path).with_context(|| format!("cannot write {}", path.display()));
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        let out: Box<dyn Write> = match extension.as_deref() {
            _ if path.as_os_str() == "-" => Box::new(std::io::stdout()),
            Some("mp4" | "m4v" | "mov" | "f4v") => {
                let out = BufWriter::new(create()?);
                return Ok(Self::Mp4 { out, muxer: None, tracks: Vec::new(), gop: Vec::new() });
            }
            Some("flv") => Box::new(BufWriter::new(create()?)),
            _ => anyhow::bail!("{}: name the file .flv or .mp4, or - for standard output", path.display()),
        };
        Ok(Self::Flv { out, muxer: None, tracks: Vec::new(), metadata: None, at: Timestamp::ZERO })
    }

    fn put(&mut self, item: Item) -> anyhow::Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Flv { out, muxer, tracks, metadata, at } => {
                let mut bytes = BytesMut::new();
                match (item, muxer.as_mut()) {
                    (Item::Track(track), Some(muxer)) => muxer.write_track(&track, *at, &mut bytes),
                    (Item::Track(track), None) => replace(tracks, track),
                    (Item::Metadata(values), Some(muxer)) => muxer.write_script(&values, *at, &mut bytes),
                    (Item::Metadata(values), None) => *metadata = Some(values),
                    (Item::Frame(frame), _) => {
                        *at = frame.dts;
                        let muxer = muxer
                            .get_or_insert_with(|| begin_flv(&frame, tracks, metadata.as_ref(), &mut bytes));
                        muxer.write_frame(&frame, &mut bytes);
                    }
                }
                Ok(out.write_all(&bytes)?)
            }
            Self::Mp4 { out, muxer, tracks, gop } => match item {
                Item::Track(track) => {
                    anyhow::ensure!(
                        muxer.is_none() || tracks.contains(&track),
                        "the stream's codec configuration changed; an MP4 file holds one. Record to FLV"
                    );
                    replace(tracks, track);
                    Ok(())
                }
                Item::Frame(frame) if frame.track.kind != MediaKind::Data => {
                    let starts =
                        frame.is_video_key() || !tracks.iter().any(|track| track.id == TrackId::VIDEO);
                    if starts && !gop.is_empty() {
                        put_fragment(out, muxer, tracks, gop, Some(frame.dts))?;
                    }
                    gop.push(frame);
                    Ok(())
                }
                Item::Metadata(_) | Item::Frame(_) => Ok(()),
            },
        }
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Nowhere => {}
            Self::Flv { out, .. } => out.flush()?,
            Self::Mp4 { out, muxer, tracks, gop } => {
                if !gop.is_empty() {
                    put_fragment(out, muxer, tracks, gop, None)?;
                }
                out.flush()?;
            }
        }
        Ok(())
    }
}

fn replace(tracks: &mut Vec<Track>, track: Track) {
    tracks.retain(|known| known.id != track.id);
    tracks.push(track);
    tracks.sort_by_key(|track| track.id);
}

fn begin_flv(first: &Frame, tracks: &[Track], metadata: Option<&Bytes>, bytes: &mut BytesMut) -> flv::Muxer {
    let has = |kind| tracks.iter().any(|track| track.id.kind == kind);
    let mut muxer = flv::Muxer::new(first.dts, flv::Dialect::FULL);
    muxer.write_header(has(MediaKind::Audio), has(MediaKind::Video), bytes);
    if let Some(values) = metadata {
        muxer.write_script(values, first.dts, bytes);
    }
    tracks.iter().for_each(|track| muxer.write_track(track, first.dts, bytes));
    muxer
}

/// Writes the frames gathered as one fragment, before the first one the start of the file.
fn put_fragment(
    out: &mut BufWriter<File>,
    muxer: &mut Option<mp4::Muxer>,
    tracks: &[Track],
    gop: &mut Vec<Frame>,
    until: Option<Timestamp>,
) -> anyhow::Result<()> {
    if muxer.is_none() {
        let origin = gop.iter().map(|frame| frame.dts).min().unwrap_or_default();
        let new = mp4::Muxer::new(tracks, origin)?;
        out.write_all(&new.init_segment()?)?;
        *muxer = Some(new);
    }
    if let Some(muxer) = muxer {
        out.write_all(&muxer.fragment(gop, until)?)?;
        out.flush()?;
    }
    gop.clear();
    Ok(())
}
