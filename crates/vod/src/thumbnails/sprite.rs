//! The sprite of a film: small pictures at even distances, many on a sheet, and the WebVTT that says where.

use std::fmt::Write as _;

use headwater_media::index::Sample;
use headwater_media::{MediaKind, Timestamp};

use crate::film::Film;
use crate::refusal::{Refusal, RefusalKind};
use crate::thumbnails::picture::{self, Canvas, PictureTrack};

/// The width of one small picture, in pixels.
const TILE_WIDTH: u16 = 160;
/// Small pictures of a film, at most: a longer film has them farther apart.
const TILES_MAX: i64 = 400;
/// Small pictures beside and below each other on a sheet.
const COLUMNS: usize = 5;
const ROWS: usize = 5;
/// The shortest distance between two.
const INTERVAL_MS_MIN: i64 = 2_000;

/// How a film's sprite is laid out; follows from the film alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sprite {
    duration_ms: i64,
    interval_ms: i64,
    tile: (u16, u16),
}

impl Sprite {
    /// The layout for a film.
    ///
    /// # Errors
    /// `Unsupported` if no pictures can be made of it; `Damaged` if its configuration cannot be read.
    pub fn of(film: &Film) -> Result<Self, Refusal> {
        let index = film.index();
        let is_picture = |sample: &Sample| {
            let indexed = index.tracks().get(usize::from(sample.track));
            indexed.is_some_and(|indexed| indexed.track.id.kind == MediaKind::Video)
        };
        let first = index.samples().iter().position(is_picture);
        let video =
            first.and_then(|number| PictureTrack::of(index, number)).ok_or_else(|| no_pictures(film))?;
        let tile = picture::size(&video, TILE_WIDTH)?;
        Ok(Self::new(index.duration().as_ms(), tile))
    }

    fn new(duration_ms: i64, tile: (u16, u16)) -> Self {
        let duration_ms = duration_ms.max(1);
        // Whole seconds, so that the times read well.
        let even = duration_ms.saturating_add(TILES_MAX * 1000 - 1) / (TILES_MAX * 1000) * 1000;
        Self { duration_ms, interval_ms: even.max(INTERVAL_MS_MIN), tile }
    }

    pub(super) fn tile_width(&self) -> u16 {
        self.tile.0
    }

    fn count(&self) -> usize {
        let last = (self.duration_ms - 1) / self.interval_ms;
        usize::try_from(last).unwrap_or(0) + 1
    }

    /// How many sheets there are; at least one.
    pub(super) fn sheets(&self) -> usize {
        self.count().div_ceil(COLUMNS * ROWS)
    }

    /// The sheet of that number, black.
    pub(super) fn blank(&self, number: usize) -> Canvas {
        let here = self.count().saturating_sub(number * COLUMNS * ROWS).min(COLUMNS * ROWS);
        let side = |tiles: usize, pixels: u16| (tiles.max(1) as u16).saturating_mul(pixels);
        let (width, height) = self.tile;
        Canvas::black(side(here.min(COLUMNS), width), side(here.div_ceil(COLUMNS), height))
    }

    /// The times of the small pictures on a sheet, as in the film's index, and where each has its corner.
    pub(super) fn tiles(&self, number: usize) -> impl Iterator<Item = (Timestamp, (u16, u16))> {
        let sprite = *self;
        let first = number * COLUMNS * ROWS;
        (first..sprite.count().min(first + COLUMNS * ROWS))
            .map(move |tile| (Timestamp::from_ms(tile as i64 * sprite.interval_ms), sprite.corner(tile)))
    }

    fn corner(&self, tile: usize) -> (u16, u16) {
        let here = tile % (COLUMNS * ROWS);
        // At most four times the side of a tile.
        ((here % COLUMNS) as u16 * self.tile.0, (here / COLUMNS) as u16 * self.tile.1)
    }

    /// Which part of which sheet belongs to which seconds of the film, as WebVTT with the media fragments
    /// `#xywh` that players know. `query` follows each sheet's name.
    pub fn to_webvtt(self, query: &str) -> String {
        let mut text = "WEBVTT\n".to_owned();
        let (width, height) = self.tile;
        for tile in 0..self.count() {
            let from = tile as i64 * self.interval_ms;
            let to = (from + self.interval_ms).min(self.duration_ms);
            let (x, y) = self.corner(tile);
            let sheet = tile / (COLUMNS * ROWS);
            // Writing into a string does not fail.
            let _ = write!(
                text,
                "\n{} --> {}\nsprite-{sheet}.jpg{query}#xywh={x},{y},{width},{height}\n",
                Clock(from),
                Clock(to)
            );
        }
        text
    }
}

pub(super) fn no_pictures(film: &Film) -> Refusal {
    Refusal::new(RefusalKind::Unsupported, format!("{} has no pictures.", film.name()))
}

/// Milliseconds as WebVTT writes times.
struct Clock(i64);

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(ms) = self;
        let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}.{:03}", ms % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_film_has_one_sheet_and_its_last_picture_ends_with_it() {
        let sprite = Sprite::new(5_400, (160, 90));
        assert_eq!((sprite.count(), sprite.sheets()), (3, 1));
        assert_eq!(
            sprite.to_webvtt(""),
            "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nsprite-0.jpg#xywh=0,0,160,90\n\n\
             00:00:02.000 --> 00:00:04.000\nsprite-0.jpg#xywh=160,0,160,90\n\n\
             00:00:04.000 --> 00:00:05.400\nsprite-0.jpg#xywh=320,0,160,90\n"
        );
        let blank = sprite.blank(0);
        assert_eq!((blank.width, blank.height), (480, 90));
        assert_eq!(Sprite::new(0, (160, 90)).count(), 1);
    }

    #[test]
    fn a_long_film_has_no_more_pictures_but_farther_apart() {
        for hours in [1, 4, 28, 10_000] {
            let sprite = Sprite::new(hours * 3_600_000, (160, 90));
            assert!((200..=400).contains(&sprite.count()), "{hours} h: {}", sprite.count());
            let places: Vec<_> = (0..sprite.sheets()).flat_map(|sheet| sprite.tiles(sheet)).collect();
            assert_eq!(places.len(), sprite.count());
            assert_eq!(places[26], (Timestamp::from_ms(26 * sprite.interval_ms), (160, 0)));
            assert!(sprite.to_webvtt("").contains(&format!("sprite-{}.jpg", sprite.sheets() - 1)));
        }
    }

    #[test]
    fn corners_lie_on_their_sheet() {
        let sprite = Sprite::new(77_000, (160, 284));
        assert_eq!((sprite.count(), sprite.sheets()), (39, 2));
        for sheet in 0..2 {
            let blank = sprite.blank(sheet);
            for (_, (x, y)) in sprite.tiles(sheet) {
                assert!(x + 160 <= blank.width && y + 284 <= blank.height);
            }
        }
        assert_eq!(sprite.blank(1).height, 3 * 284);
    }
}
