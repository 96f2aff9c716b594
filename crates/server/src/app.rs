//! The wiring: every door and worker is named here once. Start, run, stop.

mod banner;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use headwater_archive::{Archive, DirectoryLock};
use headwater_hub::Hub;
use tokio::task::{JoinHandle, JoinSet};

use self::banner::Banner;
use crate::access::Access;
use crate::config::reload::Reloader;
use crate::config::settings::Settings;
use crate::config::{Config, Origin};
use crate::doors::{http, rtmp};
use crate::events::{Event, Events};
use crate::metrics::Metrics;
use crate::net::acceptor::Door;
use crate::net::listeners::{self, Addresses, Row};
use crate::net::tls::Tls;
use crate::net::tunnel::Tunnels;
use crate::sources::Sources;
use crate::uptime::Uptime;
use crate::workers::demo;
use crate::workers::record::{Keeper, upkeep};
use crate::{fanout, stop};
use headwater_vod::Library;
use headwater_vod::thumbnails::Thumbnails;
use headwater_vod::uploads::Uploads;

/// Below the data directory: what of windows is on the disk.
const WINDOWS: &str = "window";
/// How often the hub looks for what is over.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// How often unfinished uploads are looked for that nobody goes on with.
const SWEEP_UPLOADS_EVERY: Duration = Duration::from_secs(600);
/// How long connections have to finish once the program stops.
const FAREWELL_MAX: Duration = Duration::from_secs(3);
/// How long recordings have to be completed then.
const COMPLETE_MAX: Duration = Duration::from_secs(20);

/// Runs the server until it is told to stop: by SIGINT or, on Unix, SIGTERM. On SIGHUP it reads the configuration
/// again. `with_demo` publishes the built-in test picture as `live/demo`.
///
/// # Errors
/// A configuration that is not valid, a listener that cannot be opened, a certificate or a data directory that cannot
/// be read.
pub async fn run(origin: Origin, with_demo: bool) -> anyhow::Result<()> {
    let config = origin.load()?;
    let _locks = lock(&config)?;
    let settings = Settings::new(&config);
    let uptime = Uptime::start();
    let lanes = std::thread::available_parallelism().map_or(1, usize::from);
    let access = Arc::new(Access::open(&config.access, settings.publish.live(), &config.data)?);
    let protocols = [&rtmp::PROTOCOL, &http::PROTOCOL];
    let tls = Tls::open(&config.tls, protocols.iter().flat_map(|protocol| protocol.alpn.iter().copied()))?;
    let metrics = Arc::new(Metrics::default());
    let events = Arc::new(Events::new(Arc::clone(&metrics)));
    let [(to_rtmp, rtmp_arrivals), (to_http, http_arrivals)] = protocols.map(Door::new);
    let shared = listeners::Shared {
        tls: tls.clone(),
        proxy: settings.proxy.live(),
        metrics: Arc::clone(&metrics),
        events: Arc::clone(&events),
    };
    let (acceptors, addresses) = listeners::open(&table(&config, &settings, to_rtmp, to_http), &shared)?;

    let (tunnels, tunnel_arrivals) = Tunnels::new(settings.tunnels.live(), uptime);
    let archive = Arc::new(archive(&config).await?);
    let recorded = Arc::clone(&archive);
    let library = Library::new(&config.media, &config.libraries())
        .sparing(move |path| recorded.recordings().is_growing(path));
    let sources = Sources {
        hub: Arc::new(Hub::new(config.streams.hub(lanes))),
        library: Arc::new(library),
        archive,
        viewing: settings.viewing.live(),
        uptime,
    };
    let uploads = Arc::new(Uploads::open(&config.uploads, &config.data, Arc::clone(&sources.library)));
    let parts = Parts { sources, uploads, tunnels: Arc::new(tunnels), access, metrics, events };

    let (stopper, stop) = stop::pair();
    let mut background = background(&parts, &settings, with_demo);
    let is_kept = config.window.enabled || parts.sources.archive.recordings().are_possible();
    let keeper = is_kept.then(|| tokio::spawn(parts.keeper().run(stop.clone())));
    for acceptor in acceptors {
        background.spawn(acceptor.run(stop.clone()));
    }
    if let Some(tls) = tls {
        background.spawn(tls.follow_files(Arc::clone(&parts.events)));
    }
    let mut doors = JoinSet::new();
    let rtmp_config = settings.rtmp.live();
    let shared = parts.rtmp(&config);
    doors.spawn(rtmp::serve(rtmp_arrivals, tunnel_arrivals, rtmp_config.clone(), shared, stop.clone()));
    let shared = parts.http(&config, &addresses)?;
    doors.spawn(http::serve(http_arrivals, settings.http.live(), shared, stop));
    let reloader = Reloader::new(origin, config, settings, Arc::clone(&parts.events));
    if let Some(reloads) = reloader.follow_signal()? {
        background.spawn(reloads);
    }

    say_where(&parts, &addresses, with_demo)?;
    signal().await?;
    parts.events.emit(Event::Stopping);
    stopper.stop();
    drain(&parts.metrics, Duration::from_millis(rtmp_config.get().drain_ms)).await;
    parts.sources.hub.end_all();
    farewell(doors).await;
    if let Some(keeper) = keeper {
        complete_recordings(keeper).await;
    }
    Ok(())
}

