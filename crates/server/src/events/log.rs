//! The log lines of events: level, fields and words of each are decided here and nowhere else.

use super::event::{Event, repaired_in_words};

/// Logs the event, if it is one that the log tells of.
pub(super) fn write(event: &Event) {
    let sentence = event.sentence();
    match event {
        Event::PublishBegan { peer, stream, agent, .. } => {
            tracing::info!(%peer, %stream, agent, "{sentence}");
        }
        Event::PublishEnded { peer, stream, unusable, repaired, .. } => {
            // What there is nothing of is not said.
            let unusable = (*unusable > 0).then_some(*unusable);
            let repaired = repaired_in_words(repaired).map(tracing::field::display);
            tracing::info!(%peer, %stream, unusable, repaired, "{sentence}");
        }
        Event::MessageLeftOut { peer, stream, timestamp, .. } => {
            tracing::warn!(%peer, %stream, timestamp, "{sentence}");
        }
        Event::PlayBegan { peer, stream, agent, .. } => tracing::info!(%peer, stream, agent, "{sentence}"),
        Event::PlayMovedOn { peer, stream, .. } => tracing::info!(%peer, stream, "{sentence}"),
        Event::PlayLeftOut { peer, .. } => tracing::info!(%peer, "{sentence}"),
        Event::PlayEnded { peer, stream, skipped, .. } => {
            tracing::info!(%peer, %stream, skipped, "{sentence}");
        }
        Event::PlayBroke { peer, stream, .. } => tracing::info!(%peer, %stream, "{sentence}"),
        Event::LetGo { reason, peer, place, .. } => tracing::warn!(%peer, place, reason, "{sentence}"),
        Event::NotAdmitted { peer, listener, reason, .. } => {
            tracing::warn!(%peer, acceptor = listener, reason, "{sentence}");
        }
        Event::ListenerFull { listener, reason, peer, count } => {
            tracing::warn!(door = listener, %peer, count, reason, "{sentence}");
        }
        // Its client knows; who asks for the metric sees how often.
        Event::RequestRefused { .. } => {}
        Event::RecordingBegan { stream, file } => tracing::info!(%stream, file, "{sentence}"),
        Event::RecordingEnded { stream, file, bytes, duration_ms } => {
            tracing::info!(%stream, file, bytes, duration_ms, "{sentence}");
        }
        Event::RecordingFailed { stream, file, .. } => tracing::error!(%stream, file, "{sentence}"),
        Event::RecordingOutOfRoom { stream, free_bytes } => {
            tracing::error!(%stream, free_bytes, "{sentence}");
        }
        Event::RecordingGap { stream, parts } => tracing::warn!(%stream, parts, "{sentence}"),
        Event::RecordingRepaired { file, .. } => tracing::warn!(file, "{sentence}"),
        Event::RecordingLeft { file, .. } => tracing::error!(file, "{sentence}"),
        Event::RecordingRemoved { file, bytes } => tracing::info!(file, bytes, "{sentence}"),
        Event::ClipMade { stream, file, bytes } => tracing::info!(%stream, file, bytes, "{sentence}"),
        Event::FilmRenamed { app, name, to } => tracing::info!(app, name, to, "{sentence}"),
        Event::WindowInMemory { stream, .. } => tracing::warn!(%stream, "{sentence}"),
        Event::NotKept { stream, .. } => tracing::warn!(%stream, "{sentence}"),
        Event::WindowGap { stream, frames, duration_ms } => {
            tracing::warn!(%stream, frames, duration_ms, "{sentence}");
        }
        Event::StreamStopped { stream } => tracing::info!(%stream, "{sentence}"),
        Event::UploadFinished { app, name, bytes } => tracing::info!(app, name, bytes, "{sentence}"),
        Event::FilmRemoved { app, name } => tracing::info!(app, name, "{sentence}"),
        Event::CertificateChanged { file } => tracing::info!(file = %file.display(), "{sentence}"),
        Event::ConfigurationChanged { at_restart, .. } if !at_restart.is_empty() => {
            tracing::warn!("{sentence}");
        }
        Event::ConfigurationChanged { .. } | Event::Stopping => tracing::info!("{sentence}"),
        Event::CertificateKept { .. } => tracing::warn!("{sentence}"),
        Event::ConfigurationKept { .. } => tracing::error!("{sentence}"),
    }
}
