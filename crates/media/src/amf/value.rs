//! AMF values in memory, and how they look in a log line.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use bytes::Bytes;

/// Characters of a value in a log line, at most.
const DISPLAY_MAX: usize = 400;
/// Characters of a string within it, at most.
const DISPLAY_TEXT_MAX: usize = 80;

/// The bytes of an AMF string: UTF-8 by the specification, anything in the wild.
/// Copies share their bytes.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Text(Bytes);

impl Text {
    /// From bytes as they came.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As text; what is not UTF-8 becomes replacement characters.
    #[must_use]
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::from_bytes(text.as_bytes())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_str_lossy();
        if text.chars().count() <= DISPLAY_TEXT_MAX {
            return write!(f, "{text:?}");
        }
        let start: String = text.chars().take(DISPLAY_TEXT_MAX).collect();
        write!(f, "{start:?}… ({} bytes)", self.0.len())
    }
}

/// Named values in the order they came. Of equal names the last one counts.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Object(Vec<(Text, Value)>);

impl Object {
    /// Without any name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more name.
    #[must_use]
    pub fn with(mut self, key: impl Into<Text>, value: impl Into<Value>) -> Self {
        self.insert(key, value);
        self
    }

    /// Adds a name at the end, whether it is there already or not.
    pub fn insert(&mut self, key: impl Into<Text>, value: impl Into<Value>) {
        self.0.push((key.into(), value.into()));
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().rev().find(|(name, _)| *name == *key).map(|(_, value)| value)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Text, &Value)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<Text>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

/// One AMF value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A number; every AMF0 number is a double.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A string.
    String(Text),
    /// An anonymous object.
    Object(Object),
    /// Null.
    Null,
    /// Undefined; also what an unusable reference becomes.
    Undefined,
    /// An associative array; used like an object.
    EcmaArray(Object),
    /// A list.
    StrictArray(Vec<Self>),
    /// A point in time.
    Date {
        /// Milliseconds since 1970-01-01 UTC.
        ms: f64,
        /// Reserved by the specification; zero in practice.
        time_zone_minutes: i16,
    },
    /// An XML document.
    Xml(Text),
    /// An object of a named class.
    TypedObject {
        /// The class.
        class: Text,
        /// Its members.
        object: Object,
    },
    /// A value that its sender could not express.
    Unsupported,
    /// Bytes. AMF3 only.
    ByteArray(Bytes),
    /// Pairs of any two values. AMF3 only.
    Dictionary(Vec<(Self, Self)>),
}

impl Value {
    /// A string.
    #[must_use]
    pub fn string(text: &str) -> Self {
        Self::String(text.into())
    }

    /// The number.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value; a number counts as true unless it is zero.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            Self::Number(number) => Some(*number != 0.0),
            _ => None,
        }
    }

    /// The string.
    #[must_use]
    pub fn as_text(&self) -> Option<&Text> {
        match self {
            Self::String(text) | Self::Xml(text) => Some(text),
            _ => None,
        }
    }

    /// The named values of an object or an associative array: senders mix them up.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) | Self::EcmaArray(object) | Self::TypedObject { object, .. } => Some(object),
            _ => None,
        }
    }

    /// Null or undefined.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::Undefined)
    }

    /// Levels of nesting, this one included.
    pub(super) fn height(&self) -> usize {
        let below = match self {
            Self::Object(object) | Self::EcmaArray(object) | Self::TypedObject { object, .. } => {
                object.iter().map(|(_, value)| value.height()).max()
            }
            Self::StrictArray(values) => values.iter().map(Self::height).max(),
            Self::Dictionary(pairs) => {
                pairs.iter().map(|(key, value)| key.height().max(value.height())).max()
            }
            _ => None,
        };
        1 + below.unwrap_or(0)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::string(text)
    }
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::String(text)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

/// One line for a log: control characters escaped, length bounded.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Line { out: f, left: DISPLAY_MAX };
        match line.value(self) {
            Err(_) if line.left == 0 => f.write_char('…'),
            done => done,
        }
    }
}

struct Line<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    left: usize,
}

impl fmt::Write for Line<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if self.left == 0 {
                return Err(fmt::Error);
            }
            self.left -= 1;
            self.out.write_char(c)?;
        }
        Ok(())
    }
}

impl Line<'_, '_> {
    fn value(&mut self, value: &Value) -> fmt::Result {
        match value {
            Value::Number(number) => write!(self, "{number}"),
            Value::Boolean(value) => write!(self, "{value}"),
            Value::String(text) | Value::Xml(text) => write!(self, "{text:?}"),
            Value::Object(object) | Value::EcmaArray(object) => self.object(object),
            Value::TypedObject { class, object } => {
                write!(self, "{} ", class.to_str_lossy().escape_debug())?;
                self.object(object)
            }
            Value::Null => self.write_str("null"),
            Value::Undefined => self.write_str("undefined"),
            Value::Unsupported => self.write_str("unsupported"),
            Value::Date { ms, .. } => write!(self, "date({ms})"),
            Value::StrictArray(values) => {
                self.write_char('[')?;
                for (n, value) in values.iter().enumerate() {
                    self.write_str(if n > 0 { ", " } else { "" })?;
                    self.value(value)?;
                }
                self.write_char(']')
            }
            Value::ByteArray(bytes) => write!(self, "bytes({})", bytes.len()),
            Value::Dictionary(pairs) => write!(self, "dictionary({})", pairs.len()),
        }
    }

    fn object(&mut self, object: &Object) -> fmt::Result {
        self.write_char('{')?;
        for (n, (key, value)) in object.iter().enumerate() {
            self.write_str(if n > 0 { ", " } else { "" })?;
            write!(self, "{}: ", key.to_str_lossy().escape_debug())?;
            self.value(value)?;
        }
        self.write_char('}')
    }
}
