//! AMF0, bytes to values and back. Lenient where encoders in the field are careless.

use bytes::{BufMut, Bytes};

use super::read::{Reader, References};
use super::{Error, Limits, Object, Text, Value, amf3};

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
const AVMPLUS: u8 = 0x11;

/// Decodes a message body with the limits for the wire.
///
/// # Errors
/// A limit, a body cut off within a value, or a marker that does not exist.
pub fn decode_all(bytes: &[u8]) -> Result<Vec<Value>, Error> {
    decode_all_with(bytes, &Limits::WIRE)
}

/// Decodes a message body. Garbage behind the last value is ignored: zeros, or bytes that start with no
/// marker.
///
/// # Errors
/// As [`decode_all`].
pub fn decode_all_with(bytes: &[u8], limits: &Limits) -> Result<Vec<Value>, Error> {
    let mut decoder = Decoder::new(bytes, limits);
    let mut values = Vec::new();
    loop {
        let start = decoder.position();
        match decoder.next_value() {
            Ok(Some(value)) => values.push(value),
            Ok(None) => return Ok(values),
            Err(error) if !values.is_empty() && is_garbage(&bytes[start..], start, &error) => {
                return Ok(values);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether what follows the last value is no attempt at a value: zeros of padding, or no marker at all.
fn is_garbage(rest: &[u8], start: usize, error: &Error) -> bool {
    matches!(error, Error::UnknownMarker { at, .. } if *at == start)
        || matches!(error, Error::CutOff(_)) && rest.iter().all(|byte| *byte == 0)
}

/// Reads the values of one message body, one after the other. References reach over the whole body.
#[derive(Debug)]
pub struct Decoder<'a> {
    reader: Reader<'a>,
    references: References,
    amf3: amf3::Tables,
}

impl<'a> Decoder<'a> {
    /// Starts at the first value.
    #[must_use]
    pub fn new(bytes: &'a [u8], limits: &Limits) -> Self {
        Self {
            reader: Reader::new(bytes, limits),
            references: References::default(),
            amf3: amf3::Tables::default(),
        }
    }

    /// Bytes used so far.
    #[must_use]
    pub fn position(&self) -> usize {
        self.reader.position()
    }

    /// The next value; `None` at the end.
    ///
    /// # Errors
    /// As [`decode_all_with`]. After an error, the values before it stay good: who can live with garbage
    /// behind the last useful value reads one value at a time and stops there.
    pub fn next_value(&mut self) -> Result<Option<Value>, Error> {
        if self.reader.is_at_end() { Ok(None) } else { self.value(0).map(Some) }
    }

    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        self.reader.enter(depth)?;
        let at = self.reader.position();
        Ok(match self.reader.u8()? {
            NUMBER => Value::Number(self.reader.f64()?),
            BOOLEAN => Value::Boolean(self.reader.u8()? != 0),
            STRING => Value::String(self.short_text()?),
            NULL => Value::Null,
            UNDEFINED => Value::Undefined,
            REFERENCE => {
                let index = usize::from(self.reader.u16()?);
                self.references.resolve(index, depth, &mut self.reader)?
            }
            marker @ (OBJECT | ECMA_ARRAY | STRICT_ARRAY | TYPED_OBJECT) => {
                let place = self.references.open(&self.reader);
                let value = self.complex(marker, depth)?;
                self.references.close(&place, &value, &self.reader);
                value
            }
            DATE => {
                let ms = self.reader.f64()?;
                Value::Date { ms, time_zone_minutes: self.reader.u16()?.cast_signed() }
            }
            LONG_STRING => Value::String(self.long_text()?),
            UNSUPPORTED => Value::Unsupported,
            XML => Value::Xml(self.long_text()?),
            AVMPLUS => self.amf3.value(&mut self.reader, depth + 1)?,
            marker => return Err(Error::UnknownMarker { marker, at }),
        })
    }

    /// A value that has a place in the reference table.
    fn complex(&mut self, marker: u8, depth: usize) -> Result<Value, Error> {
        Ok(match marker {
            OBJECT => Value::Object(self.object(depth)?),
            ECMA_ARRAY => {
                // The count is advisory: FFmpeg, nginx-rtmp and others ignore it.
                self.reader.u32()?;
                Value::EcmaArray(self.object(depth)?)
            }
            STRICT_ARRAY => Value::StrictArray(self.list(depth)?),
            _ => Value::TypedObject { class: self.short_text()?, object: self.object(depth)? },
        })
    }

    /// Pairs until the empty key and the end marker. The end of the message directly after a pair ends
    /// the object too: Envivio encoders leave the marker out.
    fn object(&mut self, depth: usize) -> Result<Object, Error> {
        let mut object = Object::new();
        while !self.reader.is_at_end() {
            let key = self.short_text()?;
            if key.as_bytes().is_empty() && matches!(self.reader.peek(), None | Some(OBJECT_END)) {
                if !self.reader.is_at_end() {
                    self.reader.u8()?;
                }
                break;
            }
            object.insert(key, self.value(depth + 1)?);
        }
        Ok(object)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value>, Error> {
        let count = self.reader.u32()? as usize;
        // Each value takes a byte at least, so a lying count costs nothing.
        self.reader.check_count(count, 1)?;
        let mut values = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            values.push(self.value(depth + 1)?);
        }
        Ok(values)
    }

    fn short_text(&mut self) -> Result<Text, Error> {
        let length = usize::from(self.reader.u16()?);
        self.reader.text(length)
    }

    fn long_text(&mut self) -> Result<Text, Error> {
        let length = self.reader.u32()? as usize;
        self.reader.text(length)
    }
}

/// Appends a value. Never writes references.
///
/// AMF0 cannot say everything: a key or class name longer than 65,535 bytes is cut there, a member with
/// an empty name is left out (its name would end the object), and what only AMF3 has becomes Unsupported.
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
            let count = object.iter().filter(|(key, _)| !key.as_bytes().is_empty()).count();
            out.put_u32(u32::try_from(count).unwrap_or(u32::MAX));
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
        Value::Unsupported | Value::ByteArray(_) | Value::Dictionary(_) => out.put_u8(UNSUPPORTED),
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
    for (key, value) in object.iter().filter(|(key, _)| !key.as_bytes().is_empty()) {
        encode_key(key, out);
        encode(value, out);
    }
    out.put_slice(&[0, 0, OBJECT_END]);
}

#[cfg(test)]
mod tests;
