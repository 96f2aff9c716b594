//! `headwater publish`: files as a live stream, at their natural pace.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use headwater_media::flv::{AnnouncedTracks, Dialect, frame_head};
use headwater_media::{Frame, MediaKind, Timestamp, Track};
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::command::PublishKind;
use headwater_rtmp::session::ClientEvent;
use headwater_rtmp::tokio::Connection;
use headwater_rtmp::url::RtmpUrl;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::incoming::{REDIAL_AFTER, dial, dial_url, refuse, shown};
use super::left_out::{LeftOutReport, counted};
use super::line::{Line, Trust};
use super::output;
use super::progress::{Progress, clock};
use headwater_vod::{Chain, Item, Reader};

/// Publish files as a live stream, at their natural pace.
///
/// FLV and MP4 (MOV, M4V, F4V) with H.264 and AAC or MP3 are sent as they are, without transcoding; several
/// files are sent one after the other on one timeline.
///
/// Example: headwater publish film.mp4 rtmp://localhost/live/film --loop
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The files, and last the address: rtmp://HOST/APP/NAME, with :PORT behind the host and ?key=KEY at the
    /// end where they are needed.
    #[arg(required = true, num_args = 2.., value_names = ["FILE", "URL"])]
    targets: Vec<String>,
    /// Begin again after the last file, until stopped.
    #[arg(long = "loop")]
    looped: bool,
    #[command(flatten)]
    trust: Trust,
    /// Send this many times as fast.
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR", value_parser = positive)]
    speed: f64,
    /// Print what was sent as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    url: String,
    files: Vec<String>,
    frames: u64,
    bytes: u64,
    media_seconds: f64,
    wall_seconds: f64,
    left_out: LeftOutReport,
    ended: Ending,
    error: Option<String>,
}

/// Why no more is sent.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Ending {
    /// All files are sent.
    Files,
    /// Ctrl-C.
    Interrupted,
    /// Something went wrong.
    Error,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err("a number greater than 0 is wanted".into()),
    }
}

/// Runs the command.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let began = Instant::now();
    let Some((url, files)) = arguments.targets.split_last() else { bail!("name a file and a URL") };
    let names = files.to_vec();
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    let total = look_at(&files)?.filter(|_| !arguments.looped);
    let mut queue = files.clone().into_iter();
    let looped = arguments.looped;
    let mut chain = Chain::new(move || {
        if looped && queue.len() == 0 {
            queue = files.clone().into_iter();
        }
        queue.next().map(|path| Reader::open(&path)).transpose()
    })?;
    let (connection, parsed) = dial(url, &arguments.trust).await?;
    let trust = arguments.trust.clone();
    let redial = move |url| -> Redialling<Line> {
        let trust = trust.clone();
        Box::pin(async move {
            tokio::time::sleep(REDIAL_AFTER).await;
            dial_url(url, &trust).await
        })
    };
    let mut outgoing = Outgoing::start(connection, &parsed).await?.redialling(Box::new(redial));
    let mut progress = Progress::new(&shown(url), total);
    let sent = tokio::select! {
        sent = outgoing.send_all(&mut chain, arguments.speed, |at, bytes| progress.frame(at, bytes)) => {
            sent.map(|()| Ending::Files)
        }
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map(|()| Ending::Interrupted).map_err(Into::into)
        }
    };
    progress.finish();
    let report = Report {
        url: shown(url),
        files: names,
        frames: progress.frames(),
        bytes: progress.bytes(),
        media_seconds: progress.at().as_seconds(),
        wall_seconds: began.elapsed().as_secs_f64(),
        left_out: chain.left_out().into(),
        ended: sent.as_ref().map_or(Ending::Error, |ending| *ending),
        error: sent.as_ref().err().map(|error| format!("{error:#}")),
    };
    if arguments.json {
        output::print(&(serde_json::to_string(&report)? + "\n"))?;
    } else {
        let (frames, at) = (counted(report.frames, "frame"), clock(progress.at()));
        eprint!("published {frames}, {} bytes, {at}\n{}", report.bytes, report.left_out.lines());
    }
    sent?;
    outgoing.finish().shutdown().await?;
    Ok(())
}

/// Opens all files before anything is sent, so that nobody hears an hour later that the third is damaged. How long they
/// play together, if all of them say so.
fn look_at(files: &[PathBuf]) -> anyhow::Result<Option<Timestamp>> {
    let mut total = Some(Timestamp::ZERO);
    for file in files {
        let mut reader = Reader::open(file)?;
        let duration = reader.duration();
        loop {
            match reader.next_item().with_context(|| format!("cannot play {}", file.display()))? {
                Some(Item::Frame(frame)) if frame.track.kind != MediaKind::Data => break,
                Some(_) => {}
                None => bail!(
                    "cannot play {}: there is neither picture nor sound in it\n{}",
                    file.display(),
                    LeftOutReport::from(reader.left_out()).lines()
                ),
            }
        }
        total = total.zip(duration).map(|(total, duration)| total + duration);
    }
    Ok(total)
}

/// A stream that we publish.
pub(super) struct Outgoing<S> {
    connection: Connection<S>,
    stream: MessageStreamId,
    announced: AnnouncedTracks,
    metadata: Option<Bytes>,
    at: Timestamp,
    /// How to come again when the server asks for it, and where it wants us.
    redial: Option<Redial<S>>,
    moved_to: Option<RtmpUrl>,
}

