//! Pictures of films on demand: a thumbnail at a time, and sheets of small ones for the seek bar.
//!
//! Each is made when it is first asked for, once however many ask at the same time, and kept while there is
//! room. Only so many are decoded at once; the rest wait, and of those there are only so many too.

mod kept;
mod picture;
mod sprite;

use std::sync::Arc;

use headwater_media::index::{Index, Sample};
use headwater_media::{MediaKind, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use self::kept::{Job, Kept};
use self::picture::{Canvas, KEY_FRAME_BYTES_MAX};
pub use self::sprite::Sprite;
use crate::Film;

/// The widths that may be asked for, in pixels.
pub const WIDTH_MIN: u16 = 32;
pub const WIDTH_MAX: u16 = 1280;
/// Where a telling picture is looked for, in hundredths of the film.
const TELLING: [i64; 3] = [10, 25, 50];
/// A picture whose brightness varies less than this (of 255, on average) shows next to nothing.
const CONTRAST_MIN: f64 = 12.0;

/// Pictures of films; the section `[pictures]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Pictures that are decoded at once.
    pub decoders_max: usize,
    /// Requests that may wait for a decoder.
    pub waiting_max: usize,
    /// Memory of the finished pictures, in bytes.
    pub cache_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { decoders_max: 2, waiting_max: 256, cache_bytes_max: 64 << 20 }
    }
}

/// Why there is no picture; a sentence for who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Not of this film, not by this server. A browser may know better.
    Unsupported(String),
    /// The film's bytes are not what they should be.
    Damaged(String),
    /// There is no such picture.
    NotFound(String),
    /// Too many are waiting; later.
    Busy(String),
    /// The fault is on this side.
    Failed(String),
}

impl From<picture::Problem> for Problem {
    fn from(problem: picture::Problem) -> Self {
        match problem {
            picture::Problem::Unsupported(why) => Self::Unsupported(why),
            picture::Problem::Damaged(why) => Self::Damaged(why),
        }
    }
}

/// Which thumbnail of a film.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Moment {
    /// One that shows something.
    Telling,
    /// The key frame of that number among the samples.
    Key(usize),
}

impl Moment {
    /// The key frame that shows what is seen at that time, or shortly before.
    pub fn at(film: &Film, time: Timestamp) -> Self {
        Self::Key(film.index().start_for(time))
    }
}

/// All pictures of all films.
#[derive(Debug)]
pub struct Gallery {
    kept: Kept,
    decoders: Arc<Semaphore>,
}

impl Gallery {
    pub fn new(config: &Config) -> Self {
        Self {
            kept: Kept::new(config.cache_bytes_max, config.waiting_max),
            decoders: Arc::new(Semaphore::new(config.decoders_max.max(1))),
        }
    }

    /// A JPEG of the film, at most `width` pixels wide. `path` is the film's address, app and name.
    pub async fn thumbnail(
        &self,
        path: &str,
        film: &Arc<Film>,
        moment: Moment,
        width: u16,
    ) -> Result<bytes::Bytes, Problem> {
        let width = width.clamp(WIDTH_MIN, WIDTH_MAX);
        self.kept
            .get(path, film, Job::Thumbnail(moment, width), self.draw_thumbnail(film, moment, width))
            .await
    }

    /// Sheet `number` of the film's sprite as JPEG.
    pub async fn sheet(&self, path: &str, film: &Arc<Film>, number: usize) -> Result<bytes::Bytes, Problem> {
        let sprite = Sprite::of(film)?;
        if number >= sprite.sheets() {
            let (name, sheets) = (film.name(), sprite.sheets());
            return Err(Problem::NotFound(format!("The sprite of {name} has {sheets} sheets.")));
        }
        self.kept.get(path, film, Job::Sheet(number), self.draw_sheet(film, sprite, number)).await
    }

