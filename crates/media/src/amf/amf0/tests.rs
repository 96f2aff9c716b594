//! The quirks of AMF0 in the field, one test each, and what no bytes may ever do.

use proptest::prelude::*;

use super::*;

fn one(bytes: &[u8]) -> Value {
    let values = decode_all(bytes).expect("decodes");
    assert_eq!(values.len(), 1, "{values:?}");
    values.into_iter().next().expect("one")
}

#[test]
fn known_bytes_both_ways() {
    let cases: [(&[u8], Value); 9] = [
        (b"\x00\x3f\xf0\0\0\0\0\0\0", Value::Number(1.0)),
        (b"\x01\x01", Value::Boolean(true)),
        (b"\x02\0\x04live", Value::string("live")),
        (b"\x02\0\0", Value::string("")),
        (b"\x05", Value::Null),
        (b"\x06", Value::Undefined),
        (b"\x0d", Value::Unsupported),
        (b"\x0b\0\0\0\0\0\0\0\0\xff\xc4", Value::Date { ms: 0.0, time_zone_minutes: -60 }),
        (
            b"\x10\0\x01C\0\x01a\x02\0\0\0\0\x09",
            Value::TypedObject { class: "C".into(), object: Object::new().with("a", "") },
        ),
    ];
    for (bytes, value) in cases {
        assert_eq!(one(bytes), value);
        assert_eq!(encode_all(&[value]), bytes);
    }
}

#[test]
fn any_byte_but_zero_is_true() {
    assert_eq!(one(b"\x01\x7f"), Value::Boolean(true));
    assert_eq!(Value::Number(2.0).as_bool(), Some(true));
    assert_eq!(Value::Number(0.0).as_bool(), Some(false));
}

#[test]
fn ecma_array_count_is_advisory() {
    for count in [[0; 4], [0, 0, 0, 7], [0xff; 4]] {
        let bytes = [&b"\x08"[..], &count, b"\0\x01a\x05\0\x010\x05\0\0\x09"].concat();
        assert_eq!(
            one(&bytes),
            Value::EcmaArray(Object::new().with("a", Value::Null).with("0", Value::Null))
        );
    }
}

#[test]
fn end_of_message_after_a_pair_ends_the_object() {
    let expected = Value::Object(Object::new().with("a", true));
    assert_eq!(one(b"\x03\0\x01a\x01\x01"), expected);
    assert_eq!(one(b"\x03\0\x01a\x01\x01\0\0"), expected);
    assert_eq!(decode_all(b"\x03\0\x01a"), Err(Error::CutOff(4)));
    assert_eq!(decode_all(b"\x03\0\x05a"), Err(Error::CutOff(3)));
}

#[test]
fn strict_array_count_that_lies_takes_no_memory() {
    assert_eq!(decode_all(b"\x0a\xff\xff\xff\xff\x05\x05"), Err(Error::CutOff(5)));
    assert_eq!(one(b"\x0a\0\0\0\x02\x05\x05"), Value::StrictArray(vec![Value::Null, Value::Null]));
}

#[test]
fn references() {
    // {a: {}, b: reference} where the table is [outer, a].
    let to = |index: u8| {
        let bytes = [&b"\x03\0\x01a\x03\0\x01x\x05\0\0\x09\0\x01b\x07\0"[..], &[index], b"\0\0\x09"].concat();
        one(&bytes).as_object().and_then(|object| object.get("b").cloned()).expect("b")
    };
    assert_eq!(to(0), Value::Undefined, "self reference");
    assert_eq!(to(1), Value::Object(Object::new().with("x", Value::Null)));
    assert_eq!(to(2), Value::Undefined, "out of range");
    // The table lasts for the whole message, and lists have a place in it too.
    let values = decode_all(b"\x0a\0\0\0\x01\x05\x07\0\0").expect("decodes");
    assert_eq!(values, vec![Value::StrictArray(vec![Value::Null]); 2]);
}

