use super::*;

/// Exif with the place where the picture was taken: entries for which way is up and for the GPS table, and the latitude.
fn exif_with_place(orientation: u8) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x02\0".to_vec();
    tiff.extend_from_slice(&[0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]);
    tiff.extend_from_slice(&[0x25, 0x88, 4, 0, 1, 0, 0, 0, 38, 0, 0, 0, 0, 0, 0, 0]);
    tiff.extend_from_slice(b"\x01\0\x01\0\x02\0\x02\0\0\0N\0\0\0 52.3702 N 4.8952 E");
    tiff
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker], &length[..], content].concat()
}

fn jpeg(width: u16, height: u16, extra: &[Vec<u8>]) -> Vec<u8> {
    let ([w1, w2], [h1, h2]) = (width.to_be_bytes(), height.to_be_bytes());
    [
        b"\xff\xd8".to_vec(),
        segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
        extra.concat(),
        segment(0xdb, &[0; 65]),
        segment(0xc0, &[8, h1, h2, w1, w2, 1, 1, 0x11, 0]),
        segment(0xc4, &[0; 17]),
        segment(0xda, &[1, 1, 0, 0, 63, 0]),
        b"da\xff\0ta\xff\xd0ta".to_vec(),
        b"\xff\xd9".to_vec(),
        b"another picture with 52.3702 N".to_vec(),
    ]
    .concat()
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], name, body, b"????"].concat()
}

fn png(width: u32, height: u32, extra: &[Vec<u8>]) -> Vec<u8> {
    let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let begin = b"\x89PNG\r\n\x1a\n".to_vec();
    [begin, chunk(b"IHDR", &head), extra.concat(), chunk(b"IDAT", b"data"), chunk(b"IEND", b"")].concat()
}

fn gif(width: u16, height: u16, extra: &[u8]) -> Vec<u8> {
    let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
    let picture = [&b",\0\0\0\0"[..], &sides, b"\0\x02\x02ab\0"].concat();
    [b"GIF89a", &sides[..], b"\x80\0\0rgbRGB", extra, &picture, b";behind 52.3702 N"].concat()
}

