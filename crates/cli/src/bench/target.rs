//! What is measured: a server that is there, or one that is started for it and stopped behind it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use anyhow::{Context, bail};
use tokio::process::Command;

use super::arguments::{Arguments, Format};
use super::feed::Past;
use super::kept;
use super::kept::{Clip, Kept};
use super::started::{Scratch, Started};

/// The stream that is published to servers that are started here.
pub(super) const STREAM: &str = "live/bench";
/// How long windows are by default, and how much longer than what is gone back in, in seconds.
const WINDOW_S: u32 = 300;
const WINDOW_MORE_S: u32 = 120;
/// Where Debian's nginx keeps its RTMP module, and where others do.
const NGINX_MODULES: [&str; 3] = [
    "/usr/lib/nginx/modules/ngx_rtmp_module.so",
    "/usr/lib64/nginx/modules/ngx_rtmp_module.so",
    "/usr/local/nginx/modules/ngx_rtmp_module.so",
];

/// What the command line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// This program.
    Serve(Keeping),
    /// A bare loop that gathers for so many milliseconds.
    Loop(u64),
    /// nginx with its RTMP module.
    Nginx,
    /// A server that is there.
    There {
        play: String,
        /// Nothing is published where there is none.
        publish: Option<String>,
        pid: Option<u32>,
    },
}

/// What this program keeps of its streams while it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeping {
    /// What its configuration says.
    Configured,
    /// Nothing but the log.
    Nothing,
    /// Their windows.
    Windows,
    /// Windows and recordings.
    Recordings,
}

impl Keeping {
    /// The configuration, where there is one; `past` seconds are to be gone back in.
    fn config(self, past: u32) -> Option<String> {
        let length = (past + WINDOW_MORE_S).max(WINDOW_S);
        match self {
            Self::Configured => None,
            Self::Nothing => Some("[window]\nenabled = false\n".to_owned()),
            Self::Windows => Some(format!("[window]\nlength_seconds = {length}\n")),
            Self::Recordings => {
                Some(format!("[window]\nlength_seconds = {length}\n[apps.live]\nrecord = \"always\"\n"))
            }
        }
    }
}

/// A server that can be measured.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) label: String,
    pub(super) play: String,
    /// Nothing is published where there is none.
    pub(super) publish: Option<String>,
    pub(super) pid: Option<u32>,
    /// The HTTP address of this program.
    http: Option<String>,
    /// Stopped with this.
    started: Option<Started>,
}

impl Target {
    /// All that the command line names.
    pub(super) fn parse_all(arguments: &Arguments) -> anyhow::Result<Vec<Self>> {
        let mut pids = arguments.pids.iter().copied();
        let mut publish = arguments.publish.iter().cloned();
        let mut targets = Vec::new();
        for name in &arguments.targets {
            let target = match name.as_str() {
                "serve" => Self::Serve(Keeping::Configured),
                "serve:live" => Self::Serve(Keeping::Nothing),
                "serve:window" => Self::Serve(Keeping::Windows),
                "serve:record" => Self::Serve(Keeping::Recordings),
                "loop" => Self::Loop(0),
                "nginx" => Self::Nginx,
                _ => match name.strip_prefix("loop:") {
                    Some(ms) => {
                        Self::Loop(ms.parse().with_context(|| format!("{name}: milliseconds are wanted"))?)
                    }
                    None => {
                        let publish = match arguments.no_publish {
                            true => None,
                            false => Some(publish.next().map_or_else(|| publish_address(name), Ok)?),
                        };
                        Self::There { play: name.clone(), publish, pid: pids.next() }
                    }
                },
            };
            if arguments.no_publish && !matches!(target, Self::There { .. }) {
                bail!("--no-publish: {name} has nothing that could be watched");
            }
            target.check(arguments)?;
            targets.push(target);
        }
        for (flag, is_left) in [("--pid", pids.next().is_some()), ("--publish", publish.next().is_some())] {
            if is_left {
                bail!("{flag} is for targets that are addresses, and there are more of it than of those");
            }
        }
        Ok(targets)
    }

    /// Whether it can do what is asked.
    fn check(&self, arguments: &Arguments) -> anyhow::Result<()> {
        let label = self.label();
        match (self, arguments.format) {
            (Self::Loop(_), Format::Hls) => bail!("{label} has no HLS: leave --format out, or {label}"),
            (Self::Nginx, format) if format != Format::Rtmp => {
                bail!("{label}: its module speaks RTMP alone: leave --format out, or {label}");
            }
            _ => {}
        }
        if arguments.past > 0 && !matches!(self, Self::Serve(keeping) if *keeping != Keeping::Nothing) {
            bail!(
                "--past: {label} is no server that keeps it: serve, serve:window or serve:record is wanted"
            );
        }
        if arguments.config.is_some()
            && matches!(self, Self::Serve(keeping) if *keeping != Keeping::Configured)
        {
            bail!("--config: {label} has a configuration of its own; serve takes yours");
        }
        Ok(())
    }