/// The archive, with what its recordings remember.
async fn archive(config: &Config) -> anyhow::Result<Archive> {
    let recordings = config.recordings();
    let recordings = tokio::task::spawn_blocking(|| recordings.recalled()).await?;
    Ok(Archive::new(config.window.archive(), recordings, Some(config.data.join(WINDOWS))))
}

/// What no other server may write to meanwhile.
fn lock(config: &Config) -> anyhow::Result<(DirectoryLock, Option<DirectoryLock>)> {
    let data = DirectoryLock::take(&config.data).map_err(anyhow::Error::msg)?;
    let recordings = config.recordings();
    let is_recorded = recordings.are_possible();
    let recordings = DirectoryLock::take_recordings(recordings.root(), &config.data, is_recorded);
    Ok((data, recordings.map_err(anyhow::Error::msg)?))
}

/// What doors and background tasks share.
struct Parts {
    sources: Sources,
    uploads: Arc<Uploads>,
    tunnels: Arc<Tunnels>,
    access: Arc<Access>,
    metrics: Arc<Metrics>,
    events: Arc<Events>,
}

impl Parts {
    fn rtmp(&self, config: &Config) -> Arc<rtmp::Shared> {
        Arc::new(rtmp::Shared {
            session_config: Arc::new(config.rtmp.session()),
            config: Arc::new(config.rtmp.clone()),
            sources: self.sources.clone(),
            access: Arc::clone(&self.access),
            metrics: Arc::clone(&self.metrics),
            events: Arc::clone(&self.events),
            publishers: Arc::default(),
        })
    }

    fn keeper(&self) -> Keeper {
        let Sources { hub, archive, uptime, .. } = self.sources.clone();
        let (events, metrics) = (Arc::clone(&self.events), Arc::clone(&self.metrics));
        Keeper { hub, archive, uptime, events, metrics }
    }

    fn http(&self, config: &Config, addresses: &Addresses) -> anyhow::Result<Arc<http::Shared>> {
        Ok(Arc::new(http::Shared {
            sources: self.sources.clone(),
            thumbnails: Thumbnails::new(&config.pictures),
            uploads: Arc::clone(&self.uploads),
            access: Arc::clone(&self.access),
            metrics: Arc::clone(&self.metrics),
            events: Arc::clone(&self.events),
            tunnels: Arc::clone(&self.tunnels),
            cuts: http::Cuts::default(),
            playlists: http::Playlists::default(),
            audience: http::Audience::default(),
            rtmp_port: addresses.of(&rtmp::PROTOCOL)?.port(),
            http_port: addresses.of(&http::PROTOCOL)?.port(),
        }))
    }
}

/// What runs beside the doors.
fn background(parts: &Parts, settings: &Settings, with_demo: bool) -> JoinSet<()> {
    let Sources { hub, uptime, .. } = &parts.sources;
    let mut background = JoinSet::new();
    for lane in 0..hub.lanes().len() {
        background.spawn(fanout::drive(hub.lanes(), lane, settings.gathering.live()));
    }
    background.spawn(sweep(Arc::clone(hub), Arc::clone(&parts.tunnels), *uptime));
    let Sources { archive, library, .. } = parts.sources.clone();
    background.spawn(upkeep::run(archive, library, Arc::clone(&parts.events)));
    background.spawn(sweep_uploads(Arc::clone(&parts.uploads)));
    if with_demo {
        background.spawn(demo::publish(Arc::clone(hub), *uptime));
    }
    background
}

/// Waits for the doors' last connections, not for ever.
async fn farewell(mut doors: JoinSet<()>) {
    if tokio::time::timeout(FAREWELL_MAX, async { while doors.join_next().await.is_some() {} }).await.is_err()
    {
        tracing::warn!("some connections did not end within {FAREWELL_MAX:?} and are cut");
    }
}

/// Waits for the recordings' last parts, and until their files are films; not for ever.
async fn complete_recordings(keeper: JoinHandle<()>) {
    if tokio::time::timeout(COMPLETE_MAX, keeper).await.is_err() {
        tracing::warn!(
            "some recordings are not complete after {COMPLETE_MAX:?}: the next start completes them"
        );
    }
}

/// The protocols that come in over TCP, one row for each.
fn table(config: &Config, settings: &Settings, to_rtmp: Door, to_http: Door) -> [Row; 2] {
    [
        Row {
            door: to_rtmp,
            plain: config.rtmp.listen,
            tls: config.tls.rtmps,
            takes_all: config.rtmp.all_on_one_port,
            limits: settings.rtmp_limits.live(),
            takes_guests: false,
        },
        Row {
            door: to_http,
            plain: config.http.listen,
            tls: config.tls.https,
            takes_all: false,
            limits: settings.http_limits.live(),
            takes_guests: true,
        },
    ]
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
fn say_where(parts: &Parts, addresses: &Addresses, with_demo: bool) -> anyhow::Result<()> {
    if !http::pages_are_built() {
        tracing::warn!("this binary was built without Node.js, so without the console and the watch page");
    }
    let banner = Banner {
        access: &parts.access,
        window: parts.sources.archive.length(),
        rtmp: addresses.of(&rtmp::PROTOCOL)?,
        http: addresses.of(&http::PROTOCOL)?,
        listeners: addresses.iter().collect(),
        interfaces: banner::interfaces(),
        with_demo,
    };
    let mut out = std::io::stdout().lock();
    // Nobody may be reading standard output; the server serves all the same.
    let _ = out.write_all(banner.text().as_bytes()).and_then(|()| out.flush());
    Ok(())
}
