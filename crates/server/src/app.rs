//! The wiring: every door and worker is named here once. Start, run, stop.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use headwater_hub::Hub;
use tokio::task::JoinSet;

use crate::access::Access;
use crate::config::Config;
use crate::listener::Listener;
use crate::metrics::Metrics;
use crate::uptime::Uptime;
use crate::{demo, fanout, http, rtmp, stop};

/// How often the hub looks for what is over.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How long connections have to finish once the program stops.
const FAREWELL_MAX: Duration = Duration::from_secs(3);

/// Runs the server until it is told to stop.
pub(crate) async fn run(config: Config, with_demo: bool) -> anyhow::Result<()> {
    let access = Arc::new(Access::open(&config.access, &config.data)?);
    let rtmp_listener = Listener::bind("rtmp", config.rtmp.listen, config.rtmp.connections_max)?;
    let http_listener = Listener::bind("http", config.http.listen, config.http.connections_max)?;
    let (rtmp_address, http_address) = (rtmp_listener.address()?, http_listener.address()?);

    let drain_max = Duration::from_millis(config.rtmp.drain_ms);
    let uptime = Uptime::start();
    let lanes = std::thread::available_parallelism().map_or(1, usize::from);
    let hub = Arc::new(Hub::new(config.streams.hub(lanes)));
    let metrics = Arc::new(Metrics::default());
    let viewing = config.streams.viewing();
    let (stopper, stop) = stop::pair();
    let mut background = JoinSet::new();
    for lane in 0..lanes {
        background.spawn(fanout::drive(hub.lanes(), lane, config.streams.gathering()));
    }
    background.spawn(sweep(Arc::clone(&hub), uptime));

    let mut doors = JoinSet::new();
    doors.spawn(rtmp::serve(
        rtmp_listener,
        Arc::new(rtmp::Shared {
            session_config: Arc::new(config.rtmp.session()),
            config: config.rtmp.clone(),
            hub: Arc::clone(&hub),
            access: Arc::clone(&access),
            metrics: Arc::clone(&metrics),
            viewing,
            uptime,
        }),
        stop.clone(),
    ));
    doors.spawn(http::serve(
        http_listener,
        config.http.clone(),
        Arc::new(http::Shared {
            hub: Arc::clone(&hub),
            access: Arc::clone(&access),
            metrics: Arc::clone(&metrics),
            viewing,
            uptime,
            rtmp_port: rtmp_address.port(),
            http_port: http_address.port(),
        }),
        stop,
    ));
    if with_demo {
        background.spawn(demo::publish(Arc::clone(&hub), uptime));
    }

    if !http::pages_are_built() {
        tracing::warn!("this binary was built without Node.js, so without the console and the watch page");
    }
    banner(&access, rtmp_address, http_address, with_demo);
    signal().await?;
    tracing::info!("stopping: publishers and viewers are told");
    stopper.stop();
    drain(&metrics, drain_max).await;
    hub.end_all();
    if tokio::time::timeout(FAREWELL_MAX, async { while doors.join_next().await.is_some() {} }).await.is_err()
    {
        tracing::warn!("some connections did not end within {FAREWELL_MAX:?} and are cut");
    }
    Ok(())
}

/// Waits while clients are on their way elsewhere.
async fn drain(metrics: &Metrics, max: Duration) {
    const STEP: Duration = Duration::from_millis(50);
    let gone = async {
        while metrics.movable() > 0 {
            tokio::time::sleep(STEP).await;
        }
    };
    // Who has not gone by then is told farewell like everybody else.
    let _ = tokio::time::timeout(max, gone).await;
}

async fn sweep(hub: Arc<Hub>, uptime: Uptime) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        hub.sweep(uptime.now());
    }
}

/// Waits for SIGINT or SIGTERM.
async fn signal() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// Says where to publish and where to watch; the last line is the one that programs wait for.
fn banner(access: &Access, rtmp: SocketAddr, http: SocketAddr, with_demo: bool) {
    let (rtmp, http) = (reachable(rtmp), reachable(http));
    let mut text = format!("Headwater {}\n\n", env!("CARGO_PKG_VERSION"));
    if with_demo {
        text += &format!("  watch the demo     http://{http}/watch/live/demo\n");
    }
    text += &format!(
        "  publish (OBS)      server rtmp://{rtmp}/live   stream key NAME\n  \
           publish (ffmpeg)   ffmpeg -re -i FILE -c copy -f flv rtmp://{rtmp}/live/NAME\n  \
           watch              http://{http}/watch/live/NAME\n  \
           console            http://{http}/\n",
    );
    if access.new {
        text += &format!(
            "\n  From other machines, publish with  NAME?key={}\n  and open the console with the token  {}\n  \
               (made now; kept in secrets.toml in the data directory)\n",
            access.publish_key(),
            access.admin_token(),
        );
    }
    text += &format!("\nReady: rtmp://{rtmp} http://{http}\n");
    let mut out = std::io::stdout().lock();
    // Nobody may be reading standard output; the server serves all the same.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// An address that can be typed into a player on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, address.port()));
    }
    address
}
