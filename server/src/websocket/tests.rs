//! Each rule of RFC 6455 that a client can keep or break, by its section.

use super::{Frame, Incoming, Reader, Refusal, Violation, accept, offers};
use axum::http::{HeaderMap, HeaderName};
use proptest::prelude::*;

const MAX: usize = 4096;

/// A client's frame, as it should be but for what `first` and `length` say.
fn raw(first: u8, length: &[u8], payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let masked = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [&[first], length, &MASK].concat().into_iter().chain(masked).collect()
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        n @ 0..=125 => vec![0x80 | n as u8],
        n @ 126..=65_535 => [&[0x80 | 126][..], &(n as u16).to_be_bytes()].concat(),
        n => [&[0x80 | 127][..], &(n as u64).to_be_bytes()].concat(),
    };
    raw(first, &length, payload)
}

/// Everything that comes of these bytes, and how it ends.
fn read(bytes: &[u8]) -> (Vec<Incoming>, Option<Violation>) {
    let (mut reader, mut all) = (Reader::new(MAX), vec![]);
    reader.take(bytes);
    loop {
        match reader.incoming() {
            Ok(Some(Incoming::Part)) => {}
            Ok(Some(incoming)) => all.push(incoming),
            Ok(None) => return (all, None),
            Err(violation) => return (all, Some(violation)),
        }
    }
}

fn text(text: &str) -> Incoming {
    Incoming::Text(text.into())
}

fn breaks(bytes: &[u8], code: u16) {
    let (_, violation) = read(bytes);
    assert_eq!(violation.map(Violation::code), Some(code), "{violation:?}");
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
}

#[test]
fn section_4_2_a_handshake_is_answered_with_its_key_and_what_is_none_is_refused() {
    let good = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    assert_eq!(accept(&headers(&good)).as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    for (n, value, refusal) in [
        (0, "keep-alive", Refusal::NoUpgrade),
        (1, "h2c", Refusal::NoUpgrade),
        (2, "8", Refusal::Version),
        (3, "", Refusal::Key),
        (3, "dGhlIHNhbXBsZSBub25j", Refusal::Key),
        (3, "not in base64 at all", Refusal::Key),
    ] {
        let mut bad = good;
        bad[n].1 = value;
        assert_eq!(accept(&headers(&bad)), Err(refusal));
    }
    let offered = headers(&[("sec-websocket-protocol", "bearer.token, partyline.v1")]);
    assert!(offers(&offered, "partyline.v1") && !offers(&offered, "partyline.v2"));
}

#[test]
fn section_5_1_what_a_client_sends_is_masked() {
    breaks(&[0x81, 0x02, b'h', b'i'], 1002);
    assert_eq!(read(&frame(0x81, b"hi")).0, [text("hi")]);
}

#[test]
fn section_5_2_reserved_bits_and_opcodes_are_refused() {
    for bits in [0x10, 0x20, 0x40] {
        breaks(&frame(0x81 | bits, b"hi"), 1002);
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        breaks(&frame(0x80 | opcode, b""), 1002);
    }
}

#[test]
fn section_5_2_lengths_of_every_form_are_read_and_the_shortest_form_is_asked_for() {
    for length in [0, 1, 125, 126, 127, 1_000, MAX] {
        let long = "x".repeat(length);
        assert_eq!(read(&frame(0x81, long.as_bytes())), (vec![text(&long)], None), "{length}");
    }
    breaks(&raw(0x81, &[0x80 | 126, 0, 2], b"hi"), 1002);
    breaks(&raw(0x81, &[0x80 | 127, 0, 0, 0, 0, 0, 0, 1, 0], &[b'x'; 256]), 1002);
}

#[test]
fn section_5_4_a_message_may_come_in_fragments_and_control_frames_between_them() {
    let parts = [frame(0x01, "al".as_bytes()), frame(0x89, b"?"), frame(0x00, b"l "), frame(0x80, "gut ✓".as_bytes())];
    assert_eq!(read(&parts.concat()), (vec![Incoming::Ping(b"?".into()), text("all gut ✓")], None));
}

#[test]
fn section_5_4_fragments_out_of_turn_are_refused() {
    breaks(&frame(0x80, b"of nothing"), 1002);
    breaks(&frame(0x00, b"of nothing"), 1002);
    breaks(&[frame(0x01, b"one"), frame(0x81, b"two")].concat(), 1002);
    breaks(&[frame(0x02, b"one"), frame(0x02, b"two")].concat(), 1002);
}

#[test]
fn section_5_5_control_frames_are_short_and_whole() {
    for opcode in [0x08, 0x09, 0x0a] {
        breaks(&frame(opcode, b""), 1002);
        breaks(&frame(0x80 | opcode, &[b'x'; 126]), 1002);
    }
    assert_eq!(read(&frame(0x8a, b"unasked")), (vec![Incoming::Pong], None));
    assert_eq!(read(&frame(0x89, &[b'x'; 125])).0, [Incoming::Ping(vec![b'x'; 125])]);
}

#[test]
fn section_5_5_1_and_7_4_a_close_has_no_code_or_one_that_may_be_sent() {
    assert_eq!(read(&frame(0x88, b"")).0, [Incoming::Close(None)]);
    for code in [1000_u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999] {
        let payload = [&code.to_be_bytes()[..], b"bye"].concat();
        assert_eq!(read(&frame(0x88, &payload)).0, [Incoming::Close(Some(code))]);
    }
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_535] {
        breaks(&frame(0x88, &code.to_be_bytes()), 1002);
    }
    breaks(&frame(0x88, b"\x03"), 1002);
    breaks(&frame(0x88, b"\x03\xe8\xff"), 1007);
}

