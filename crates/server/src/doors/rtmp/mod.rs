//! The RTMP door: publishers in, players out.

mod config;
mod connection;
mod conversation;
mod end;
mod left_out;
mod playing;
mod playlist;
mod publishing;
mod queued;
mod requests;
mod shared;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(crate) use self::config::Config;
pub(crate) use self::shared::Shared;
use crate::live::Live;
use crate::net::acceptor::Protocol;
use crate::net::listener::Accepted;
use crate::net::tunnel;
use crate::stop::Stop;

/// RTMP among the listeners: it begins with its version, where HTTP begins with a word in capital letters.
pub(crate) static PROTOCOL: Protocol =
    Protocol { name: "rtmp", tls_name: "rtmps", alpn: &[], begins_with: |first| !first.is_ascii_uppercase() };
/// Serves connections until `stop` turns true, then waits until each has said farewell. A connection keeps the
/// `config` that it began with.
pub(crate) async fn serve(
    mut arrivals: mpsc::Receiver<Accepted>,
    mut tunnels: mpsc::Receiver<tunnel::Opened>,
    mut config: Live<Config>,
    mut shared: Arc<Shared>,
    mut stop: Stop,
) {
    let mut connections = JoinSet::new();
    let connections_stop = stop.clone();
    loop {
        let stop_connection = connections_stop.clone();
        tokio::select! {
            Some(accepted) = arrivals.recv() => {
                shared = newest(shared, &mut config);
                connections.spawn(connection::serve(accepted, Arc::clone(&shared), stop_connection));
            }
            Some(opened) = tunnels.recv() => {
                shared = newest(shared, &mut config);
                connections.spawn(connection::serve_tunnel(opened, Arc::clone(&shared), stop_connection));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            () = stop.requested() => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

/// What connections share that begin now.
fn newest(shared: Arc<Shared>, config: &mut Live<Config>) -> Arc<Shared> {
    let Some(config) = config.news() else { return shared };
    Arc::new(Shared { session_config: Arc::new(config.session()), config, ..Shared::clone(&shared) })
}
