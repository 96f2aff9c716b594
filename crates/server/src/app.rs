//! The wiring: every door and worker is named here once. Start, run, stop.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use headwater_hub::Hub;
use tokio::task::JoinSet;

use crate::access::Access;
use crate::config::Config;
use crate::doors::{http, rtmp};
use crate::events::{Event, Events};
use crate::metrics::Metrics;
use crate::net::acceptor::{Acceptor, Doors, Speaks};
use crate::net::listener::Listener;
use crate::net::tls::Tls;
use crate::net::tunnel::Tunnels;
use crate::sources::Sources;
use crate::uptime::Uptime;
use crate::workers::demo;
use crate::{fanout, stop};
use headwater_vod::Library;
use headwater_vod::thumbnails::Gallery;
use headwater_vod::uploads::Uploads;

/// How often the hub looks for what is over.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often unfinished uploads are looked for that nobody goes on with.
const SWEEP_UPLOADS_EVERY: Duration = Duration::from_secs(600);
/// How long connections have to finish once the program stops.
const FAREWELL_MAX: Duration = Duration::from_secs(3);

/// Runs the server until it is told to stop: by SIGINT or, on Unix, SIGTERM. `with_demo` publishes the built-in test
/// picture as `live/demo`.
///
/// # Errors
/// A listener that cannot be opened, a certificate or a data directory that cannot be read.
pub async fn run(config: Config, with_demo: bool) -> anyhow::Result<()> {
    let access = Arc::new(Access::open(&config.access, &config.data)?);
    let tls = Tls::open(&config.tls)?;
    let metrics = Arc::new(Metrics::default());
    let events = Arc::new(Events::new(Arc::clone(&metrics)));
    let (doors, arrivals) = Doors::new();
    let (acceptors, addresses) = acceptors(&config, tls.as_ref(), &doors, &metrics, &events)?;
    drop(doors);

    let drain_max = Duration::from_millis(config.rtmp.drain_ms);
    let uptime = Uptime::start();
    let lanes = std::thread::available_parallelism().map_or(1, usize::from);
    let hub = Arc::new(Hub::new(config.streams.hub(lanes)));
    let (tunnels, opened) = Tunnels::new(config.http.tunnels_max, uptime);
    let tunnels = Arc::new(tunnels);
    let sources = Sources {
        hub: Arc::clone(&hub),
        library: Arc::new(Library::new(&config.media, &config.vod)),
        viewing: config.streams.viewing(),
        uptime,
    };
    let uploads = Arc::new(Uploads::open(&config.uploads, &config.data, Arc::clone(&sources.library)));
    let (stopper, stop) = stop::pair();
    let mut background =
        background(&config, &hub, &tunnels, tls.map(|tls| tls.follow_files(Arc::clone(&events))), uptime);
    background.spawn(sweep_uploads(Arc::clone(&uploads)));
    for acceptor in acceptors {
        background.spawn(acceptor.run(stop.clone()));
    }

    let mut doors = JoinSet::new();
    doors.spawn(rtmp::serve(
        arrivals.rtmp,
        opened,
        Arc::new(rtmp::Shared {
            session_config: Arc::new(config.rtmp.session()),
            config: config.rtmp.clone(),
            sources: sources.clone(),
            access: Arc::clone(&access),
            metrics: Arc::clone(&metrics),
        }),
        stop.clone(),
    ));
    doors.spawn(http::serve(
        arrivals.http,
        config.http.clone(),
        Arc::new(http::Shared {
            sources,
            gallery: Gallery::new(&config.pictures),
            uploads,
            access: Arc::clone(&access),
            metrics: Arc::clone(&metrics),
            tunnels,
            recent: http::Recent::default(),
            rtmp_port: addresses.rtmp.port(),
            http_port: addresses.http.port(),
        }),
        stop,
    ));
    if with_demo {
        background.spawn(demo::publish(Arc::clone(&hub), uptime));
    }

    banner(&access, addresses, with_demo);
    signal().await?;
    events.emit(Event::Stopping);
    stopper.stop();
    drain(&metrics, drain_max).await;
    hub.end_all();
    farewell(doors).await;
    Ok(())
}

