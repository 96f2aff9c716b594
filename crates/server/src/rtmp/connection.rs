//! placeholder
use std::sync::Arc;
use crate::stop::Stop;
use super::Shared;
use crate::listener::Accepted;
pub(super) async fn serve(_accepted: Accepted, _shared: Arc<Shared>, _stop: Stop) {}
