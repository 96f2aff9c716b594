//! AMF0, bytes to values and back. Lenient where encoders in the field are careless.

use bytes::{BufMut, Bytes};

use super::{Error, Limits, Object, Text, Value};

const NUMBER: u8 = 0x00;
const BOOLEAN: u8 = 0x01;
const STRING: u8 = 0x02;
const OBJECT: u8 = 0x03;
const NULL: u8 = 0x05;
const UNDEFINED: u8 = 0x06;
const REFERENCE: u8 = 0x07;
const ECMA_ARRAY: u8 = 0x08;
const OBJECT_END: u8 = 0x09;
const STRICT_ARRAY: u8 = 0x0A;
const DATE: u8 = 0x0B;
const LONG_STRING: u8 = 0x0C;
const UNSUPPORTED: u8 = 0x0D;
const XML: u8 = 0x0F;
const TYPED_OBJECT: u8 = 0x10;

/// Decodes a message body with the limits for the wire.
///
/// # Errors
/// A limit, a body cut off within a value, or a marker that does not exist.
pub fn decode_all(bytes: &[u8]) -> Result<Vec<Value>, Error> {
    decode_all_with(bytes, &Limits::WIRE)
}

/// Decodes a message body.
///
/// # Errors
/// As [`decode_all`].
pub fn decode_all_with(bytes: &[u8], limits: &Limits) -> Result<Vec<Value>, Error> {
    let mut decoder = Decoder::new(bytes, limits);
    let mut values = Vec::new();
    while let Some(value) = decoder.next_value()? {
        values.push(value);
    }
    Ok(values)
}

/// Reads the values of one message body, one after the other.
#[derive(Debug)]
pub struct Decoder<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: Limits,
    values: usize,
}

impl<'a> Decoder<'a> {
    /// Starts at the first value.
    #[must_use]
    pub fn new(bytes: &'a [u8], limits: &Limits) -> Self {
        Self { bytes, at: 0, limits: *limits, values: 0 }
    }

    /// Bytes used so far.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// The next value; `None` at the end.
    ///
    /// # Errors
    /// As [`decode_all`].
    pub fn next_value(&mut self) -> Result<Option<Value>, Error> {
        if self.at == self.bytes.len() { Ok(None) } else { self.value(0).map(Some) }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        let at = self.at;
        if depth >= self.limits.depth_max {
            return Err(Error::TooDeep { limit: self.limits.depth_max, at });
        }
        self.values += 1;
        if self.values > self.limits.values_max {
            return Err(Error::TooMany { limit: self.limits.values_max, at });
        }
        Ok(match self.u8()? {
            NUMBER => Value::Number(f64::from_bits(self.u64()?)),
            BOOLEAN => Value::Boolean(self.u8()? != 0),
            STRING => Value::String(self.short_text()?),
            OBJECT => Value::Object(self.object(depth)?),
            NULL => Value::Null,
            UNDEFINED => Value::Undefined,
            REFERENCE => {
                // To a value before (AMF0 §2.9); no sender in the field writes one.
                self.take(2)?;
                Value::Undefined
            }
            ECMA_ARRAY => {
                // The count is advisory: FFmpeg, nginx-rtmp and others ignore it.
                self.take(4)?;
                Value::EcmaArray(self.object(depth)?)
            }
            STRICT_ARRAY => Value::StrictArray(self.list(depth)?),
            DATE => {
                let ms = f64::from_bits(self.u64()?);
                Value::Date { ms, time_zone_minutes: i16::from_be_bytes(self.array()?) }
            }
            LONG_STRING => Value::String(self.long_text()?),
            UNSUPPORTED => Value::Unsupported,
            XML => Value::Xml(self.long_text()?),
            TYPED_OBJECT => Value::TypedObject { class: self.short_text()?, object: self.object(depth)? },
            marker => return Err(Error::UnknownMarker { marker, at }),
        })
    }