    async fn draw_thumbnail(&self, film: &Arc<Film>, moment: Moment, width: u16) -> Result<Vec<u8>, Problem> {
        let number = match moment {
            Moment::Key(number) => return to_jpeg(self.key_frame(film, number, width).await?).await,
            Moment::Telling => telling(film.index()),
        };
        let mut dull = None;
        for number in number {
            let canvas = self.key_frame(film, number, width).await?;
            if contrast(&canvas) >= CONTRAST_MIN {
                return to_jpeg(canvas).await;
            }
            dull = dull.or(Some(canvas));
        }
        match dull {
            Some(canvas) => to_jpeg(canvas).await,
            None => Err(no_pictures(film)),
        }
    }

    async fn draw_sheet(&self, film: &Arc<Film>, sprite: Sprite, number: usize) -> Result<Vec<u8>, Problem> {
        let mut sheet = sprite.blank(number);
        let mut last: Option<(usize, Canvas)> = None;
        for (at, (x, y)) in sprite.tiles(number) {
            let sample = film.index().start_for(at);
            if last.as_ref().is_none_or(|(drawn, _)| *drawn != sample) {
                match self.key_frame(film, sample, sprite.tile_width()).await {
                    Ok(canvas) => last = Some((sample, canvas)),
                    // One that is damaged leaves its place as it is.
                    Err(Problem::Damaged(_)) => last = None,
                    Err(problem) => return Err(problem),
                }
            }
            if let Some((_, canvas)) = &last {
                sheet.paste(canvas, x, y);
            }
        }
        to_jpeg(sheet).await
    }

    /// Decodes one key frame, when a decoder is free.
    async fn key_frame(&self, film: &Arc<Film>, number: usize, width: u16) -> Result<Canvas, Problem> {
        let index = film.index();
        let sample = index.samples().get(number).filter(|sample| is_picture(index, sample));
        let sample = *sample.ok_or_else(|| no_pictures(film))?;
        if index.payload_len(&sample) > KEY_FRAME_BYTES_MAX {
            return Err(Problem::Unsupported(format!(
                "The key frame is larger than {KEY_FRAME_BYTES_MAX} bytes."
            )));
        }
        let stopping = |_| Problem::Failed("The server is stopping.".to_owned());
        let turn = Arc::clone(&self.decoders).acquire_owned().await.map_err(stopping)?;
        let read = film.frames(number..number + 1).await;
        let frame = read.map_err(|error| Problem::Damaged(format!("{error:#}")))?.pop();
        let frame = frame.ok_or_else(|| no_pictures(film))?;
        let track = index.tracks_at(number).into_iter().find(|track| track.id == frame.track);
        let track = track.ok_or_else(|| no_pictures(film))?;
        // The turn ends when the work does, even if nobody waits for it any more.
        let drawn = blocking(move || {
            let _turn = turn;
            picture::draw(&track, &frame.payload, width)
        });
        Ok(drawn.await??)
    }
}

/// The key frames to be tried, without repetition.
fn telling(index: &Index) -> Vec<usize> {
    let length = index.duration().as_nanos();
    let at = |share: i64| Timestamp::from_nanos(index.origin().as_nanos().max(0) + length / 100 * share);
    let mut numbers: Vec<usize> = TELLING.iter().map(|&share| index.start_for(at(share))).collect();
    numbers.dedup();
    numbers
}

/// How far brightness is from its mean, on average, 0 to 128.
fn contrast(canvas: &Canvas) -> f64 {
    let light = || {
        canvas.rgb.chunks_exact(3).map(|pixel| pixel.iter().map(|&part| f64::from(part)).sum::<f64>() / 3.0)
    };
    let count = (canvas.rgb.len() / 3).max(1) as f64;
    let mean = light().sum::<f64>() / count;
    light().map(|light| (light - mean).abs()).sum::<f64>() / count
}

fn is_picture(index: &Index, sample: &Sample) -> bool {
    let track = index.tracks().get(usize::from(sample.track));
    sample.key && track.is_some_and(|track| track.track.id.kind == MediaKind::Video)
}

fn no_pictures(film: &Film) -> Problem {
    Problem::Unsupported(format!("{} has no pictures.", film.name()))
}

async fn to_jpeg(canvas: Canvas) -> Result<Vec<u8>, Problem> {
    Ok(blocking(move || canvas.to_jpeg()).await??)
}

/// Does what takes long on a thread that may take long.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|error| Problem::Failed(format!("The picture could not be made: {error}.")))
}
