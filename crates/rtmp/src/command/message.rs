//! The form that all commands share: a name, a transaction, an object and arguments, all in AMF0 (RTMP 1.0 §7.1.1).

use bytes::Bytes;
use headwater_media::amf::{self, Object, Value, amf0};

use crate::{Error, Fault};

/// A command or the answer to one.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// `connect`, `publish`, `_result`, `onStatus` and so on.
    pub name: String,
    /// Which answer belongs to which command; 0 = no answer wanted.
    pub transaction: f64,
    /// The command object; null for most.
    pub object: Value,
    /// What follows.
    pub arguments: Vec<Value>,
}

impl Command {
    /// With a null object and without arguments.
    #[must_use]
    pub fn new(name: &str, transaction: f64) -> Self {
        Self { name: name.to_owned(), transaction, object: Value::Null, arguments: Vec::new() }
    }

    /// With this command object.
    #[must_use]
    pub fn object(mut self, object: Object) -> Self {
        self.object = Value::Object(object);
        self
    }

    /// With one argument more.
    #[must_use]
    pub fn with(mut self, argument: impl Into<Value>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The answer "done", with an undefined value: what encoders expect of `releaseStream` and its like.
    #[must_use]
    pub fn result(transaction: f64) -> Self {
        Self::new("_result", transaction).with(Value::Undefined)
    }

    /// An argument, or undefined when there are fewer.
    #[must_use]
    pub fn argument(&self, number: usize) -> &Value {
        self.arguments.get(number).unwrap_or(&Value::Undefined)
    }

    /// An argument as text; `None` when it is none.
    #[must_use]
    pub fn text(&self, number: usize) -> Option<String> {
        self.argument(number).as_text().map(|text| text.to_str_lossy().into_owned())
    }

    /// Reads a command; `at` is where its message began, for errors. What follows the object may be
    /// garbage: it is left out. So is, wherever it stands, what only a certain class of Flash can read.
    ///
    /// # Errors
    /// [`Error::Peer`] when it is no command, or a bomb.
    pub fn decode(payload: &[u8], at: u64) -> Result<Self, Error> {
        let mut decoder = amf0::Decoder::new(payload, &amf::Limits::WIRE);
        let mut values = Vec::new();
        loop {
            match decoder.next_value() {
                Ok(Some(value)) => values.push(value),
                Ok(None) => break,
                Err(amf::Error::CutOff(_) | amf::Error::UnknownMarker { .. }) if values.len() >= 3 => break,
                Err(amf::Error::UnknownClass { .. }) => break,
                Err(error) => return Err(Error::Peer { at, fault: Fault::CommandBroken(error) }),
            }
        }
        let mut values = values.into_iter().peekable();
        let Some(Value::String(name)) = values.next() else {
            return Err(Error::Peer { at, fault: Fault::CommandNameless });
        };
        let transaction = values.next().and_then(|value| value.as_number()).unwrap_or(0.0);
        // Some clients leave the null out: then the first argument stands in its place.
        let object = values.next_if(|value| value.is_null() || value.as_object().is_some());
        let (object, arguments) = (object.unwrap_or(Value::Null), values.collect());
        Ok(Self { name: name.to_str_lossy().into_owned(), transaction, object, arguments })
    }

    /// The message's payload.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut payload = Vec::with_capacity(128);
        amf0::encode(&Value::string(&self.name), &mut payload);
        amf0::encode(&Value::Number(self.transaction), &mut payload);
        amf0::encode(&self.object, &mut payload);
        for argument in &self.arguments {
            amf0::encode(argument, &mut payload);
        }
        payload.into()
    }
}

/// The text under `key`, or an empty one. Some encoders put single quotes around it (quirk 70).
pub(super) fn text_of(object: &Object, key: &str) -> String {
    let text = object.get(key).and_then(Value::as_text);
    text.map(|text| text.to_str_lossy().trim_matches('\'').to_owned()).unwrap_or_default()
}