    /// Pairs until the empty key and the end marker. The end of the message directly after a pair ends
    /// the object too: Envivio encoders leave the marker out.
    fn object(&mut self, depth: usize) -> Result<Object, Error> {
        let mut object = Object::new();
        while self.at < self.bytes.len() {
            let key = self.short_text()?;
            if key.as_bytes().is_empty() && self.bytes.get(self.at) == Some(&OBJECT_END) {
                self.at += 1;
                break;
            }
            let value = self.value(depth + 1)?;
            object.push(key, value);
        }
        Ok(object)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value>, Error> {
        let at = self.at;
        let count = u32::from_be_bytes(self.array()?) as usize;
        // Each value takes a byte at least, so a lying count costs nothing.
        if count > self.bytes.len() - self.at {
            return Err(Error::CutOff(at));
        }
        let mut values = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            values.push(self.value(depth + 1)?);
        }
        Ok(values)
    }

    fn short_text(&mut self) -> Result<Text, Error> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        self.text(length)
    }

    fn long_text(&mut self) -> Result<Text, Error> {
        let length = u32::from_be_bytes(self.array()?) as usize;
        self.text(length)
    }

    fn text(&mut self, length: usize) -> Result<Text, Error> {
        if length > self.limits.string_bytes_max {
            return Err(Error::TooLong { length, limit: self.limits.string_bytes_max, at: self.at });
        }
        Ok(Text::from_bytes(self.take(length)?))
    }

    fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let at = self.at;
        self.take(N)?.try_into().map_err(|_| Error::CutOff(at))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..count).ok_or(Error::CutOff(self.at))?;
        self.at += count;
        Ok(taken)
    }
}

/// Appends a value. Never writes references. A key longer than 65,535 bytes is cut there.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number(number) => {
            out.put_u8(NUMBER);
            out.put_f64(*number);
        }
        Value::Boolean(value) => out.put_slice(&[BOOLEAN, u8::from(*value)]),
        Value::String(text) => encode_string(text, out),
        Value::Object(object) => {
            out.put_u8(OBJECT);
            encode_pairs(object, out);
        }
        Value::Null => out.put_u8(NULL),
        Value::Undefined => out.put_u8(UNDEFINED),
        Value::EcmaArray(object) => {
            out.put_u8(ECMA_ARRAY);
            out.put_u32(u32::try_from(object.len()).unwrap_or(u32::MAX));
            encode_pairs(object, out);
        }
        Value::StrictArray(values) => {
            out.put_u8(STRICT_ARRAY);
            out.put_u32(u32::try_from(values.len()).unwrap_or(u32::MAX));
            values.iter().for_each(|value| encode(value, out));
        }
        Value::Date { ms, time_zone_minutes } => {
            out.put_u8(DATE);
            out.put_f64(*ms);
            out.put_i16(*time_zone_minutes);
        }
        Value::Xml(text) => {
            out.put_u8(XML);
            encode_long(text, out);
        }
        Value::TypedObject { class, object } => {
            out.put_u8(TYPED_OBJECT);
            encode_key(class, out);
            encode_pairs(object, out);
        }
        Value::Unsupported => out.put_u8(UNSUPPORTED),
    }
}

/// A message body of these values.
#[must_use]
pub fn encode_all(values: &[Value]) -> Bytes {
    let mut out = Vec::new();
    values.iter().for_each(|value| encode(value, &mut out));
    out.into()
}

fn encode_string(text: &Text, out: &mut Vec<u8>) {
    if u16::try_from(text.as_bytes().len()).is_ok() {
        out.put_u8(STRING);
        encode_key(text, out);
    } else {
        out.put_u8(LONG_STRING);
        encode_long(text, out);
    }
}

fn encode_long(text: &Text, out: &mut Vec<u8>) {
    out.put_u32(u32::try_from(text.as_bytes().len()).unwrap_or(u32::MAX));
    out.put_slice(text.as_bytes());
}

fn encode_key(key: &Text, out: &mut Vec<u8>) {
    let length = u16::try_from(key.as_bytes().len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(&key.as_bytes()[..usize::from(length)]);
}

fn encode_pairs(object: &Object, out: &mut Vec<u8>) {
    for (key, value) in object.iter() {
        encode_key(key, out);
        encode(value, out);
    }
    out.put_slice(&[0, 0, OBJECT_END]);
}