#[test]
fn section_5_6_and_8_1_a_text_is_utf_8_as_a_whole_and_is_refused_as_soon_as_it_cannot_be() {
    let snail = "🐌".as_bytes();
    let cut = [frame(0x01, &snail[..2]), frame(0x00, &snail[2..3]), frame(0x80, &snail[3..])].concat();
    assert_eq!(read(&cut), (vec![text("🐌")], None));
    breaks(&frame(0x81, &snail[..2]), 1007);
    breaks(&frame(0x81, b"\xed\xa0\x80"), 1007);
    // The rest of the message need not come.
    breaks(&frame(0x01, b"a\xffb"), 1007);
    breaks(&[frame(0x01, &snail[..2]), frame(0x00, b"x")].concat(), 1007);
    assert_eq!(read(&frame(0x82, b"\xff\xfe")), (vec![Incoming::Binary], None));
}

#[test]
fn section_10_4_what_is_too_long_is_refused_by_its_length_alone() {
    breaks(&raw(0x81, &[0x80 | 126, 0x10, 0x01], b""), 1009);
    breaks(&raw(0x82, &[0x80 | 127, 0, 0, 0, 0, 1, 0, 0, 0], b""), 1009);
    breaks(&raw(0x81, &[0x80 | 127, 0xff, 0, 0, 0, 1, 0, 0, 0], b""), 1009);
    breaks(&[frame(0x01, &[b'x'; MAX]), frame(0x80, b"y")].concat(), 1009);
}

#[test]
fn what_a_server_writes_is_unmasked_and_as_short_as_it_can_be() {
    for (length, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
        let long = "x".repeat(length);
        let frame = Frame::text(&long);
        assert_eq!((frame.size(), frame.as_str()), (header + length, long.as_str()));
        assert_eq!((frame.bytes()[0], frame.bytes()[1] & 0x80), (0x81, 0));
    }
    assert_eq!(&Frame::close(4408, "slow").bytes()[..], b"\x88\x06\x11\x38slow");
    assert_eq!(Frame::close(1000, &"x".repeat(200)).size(), 4);
    assert_eq!(&Frame::ping().bytes()[..], b"\x89\x00");
    assert_eq!(&Frame::pong(b"?").bytes()[..], b"\x8a\x01?");
}

proptest! {
    #[test]
    fn it_does_not_matter_how_the_bytes_are_cut(
        messages in prop::collection::vec("\\PC{0,200}", 0..6),
        cuts in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(|message| frame(0x81, message.as_bytes())).collect();
        let (mut reader, mut all, mut left) = (Reader::new(MAX), vec![], &bytes[..]);
        for cut in cuts.iter().cycle() {
            if left.is_empty() {
                break;
            }
            let (now, later) = left.split_at((*cut).min(left.len()));
            reader.take(now);
            while let Some(incoming) = reader.incoming().expect("good frames") {
                all.push(incoming);
            }
            left = later;
        }
        prop_assert_eq!(all, messages.iter().map(|message| text(message)).collect::<Vec<_>>());
        prop_assert_eq!(reader.waiting.capacity(), 0, "at rest it holds nothing");
    }

    #[test]
    fn nothing_that_comes_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes);
    }
}
