//! Pulls a stream from one server and publishes it to another. Not a byte of it is decoded.
//!
//! ```text
//! cargo run -p headwater-rtmp --features tokio --example relay -- rtmp://here/live/cam rtmp://there/live/copy
//! ```

use std::error::Error;
use std::sync::Arc;

use headwater_rtmp::command::PublishKind;
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::session::{ClientConfig, ClientEvent, PlayOptions};
use headwater_rtmp::tokio::connect;
use headwater_rtmp::url::RtmpUrl;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else { return Err("usage: relay FROM_URL TO_URL".into()) };
    relay(from.parse()?, to.parse()?).await
}

/// Until the source ends.
pub async fn relay(from: RtmpUrl, to: RtmpUrl) -> Result<(), Box<dyn Error>> {
    let config = Arc::new(ClientConfig::default());
    let mut source = connect(&config, from.clone(), nonce).await?;
    source.play(&from.stream, PlayOptions::default()).await?;
    let mut target = connect(&config, to.clone(), nonce).await?;
    let stream = target.publish(&to.stream, PublishKind::Live).await?;
    loop {
        tokio::select! {
            event = source.next_event() => match event? {
                Some(ClientEvent::Media { kind, timestamp, body, .. }) => {
                    target.session().send_media(stream, kind, timestamp, &[body])?;
                }
                // What is said of the stream, later viewers need too: the server is to keep it.
                Some(ClientEvent::Data { timestamp, payload, .. }) => {
                    target.session().send_metadata(stream, timestamp, payload)?;
                }
                Some(ClientEvent::Rejected { status, .. }) => return Err(status.description.into()),
                Some(ClientEvent::EndOfStream { .. }) | None => break,
                Some(_) => {}
            },
            error = target.thrown_out() => return Err(error.into()),
        }
        target.flush().await?;
    }
    target.session().delete_stream(stream);
    Ok(target.shutdown().await?)
}

/// The library makes no randomness of its own.
fn nonce() -> Nonce {
    let mut nonce = Nonce([0; 32]);
    getrandom::fill(&mut nonce.0).expect("the system gives random bytes");
    nonce
}
