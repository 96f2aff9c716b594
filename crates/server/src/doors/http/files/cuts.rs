//! Films that were written anew, kept for a while: players ask for many ranges of the same, and each of them would
//! have the whole index gone through.

use std::sync::Arc;

use headwater_media::cut::Cut;
use headwater_vod::cache::{Cache, Limits};
use headwater_vod::{Film, Refusal, RefusalKind, blocking};
use tokio::sync::Semaphore;

use super::cutting::{self, Container, CutRequest};
use super::plan::Plan;
use crate::doors::http::preconditions::Validators;

/// Films written anew that are kept, at most.
const CUTS_MAX: usize = 32;
/// Memory that they take, in bytes, at most; one is always kept.
const CUTS_BYTES_MAX: usize = 64 << 20;
/// Films that are written anew at the same time; others wait.
const MAKING_MAX: usize = 2;

/// The app, the film's name, and the entity tag of what is made of it.
type Key = (String, String, String);

/// Films written anew.
#[derive(Debug)]
pub(crate) struct Cuts {
    cache: Cache<Key, (Arc<Film>, Arc<Cut>)>,
    making: Semaphore,
}

impl Default for Cuts {
    fn default() -> Self {
        let limits = Limits { entries_max: CUTS_MAX, weight_max: CUTS_BYTES_MAX, age_max: None };
        Self { cache: Cache::new(limits, |(_, cut)| cut.weight()), making: Semaphore::new(MAKING_MAX) }
    }
}

impl Cuts {
    /// Lets go of what was made of a film that is there no more, so that its bytes on the disk can go.
    pub(in crate::doors::http) fn forget(&self, app: &str, name: &str) {
        self.cache.retain(|(of_app, of_name, _)| !(of_app == app && of_name == name));
    }

    /// A film of an app as it is asked for, with what names this state of it.
    pub(super) async fn get(
        &self,
        app: &str,
        film: &Arc<Film>,
        container: Container,
        asked: CutRequest,
    ) -> Result<(Plan, Validators), Refusal> {
        let etag = cutting::tag(film, container, &asked);
        let key = (app.to_owned(), film.name().to_owned(), etag.clone());
        let make = async |_| {
            let stopping = |_| Refusal::new(RefusalKind::Failed, "The server is stopping.");
            let _turn = self.making.acquire().await.map_err(stopping)?;
            let source = Arc::clone(film);
            let cut = blocking(move || cutting::make(&source, container, &asked)).await?;
            Ok::<_, Refusal>((Arc::clone(film), Arc::new(cut)))
        };
        let (film, cut) = self.cache.get_or_make(&key, |_| true, make).await?;
        let validators = Validators { etag, modified: film.modified() };
        Ok((Plan::made(film, cut), validators))
    }
}
