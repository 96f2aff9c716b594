//! Sits between two programs: passes every byte on as it comes, and explains what they say to each other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use headwater_rtmp::capture::Side;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::options::Options;
use super::tracer::Tracer;

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// Conversations at one time; further ones wait in the system's queue.
const CONVERSATIONS_MAX: usize = 16;
const RTMP_PORT: u16 = 1935;

/// Listens until Ctrl-C; whether all conversations worked.
pub(super) async fn run(options: &Options, listen: &str, to: &str) -> anyhow::Result<bool> {
    let listen_address = if listen.contains(':') { listen.to_owned() } else { format!("127.0.0.1:{listen}") };
    let to = server_address(to);
    let listener = TcpListener::bind(&listen_address)
        .await
        .with_context(|| format!("cannot listen on {listen_address}; is --listen PORT or ADDRESS:PORT?"))?;
    eprintln!("listening on {}, passing on to {to}; Ctrl-C ends it", listener.local_addr()?);
    let (stop, stopped) = watch::channel(false);
    let mut conversations = JoinSet::new();
    let mut all_good = true;
    let mut number = 0;
    loop {
        let has_room = conversations.len() < CONVERSATIONS_MAX;
        tokio::select! {
            accepted = listener.accept(), if has_room => {
                // A peer that is gone before it was accepted is no reason to stop.
                let Ok((client, from)) = accepted else { continue };
                number += 1;
                let (options, to) = (options.clone(), to.clone());
                conversations.spawn(pass_on(options, client, from, to, number, stopped.clone()));
            }
            Some(done) = conversations.join_next() => all_good &= done??,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                break;
            }
        }
    }
    drop(listener);
    let _ = stop.send(true);
    while let Some(done) = conversations.join_next().await {
        all_good &= done??;
    }
    Ok(all_good && number > 0)
}

/// `HOST`, `HOST:PORT` or a whole address.
fn server_address(to: &str) -> String {
    let rest = to.strip_prefix("rtmp://").unwrap_or(to);
    let host = rest.split('/').next().unwrap_or(rest);
    let has_port = host.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
    if has_port { host.to_owned() } else { format!("{host}:{RTMP_PORT}") }
}

/// One conversation, from its first byte to the verdict.
async fn pass_on(
    options: Options,
    client: TcpStream,
    from: SocketAddr,
    to: String,
    number: usize,
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<bool> {
    let about = format!("{from} to {to}, seen between the two");
    let mut tracer = options.tracer(&about, Some(number))?;
    tracer.remark(&format!("# {about}"));
    let server = match TcpStream::connect(&to).await {
        Ok(server) => server,
        Err(error) => {
            tracer.remark(&format!("cannot reach {to}: {error}"));
            tracer.finish()?;
            return Ok(false);
        }
    };
    // Bytes leave as they come.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let tracer = Arc::new(Mutex::new(tracer));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let both = async {
        tokio::join!(
            pump(from_client, to_server, Side::Client, &tracer),
            pump(from_server, to_client, Side::Server, &tracer),
        )
    };
    tokio::select! {
        _ = both => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    let Some(tracer) = Arc::into_inner(tracer) else { return Ok(false) };
    Ok(tracer.into_inner().finish()?.is_good(options.strict))
}

/// Carries one direction to its end, and the end itself.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    side: Side,
    tracer: &Mutex<Tracer>,
) -> io::Result<()> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        // A connection that was reset has ended, too.
        let count = from.read(&mut buffer).await.unwrap_or(0);
        let bytes = buffer.get(..count).unwrap_or_default();
        tracer.lock().on_bytes(side, bytes);
        if count == 0 {
            return to.shutdown().await;
        }
        if let Err(error) = to.write_all(bytes).await {
            tracer.lock().on_end(side.other());
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::server_address;

    #[test]
    fn where_to_pass_on_to() {
        for (to, address) in [
            ("host", "host:1935"),
            ("host:1936", "host:1936"),
            ("rtmp://host/live/x", "host:1935"),
            ("rtmp://host:7/live", "host:7"),
            ("[::1]:7", "[::1]:7"),
            ("[::1]", "[::1]:1935"),
        ] {
            assert_eq!(server_address(to), address, "{to}");
        }
    }
}
