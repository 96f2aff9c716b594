//! How much the log says: so many lines of each kind within an interval, and at its end how many were left out.
//!
//! Whoever connects can make a server log, as often as it likes. The bound stands here, in front of the log as a whole,
//! so that no line can be forgotten. Lines for developers (debug, trace) are not bounded: who asks for them wants all.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// How long lines of a kind are counted together.
const INTERVAL: Duration = Duration::from_secs(10);
/// Lines of a kind within the interval. Ordinary life stays below: a dozen encoders that come back at once.
const LINES_MAX: u64 = 32;
/// Kinds that are told apart. A kind is a place in the program and a reason from a small set.
const KINDS_MAX: usize = 512;
/// What is kept of a line, to say what those were like that were left out; in letters.
const EXAMPLE_LETTERS_MAX: usize = 200;

/// The bound, as a layer in front of the log; its clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct LineLimit(Arc<Mutex<HashMap<Kind, Count>>>);

/// Lines that are counted together: of one place in the program, and for one reason where they give one.
type Kind = (Identifier, String);

#[derive(Debug)]
struct Count {
    since: Instant,
    level: Level,
    lines: u64,
    /// The last line that was left out.
    example: String,
}

/// What a line says, as far as it matters here.
#[derive(Debug, Default)]
struct Said {
    message: String,
    reason: String,
}

impl LineLimit {
    /// Says again and again how much was left out. Never ends.
    pub(super) async fn report(self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            for (level, left_out, like) in self.take_over(Instant::now()) {
                let seconds = INTERVAL.as_secs();
                match level {
                    Level::ERROR => tracing::error!(left_out, like, "lines were left out within {seconds} s"),
                    Level::WARN => tracing::warn!(left_out, like, "lines were left out within {seconds} s"),
                    _ => tracing::info!(left_out, like, "lines were left out within {seconds} s"),
                }
            }
        }
    }

    /// Whether a line of this kind is written.
    fn admits(&self, kind: Kind, level: Level, message: &str, now: Instant) -> bool {
        let mut counts = self.0.lock();
        if counts.len() >= KINDS_MAX && !counts.contains_key(&kind) {
            return false;
        }
        let count = counts.entry(kind).or_insert_with(|| Count {
            since: now,
            level,
            lines: 0,
            example: String::new(),
        });
        count.lines += 1;
        if count.lines > LINES_MAX {
            count.example = message.chars().take(EXAMPLE_LETTERS_MAX).collect();
        }
        count.lines <= LINES_MAX
    }

    /// Takes out the kinds whose interval is over; of which lines were left out, how many and what the last said.
    fn take_over(&self, now: Instant) -> Vec<(Level, u64, String)> {
        let over = |count: &mut Count| now.saturating_duration_since(count.since) >= INTERVAL;
        let mut counts = self.0.lock();
        let taken = counts.extract_if(|_, count| over(count)).map(|(_, count)| count);
        let cut = taken.filter(|count| count.lines > LINES_MAX);
        cut.map(|count| (count.level, count.lines - LINES_MAX, count.example)).collect()
    }
}

impl<S: Subscriber> Layer<S> for LineLimit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let level = *event.metadata().level();
        // What is said of what was left out is no such line itself.
        if level > Level::INFO || event.metadata().target() == module_path!() {
            return true;
        }
        let mut said = Said::default();
        event.record(&mut said);
        self.admits((event.metadata().callsite(), said.reason), level, &said.message, Instant::now())
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "reason" {
            value.clone_into(&mut self.reason);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing into a string does not fail.
            let _ = write!(self.message, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    /// Counts what passes.
    #[derive(Clone, Default)]
    struct Passed(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Passed {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut said = Said::default();
            event.record(&mut said);
            self.0.lock().push(said.message);
        }
    }

    #[test]
    fn of_each_kind_some_lines_pass_and_the_rest_is_counted() {
        let (limit, passed) = (LineLimit::default(), Passed::default());
        let log = tracing_subscriber::registry().with(passed.clone()).with(limit.clone());
        tracing::subscriber::with_default(log, || {
            for number in 0..1000 {
                for reason in ["silent", "protocol"] {
                    tracing::warn!(reason, "let go: {number}");
                }
                tracing::debug!("for developers");
            }
            tracing::info!("another place");
        });
        let passed = passed.0.lock();
        let count = |text: &str| passed.iter().filter(|line| line.starts_with(text)).count() as u64;
        assert_eq!((count("let go"), count("for developers"), count("another")), (2 * LINES_MAX, 1000, 1));
        assert!(limit.take_over(Instant::now()).is_empty(), "the interval is not over");
        let told = limit.take_over(Instant::now() + INTERVAL);
        let left_out = 1000 - LINES_MAX;
        assert_eq!(told, vec![(Level::WARN, left_out, "let go: 999".to_owned()); 2]);
        assert!(limit.0.lock().is_empty());
    }
}
