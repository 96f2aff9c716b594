//! Pictures of films on demand: a thumbnail at a time, and sheets of small ones for the seek bar.
//!
//! Each is made when it is first asked for, once however many ask at the same time, and kept while there is
//! room. Only so many are decoded at once; the rest wait, and of those there are only so many too.

mod picture;
mod sprite;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use headwater_media::index::{Index, Sample};
use headwater_media::{MediaKind, Orientation, Timestamp, Track};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use self::picture::{Canvas, KEY_FRAME_BYTES_MAX, PictureTrack};
pub use self::sprite::Sprite;
use self::sprite::no_pictures;
use crate::blocking::blocking;
use crate::cache::{Cache, Limits};
use crate::film::Film;
use crate::refusal::{Refusal, RefusalKind};

/// The smallest width that may be asked for, in pixels.
pub const WIDTH_MIN: u16 = 32;
/// The largest.
pub const WIDTH_MAX: u16 = 1280;
/// What an entry takes beside its bytes, about: failures are bounded too.
const ENTRY_BYTES: usize = 256;
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
    #[serde(alias = "cache_bytes_max")]
    pub cache_max_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { decoders_max: 2, waiting_max: 256, cache_max_bytes: 64 << 20 }
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
        Self::Key(film.index().picture_for(time))
    }
}

/// One picture of a film.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Job {
    /// At most so many pixels wide.
    Thumbnail(Moment, u16),
    /// A sheet of the sprite.
    Sheet(usize),
}

/// The film's address, its state, and which picture.
type Key = (String, String, Job);

/// The thumbnails of all films.
#[derive(Debug)]
pub struct Thumbnails {
    /// The pictures; also why there is none, where that follows from the film.
    cache: Cache<Key, Result<Bytes, Refusal>>,
    waiting: Semaphore,
    decoders: Arc<Semaphore>,
}

impl Thumbnails {
    /// None yet.
    pub fn new(config: &Config) -> Self {
        let limits = Limits { entries_max: usize::MAX, weight_max: config.cache_max_bytes, age_max: None };
        Self {
            cache: Cache::new(limits, |made| ENTRY_BYTES + made.as_ref().map_or(0, Bytes::len)),
            waiting: Semaphore::new(config.waiting_max),
            decoders: Arc::new(Semaphore::new(config.decoders_max.max(1))),
        }
    }

    /// A JPEG of the film, at most `width` pixels wide. `path` is the film's address, app and name.
    ///
    /// # Errors
    /// `Unsupported`, `Damaged`, `Busy` or `Failed`.
    pub async fn thumbnail(
        &self,
        path: &str,
        film: &Arc<Film>,
        moment: Moment,
        width: u16,
    ) -> Result<Bytes, Refusal> {
        let width = width.clamp(WIDTH_MIN, WIDTH_MAX);
        let key = key(path, film, Job::Thumbnail(moment, width));
        self.get(&key, self.draw_thumbnail(film, moment, width)).await
    }

    /// A JPEG of one key frame of what is no film: of a live stream. `path` is its address, and `state` tells this key frame
    /// from its others; `key_frame` is only read if nobody has asked for the picture before.
    ///
    /// # Errors
    /// As of a [`thumbnail`](Self::thumbnail).
    pub async fn picture(
        &self,
        path: &str,
        state: &str,
        track: Track,
        key_frame: impl Future<Output = io::Result<Bytes>>,
        width: u16,
    ) -> Result<Bytes, Refusal> {
        let width = width.clamp(WIDTH_MIN, WIDTH_MAX);
        let key = (path.to_owned(), state.to_owned(), Job::Thumbnail(Moment::Key(0), width));
        let track = PictureTrack { track, pixel_aspect: None, orientation: Orientation::UPRIGHT };
        let drawn = async {
            let turn = Arc::clone(&self.decoders).acquire_owned().await.map_err(|_| Refusal::stopping())?;
            let bytes = key_frame.await.map_err(|error| Refusal::unreadable(path, &error))?;
            if bytes.len() > KEY_FRAME_BYTES_MAX as usize {
                let text = format!("The key frame is larger than {KEY_FRAME_BYTES_MAX} bytes.");
                return Err(Refusal::new(RefusalKind::Unsupported, text));
            }
            let drawn = blocking(move || {
                let _turn = turn;
                picture::draw(&track, &bytes, width)
            });
            to_jpeg(drawn.await?).await
        };
        self.get(&key, drawn).await
    }

    /// Sheet `number` of the film's sprite as JPEG.
    ///
    /// # Errors
    /// `NotFound` if the sprite has fewer; else as of a [`thumbnail`](Self::thumbnail).
    pub async fn sheet(&self, path: &str, film: &Arc<Film>, number: usize) -> Result<Bytes, Refusal> {
        let sprite = Sprite::of(film)?;
        if number >= sprite.sheets() {
            let (name, sheets) = (film.name(), sprite.sheets());
            return Err(Refusal::new(
                RefusalKind::NotFound,
                format!("The sprite of {name} has {sheets} sheets."),
            ));
        }
        self.get(&key(path, film, Job::Sheet(number)), self.draw_sheet(film, sprite, number)).await
    }