/// Waits for the doors' last connections, not for ever.
async fn farewell(mut doors: JoinSet<()>) {
    if tokio::time::timeout(FAREWELL_MAX, async { while doors.join_next().await.is_some() {} }).await.is_err()
    {
        tracing::warn!("some connections did not end within {FAREWELL_MAX:?} and are cut");
    }
}

/// Everything that runs beside the doors.
fn background(
    config: &Config,
    hub: &Arc<Hub>,
    tunnels: &Arc<Tunnels>,
    certificates: Option<impl Future<Output = ()> + Send + 'static>,
    uptime: Uptime,
) -> JoinSet<()> {
    let mut background = JoinSet::new();
    for lane in 0..hub.lanes().len() {
        background.spawn(fanout::drive(hub.lanes(), lane, config.streams.gathering()));
    }
    background.spawn(sweep(Arc::clone(hub), Arc::clone(tunnels), uptime));
    if let Some(certificates) = certificates {
        background.spawn(certificates);
    }
    background
}

/// Where the server listens, with the ports that the system chose.
#[derive(Clone, Copy)]
struct Addresses {
    rtmp: SocketAddr,
    http: SocketAddr,
    /// RTMPS and HTTPS.
    tls: Option<(SocketAddr, SocketAddr)>,
}

/// Every listener, and which door it leads to.
fn acceptors(
    config: &Config,
    tls: Option<&Tls>,
    doors: &Doors,
    metrics: &Arc<Metrics>,
    events: &Arc<Events>,
) -> anyhow::Result<(Vec<Acceptor>, Addresses)> {
    let (rtmp, http) = (&config.rtmp, &config.http);
    let open = |name, address, speaks, is_tls| -> anyhow::Result<Acceptor> {
        let connections_max =
            if speaks == Speaks::Http { http.connections_max } else { rtmp.connections_max };
        Ok(Acceptor {
            name,
            listener: Listener::bind(name, address, connections_max)?,
            speaks,
            is_tls,
            tls: tls.cloned(),
            proxy: config.proxy.clone(),
            hello: Duration::from_millis(rtmp.hello_ms_max),
            metrics: Arc::clone(metrics),
            events: Arc::clone(events),
            doors: doors.clone(),
        })
    };
    let speaks = if rtmp.all_on_one_port { Speaks::All } else { Speaks::Rtmp };
    let mut acceptors =
        vec![open("rtmp", rtmp.listen, speaks, false)?, open("http", http.listen, Speaks::Http, false)?];
    if tls.is_some() {
        acceptors.push(open("rtmps", config.tls.rtmps, Speaks::Rtmp, true)?);
        acceptors.push(open("https", config.tls.https, Speaks::Http, true)?);
    }
    let address = |at: usize| acceptors.get(at).map(|acceptor| acceptor.listener.address()).transpose();
    let unbound = || anyhow::anyhow!("a listener has no address");
    let addresses = Addresses {
        rtmp: address(0)?.ok_or_else(unbound)?,
        http: address(1)?.ok_or_else(unbound)?,
        tls: address(2)?.zip(address(3)?),
    };
    Ok((acceptors, addresses))
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

async fn sweep(hub: Arc<Hub>, tunnels: Arc<Tunnels>, uptime: Uptime) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        hub.sweep(uptime.now());
        tunnels.sweep();
    }
}

async fn sweep_uploads(uploads: Arc<Uploads>) {
    let mut ticks = tokio::time::interval(SWEEP_UPLOADS_EVERY);
    loop {
        ticks.tick().await;
        uploads.sweep();
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
fn banner(access: &Access, addresses: Addresses, with_demo: bool) {
    if !http::pages_are_built() {
        tracing::warn!("this binary was built without Node.js, so without the console and the watch page");
    }
    let (rtmp, http) = (reachable(addresses.rtmp), reachable(addresses.http));
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
    text += &format!("\nReady: rtmp://{rtmp} http://{http}");
    if let Some((rtmps, https)) = addresses.tls {
        text += &format!(" rtmps://{} https://{}", reachable(rtmps), reachable(https));
    }
    text += "\n";
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
