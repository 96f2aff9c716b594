//! Publishes an FLV file as a live stream, at its natural pace.
//!
//! ```text
//! cargo run -p headwater-rtmp --features tokio --example publisher -- film.flv rtmp://localhost/live/film
//! ```

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use headwater_media::MediaKind;
use headwater_media::flv::{TagKind, TagReader};
use headwater_rtmp::MessageStreamId;
use headwater_rtmp::command::PublishKind;
use headwater_rtmp::handshake::Nonce;
use headwater_rtmp::session::ClientConfig;
use headwater_rtmp::tokio::{Connection, connect};
use headwater_rtmp::url::RtmpUrl;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, url] = arguments.as_slice() else { return Err("usage: publisher FILE URL".into()) };
    publish(Path::new(file), url.parse()?).await
}

/// The whole file, once.
pub async fn publish(file: &Path, url: RtmpUrl) -> Result<(), Box<dyn Error>> {
    let config = Arc::new(ClientConfig::default());
    let mut connection = connect(&config, url.clone(), nonce).await?;
    let stream = connection.publish(&url.stream, PublishKind::Live).await?;
    send(file, &mut connection, stream).await?;
    // A server that must find out by itself that nothing more comes keeps the name for a while.
    connection.session().delete_stream(stream);
    Ok(connection.shutdown().await?)
}

async fn send(
    file: &Path,
    connection: &mut Connection<TcpStream>,
    stream: MessageStreamId,
) -> Result<(), Box<dyn Error>> {
    let mut file = File::open(file)?;
    let mut reader = TagReader::default();
    let mut buffer = vec![0; 64 << 10];
    let start = Instant::now();
    loop {
        while let Some(tag) = reader.next_tag()? {
            let its_time = start + Duration::from_millis(tag.timestamp_ms.into());
            tokio::select! {
                () = sleep_until(its_time) => {}
                error = connection.thrown_out() => return Err(error.into()),
            }
            let session = connection.session();
            let time = tag.timestamp_ms;
            match tag.kind {
                TagKind::Script => session.send_metadata(stream, time, tag.body)?,
                TagKind::Audio => session.send_media(stream, MediaKind::Audio, time, &[tag.body])?,
                TagKind::Video => session.send_media(stream, MediaKind::Video, time, &[tag.body])?,
            }
            connection.flush().await?;
        }
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            count => reader.feed(&buffer[..count]),
        }
    }
}

/// The library makes no randomness of its own.
fn nonce() -> Nonce {
    let mut nonce = Nonce([0; 32]);
    getrandom::fill(&mut nonce.0).expect("the system gives random bytes");
    nonce
}
