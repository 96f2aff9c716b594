//! AMF3, bytes to values and back. A server answers in AMF0; the writer is for clients and for tests.
//!
//! Integers, doubles and the elements of vectors become numbers. An array with dense values only is a
//! list; one with named values is an associative array, its dense values under the names "0", "1", ….
//! `ArrayCollection` and `ObjectProxy` of Flex become what they wrap; other externalizable classes have
//! bodies of unknown length and are an error.

mod marker;
mod write;

use std::sync::Arc;

use bytes::Bytes;

use self::marker::{
    ARRAY, BYTE_ARRAY, DATE, DICTIONARY, DOUBLE, FALSE, INTEGER, NULL, OBJECT, STRING, TRUE, UNDEFINED,
    VECTOR_DOUBLE, VECTOR_INT, VECTOR_OBJECT, VECTOR_UINT, XML, XML_DOCUMENT,
};
use super::read::{Reader, References};
use super::{Error, Limits, Object, Text, Value};
pub use write::{encode, encode_all};

const ARRAY_COLLECTION: &str = "flex.messaging.io.ArrayCollection";
const OBJECT_PROXY: &str = "flex.messaging.io.ObjectProxy";

/// Decodes a message body of AMF3 values with the limits for the wire.
///
/// # Errors
/// A limit, a body cut off within a value, a marker that does not exist, a string or traits reference
/// to nothing, or an externalizable class that is not known.
pub fn decode_all(bytes: &[u8]) -> Result<Vec<Value>, Error> {
    decode_all_with(bytes, &Limits::WIRE)
}

/// Decodes a message body of AMF3 values.
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

/// Reads the AMF3 values of one message body; its reference tables last as long as it.
#[derive(Debug)]
pub struct Decoder<'a> {
    reader: Reader<'a>,
    tables: Tables,
}

impl<'a> Decoder<'a> {
    /// Starts at the first value.
    #[must_use]
    pub fn new(bytes: &'a [u8], limits: &Limits) -> Self {
        Self { reader: Reader::new(bytes, limits), tables: Tables::default() }
    }

    /// Bytes used so far.
    #[must_use]
    pub fn position(&self) -> usize {
        self.reader.position()
    }

    /// The next value; `None` at the end.
    ///
    /// # Errors
    /// As [`decode_all`].
    pub fn next_value(&mut self) -> Result<Option<Value>, Error> {
        if self.reader.is_at_end() { Ok(None) } else { self.tables.value(&mut self.reader, 0).map(Some) }
    }
}

/// What references of one message may name.
#[derive(Debug, Default)]
pub(super) struct Tables {
    strings: Vec<Text>,
    objects: References,
    traits: Vec<Arc<Traits>>,
}

#[derive(Debug)]
struct Traits {
    class: Text,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Externalizable,
    Members { sealed: Vec<Text>, dynamic: bool },
}

/// A U29 whose low bit tells a value that follows from a reference to one before.
enum Header {
    Inline(usize),
    Reference(usize),
}

impl Tables {
    pub(super) fn value(&mut self, reader: &mut Reader<'_>, depth: usize) -> Result<Value, Error> {
        reader.enter(depth)?;
        let at = reader.position();
        Ok(match reader.u8()? {
            UNDEFINED => Value::Undefined,
            NULL => Value::Null,
            FALSE => Value::Boolean(false),
            TRUE => Value::Boolean(true),
            INTEGER => Value::Number(f64::from(integer(u29(reader)?))),
            DOUBLE => Value::Number(reader.f64()?),
            STRING => Value::String(self.string(reader)?),
            marker @ XML_DOCUMENT..=DICTIONARY => match header(reader)? {
                Header::Reference(index) => self.objects.resolve(index, depth, reader)?,
                Header::Inline(rest) => {
                    let place = self.objects.open(reader);
                    let value = self.complex(marker, rest, reader, depth)?;
                    self.objects.close(&place, &value, reader);
                    value
                }
            },
            marker => return Err(Error::UnknownMarker { marker, at }),
        })
    }

    /// A value that has a place in the object table; `rest` is its U29 without the low bit.
    fn complex(
        &mut self,
        marker: u8,
        rest: usize,
        reader: &mut Reader<'_>,
        depth: usize,
    ) -> Result<Value, Error> {
        match marker {
            XML_DOCUMENT | XML => reader.text(rest).map(Value::Xml),
            DATE => Ok(Value::Date { ms: reader.f64()?, time_zone_minutes: 0 }),
            ARRAY => self.array(rest, reader, depth),
            OBJECT => self.object(rest, reader, depth),
            BYTE_ARRAY => reader.take(rest).map(|bytes| Value::ByteArray(Bytes::copy_from_slice(bytes))),
            VECTOR_INT => vector(rest, 4, reader, depth, |r| r.u32().map(|n| f64::from(n.cast_signed()))),
            VECTOR_UINT => vector(rest, 4, reader, depth, |r| r.u32().map(f64::from)),
            VECTOR_DOUBLE => vector(rest, 8, reader, depth, |r| r.f64()),
            VECTOR_OBJECT => {
                reader.u8()?;
                self.string(reader)?;
                self.list(rest, reader, depth).map(Value::StrictArray)
            }
            _ => self.dictionary(rest, reader, depth),
        }
    }