    /// The picture, made by `work` unless it is there or somebody is making it.
    async fn get(
        &self,
        key: &Key,
        work: impl Future<Output = Result<Vec<u8>, Refusal>>,
    ) -> Result<Bytes, Refusal> {
        if let Some(made) = self.cache.get(key) {
            return made;
        }
        let Ok(_waiting) = self.waiting.try_acquire() else {
            let text = "Too many pictures are being made; try again in a moment.";
            return Err(Refusal::new(RefusalKind::Busy, text));
        };
        let make = async |_| match work.await {
            // What will be different next time is not kept.
            Err(refusal) if matches!(refusal.kind, RefusalKind::Busy | RefusalKind::Failed) => Err(refusal),
            made => Ok(made.map(Bytes::from)),
        };
        self.cache.get_or_make(key, |_| true, make).await?
    }

    async fn draw_thumbnail(&self, film: &Arc<Film>, moment: Moment, width: u16) -> Result<Vec<u8>, Refusal> {
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

    async fn draw_sheet(&self, film: &Arc<Film>, sprite: Sprite, number: usize) -> Result<Vec<u8>, Refusal> {
        let mut sheet = sprite.blank(number);
        let mut last: Option<(usize, Canvas)> = None;
        for (at, (x, y)) in sprite.tiles(number) {
            let sample = film.index().picture_for(at);
            if last.as_ref().is_none_or(|(drawn, _)| *drawn != sample) {
                match self.key_frame(film, sample, sprite.tile_width()).await {
                    Ok(canvas) => last = Some((sample, canvas)),
                    // One that is damaged leaves its place as it is.
                    Err(refusal) if refusal.kind == RefusalKind::Damaged => last = None,
                    Err(refusal) => return Err(refusal),
                }
            }
            if let Some((_, canvas)) = &last {
                sheet.paste(canvas, x, y);
            }
        }
        to_jpeg(sheet).await
    }

    /// Decodes one key frame, when a decoder is free.
    async fn key_frame(&self, film: &Arc<Film>, number: usize, width: u16) -> Result<Canvas, Refusal> {
        let index = film.index();
        let sample = index.samples().get(number).filter(|sample| is_picture(index, sample));
        let sample = *sample.ok_or_else(|| no_pictures(film))?;
        if index.payload_len(&sample) > KEY_FRAME_BYTES_MAX {
            return Err(Refusal::new(
                RefusalKind::Unsupported,
                format!("The key frame is larger than {KEY_FRAME_BYTES_MAX} bytes."),
            ));
        }
        let turn = Arc::clone(&self.decoders).acquire_owned().await.map_err(|_| Refusal::stopping())?;
        let read = film.frames(number..number + 1).await;
        let frame = read.map_err(|error| Refusal::new(RefusalKind::Damaged, format!("{error:#}")))?.pop();
        let frame = frame.ok_or_else(|| no_pictures(film))?;
        let track = PictureTrack::of(index, number).ok_or_else(|| no_pictures(film))?;
        // The turn ends when the work does, even if nobody waits for it any more.
        let drawn = blocking(move || {
            let _turn = turn;
            picture::draw(&track, &frame.payload, width)
        });
        drawn.await
    }
}

fn key(path: &str, film: &Film, job: Job) -> Key {
    (path.to_owned(), film.etag().to_owned(), job)
}

/// The key frames to be tried, without repetition.
fn telling(index: &Index) -> Vec<usize> {
    let length = index.duration().as_nanos();
    let at = |share: i64| Timestamp::from_nanos(length / 100 * share);
    let mut numbers: Vec<usize> = TELLING.iter().map(|&share| index.picture_for(at(share))).collect();
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

async fn to_jpeg(canvas: Canvas) -> Result<Vec<u8>, Refusal> {
    blocking(move || canvas.to_jpeg()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(width: u16) -> Key {
        ("vod/film.mp4".to_owned(), "\"1\"".to_owned(), Job::Thumbnail(Moment::Telling, width))
    }

    #[tokio::test]
    async fn failures_of_the_moment_are_not_kept_and_those_of_the_film_are_bounded() {
        let thumbnails = Thumbnails::new(&Config { cache_max_bytes: 10_000, ..Config::default() });
        for kind in [RefusalKind::Failed, RefusalKind::Damaged] {
            for width in 0..1000 {
                let refused = thumbnails.get(&key(width), async { Err(Refusal::new(kind, "")) }).await;
                assert_eq!(refused, Err(Refusal::new(kind, "")));
            }
            let kept = if kind == RefusalKind::Failed { 0 } else { 10_000 / ENTRY_BYTES };
            assert_eq!(thumbnails.cache.size().0, kept);
        }
    }
}
