//! Records what a server plays to an FLV file: a message of RTMP is the body of a tag, byte for byte.
//!
//! ```text
//! cargo run -p headwater-rtmp --features tokio --example recorder -- rtmp://localhost/live/cam cam.flv
//! ```

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use headwater_media::flv::{TagKind, file_header, previous_tag_size, tag_head};
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::session::{ClientConfig, ClientEvent, PlayOptions};
use headwater_rtmp::tokio::connect;
use headwater_rtmp::url::RtmpUrl;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, file] = arguments.as_slice() else { return Err("usage: recorder URL FILE".into()) };
    let tags = record(url.parse()?, Path::new(file)).await?;
    println!("{file}: {tags} tags");
    Ok(())
}

/// Until the stream ends. Gives back how many tags were written.
pub async fn record(url: RtmpUrl, file: &Path) -> Result<u64, Box<dyn Error>> {
    let config = Arc::new(ClientConfig::default());
    let mut connection = connect(&config, url.clone(), nonce).await?;
    connection.play(&url.stream, PlayOptions::default()).await?;

    let mut out = BufWriter::new(File::create(file)?);
    // Nobody knows yet what will come, and no player minds a flag too many in a file.
    out.write_all(&file_header(true, true))?;
    let mut tags = 0;
    while let Some(event) = connection.next_event().await? {
        let (kind, timestamp, body) = match event {
            ClientEvent::Media { kind, timestamp, body, .. } => (TagKind::from(kind), timestamp, body),
            ClientEvent::Data { timestamp, payload, .. } => (TagKind::Script, timestamp, payload),
            ClientEvent::Rejected { status, .. } => return Err(status.description.into()),
            ClientEvent::EndOfStream { .. } => break,
            _ => continue,
        };
        out.write_all(&tag_head(kind, body.len(), timestamp))?;
        out.write_all(&body)?;
        out.write_all(&previous_tag_size(body.len()))?;
        tags += 1;
    }
    out.flush()?;
    Ok(tags)
}

/// The library makes no randomness of its own.
fn nonce() -> Nonce {
    let mut nonce = Nonce([0; 32]);
    getrandom::fill(&mut nonce.0).expect("the system gives random bytes");
    nonce
}
