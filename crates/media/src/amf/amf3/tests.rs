//! Every marker of AMF3, its tables, and what no bytes may ever do.

use proptest::prelude::*;

use super::*;

fn one(bytes: &[u8]) -> Value {
    let values = decode_all(bytes).expect("decodes");
    assert_eq!(values.len(), 1, "{values:?}");
    values.into_iter().next().expect("one")
}

fn numbers(numbers: &[f64]) -> Value {
    Value::StrictArray(numbers.iter().copied().map(Value::Number).collect())
}

#[test]
fn every_marker() {
    let cases: [(&[u8], Value); 18] = [
        (b"\x00", Value::Undefined),
        (b"\x01", Value::Null),
        (b"\x02", Value::Boolean(false)),
        (b"\x03", Value::Boolean(true)),
        (b"\x04\x05", Value::Number(5.0)),
        (b"\x05\x3f\xf0\0\0\0\0\0\0", Value::Number(1.0)),
        (b"\x06\x05hi", Value::string("hi")),
        (b"\x07\x07<a>", Value::Xml("<a>".into())),
        (b"\x08\x01\x3f\xf0\0\0\0\0\0\0", Value::Date { ms: 1.0, time_zone_minutes: 0 }),
        (b"\x09\x05\x01\x04\x01\x04\x02", numbers(&[1.0, 2.0])),
        (
            b"\x09\x03\x03k\x01\x01\x03",
            Value::EcmaArray(Object::new().with("k", Value::Null).with("0", true)),
        ),
        (b"\x0a\x0b\x01\x03a\x03\x01", Value::Object(Object::new().with("a", true))),
        (b"\x0b\x07<b>", Value::Xml("<b>".into())),
        (b"\x0c\x07\x00\x01\x02", Value::ByteArray(Bytes::from_static(&[0, 1, 2]))),
        (b"\x0d\x05\0\xff\xff\xff\xff\0\0\0\x02", numbers(&[-1.0, 2.0])),
        (b"\x0e\x03\0\xff\xff\xff\xff", numbers(&[4_294_967_295.0])),
        (b"\x0f\x03\x01\x3f\xf0\0\0\0\0\0\0", numbers(&[1.0])),
        (b"\x11\x03\0\x06\x03k\x03", Value::Dictionary(vec![(Value::string("k"), true.into())])),
    ];
    for (bytes, value) in cases {
        assert_eq!(one(bytes), value, "{bytes:02x?}");
        for cut in 1..bytes.len() {
            assert!(matches!(decode_all(&bytes[..cut]), Err(Error::CutOff(_))), "{:02x?}", &bytes[..cut]);
        }
    }
    assert_eq!(
        one(b"\x10\x03\0\x03C\x0a\x00"),
        Value::StrictArray(vec![Value::Undefined]),
        "vector of itself"
    );
    assert_eq!(decode_all(b"\x12"), Err(Error::UnknownMarker { marker: 0x12, at: 0 }));
}

#[test]
fn edges_of_29_bits() {
    let cases: [(&[u8], f64); 9] = [
        (b"\x00", 0.0),
        (b"\x7f", 127.0),
        (b"\x81\x00", 128.0),
        (b"\xff\x7f", 16_383.0),
        (b"\x81\x80\x00", 16_384.0),
        (b"\xff\xff\x7f", 2_097_151.0),
        (b"\x80\xc0\x80\x00", 2_097_152.0),
        (b"\xbf\xff\xff\xff", 268_435_455.0),
        (b"\xc0\x80\x80\x00", -268_435_456.0),
    ];
    for (bytes, number) in cases {
        assert_eq!(one(&[b"\x04", bytes].concat()), Value::Number(number), "{bytes:02x?}");
    }
    assert_eq!(one(b"\x04\xff\xff\xff\xff"), Value::Number(-1.0));
}

#[test]
fn strings_by_reference_but_never_the_empty_one() {
    let values = decode_all(b"\x06\x01\x06\x03a\x06\x01\x06\x03b\x06\x00\x06\x02").expect("decodes");
    assert_eq!(values, ["", "a", "", "b", "a", "b"].map(Value::string));
    let error = Error::BadReference { table: "string", index: 0, at: 1 };
    assert_eq!(decode_all(b"\x06\x00"), Err(error));
}

#[test]
fn objects_by_reference() {
    let list = numbers(&[1.0]);
    assert_eq!(decode_all(b"\x09\x03\x01\x04\x01\x09\x00"), Ok(vec![list.clone(), list]));
    assert_eq!(one(b"\x09\x03\x01\x09\x00"), Value::StrictArray(vec![Value::Undefined]), "self reference");
    assert_eq!(one(b"\x0a\x20"), Value::Undefined, "out of range");
}

