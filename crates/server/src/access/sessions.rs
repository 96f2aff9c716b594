//! Who has logged in to the console: sessions by random names, in memory, each with an end.
//!
//! A browser keeps a session's name and never the token. A restart ends them all; so does nothing else than their
//! time, logging out, and newer ones where there are too many.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::secrets;

/// Sessions at once. More are people who log in anew each time, or a script that should send the token as a bearer:
/// the one that ends first makes room.
const SESSIONS_MAX: usize = 256;

/// The sessions that are open.
#[derive(Debug)]
pub(super) struct Sessions {
    length: Duration,
    /// Their ends, by their names. Nobody guesses a name: it is as long as a secret that is made here.
    ends: Mutex<HashMap<String, Instant>>,
}

impl Sessions {
    /// None yet; each will last for `length`.
    pub(super) fn new(length: Duration) -> Self {
        Self { length, ends: Mutex::default() }
    }

    /// How long a session lasts.
    pub(super) fn length(&self) -> Duration {
        self.length
    }

    /// Begins one: its name.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(super) fn begin(&self, now: Instant) -> anyhow::Result<String> {
        let name = secrets::random_text()?;
        let mut ends = self.ends.lock();
        ends.retain(|_, end| *end > now);
        if ends.len() >= SESSIONS_MAX {
            let first = ends.iter().min_by_key(|(_, end)| **end).map(|(name, _)| name.clone());
            first.and_then(|name| ends.remove(&name));
        }
        ends.insert(name.clone(), now + self.length);
        Ok(name)
    }

    /// How long a session still lasts; nothing if there is none of this name.
    pub(super) fn left(&self, name: &str, now: Instant) -> Option<Duration> {
        let end = *self.ends.lock().get(name)?;
        Some(end.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// Ends one.
    pub(super) fn end(&self, name: &str) {
        self.ends.lock().remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_session_ends_when_its_time_is_over_or_its_owner_says_so() {
        let (sessions, now) = (Sessions::new(HOUR), Instant::now());
        let (first, second) = (sessions.begin(now).unwrap(), sessions.begin(now).unwrap());
        assert!(first != second && first.len() == secrets::MADE_LETTERS);
        assert_eq!(sessions.left(&first, now + HOUR / 4), Some(HOUR * 3 / 4));
        assert_eq!((sessions.left(&first, now + HOUR), sessions.left("", now)), (None, None));
        sessions.end(&second);
        assert_eq!(sessions.left(&second, now), None);
        assert!(sessions.left(&first, now).is_some());
    }

    #[test]
    fn there_are_never_more_than_so_many_and_the_newest_stay() {
        let (sessions, now) = (Sessions::new(HOUR), Instant::now());
        let at = |number: usize| now + Duration::from_millis(number as u64);
        let names: Vec<_> = (0..SESSIONS_MAX + 9).map(|number| sessions.begin(at(number)).unwrap()).collect();
        assert_eq!(sessions.ends.lock().len(), SESSIONS_MAX);
        let open = |name: &String| sessions.left(name, at(SESSIONS_MAX + 9)).is_some();
        assert!(!names[..9].iter().any(open) && names[9..].iter().all(open));
        // Those whose time is over go first.
        sessions.begin(now + HOUR * 2).unwrap();
        assert_eq!(sessions.ends.lock().len(), 1);
    }
}
