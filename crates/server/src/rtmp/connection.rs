//! placeholder
use super::Shared;
use crate::listener::Accepted;
use crate::stop::Stop;
use std::sync::Arc;
pub(super) async fn serve(_accepted: Accepted, _shared: Arc<Shared>, _stop: Stop) {}