fn riff(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (name, content) in chunks {
        body.extend_from_slice(&name[..]);
        body.extend_from_slice(&u32::try_from(content.len()).unwrap().to_le_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(&[0][..content.len() % 2]);
    }
    [b"RIFF", &u32::try_from(body.len()).unwrap().to_le_bytes()[..], &body, b"behind 52.3702 N"].concat()
}

fn webp(width: u32, height: u32, extra: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let (w, h) = ((width - 1).to_le_bytes(), (height - 1).to_le_bytes());
    let head = vec![HAS_ALL, 0, 0, 0, w[0], w[1], w[2], h[0], h[1], h[2]];
    let data = (b"VP8L", [&b"\x2f"[..], &((width - 1) | (height - 1) << 14).to_le_bytes(), b"data"].concat());
    riff(&[&[(b"VP8X", head), data][..], extra].concat())
}

const HAS_ALL: u8 = 0x0c;

fn seen(bytes: &[u8]) -> Picture {
    picture(bytes).expect("taken").expect("a picture")
}

fn says_where(bytes: &[u8]) -> bool {
    bytes.windows(7).any(|window| window == b"52.3702")
}

#[test]
fn a_picture_is_known_by_its_bytes_and_keeps_its_size() {
    for (bytes, media_type) in [
        (png(40, 30, &[]), "image/png"),
        (jpeg(40, 30, &[]), "image/jpeg"),
        (gif(40, 30, b""), "image/gif"),
        (webp(40, 30, &[]), "image/webp"),
        (riff(&[(b"VP8 ", b"\0\0\0\x9d\x01\x2a\x28\0\x1e\0data".to_vec())]), "image/webp"),
        (riff(&[(b"VP8L", [&b"\x2f"[..], &(39_u32 | 29 << 14).to_le_bytes()].concat())]), "image/webp"),
    ] {
        let picture = seen(&bytes);
        assert_eq!((picture.media_type, picture.width, picture.height), (media_type, 40, 30));
        assert!(!says_where(&picture.content), "what is behind its end is not the picture's");
        assert_eq!(seen(&picture.content), picture, "clearing twice is clearing once");
    }
    for other in
        [&b"%PDF-1.7"[..], b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", b"", b"GIF", b"RIFFxxxxWAVE"]
    {
        assert_eq!(picture(other), Ok(None));
    }
}

#[test]
fn where_and_by_whom_a_picture_was_taken_is_not_kept() {
    let place = exif_with_place(1);
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>52.3702</x:xmpmeta>".to_vec();
    let exif = [b"Exif\0\0", &place[..]].concat();
    for bytes in [
        jpeg(
            40,
            30,
            &[
                segment(0xe1, &exif),
                segment(0xe1, &xmp),
                segment(0xed, b"Photoshop 52.3702"),
                segment(0xfe, b"52.3702"),
            ],
        ),
        png(
            40,
            30,
            &[
                chunk(b"eXIf", &place),
                chunk(b"iTXt", &xmp),
                chunk(b"tEXt", b"Comment\x0052.3702"),
                chunk(b"abCd", &xmp),
            ],
        ),
        gif(40, 30, b"!\xfe\x0752.3702\0!\xff\x0bXMP DataXMP\x0752.3702\0"),
        webp(40, 30, &[(b"EXIF", place.clone()), (b"XMP ", xmp.clone()), (b"EXIF", exif.clone())]),
    ] {
        assert!(says_where(&bytes));
        let picture = seen(&bytes);
        assert!(!says_where(&picture.content), "{}", picture.content.escape_ascii());
        assert_eq!((picture.width, picture.height), (40, 30));
    }
}

#[test]
fn which_way_is_up_is_kept() {
    let place = exif_with_place(6);
    let exif = [b"Exif\0\0", &place[..]].concat();
    let turned = seen(&jpeg(40, 30, &[segment(0xe1, &exif)]));
    assert_eq!((turned.width, turned.height), (30, 40), "it is shown upright");
    assert!(turned.content.starts_with(b"\xff\xd8\xff\xe0\0\x10JFIF"));
    for bytes in [
        turned.content,
        seen(&png(40, 30, &[chunk(b"eXIf", &place)])).content,
        seen(&webp(40, 30, &[(b"EXIF", exif)])).content,
    ] {
        let tiff = bytes.windows(4).position(|window| window == b"MM\0*").expect("it is said");
        assert_eq!(exif::orientation(&bytes[tiff..]), Some(6));
        assert!(!says_where(&bytes));
        assert_eq!(seen(&bytes).content, bytes);
    }
}

#[test]
fn what_makes_a_picture_move_is_kept() {
    let moving = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0!\xf9\x04\0\x0a\0\0\0";
    let kept = seen(&gif(40, 30, moving)).content;
    assert!(kept.windows(moving.len()).any(|window| window == moving));
    let frames = [chunk(b"acTL", &[0, 0, 0, 1, 0, 0, 0, 0]), chunk(b"fcTL", &[0; 26])];
    let kept = seen(&png(40, 30, &frames)).content;
    assert!(frames.iter().all(|frame| kept.windows(frame.len()).any(|window| window == frame)));
}

#[test]
fn a_picture_that_would_fill_a_readers_memory_is_refused() {
    for bomb in [
        png(10_000, 5_001, &[]),
        jpeg(50_000, 50_000, &[]),
        gif(60_000, 60_000, b""),
        webp(16_384, 16_384, &[]),
        png(65_536, 1, &[]),
    ] {
        assert_eq!(picture(&bomb), Err(Refused::TooLarge));
    }
    assert!(picture(&png(10_000, 5_000, &[])).is_ok());
    assert_eq!(picture(&png(0, 5, &[])), Err(Refused::Damaged));
}

#[test]
fn a_picture_that_breaks_off_is_taken_only_where_browsers_show_it() {
    for whole in [png(40, 30, &[]), jpeg(40, 30, &[]), gif(40, 30, b""), webp(40, 30, &[])] {
        for length in 0..whole.len() {
            if let Ok(Some(part)) = picture(&whole[..length]) {
                assert_eq!((part.width, part.height), (40, 30));
            }
        }
        assert_eq!(picture(&whole[..30]), Err(Refused::Damaged));
    }
    let broken = jpeg(40, 30, &[]);
    let data = broken.windows(4).position(|window| window == b"da\xff\0").expect("its data");
    assert!(seen(&broken[..data + 6]).content.ends_with(b"da\xff\0ta\xff\xd9"));
}