#[test]
fn references_cannot_multiply() {
    // Each list holds the one before ten times: 10^12 values if nobody counted.
    let mut bytes = b"\x0a\0\0\0\x01\x05".to_vec();
    for n in 0..12 {
        bytes.extend(b"\x0a\0\0\0\x0a");
        (0..10).for_each(|_| bytes.extend([7, 0, n]));
    }
    assert!(matches!(decode_all(&bytes), Err(Error::TooMany { limit: 4096, .. })));
    // Nor nest deeper than values may.
    let mut bytes = b"\x0a\0\0\0\x01\x05".to_vec();
    (0..40).for_each(|n| bytes.extend([0x0a, 0, 0, 0, 1, 7, 0, n]));
    assert!(matches!(decode_all(&bytes), Err(Error::TooDeep { limit: 32, .. })));
}

#[test]
fn last_of_equal_keys_wins_and_order_stays() {
    let bytes = b"\x03\0\x01b\x05\0\x01a\x01\x00\0\x01a\x01\x01\0\0\x09";
    let value = one(bytes);
    let object = value.as_object().expect("object");
    assert_eq!(object.get("a"), Some(&Value::Boolean(true)));
    assert_eq!(object.len(), 3);
    assert_eq!(encode_all(&[value]), &bytes[..]);
}

#[test]
fn empty_string_as_a_member_ends_nothing() {
    let value = one(b"\x03\0\x01a\x02\0\0\0\x01b\x05\0\0\x09");
    assert_eq!(value, Value::Object(Object::new().with("a", "").with("b", Value::Null)));
}

#[test]
fn numbers_that_are_none_come_through() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0] {
        let back = one(&encode_all(&[number.into()])).as_number().expect("number");
        assert_eq!(back.to_bits(), number.to_bits());
    }
}

#[test]
fn strings_that_are_not_utf8_keep_their_bytes() {
    let bytes = b"\x02\0\x02\xc4\xe3";
    let value = one(bytes);
    assert_eq!(value.as_text().expect("text").as_bytes(), b"\xc4\xe3");
    assert_eq!(encode_all(std::slice::from_ref(&value)), &bytes[..]);
    assert_eq!(value.to_string(), "\"\u{fffd}\u{fffd}\"");
}

#[test]
fn garbage_behind_the_last_value_is_ignored() {
    for garbage in [&b"\0\0\0"[..], b"\xff\x01\x02", b"\x09"] {
        assert_eq!(decode_all(&[b"\x05", garbage].concat()), Ok(vec![Value::Null]));
        assert!(decode_all(garbage).is_err(), "without a value before it, it is an error");
    }
    assert_eq!(decode_all(b"\x05\x02\0\x09ab"), Err(Error::CutOff(4)), "a cut value is none");
}

#[test]
fn nesting_is_limited_not_the_stack() {
    for depth in [33, 10_000, 200_000] {
        for level in [&b"\x03\0\x01a"[..], b"\x08\0\0\0\x01\0\x01a", b"\x0a\0\0\0\x01", b"\x10\0\x01C\0\x01a"]
        {
            let bytes = level.repeat(depth);
            assert!(matches!(decode_all(&bytes), Err(Error::TooDeep { limit: 32, .. })));
        }
    }
    let bytes = [&b"\x0a\0\0\0\x01".repeat(31)[..], b"\x05"].concat();
    assert_eq!(one(&bytes).height(), 32);
}

#[test]
fn limits_of_count_and_length() {
    assert!(matches!(decode_all(&[5; 4097]), Err(Error::TooMany { limit: 4096, .. })));
    let long = Value::string(&"x".repeat(70_000));
    let bytes = encode_all(std::slice::from_ref(&long));
    assert_eq!(&bytes[..5], b"\x0c\0\x01\x11\x70", "over 65,535 bytes it is a long string");
    assert!(matches!(decode_all(&bytes), Err(Error::TooLong { length: 70_000, limit: 65_536, at: 5 })));
    assert_eq!(decode_all_with(&bytes, &Limits::FILE), Ok(vec![long]));
    let times = Value::StrictArray((0..100_000).map(|n| f64::from(n).into()).collect());
    let film = Value::EcmaArray(Object::new().with("keyframes", Object::new().with("times", times)));
    let bytes = encode_all(std::slice::from_ref(&film));
    assert_eq!(decode_all_with(&bytes, &Limits::FILE), Ok(vec![film]));
    assert!(matches!(decode_all(&bytes), Err(Error::TooMany { .. })));
}

