//! The demo's publisher: a built-in test picture with sound, looped for ever as `live/demo`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headwater_hub::{Hub, PublisherInfo, StreamName};
use tokio::time::Instant;

use crate::uptime::Uptime;
use headwater_vod::{Chain, Item, Reader};

/// Ten seconds of a moving test picture; `testdata/README.md` has the command that made it.
const CLIP: &[u8] = include_bytes!("../../../../testdata/demo.flv");

/// Publishes the clip until the task is dropped. Somebody who publishes under the same name goes first.
pub(crate) async fn publish(hub: Arc<Hub>, uptime: Uptime) {
    if let Err(error) = run(&hub, uptime).await {
        tracing::error!(%error, "the demo stream stopped");
    }
}

async fn run(hub: &Hub, uptime: Uptime) -> anyhow::Result<()> {
    let name = StreamName::parse("live/demo")?;
    let info = PublisherInfo { address: "built in".into(), agent: "headwater demo".into(), protocol: "demo" };
    let mut publisher = hub.publish(&name, info, uptime.now())?;
    let mut clip = Chain::new(|| Ok(Some(Reader::from_flv(Bytes::from_static(CLIP)))))?;
    let began = Instant::now();
    while let Some(item) = clip.next_item()? {
        match item {
            Item::Track(track) => publisher.set_track(track),
            Item::Metadata(values) => publisher.set_metadata(values),
            Item::Frame(frame) => {
                let due = Duration::from_nanos(u64::try_from(frame.dts.as_nanos()).unwrap_or(0));
                tokio::time::sleep_until(began + due).await;
                publisher.push(frame, uptime.now());
            }
        }
    }
    Ok(())
}