#[test]
fn traits_by_reference() {
    let object = |n: f64| Value::TypedObject { class: "C".into(), object: Object::new().with("a", n) };
    let values = decode_all(b"\x0a\x13\x03C\x03a\x04\x01\x0a\x01\x04\x02").expect("decodes");
    assert_eq!(values, [object(1.0), object(2.0)]);
    let error = Error::BadReference { table: "traits", index: 1, at: 2 };
    assert_eq!(decode_all(b"\x0a\x05"), Err(error));
}

#[test]
fn sealed_and_dynamic_members() {
    let value = one(b"\x0a\x1b\x01\x03a\x04\x01\x03b\x04\x02\x01");
    assert_eq!(value, Value::Object(Object::new().with("a", 1.0).with("b", 2.0)));
}

#[test]
fn externalizable_classes() {
    for class in [ARRAY_COLLECTION, OBJECT_PROXY] {
        let length = u8::try_from(class.len() * 2 + 1).expect("short");
        let bytes = [b"\x0a\x07", &[length][..], class.as_bytes(), b"\x09\x03\x01\x04\x01\x0a\x00"].concat();
        assert_eq!(decode_all(&bytes), Ok(vec![numbers(&[1.0]); 2]), "{class}");
    }
    let error = Error::UnknownClass { class: "X".into(), at: 2 };
    assert_eq!(decode_all(b"\x0a\x07\x03X\x01"), Err(error));
}

#[test]
fn nesting_and_counts_are_limited() {
    for depth in [40, 10_000, 200_000] {
        for level in [&b"\x09\x03\x01"[..], b"\x0a\x0b\x01\x03a", b"\x11\x03\0", b"\x10\x03\0\x01"] {
            assert!(matches!(decode_all(&level.repeat(depth)), Err(Error::TooDeep { limit: 32, .. })));
        }
    }
    // 2^28 - 1 of everything that has a count.
    for marker in [0x09, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11] {
        let bytes = [marker, 0xff, 0xff, 0xff, 0xff, 0, 1, 1, 1];
        assert!(matches!(decode_all(&bytes), Err(Error::CutOff(_))), "{marker:02x}");
    }
    assert!(matches!(decode_all(b"\x0a\xff\xff\xff\xfb\x01\x01"), Err(Error::CutOff(_))), "sealed members");
    assert!(matches!(decode_all(b"\x06\xff\xff\xff\xff"), Err(Error::TooLong { .. })));
    // Lists of ten references to the list before.
    let mut bytes = b"\x09\x03\x01\x01".to_vec();
    for n in 0..12u8 {
        bytes.extend(b"\x09\x15\x01");
        (0..10).for_each(|_| bytes.extend([9, n * 2]));
    }
    assert!(matches!(decode_all(&bytes), Err(Error::TooMany { limit: 4096, .. })));
}

#[test]
fn a_cycle_ends_where_it_closes() {
    // a = {b: [a, d], d: date}; the list holds the object that it stands in.
    let bytes = b"\x0a\x0b\x01\x03b\x09\x05\x01\x0a\x00\x08\x01\0\0\0\0\0\0\0\0\x03d\x08\x04\x01";
    let date = Value::Date { ms: 0.0, time_zone_minutes: 0 };
    let list = Value::StrictArray(vec![Value::Undefined, date.clone()]);
    assert_eq!(one(bytes), Value::Object(Object::new().with("b", list).with("d", date)));
}

#[test]
fn everything_complex_has_a_place_among_the_objects() {
    // XML, byte array, vector and dictionary, each once, then each by reference.
    let bytes = b"\x0b\x03x\x0c\x03y\x0d\x03\0\0\0\0\x01\x11\x01\0\x0b\x00\x0c\x02\x0d\x04\x11\x06";
    let values = decode_all(bytes).expect("decodes");
    assert_eq!(values[..4], values[4..]);
    assert_eq!(values[2], numbers(&[1.0]));
}

#[test]
fn names_and_texts_that_are_not_utf8_keep_their_bytes() {
    let bytes = b"\x0a\x0b\x01\x05\xc4\xe3\x06\x03\xff\x01";
    let value = one(bytes);
    let (key, text) = value.as_object().and_then(|object| object.iter().next()).expect("a member");
    assert_eq!((key.as_bytes(), text.as_text().expect("text").as_bytes()), (&b"\xc4\xe3"[..], &b"\xff"[..]));
    assert_eq!(encode_all(&[value]), &bytes[..]);
}

