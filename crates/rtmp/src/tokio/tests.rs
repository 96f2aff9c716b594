//! Both drivers over pipes in memory and sockets of this machine, against each other.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use headwater_media::MediaKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;

use super::{Connection, ConnectionError, connect};
use crate::Error;
use crate::command::{ConnectRejection, PublishKind};
use crate::handshake::Nonce;
use crate::login::{LoginDesk, Verdict};
use crate::session::{ClientConfig, ClientEvent, ClientSession, ServerConfig, ServerEvent, ServerSession};

fn client(io: DuplexStream) -> Connection<DuplexStream> {
    let url = "rtmp://pipe/live/cam".parse().unwrap();
    let session = ClientSession::new(Arc::default(), url, Nonce([1; 32]), Duration::ZERO);
    Connection::new(io, session)
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
    let mut session = ServerSession::new(Arc::new(ServerConfig::default()), Nonce([2; 32]), Duration::ZERO);
    let mut input = BytesMut::new();
    let mut media = Vec::new();
    loop {
        while let Some(event) = session.read(&mut input).unwrap() {
            match event {
                ServerEvent::Connect(request) => request.accept(&mut session),
                ServerEvent::Publish(request) => request.accept(&mut session),
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

#[tokio::test]
async fn a_server_is_driven_like_a_client() {
    let (near, far) = duplex(700);
    let session = ServerSession::new(Arc::new(ServerConfig::default()), Nonce([2; 32]), Duration::ZERO);
    let mut server = Connection::serve(far, session, "the pipe");
    assert_eq!(server.peer(), "the pipe");
    let publisher = tokio::spawn(async move {
        let mut connection = client(near);
        wait_for(&mut connection, |event| matches!(event, ClientEvent::Connected { .. })).await;
        connection.session().publish("cam", PublishKind::Live).unwrap();
        let started =
            wait_for(&mut connection, |event| matches!(event, ClientEvent::PublishStarted { .. })).await;
        let ClientEvent::PublishStarted { stream } = started else { unreachable!() };
        connection.session().send_media(stream, MediaKind::Audio, 7, &[vec![1; 5000].into()]).unwrap();
        connection.shutdown().await.unwrap();
    });
    let Some(ServerEvent::Connect(request)) = server.next_event().await.unwrap() else { panic!() };
    // Who has not answered hears nothing more, and is told why.
    let unanswered = server.next_event().await.unwrap_err();
    assert!(matches!(unanswered, ConnectionError::Rtmp(Error::Misuse(_))), "{unanswered}");
    request.accept(server.session());
    let Some(ServerEvent::Publish(request)) = server.next_event().await.unwrap() else { panic!() };
    request.accept(server.session());
    let Some(ServerEvent::Media { timestamp, body, .. }) = server.next_event().await.unwrap() else {
        panic!()
    };
    assert_eq!((timestamp, body.len()), (7, 5000));
    assert_eq!(server.next_event().await.unwrap(), None);
    publisher.await.unwrap();
}

#[tokio::test]
async fn a_login_takes_three_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let desk = LoginDesk::new([5; 32]);
        for connections in 1.. {
            let (socket, _) = listener.accept().await.unwrap();
            let nonce = Nonce([connections; 32]);
            let session = ServerSession::new(Arc::new(ServerConfig::default()), nonce, Duration::ZERO);
            let mut connection = Connection::accepted(socket, session);
            let Some(ServerEvent::Connect(request)) = connection.next_event().await.unwrap() else {
                panic!()
            };
            match desk.judge(&request, 0, &nonce, |_| Some("s3cret".into())) {
                Verdict::Granted { user } => {
                    request.accept(connection.session());
                    connection.shutdown().await.unwrap();
                    return (connections, user);
                }
                Verdict::Asked { description } | Verdict::Refused { description, .. } => {
                    let reason = ConnectRejection::Rejected;
                    request.reject(connection.session(), reason, description);
                    connection.shutdown().await.unwrap();
                }
            }
        }
        unreachable!()
    });
    let config = Arc::<ClientConfig>::default();
    let mut number = 0;
    let mut nonce = || {
        number += 1;
        Nonce([number; 32])
    };
    let url = |password: &str| format!("rtmp://ann:{password}@{address}/live/cam").parse().unwrap();
    let refused = connect(&config, url("wrong"), &mut nonce).await.unwrap_err();
    assert!(refused.to_string().contains("reason=authfailed"), "{refused}");
    assert!(connect(&config, url("s3cret"), &mut nonce).await.is_ok());
    assert_eq!(server.await.unwrap(), (6, "ann".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up() {
    let (near, _far) = duplex(1 << 16);
    let error = client(near).next_event().await.unwrap_err();
    assert!(matches!(error, ConnectionError::TimedOut { waited, .. } if waited == Duration::from_secs(30)));
    assert_eq!(error.to_string(), "cannot read from pipe:1935: no progress for 30 seconds");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_nothing_is_given_up() {
    let (near, _far) = duplex(700);
    let error = client(near).next_event().await.unwrap_err();
    assert!(matches!(error, ConnectionError::TimedOut { waited, .. } if waited == Duration::from_secs(10)));
    assert_eq!(error.to_string(), "cannot write to pipe:1935: no progress for 10 seconds");
}

#[tokio::test]
async fn a_server_that_leaves_is_the_end() {
    let (near, far) = duplex(1 << 16);
    drop(far.take(0));
    let mut connection = client(near);
    assert!(matches!(connection.next_event().await, Err(ConnectionError::Io { .. }) | Ok(None)));
}
