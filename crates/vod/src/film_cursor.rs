//! A film as a recording that a cursor reads.

use std::sync::Arc;

use headwater_media::index::{Index, Sample};
use headwater_media::{Frame, Timestamp};

use crate::cursor::RecordedCursor;
use crate::film::Film;
use crate::library::Library;
use crate::read_ahead::{Growth, SampleSource};

/// A viewer's place in a film.
pub type FilmCursor = RecordedCursor<OpenFilm>;

/// A film, with where it is looked for when there may be more of it.
#[derive(Debug)]
pub struct OpenFilm {
    library: Arc<Library>,
    app: String,
    film: Arc<Film>,
}

impl FilmCursor {
    /// A cursor on `film`, which `library` has opened for `app`, at the keyframe at or before `at`. Must be called
    /// within a tokio runtime.
    #[must_use]
    pub fn on(library: Arc<Library>, app: &str, film: Arc<Film>, at: Timestamp) -> Self {
        Self::new(OpenFilm { library, app: app.to_owned(), film }, at)
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

    async fn grown(&self) -> Growth<Self> {
        let newer = self.library.open(&self.app, self.film.name()).await.ok();
        // What completes an FLV makes it no longer, and tells all that is in it.
        let extent = |film: &Film| (film.bytes(), film.index().samples().len());
        match newer.filter(|newer| extent(newer) > extent(&self.film)) {
            Some(film) => {
                Growth::More(Self { library: Arc::clone(&self.library), app: self.app.clone(), film })
            }
            None if self.film.is_being_written() => Growth::NotYet,
            None => Growth::Whole,
        }
    }
}
