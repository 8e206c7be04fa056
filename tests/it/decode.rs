//! Decoding against Pillow, for every variant of the formats that small encoders of the test write.

use crate::support::{Sandbox, python};
use headstart::data::decode::{Reason, decode};
use serde_json::Value;
use std::collections::BTreeMap;

#[test]
fn every_variant_of_the_formats_equals_pillow_and_is_refused_when_cut() {
    let s = Sandbox::new();
    let cases: Value = serde_json::from_str(&python("decode.py", &[&s.path("")])).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() > 400, "{} cases", cases.len());
    let (mut differ, mut differences) = (Vec::new(), BTreeMap::new());
    for case in cases {
        let read = |key: &str| std::fs::read(s.path(case[key].as_str().unwrap())).unwrap();
        let (name, bytes) = (case["file"].as_str().unwrap(), read("file"));
        let image = match decode(&bytes) {
            Ok(image) => image,
            Err(reason) => {
                differ.push(format!("{name}: {reason}"));
                continue;
            }
        };
        let size = |key: &str| case[key].as_u64().unwrap() as usize;
        assert_eq!((image.width(), image.height()), (size("width"), size("height")), "{name}");
        let expected = read("rgb");
        let most = image.data().iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        if image.data() != expected {
            differ.push(format!("{name}: by up to {most} levels"));
        }
        let of_kind: &mut u8 = differences.entry(kind(name)).or_default();
        *of_kind = most.max(*of_kind);
        if name.ends_with(".jpg") {
            cut_jpegs_are_refused(name, &bytes);
            whole_jpegs_are_taken_without_their_end(name, &bytes, image.data());
        }
    }
    println!("| images | largest difference from Pillow in levels |\n|---|---|");
    differences.iter().for_each(|(kind, most)| println!("| {kind} | {most} |"));
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}

/// The last marker may be missing, and a trailer may follow it. A trailer in its place could be text over the last of several
/// scans, and is refused there.
fn whole_jpegs_are_taken_without_their_end(name: &str, bytes: &[u8], expected: &[u8]) {
    let (unfinished, trailer) = (&bytes[..bytes.len() - 2], b"trailer of a phone");
    assert_eq!(decode(unfinished).unwrap().data(), expected, "{name} without its last marker");
    assert_eq!(decode(&[bytes, trailer].concat()).unwrap().data(), expected, "{name} with a trailer");
    let scans = bytes.windows(2).filter(|marker| *marker == [0xff, 0xda]).count();
    match decode(&[unfinished, trailer].concat()) {
        Ok(both) => assert_eq!(both.data(), expected, "{name} with a trailer for its last marker"),
        Err(_) => assert!(scans > 1, "{name}: one scan, with a trailer for its last marker"),
    }
}

/// The name of an image without the number of its restart interval or filter, and its format.
fn kind(name: &str) -> String {
    let (stem, format) = name.rsplit_once('.').unwrap();
    let is_number = |part: &str| part.trim_start_matches("filter").parse::<u8>().is_ok();
    let stem = stem.rsplit_once('-').filter(|(_, last)| is_number(last)).map_or(stem, |(stem, _)| stem);
    format!("{stem} ({format})")
}

/// Cuts the data of the scans in several places and appends an end-of-image marker.
fn cut_jpegs_are_refused(name: &str, bytes: &[u8]) {
    let scan = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap() + 14;
    for part in [0.1, 0.3, 0.5, 0.7, 0.9] {
        let end = scan + ((bytes.len() - scan) as f64 * part) as usize;
        let cut = [&bytes[..end], b"\xff\xd9"].concat();
        assert!(decode(&cut).is_err(), "{name} cut to {end} of {} bytes was taken", bytes.len());
        let another = [&bytes[..end], bytes].concat();
        assert!(decode(&another).is_err(), "{name} cut to {end} bytes and followed by another was taken");
    }
}

#[test]
fn a_large_file_of_another_kind_is_refused_from_its_first_bytes() {
    let s = Sandbox::new();
    let path = s.write("film.jpg", b"\0\0\0\x14ftypqt  ");
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    // Sparse; larger than any file that is read, so that reading on would give another reason.
    file.set_len(2 << 30).unwrap();
    let reason = headstart::data::decode::read(&path).unwrap_err();
    assert!(matches!(&reason, Reason::OtherKind(name) if name.contains("video")), "{reason}");
}

#[test]
fn a_picture_that_its_bytes_cannot_hold_is_refused_before_memory_is_taken() {
    let gif = b"GIF89a\x41\x34\x41\x34\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
    let reason = decode(gif).unwrap_err();
    assert!(matches!(reason, Reason::TooFewBytes { width: 13_377, height: 13_377, .. }), "{reason}");
}