#[test]
fn known_bytes_are_written() {
    let object = Object::new().with("a", true);
    let cases: [(Value, &[u8]); 16] = [
        (Value::Undefined, b"\x00"),
        (Value::Unsupported, b"\x00"),
        (Value::Null, b"\x01"),
        (false.into(), b"\x02"),
        (5.0.into(), b"\x04\x05"),
        ((-1.0).into(), b"\x04\xff\xff\xff\xff"),
        (268_435_455.0.into(), b"\x04\xbf\xff\xff\xff"),
        (268_435_456.0.into(), b"\x05\x41\xb0\0\0\0\0\0\0"),
        ((-0.0).into(), b"\x05\x80\0\0\0\0\0\0\0"),
        ("hi".into(), b"\x06\x05hi"),
        (Value::Date { ms: 1.0, time_zone_minutes: 60 }, b"\x08\x01\x3f\xf0\0\0\0\0\0\0"),
        (object.clone().into(), b"\x0a\x0b\x01\x03a\x03\x01"),
        (Value::TypedObject { class: "C".into(), object: object.clone() }, b"\x0a\x0b\x03C\x03a\x03\x01"),
        (Value::EcmaArray(object), b"\x09\x01\x03a\x03\x01"),
        (numbers(&[1.0, 2.0]), b"\x09\x05\x01\x04\x01\x04\x02"),
        (Value::Dictionary(vec![("k".into(), true.into())]), b"\x11\x03\0\x06\x03k\x03"),
    ];
    for (value, bytes) in cases {
        assert_eq!(encode_all(std::slice::from_ref(&value)), bytes, "{value}");
    }
}

/// Values that AMF3 can tell apart; what it cannot stands at [`encode`].
fn any_value() -> impl Strategy<Value = Value> {
    let text = || {
        prop_oneof![any::<String>().prop_map(Text::from), any::<Vec<u8>>().prop_map(|b| Text::from_bytes(&b))]
    };
    let leaf = prop_oneof![
        any::<u64>().prop_map(|bits| Value::Number(f64::from_bits(bits))),
        any::<i32>().prop_map(|number| Value::Number(number.into())),
        any::<bool>().prop_map(Value::Boolean),
        text().prop_map(Value::String),
        text().prop_map(Value::Xml),
        Just(Value::Null),
        Just(Value::Undefined),
        any::<f64>().prop_map(|ms| Value::Date { ms, time_zone_minutes: 0 }),
        any::<Vec<u8>>().prop_map(|bytes| Value::ByteArray(bytes.into())),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        let object = |count| {
            prop::collection::vec(("[a-z0-9é]{1,4}", inner.clone()), count).prop_map(Object::from_iter)
        };
        prop_oneof![
            object(0..8).prop_map(Value::Object),
            object(1..8).prop_map(Value::EcmaArray),
            ("[A-Z]{1,4}", object(0..8))
                .prop_map(|(class, object)| Value::TypedObject { class: class.into(), object }),
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::StrictArray),
            prop::collection::vec((inner.clone(), inner.clone()), 0..4).prop_map(Value::Dictionary),
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
    fn within_amf0_too(value in any_value()) {
        let bytes = [b"\x05\x11", &encode_all(std::slice::from_ref(&value))[..], b"\x05"].concat();
        let back = crate::amf::amf0::decode_all(&bytes).expect("own bytes decode");
        prop_assert_eq!(format!("{:?}", back), format!("{:?}", [Value::Null, value, Value::Null]));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(prop_oneof![0u8..0x14, any::<u8>()], 0..300)) {
        let mut decoder = Decoder::new(&bytes, &Limits::WIRE);
        while let Ok(Some(value)) = decoder.next_value() {
            prop_assert!(value.height() <= 32);
            prop_assert!(value.to_string().chars().count() <= 401);
        }
        prop_assert!(decoder.position() <= bytes.len());
    }

    #[test]
    fn integers_come_back(number in -(1i32 << 28)..1 << 28) {
        let bits = number.cast_unsigned() & 0x1FFF_FFFF;
        let bytes = [4, (bits >> 22) as u8 | 0x80, (bits >> 15) as u8 | 0x80, (bits >> 8) as u8 | 0x80, bits as u8];
        prop_assert_eq!(one(&bytes), Value::Number(f64::from(number)));
    }
}
