//! A client over a pipe in memory against our own server session.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use headwater_media::MediaKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::{Connection, ConnectionError, Timeouts};
use crate::command::PublishKind;
use crate::handshake::Nonce;
use crate::session::{ClientEvent, ClientSession, ServerConfig, ServerEvent, ServerSession};

fn client(io: DuplexStream) -> Connection<DuplexStream> {
    let url = "rtmp://pipe/live/cam".parse().unwrap();
    let session = ClientSession::new(Arc::default(), url, Nonce([1; 32]), 0);
    Connection::new(io, session, Timeouts::default())
}

async fn wait_for(
    connection: &mut Connection<DuplexStream>,
    is_it: impl Fn(&ClientEvent) -> bool,
) -> ClientEvent {
    loop {
        let event = connection.next_event().await.unwrap().expect("the server has left");
        if is_it(&event) {
            return event;
        }
    }
}

/// Accepts everything; gives back the media that came until the client left.
async fn serve(mut io: DuplexStream) -> Vec<Bytes> {
    let mut session = ServerSession::new(Arc::new(ServerConfig::default()), Nonce([2; 32]), 0);
    let mut input = BytesMut::new();
    let mut media = Vec::new();
    loop {
        while let Some(event) = session.read(&mut input).unwrap() {
            match event {
                ServerEvent::Connect(_) => session.accept_connect().unwrap(),
                ServerEvent::Publish(request) => session.accept_publish(request.stream).unwrap(),
                ServerEvent::Media { body, .. } => media.push(body),
                _ => {}
            }
        }
        while session.output().has_remaining() {
            io.write_buf(session.output()).await.unwrap();
        }
        if io.read_buf(&mut input).await.unwrap() == 0 {
            return media;
        }
    }
}

#[tokio::test]
async fn a_publisher_sends_everything_through_a_narrow_pipe() {
    let (near, far) = duplex(700);
    let server = tokio::spawn(serve(far));
    let mut connection = client(near);
    wait_for(&mut connection, |event| matches!(event, ClientEvent::Connected { .. })).await;
    connection.session().publish("cam", PublishKind::Live).unwrap();
    let started =
        wait_for(&mut connection, |event| matches!(event, ClientEvent::PublishStarted { .. })).await;
    let ClientEvent::PublishStarted { stream } = started else { unreachable!() };
    let body = Bytes::from(vec![0x17; 100_000]);
    connection.session().send_media(stream, MediaKind::Video, 0, std::slice::from_ref(&body)).unwrap();
    connection.session().delete_stream(stream);
    connection.shutdown().await.unwrap();
    assert_eq!(server.await.unwrap(), [body]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up() {
    let (near, _far) = duplex(1 << 16);
    let error = client(near).next_event().await.unwrap_err();
    assert!(matches!(error, ConnectionError::TimedOut { waited, .. } if waited == Duration::from_secs(30)));
    assert_eq!(error.to_string(), "cannot read from pipe:1935: no progress for 30 seconds");
}

#[tokio::test]
async fn a_server_that_leaves_is_the_end() {
    let (near, far) = duplex(1 << 16);
    drop(far.take(0));
    let mut connection = client(near);
    assert!(matches!(connection.next_event().await, Err(ConnectionError::Io { .. }) | Ok(None)));
}
