//! `connect`: what a client says of itself, and how it is let in or turned away (RTMP 1.0 §7.2.1.1).

use std::borrow::Cow;

use headwater_media::amf::{Object, Value};

use super::capabilities::Capabilities;
use super::message::{Command, text_of};
use super::status::{Status, code};

/// What a client says of itself. Everything may be empty: cameras leave out what they please.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectRequest {
    /// The application, as sent: may carry an instance (`live/x`) and a query (`live?key=…`). Stream
    /// names are resolved against it, see [`crate::url::StreamPath`].
    pub app: String,
    /// The address that the client dialled.
    pub tc_url: String,
    /// The client's make, e.g. `FMLE/3.0 (compatible; FMSc/1.0)`.
    pub flash_ver: String,
    /// The web page that carries the player.
    pub page_url: String,
    /// The player.
    pub swf_url: String,
    /// 0 = AMF0, 3 = AMF3. The answer is 0 in any case, and Flash then keeps to AMF0 too; who speaks AMF3
    /// all the same is understood.
    pub object_encoding: f64,
    /// What the client can do beyond RTMP 1.0.
    pub capabilities: Capabilities,
    /// The whole command object.
    pub object: Object,
    /// What followed the object (`conn=` of librtmp).
    pub arguments: Vec<Value>,
}

impl ConnectRequest {
    pub(crate) fn read(command: &Command) -> Self {
        let object = command.object.as_object().cloned().unwrap_or_default();
        let tc_url = ["tcUrl", "tcurl"].map(|key| text_of(&object, key));
        Self {
            app: text_of(&object, "app"),
            tc_url: tc_url.into_iter().find(|url| !url.is_empty()).unwrap_or_default(),
            flash_ver: text_of(&object, "flashVer"),
            page_url: text_of(&object, "pageUrl"),
            swf_url: text_of(&object, "swfUrl"),
            object_encoding: object.get("objectEncoding").and_then(Value::as_number).unwrap_or(0.0),
            capabilities: Capabilities::read(&object),
            object,
            arguments: command.arguments.clone(),
        }
    }
}

/// Why a client is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectRejection {
    /// By policy; also the code for Adobe's login dialogue.
    Rejected,
    /// There is no such application.
    InvalidApp,
    /// Our fault.
    Failed,
    /// The server is going down.
    AppShutdown,
}

impl ConnectRejection {
    const fn code(self) -> &'static str {
        match self {
            Self::Rejected => code::CONNECT_REJECTED,
            Self::InvalidApp => code::CONNECT_INVALID_APP,
            Self::Failed => code::CONNECT_FAILED,
            Self::AppShutdown => code::CONNECT_APP_SHUTDOWN,
        }
    }
}

/// The `_result`. GStreamer looks for the code in the second object.
pub(crate) fn success(transaction: f64, server_version: &str, capabilities: &Capabilities) -> Command {
    let usual = Object::new().with("fmsVer", server_version).with("capabilities", 31.0).with("mode", 1.0);
    let properties = capabilities.in_result(usual);
    let information = Status::new(code::CONNECT_SUCCESS, "Connection succeeded.").to_object();
    Command::new("_result", transaction).object(properties).with(information.with("objectEncoding", 0.0))
}

/// The `_error`: FFmpeg and librtmp understand it, as they do not understand an `onStatus` here.
pub(crate) fn rejection(
    transaction: f64,
    reason: ConnectRejection,
    description: impl Into<Cow<'static, str>>,
) -> Command {
    Command::new("_error", transaction).with(Status::error(reason.code(), description).to_object())
}