#[test]
fn what_amf0_cannot_say() {
    let value = Value::EcmaArray(
        Object::new().with("", 1.0).with("k".repeat(70_000), Value::ByteArray(Bytes::new())),
    );
    let expected = Value::EcmaArray(Object::new().with("k".repeat(65_535), Value::Unsupported));
    let bytes = encode_all(&[value]);
    assert_eq!(&bytes[..5], b"\x08\0\0\0\x01");
    assert_eq!(one(&bytes), expected);
}

#[test]
fn amf3_behind_its_marker_and_back() {
    // AMF3 tables last for the message: the second AMF3 value names the string of the first.
    let values = decode_all(b"\x11\x06\x05hi\x05\x11\x06\x00\x02\0\x01a").expect("decodes");
    assert_eq!(values, [Value::string("hi"), Value::Null, Value::string("hi"), Value::string("a")]);
    let inside = one(b"\x03\0\x01a\x11\x04\x05\0\0\x09");
    assert_eq!(inside, Value::Object(Object::new().with("a", 5.0)));
}

#[test]
fn unknown_markers_name_their_place() {
    for marker in [0x04, 0x09, 0x0e, 0x12, 0xff] {
        assert_eq!(decode_all(&[marker]), Err(Error::UnknownMarker { marker, at: 0 }));
    }
}

#[test]
fn one_short_line_for_the_log() {
    let value = Value::Object(Object::new().with("app", "live").with("tcUrl", "rtmp://h/\n"));
    assert_eq!(value.to_string(), r#"{app: "live", tcUrl: "rtmp://h/\n"}"#);
    let value = Value::StrictArray(vec![Value::string(&"\u{1b}".repeat(10_000)); 1000]);
    let line = value.to_string();
    assert!(line.chars().count() <= 401 && !line.contains('\u{1b}') && line.ends_with('…'), "{line}");
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = || {
        prop_oneof![any::<String>().prop_map(Text::from), any::<Vec<u8>>().prop_map(|b| Text::from_bytes(&b))]
    };
    let leaf = prop_oneof![
        any::<u64>().prop_map(|bits| Value::Number(f64::from_bits(bits))),
        any::<bool>().prop_map(Value::Boolean),
        text().prop_map(Value::String),
        text().prop_map(Value::Xml),
        Just(Value::Null),
        Just(Value::Undefined),
        Just(Value::Unsupported),
        (any::<f64>(), any::<i16>())
            .prop_map(|(ms, time_zone_minutes)| Value::Date { ms, time_zone_minutes }),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        let object =
            prop::collection::vec(("[a-z0-9é]{1,4}", inner.clone()), 0..8).prop_map(Object::from_iter);
        prop_oneof![
            object.clone().prop_map(Value::Object),
            object.clone().prop_map(Value::EcmaArray),
            (text(), object).prop_map(|(class, object)| Value::TypedObject { class, object }),
            prop::collection::vec(inner, 0..8).prop_map(Value::StrictArray),
        ]
    })
}

proptest! {
    // Compared as text, because a NaN does not equal itself.
    #[test]
    fn values_come_back(values in prop::collection::vec(any_value(), 0..4)) {
        let bytes = encode_all(&values);
        let back = decode_all(&bytes).expect("own bytes decode");
        prop_assert_eq!(format!("{back:?}"), format!("{values:?}"));
        prop_assert_eq!(encode_all(&back), bytes);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(prop_oneof![0u8..0x13, any::<u8>()], 0..300)) {
        if let Ok(values) = decode_all(&bytes) {
            values.iter().for_each(|value| drop(value.to_string()));
            prop_assert!(decode_all_with(&encode_all(&values), &Limits::FILE).is_ok());
        }
    }

    #[test]
    fn a_cut_message_is_no_panic(value in any_value(), cut in any::<prop::sample::Index>()) {
        let bytes = encode_all(&[value]);
        let at = cut.index(bytes.len());
        let mut decoder = Decoder::new(&bytes[..at], &Limits::WIRE);
        while let Ok(Some(_)) = decoder.next_value() {}
        prop_assert!(decoder.position() <= at);
    }
}