    /// What it is called in the report.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Serve(Keeping::Configured) => "serve".to_owned(),
            Self::Serve(Keeping::Nothing) => "serve:live".to_owned(),
            Self::Serve(Keeping::Windows) => "serve:window".to_owned(),
            Self::Serve(Keeping::Recordings) => "serve:record".to_owned(),
            Self::Loop(0) => "loop".to_owned(),
            Self::Loop(ms) => format!("loop:{ms}"),
            Self::Nginx => "nginx".to_owned(),
            Self::There { play, .. } => play.clone(),
        }
    }

    /// Starts it, where it is not there already.
    pub(super) async fn start(self, arguments: &Arguments) -> anyhow::Result<Running> {
        let own = std::env::current_exe().context("this program does not find itself")?;
        let mut command = Command::new(own);
        let label = self.label();
        if let Self::There { play, publish, pid } = self {
            return Ok(Running { label, play, publish, pid, http: None, started: None });
        }
        let scratch = Scratch::new(&label)?;
        let mut is_ours = false;
        match self {
            Self::Nginx => return nginx(label, scratch, arguments).await,
            Self::Loop(ms) => {
                command.args(["bench-loop", "--gather-ms", &ms.to_string()]);
            }
            Self::Serve(keeping) => {
                command.args(["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"]);
                command.arg(scratch.path()).arg("--media").arg(scratch.path());
                if let Some(config) = keeping.config(arguments.past) {
                    command.arg("--config").arg(scratch.write("headwater.toml", &config)?);
                }
                arguments.config.iter().for_each(|file| {
                    command.arg("--config").arg(file);
                });
                is_ours = true;
            }
            Self::There { .. } => {}
        }
        let mut started = Started::spawn(&mut command, scratch, arguments.cpu)?;
        let (rtmp, http) = started.ready().await?;
        let play = match arguments.format {
            Format::Rtmp => format!("{rtmp}/{STREAM}"),
            Format::HttpFlv => format!("{http}/{STREAM}.flv"),
            Format::Hls => format!("{http}/{STREAM}/index.m3u8"),
            Format::WsFlv => format!("{}/{STREAM}.flv", http.replacen("http", "ws", 1)),
        };
        let publish = Some(format!("{rtmp}/{STREAM}"));
        let (pid, http) = (started.pid(), is_ours.then_some(http));
        Ok(Running { label, play, publish, pid, http, started: Some(started) })
    }
}

impl Running {
    /// Asks it to end, if it was started here. It is waited for when this is dropped.
    pub(super) fn ask_to_end(&mut self) {
        if let Some(started) = &mut self.started {
            started.ask_to_end();
        }
    }

    /// What it keeps of its streams by now; none of a server that is not this program.
    pub(super) async fn keeps(&self) -> anyhow::Result<Option<Kept>> {
        match (&self.http, &self.started) {
            (Some(http), Some(started)) => Kept::now(http, started.directory()).await.map(Some),
            _ => Ok(None),
        }
    }

    /// What is published of a stream before its time, if anything is.
    pub(super) fn past(&self, stream: &str, seconds: u32) -> Option<Past> {
        let http = self.http.as_ref().filter(|_| seconds > 0)?;
        Some(Past { seconds, description: format!("{http}/api/v1/streams/{stream}") })
    }

    /// A clip of what a stream keeps, if one is asked for.
    pub(super) async fn clip(&self, stream: &str, arguments: &Arguments) -> anyhow::Result<Option<Clip>> {
        match (&self.http, arguments.clip) {
            (Some(http), Some(seconds)) => {
                let made = kept::clip(http, stream, arguments.past, seconds).await;
                made.map(Some).context("no clip is made")
            }
            _ => Ok(None),
        }
    }
}

async fn nginx(label: String, scratch: Scratch, arguments: &Arguments) -> anyhow::Result<Running> {
    let Some(module) = NGINX_MODULES.into_iter().find(|path| Path::new(path).exists()) else {
        bail!("its RTMP module is not installed (Debian: apt-get install nginx libnginx-mod-rtmp)");
    };
    let port = free_port()?;
    let text = format!(
        "load_module {module};\ndaemon off;\nworker_processes 1;\npid {0}/pid;\nerror_log stderr;\n\
         events {{ worker_connections 20000; }}\n\
         rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; }} }} }}\n",
        scratch.path().display()
    );
    let file = scratch.write("nginx.conf", &text)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(scratch.path()).arg("-c").arg(&file);
    let mut started = Started::spawn(&mut command, scratch, arguments.cpu)?;
    started.listens(port).await?;
    let play = format!("rtmp://127.0.0.1:{port}/{STREAM}");
    let (publish, pid) = (Some(play.clone()), started.pid());
    Ok(Running { label, play, publish, pid, http: None, started: Some(started) })
}

/// A port that nobody has; another may take it before nginx does, and then nginx says so.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Where a stream is published that is played at `play`.
fn publish_address(play: &str) -> anyhow::Result<String> {
    if play.starts_with("rtmp://") || play.starts_with("rtmps://") {
        return Ok(play.to_owned());
    }
    let Some((scheme, rest)) = play.split_once("://") else {
        bail!("{play} is no target: serve, loop, loop:MS, nginx or an address is wanted");
    };
    if !matches!(scheme, "http" | "https" | "ws" | "wss") {
        bail!("{play}: rtmp, rtmps, http, https, ws or wss is wanted");
    }
    let path = rest.split('?').next().unwrap_or(rest);
    match path.split_once('/') {
        Some((authority, name)) => {
            let host = match authority.rsplit_once(':') {
                Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
                _ => authority,
            };
            let stem = name.strip_suffix(".flv").or_else(|| name.strip_suffix("/index.m3u8"));
            Ok(format!("rtmp://{host}/{}", stem.unwrap_or(name)))
        }
        None => bail!("{play} names no stream"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_where_to_publish() {
        let publish = |play| publish_address(play).ok();
        assert_eq!(publish("rtmp://h:1936/live/a").as_deref(), Some("rtmp://h:1936/live/a"));
        assert_eq!(publish("http://h:8080/live/a.flv?x=1").as_deref(), Some("rtmp://h/live/a"));
        assert_eq!(publish("wss://[::1]:8443/live/a/b.flv").as_deref(), Some("rtmp://[::1]/live/a/b"));
        assert_eq!(publish("http://h/live/a/index.m3u8").as_deref(), Some("rtmp://h/live/a"));
        assert_eq!((publish("serve2"), publish("file:///a"), publish("http://h")), (None, None, None));
    }
}
