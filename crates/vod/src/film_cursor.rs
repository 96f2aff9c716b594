//! A film as a recording that a cursor reads.

use std::sync::Arc;
use std::time::Duration;

use headwater_media::index::{Index, Sample};
use headwater_media::{Frame, Timestamp};

use crate::cursor::RecordedCursor;
use crate::film::Film;
use crate::library::Library;
use crate::read_ahead::{Growth, SampleSource};

/// A file of which nobody knows whether it grows is at its end when nothing was written to it for so long.
const STILL: Duration = Duration::from_secs(5);

/// A viewer's place in a film.
pub type FilmCursor = RecordedCursor<OpenFilm>;

/// A film, with where it is looked for when there may be more of it.
#[derive(Debug)]
pub struct OpenFilm {
    library: Arc<Library>,
    app: String,
    film: Arc<Film>,
    /// Whether it has been a recording that was not complete, of which is known when it is.
    is_recording: bool,
}

impl FilmCursor {
    /// A cursor on `film`, which `library` has opened for `app`, at the keyframe at or before `at`. Must be called
    /// within a tokio runtime.
    #[must_use]
    pub fn on(library: Arc<Library>, app: &str, film: Arc<Film>, at: Timestamp) -> Self {
        let is_recording = film.is_unfinished();
        Self::new(OpenFilm { library, app: app.to_owned(), film, is_recording }, at)
    }
}

impl SampleSource for OpenFilm {
    fn name(&self) -> &str {
        self.film.name()
    }

    fn index(&self) -> &Index {
        self.film.index()
    }

    async fn frames(&self, samples: &[&Sample]) -> anyhow::Result<Vec<Frame>> {
        self.film.frames_of(samples).await
    }

    /// A recording goes on for as long as its recorder has it, however long its publisher is silent; and what its index
    /// held back comes when it is complete. Of other files only their times tell.
    async fn grown(&self) -> Growth<Self> {
        let name = self.film.name();
        // Asked first: what has been written until its recorder has let go of it is found below.
        let is_recorded = self.film.is_unfinished() && self.library.is_recorded(&self.app, name).await;
        let Ok(newest) = self.library.open(&self.app, name).await else {
            return if is_recorded || self.film.was_written_within(STILL) {
                Growth::NotYet
            } else {
                Growth::Whole
            };
        };
        // What completes an FLV makes it no longer, and tells all that is in it.
        let extent = |film: &Film| (film.bytes(), film.index().samples().len());
        if extent(&newest) > extent(&self.film) {
            let (library, app) = (Arc::clone(&self.library), self.app.clone());
            let is_recording = self.is_recording || newest.is_unfinished();
            return Growth::More(Self { library, app, film: newest, is_recording });
        }
        let is_complete = self.is_recording && !newest.is_unfinished();
        if is_recorded
            || !is_complete && newest.was_written_within(STILL)
            || self.has_changed_since(&newest).await
        {
            Growth::NotYet
        } else {
            Growth::Whole
        }
    }
}

impl OpenFilm {
    /// Whether the file is another by now than what the library has found, which it believes for a moment.
    async fn has_changed_since(&self, found: &Film) -> bool {
        let etag = self.library.etag(&self.app, found.name()).await;
        etag.is_ok_and(|etag| etag != found.etag())
    }
}