    fn array(&mut self, dense: usize, reader: &mut Reader<'_>, depth: usize) -> Result<Value, Error> {
        reader.check_count(dense, 1)?;
        let mut named = Object::new();
        self.pairs(&mut named, reader, depth)?;
        let list = self.list(dense, reader, depth)?;
        if named.is_empty() {
            return Ok(Value::StrictArray(list));
        }
        for (n, value) in list.into_iter().enumerate() {
            named.insert(n.to_string(), value);
        }
        Ok(Value::EcmaArray(named))
    }

    fn list(&mut self, count: usize, reader: &mut Reader<'_>, depth: usize) -> Result<Vec<Value>, Error> {
        reader.check_count(count, 1)?;
        let mut values = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            values.push(self.value(reader, depth + 1)?);
        }
        Ok(values)
    }

    fn dictionary(&mut self, count: usize, reader: &mut Reader<'_>, depth: usize) -> Result<Value, Error> {
        reader.u8()?;
        reader.check_count(count, 2)?;
        let mut pairs = Vec::with_capacity(count.min(512));
        for _ in 0..count {
            pairs.push((self.value(reader, depth + 1)?, self.value(reader, depth + 1)?));
        }
        Ok(Value::Dictionary(pairs))
    }

    fn object(&mut self, rest: usize, reader: &mut Reader<'_>, depth: usize) -> Result<Value, Error> {
        let at = reader.position();
        let traits = self.traits(rest, reader)?;
        let Shape::Members { sealed, dynamic } = &traits.shape else {
            if traits.class == *ARRAY_COLLECTION || traits.class == *OBJECT_PROXY {
                return self.value(reader, depth + 1);
            }
            return Err(Error::UnknownClass { class: traits.class.clone(), at });
        };
        let mut object = Object::new();
        for name in sealed {
            object.insert(name.clone(), self.value(reader, depth + 1)?);
        }
        if *dynamic {
            self.pairs(&mut object, reader, depth)?;
        }
        let class = traits.class.clone();
        Ok(if class.as_bytes().is_empty() {
            Value::Object(object)
        } else {
            Value::TypedObject { class, object }
        })
    }

    fn traits(&mut self, rest: usize, reader: &mut Reader<'_>) -> Result<Arc<Traits>, Error> {
        if rest & 1 == 0 {
            let index = rest >> 1;
            let at = reader.position();
            return self.traits.get(index).cloned().ok_or(Error::BadReference { table: "traits", index, at });
        }
        let class = self.string(reader)?;
        let shape = if rest & 2 != 0 {
            Shape::Externalizable
        } else {
            let count = rest >> 3;
            // A name and a value for each.
            reader.check_count(count, 2)?;
            let mut sealed = Vec::with_capacity(count.min(256));
            for _ in 0..count {
                sealed.push(self.string(reader)?);
            }
            Shape::Members { sealed, dynamic: rest & 4 != 0 }
        };
        let traits = Arc::new(Traits { class, shape });
        self.traits.push(Arc::clone(&traits));
        Ok(traits)
    }

    /// Named values until the empty name.
    fn pairs(&mut self, object: &mut Object, reader: &mut Reader<'_>, depth: usize) -> Result<(), Error> {
        loop {
            let key = self.string(reader)?;
            if key.as_bytes().is_empty() {
                return Ok(());
            }
            object.insert(key, self.value(reader, depth + 1)?);
        }
    }

    /// The empty string never enters the table.
    fn string(&mut self, reader: &mut Reader<'_>) -> Result<Text, Error> {
        let at = reader.position();
        match header(reader)? {
            Header::Reference(index) => {
                self.strings.get(index).cloned().ok_or(Error::BadReference { table: "string", index, at })
            }
            Header::Inline(length) => {
                let text = reader.text(length)?;
                if length > 0 {
                    self.strings.push(text.clone());
                }
                Ok(text)
            }
        }
    }
}

fn vector(
    count: usize,
    item_bytes: usize,
    reader: &mut Reader<'_>,
    depth: usize,
    item: impl Fn(&mut Reader<'_>) -> Result<f64, Error>,
) -> Result<Value, Error> {
    reader.u8()?;
    reader.check_count(count, item_bytes)?;
    let mut values = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        reader.enter(depth + 1)?;
        values.push(Value::Number(item(reader)?));
    }
    Ok(Value::StrictArray(values))
}

fn header(reader: &mut Reader<'_>) -> Result<Header, Error> {
    let bits = u29(reader)? as usize;
    Ok(if bits & 1 == 0 { Header::Reference(bits >> 1) } else { Header::Inline(bits >> 1) })
}

/// One to four bytes; the fourth gives all its eight bits.
fn u29(reader: &mut Reader<'_>) -> Result<u32, Error> {
    let mut bits = 0;
    for _ in 0..3 {
        let byte = u32::from(reader.u8()?);
        bits = bits << 7 | byte & 0x7F;
        if byte & 0x80 == 0 {
            return Ok(bits);
        }
    }
    Ok(bits << 8 | u32::from(reader.u8()?))
}

/// Two's complement in 29 bits.
fn integer(bits: u32) -> i32 {
    (bits << 3).cast_signed() >> 3
}

#[cfg(test)]
mod tests;
