//! AMF3, values to bytes. It keeps no tables: every string and object is written out where it stands.

use bytes::{BufMut, Bytes};

use super::marker::{
    ARRAY, BYTE_ARRAY, DATE, DICTIONARY, DOUBLE, FALSE, INTEGER, NULL, OBJECT, STRING, TRUE, UNDEFINED,
    XML_DOCUMENT,
};
use crate::amf::{Object, Text, Value};

/// What a U29 can count when its low bit says that a value follows.
const LENGTH_MAX: usize = (1 << 28) - 1;

/// Traits written in place, of a dynamic class without sealed members.
const DYNAMIC: u32 = 0b1011;

/// Appends a value. Never writes references.
///
/// AMF3 cannot say everything: a date loses its time zone, Unsupported becomes undefined, an empty
/// associative array is an empty list, an object of a class without a name is anonymous, and a member
/// with an empty name is left out (its name would end the object). Strings, byte arrays and lists end at
/// 2^28 - 1.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Undefined | Value::Unsupported => out.put_u8(UNDEFINED),
        Value::Null => out.put_u8(NULL),
        Value::Boolean(value) => out.put_u8(if *value { TRUE } else { FALSE }),
        Value::Number(number) => encode_number(*number, out),
        Value::String(text) => {
            out.put_u8(STRING);
            encode_text(text, out);
        }
        Value::Xml(text) => {
            out.put_u8(XML_DOCUMENT);
            encode_text(text, out);
        }
        Value::Date { ms, .. } => {
            out.put_slice(&[DATE, 1]);
            out.put_f64(*ms);
        }
        Value::StrictArray(values) => {
            out.put_u8(ARRAY);
            let count = encode_length(values.len(), out);
            encode_text(&Text::default(), out);
            values.iter().take(count).for_each(|value| encode(value, out));
        }
        Value::EcmaArray(object) => {
            out.put_u8(ARRAY);
            encode_length(0, out);
            encode_pairs(object, out);
        }
        Value::Object(object) => encode_object(&Text::default(), object, out),
        Value::TypedObject { class, object } => encode_object(class, object, out),
        Value::ByteArray(bytes) => {
            out.put_u8(BYTE_ARRAY);
            encode_bytes(bytes, out);
        }
        Value::Dictionary(pairs) => {
            out.put_u8(DICTIONARY);
            let count = encode_length(pairs.len(), out);
            out.put_u8(0);
            for (key, value) in pairs.iter().take(count) {
                encode(key, out);
                encode(value, out);
            }
        }
    }
}

/// A message body of these values.
#[must_use]
pub fn encode_all(values: &[Value]) -> Bytes {
    let mut out = Vec::new();
    values.iter().for_each(|value| encode(value, &mut out));
    out.into()
}

/// An integer if it is one of 29 bits, else a double; so is the negative zero.
fn encode_number(number: f64, out: &mut Vec<u8>) {
    let integer = number as i32;
    let fits = (-(1 << 28)..1 << 28).contains(&integer) && f64::from(integer).to_bits() == number.to_bits();
    if fits {
        out.put_u8(INTEGER);
        encode_u29(integer.cast_unsigned() & 0x1FFF_FFFF, out);
    } else {
        out.put_u8(DOUBLE);
        out.put_f64(number);
    }
}

fn encode_object(class: &Text, object: &Object, out: &mut Vec<u8>) {
    out.put_u8(OBJECT);
    encode_u29(DYNAMIC, out);
    encode_text(class, out);
    encode_pairs(object, out);
}

fn encode_pairs(object: &Object, out: &mut Vec<u8>) {
    for (key, value) in object.iter().filter(|(key, _)| !key.as_bytes().is_empty()) {
        encode_text(key, out);
        encode(value, out);
    }
    encode_text(&Text::default(), out);
}

fn encode_text(text: &Text, out: &mut Vec<u8>) {
    encode_bytes(text.as_bytes(), out);
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let length = encode_length(bytes.len(), out);
    out.put_slice(&bytes[..length]);
}

/// The count as written, for a value that stands here.
fn encode_length(length: usize, out: &mut Vec<u8>) -> usize {
    let length = length.min(LENGTH_MAX);
    encode_u29((length as u32) << 1 | 1, out);
    length
}

fn encode_u29(bits: u32, out: &mut Vec<u8>) {
    let septet = |shift: u32| (bits >> shift) as u8 & 0x7F;
    match bits {
        0..0x80 => out.put_u8(bits as u8),
        0x80..0x4000 => out.put_slice(&[septet(7) | 0x80, septet(0)]),
        0x4000..0x20_0000 => out.put_slice(&[septet(14) | 0x80, septet(7) | 0x80, septet(0)]),
        _ => out.put_slice(&[septet(22) | 0x80, septet(15) | 0x80, septet(8) | 0x80, bits as u8]),
    }
}