/// Opens the connection that a server has sent us to.
pub(super) type Redial<S> = Box<dyn Fn(RtmpUrl) -> Redialling<S>>;
type Redialling<S> = Pin<Box<dyn Future<Output = anyhow::Result<(Connection<S>, RtmpUrl)>>>>;

impl<S: AsyncRead + AsyncWrite + Unpin> Outgoing<S> {
    /// Asks the server to let us publish what the URL names.
    pub(super) async fn start(mut connection: Connection<S>, url: &RtmpUrl) -> anyhow::Result<Self> {
        let stream = begin(&mut connection, url).await?;
        Ok(Self {
            connection,
            stream,
            announced: AnnouncedTracks::default(),
            metadata: None,
            at: Timestamp::ZERO,
            redial: None,
            moved_to: None,
        })
    }

    /// The same, able to come again when the server asks for it.
    pub(super) fn redialling(self, redial: Redial<S>) -> Self {
        Self { redial: Some(redial), ..self }
    }

    /// Sends everything, each frame when it is due; `sent` hears each frame's time and size.
    pub(super) async fn send_all<F: FnMut() -> anyhow::Result<Option<Reader>>>(
        &mut self,
        chain: &mut Chain<F>,
        speed: f64,
        mut sent: impl FnMut(Timestamp, usize),
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        while let Some(item) = chain.next_item()? {
            match item {
                Item::Track(track) => self.send_track(&track)?,
                Item::Metadata(values) => self.send_metadata(values)?,
                Item::Frame(frame) => {
                    let due = began + Duration::from_secs_f64(frame.dts.as_seconds().max(0.0) / speed);
                    self.idle_until(due).await?;
                    if frame.is_video_key() || !self.announced.has_video() {
                        self.move_on().await?;
                    }
                    self.send_frame(&frame)?;
                    self.connection.flush().await?;
                    sent(frame.dts, frame.payload.len());
                }
            }
        }
        Ok(())
    }

    /// Waits for `due` and hears meanwhile what the server says.
    async fn idle_until(&mut self, due: Instant) -> anyhow::Result<()> {
        loop {
            while let Some(event) = self.connection.poll_event()? {
                match event {
                    ClientEvent::ReconnectRequested { url, .. } => self.moved_to = Some(url),
                    event => refuse(&event)?,
                }
            }
            tokio::select! {
                () = tokio::time::sleep_until(due) => return Ok(()),
                open = self.connection.readable() => {
                    match open {
                        Ok(true) => {}
                        // It has gone before our next keyframe.
                        _ if self.moved_to.is_some() => self.move_on().await?,
                        open => {
                            open.context("the connection broke")?;
                            bail!("the server closed the connection");
                        }
                    }
                }
            }
        }
    }

    /// Goes where the server has sent us, if it has: everything is said anew there, and a keyframe follows.
    async fn move_on(&mut self) -> anyhow::Result<()> {
        let (Some(url), Some(redial)) = (self.moved_to.take(), &self.redial) else { return Ok(()) };
        let (connection, url) = redial(url).await.context("the server sent us elsewhere")?;
        let mut old = std::mem::replace(&mut self.connection, connection);
        // The old server gives the name back before the new one, which may be the same, takes it. It may have
        // gone already.
        old.session().delete_stream(self.stream);
        let _ = old.shutdown().await;
        self.stream = begin(&mut self.connection, &url).await?;
        if let Some(values) = self.metadata.clone() {
            self.send_metadata(values)?;
        }
        let announced = std::mem::take(&mut self.announced);
        announced.tracks().iter().try_for_each(|track| self.send_track(track))
    }

    fn send_track(&mut self, track: &Track) -> anyhow::Result<()> {
        self.announced
            .bodies(track, &Dialect::FULL)
            .into_iter()
            .try_for_each(|body| self.send(track.id.kind, self.at, &[body]))
    }

    fn send_metadata(&mut self, values: Bytes) -> anyhow::Result<()> {
        self.metadata = Some(values.clone());
        let time = wire_time(self.at);
        Ok(self.connection.session().send_metadata(self.stream, time, values)?)
    }

    fn send_frame(&mut self, frame: &Frame) -> anyhow::Result<()> {
        self.at = frame.dts;
        let Some(head) = frame_head(frame, &Dialect::FULL) else { return Ok(()) };
        let head = Bytes::copy_from_slice(head.as_slice());
        self.send(frame.track.kind, frame.dts, &[head, frame.payload.clone()])
    }

    fn send(&mut self, kind: MediaKind, at: Timestamp, pieces: &[Bytes]) -> anyhow::Result<()> {
        Ok(self.connection.session().send_media(self.stream, kind, wire_time(at), pieces)?)
    }

    /// Gives the stream back, so that nobody waits for our return. The connection is the caller's to close.
    pub(super) fn finish(mut self) -> Connection<S> {
        self.connection.session().delete_stream(self.stream);
        self.connection
    }
}

/// Asks the server to let us publish what the URL names, and waits until it does.
pub(super) async fn begin<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<S>,
    url: &RtmpUrl,
) -> anyhow::Result<MessageStreamId> {
    connection.session().publish(&url.stream, PublishKind::Live)?;
    loop {
        match connection.next_event().await? {
            Some(ClientEvent::PublishStarted { stream }) => return Ok(stream),
            Some(event) => refuse(&event)?,
            None => bail!("{}: the server closed the connection before we could publish", url.tc_url()),
        }
    }
}

/// RTMP time wraps at 2^32 milliseconds.
pub(super) fn wire_time(at: Timestamp) -> u32 {
    u32::try_from(at.as_ms().max(0) & i64::from(u32::MAX)).unwrap_or(0)
}
