//! A live stream or a film over RTMP, and on where the server sends us.

use std::collections::VecDeque;
use std::pin::Pin;

use anyhow::{Context, bail};
use headwater_media::flv::{Intake, LeftOut};
use headwater_media::{MediaKind, Timestamp};
use headwater_rtmp::session::{ClientEvent, PlayOptions};
use headwater_rtmp::tokio::Connection;
use headwater_rtmp::url::RtmpUrl;

use super::{REDIAL_AFTER, dial_url, refuse};
use crate::line::{Line, Trust};
use headwater_vod::Item;

/// The start of the data message that lets Flash's programs look at the samples.
const SAMPLE_ACCESS: &[u8] = b"\x02\x00\x11|RtmpSampleAccess";
/// From the last frame of one connection to the first of the next: about one picture.
const CHANGE_STEP: Timestamp = Timestamp::from_ms(40);

/// A stream that is played over RTMP.
pub(super) struct RtmpIncoming {
    connection: Connection<Line>,
    options: PlayOptions,
    trust: Trust,
    intake: Intake,
    /// Messages that were no messages, of this connection; and all that was left out of those before it.
    unreadable: LeftOut,
    before: LeftOut,
    ready: VecDeque<Item>,
    /// Nothing comes behind what is ready.
    ended: bool,
    /// Where the server sends us: the next connection, on its way to its first picture.
    next: Option<Beginning>,
    /// What is added to times, so that they go on over a change of connection; the last one given out.
    shift: Timestamp,
    last: Timestamp,
}

/// A connection on its way to its first picture. Boxed: it is of the type of what awaits it.
type Beginning = Pin<Box<dyn Future<Output = anyhow::Result<RtmpIncoming>>>>;

impl RtmpIncoming {
    /// Asks a server for what the URL names.
    pub(super) async fn open(url: RtmpUrl, options: PlayOptions, trust: Trust) -> anyhow::Result<Self> {
        let (mut connection, url) = dial_url(url, &trust).await?;
        connection.session().play(&url.stream, options)?;
        Ok(Self {
            connection,
            options,
            trust,
            intake: Intake::default(),
            unreadable: LeftOut::default(),
            before: LeftOut::default(),
            ready: VecDeque::new(),
            ended: false,
            next: None,
            shift: Timestamp::ZERO,
            last: Timestamp::ZERO,
        })
    }

    /// What comes next has come already, or is awaited: false at the end of the stream.
    pub(super) async fn fill(&mut self) -> anyhow::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let event = match &mut self.next {
            None => self.connection.next_event().await,
            Some(next) => tokio::select! {
                opened = next => return self.change_over(opened).map(|()| true),
                event = self.connection.next_event() => event,
            },
        };
        match event {
            // A word to Flash, before anything of the stream.
            Ok(Some(ClientEvent::Data { payload, .. })) if payload.starts_with(SAMPLE_ACCESS) => {}
            Ok(Some(ClientEvent::ReconnectRequested { url, status })) if self.next.is_none() => {
                tracing::info!(
                    "the server asks us to come again, to {}:{}: {}",
                    url.host,
                    url.port,
                    status.description
                );
                self.next = Some(begin_anew(url, self.options, self.trust.clone()));
            }
            // It goes, and where it sent us nothing has come yet.
            Ok(Some(ClientEvent::EndOfStream { .. } | ClientEvent::Closed) | None) | Err(_)
                if self.next.is_some() =>
            {
                if let Some(next) = self.next.take() {
                    self.change_over(next.await)?;
                }
            }
            Ok(Some(ClientEvent::EndOfStream { .. }) | None) => {
                self.ended = true;
                self.ready.extend(self.intake.flush().map(Item::from));
                return Ok(!self.ready.is_empty());
            }
            Ok(Some(event)) => self.take(event)?,
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    /// What has come, in order.
    pub(super) fn pop(&mut self) -> Option<Item> {
        let item = self.ready.pop_front()?;
        Some(self.placed(item))
    }

    /// What could not be used so far.
    pub(super) fn left_out(&self) -> LeftOut {
        let mut all = self.before.clone();
        all.merge(&self.unreadable);
        all.merge(&self.intake.left_out());
        all
    }

    /// How many messages that were.
    pub(super) fn left_out_count(&self) -> u64 {
        self.before.total() + self.unreadable.total() + self.intake.left_out_count()
    }

    fn take(&mut self, event: ClientEvent) -> anyhow::Result<()> {
        let items = match event {
            ClientEvent::Media { kind, timestamp, body, .. } => self.intake.take(kind, timestamp, body),
            ClientEvent::Data { timestamp, payload, .. } => {
                self.intake.take(MediaKind::Data, timestamp, payload)
            }
            ClientEvent::LeftOut { fault, .. } => {
                self.unreadable.add(fault.to_string(), 1);
                return Ok(());
            }
            event => return refuse(&event),
        };
        self.ready.extend(items.map(Item::from));
        Ok(())
    }

    /// Goes on with another connection, whose first picture is there; its times follow ours.
    fn change_over(&mut self, opened: anyhow::Result<Self>) -> anyhow::Result<()> {
        let opened = opened.context("the server sent us elsewhere, and it does not go on there")?;
        let first = opened.ready.iter().find_map(|item| match item {
            Item::Frame(frame) => Some(frame.dts),
            _ => None,
        });
        let (last, before) = (self.last, self.left_out());
        *self = opened;
        self.shift = last + CHANGE_STEP - first.unwrap_or(Timestamp::ZERO);
        self.last = last;
        self.before = before;
        Ok(())
    }

    fn placed(&mut self, item: Item) -> Item {
        let Item::Frame(mut frame) = item else { return item };
        frame.dts = frame.dts + self.shift;
        frame.pts = frame.pts + self.shift;
        self.last = self.last.max(frame.dts);
        Item::Frame(frame)
    }
}

/// Opens the next connection and waits for its first media.
fn begin_anew(url: RtmpUrl, options: PlayOptions, trust: Trust) -> Beginning {
    Box::pin(async move {
        tokio::time::sleep(REDIAL_AFTER).await;
        let mut incoming = RtmpIncoming::open(url, options, trust).await?;
        while !incoming.ready.iter().any(|item| matches!(item, Item::Frame(_))) {
            if !incoming.fill().await? {
                bail!("the stream has ended");
            }
        }
        Ok(incoming)
    })
}
