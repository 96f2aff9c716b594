//! What of a publisher's media cannot be used: told to operators once for each reason, within seconds, in the log and
//! in the stream's figures. The rest of what it sends goes on.

use std::time::Duration;

use headwater_hub::Publisher;
use headwater_media::flv::Normalizer;
use headwater_media::{Codec, MediaKind, TrackId};

/// How long frames may come without the configuration that a decoder needs before that is told: encoders that send
/// sound before anything else are not broken.
const PATIENCE: Duration = Duration::from_secs(2);
/// Reasons that are logged of one publisher. A broken encoder may have a new one for each message.
const REASONS_LOGGED_MAX: usize = 8;
/// How long a publisher may stay that sends only what cannot be used: a black picture would tell nobody why.
const NOTHING_USABLE_MAX: Duration = Duration::from_secs(10);

/// What of one publisher is left out.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// Messages that could not be read, all together.
    pub(super) messages: u64,
    logged: Vec<String>,
    undecodable: Vec<Undecodable>,
    /// When a codec that nobody here can pass on came first.
    unsupported_since: Option<Duration>,
    guessed_configs: u64,
}

/// A track whose frames come without a configuration.
#[derive(Debug)]
struct Undecodable {
    track: TrackId,
    reason: String,
    since: Duration,
    counted: u64,
}

impl LeftOut {
    /// A message cannot be used. Returns what is to be logged: each reason once.
    pub(super) fn message(&mut self, reason: String, publisher: &mut Publisher) -> Option<String> {
        self.messages += 1;
        publisher.leave_out(&reason, 1);
        self.once(reason)
    }

    /// A message of a codec that nobody here can pass on. Returns whether the publisher has sent nothing else for so
    /// long that it is better told.
    pub(super) fn is_hopeless(&mut self, normalizer: &Normalizer, now: Duration) -> bool {
        let since = *self.unsupported_since.get_or_insert(now);
        normalizer.tracks().next().is_none() && now.saturating_sub(since) >= NOTHING_USABLE_MAX
    }

    /// Looks at what the normalizer had to leave out or to guess. Returns what is to be logged.
    pub(super) fn look(
        &mut self,
        normalizer: &Normalizer,
        publisher: &mut Publisher,
        now: Duration,
    ) -> Option<String> {
        self.undecodable.retain(|known| {
            let stays = normalizer.undecodable().any(|(track, ..)| track == known.track);
            if !stays {
                publisher.takes_again(&known.reason);
            }
            stays
        });
        let mut to_log = None;
        for (track, codec, count) in normalizer.undecodable() {
            let known = self.undecodable.iter().position(|known| known.track == track);
            let Some(known) = known.and_then(|at| self.undecodable.get_mut(at)) else {
                let reason = without_configuration(track, codec);
                self.undecodable.push(Undecodable { track, reason, since: now, counted: 0 });
                continue;
            };
            if now.saturating_sub(known.since) >= PATIENCE && count > known.counted {
                publisher.leave_out(&known.reason, count - known.counted);
                known.counted = count;
                to_log = Some(known.reason.clone());
            }
        }
        let guessed = normalizer.repaired().guessed_configs;
        if guessed > self.guessed_configs {
            self.guessed_configs = guessed;
            to_log = guess(normalizer);
        }
        to_log.and_then(|reason| self.once(reason))
    }

    /// The reason, if it has not been logged and there is room for it.
    fn once(&mut self, reason: String) -> Option<String> {
        if self.logged.contains(&reason) || self.logged.len() >= REASONS_LOGGED_MAX {
            return None;
        }
        self.logged.push(reason.clone());
        Some(reason)
    }
}

fn without_configuration(track: TrackId, codec: Codec) -> String {
    let what = if track.kind == MediaKind::Video { "pictures" } else { "sound" };
    let number = if track.index == 0 { String::new() } else { format!(" (track {})", track.index) };
    format!(
        "{codec} {what}{number} without a configuration (sequence header): nobody could decode it; set the encoder to \
         send one, or start it again"
    )
}

fn guess(normalizer: &Normalizer) -> Option<String> {
    let aac = normalizer.tracks().find(|track| track.codec == Codec::Aac)?;
    let details = aac.details();
    let (rate, channels) = (details.sample_rate?, details.channels?);
    Some(format!(
        "AAC sound that came without a configuration (sequence header); from here on it is taken for {rate} Hz and \
         {channels} channels, guessed from its times"
    ))
}
