//! Near-duplicates by their look: the hash is that of SciPy, copies that were saved anew or scaled are found without a cache, and
//! nothing else is.

use crate::support::{Sandbox, python};
use headstart::data::decode::encode_png;
use headstart::data::perceptual::PerceptualHash;
use headstart::data::pixels::Pixels;
use headstart::math::random::Rng;
use serde_json::Value;
use std::collections::BTreeMap;

/// A picture of smooth shapes, which differ by the number.
fn scene(number: u64) -> Pixels {
    let (width, height) = (200, 150);
    let mut random = Rng::new(number, 3);
    let waves: Vec<[f64; 5]> = (0..12)
        .map(|_| {
            let [across, down] = [(); 2].map(|()| f64::from(random.uniform(-14.0, 14.0)));
            let mut own = |low, high| f64::from(random.uniform(low, high));
            [across, down, own(0.0, 6.3), own(-28.0, 28.0), own(-28.0, 28.0)]
        })
        .collect();
    let data = (0..width * height).flat_map(|i| {
        let (x, y) = ((i % width) as f64 / width as f64, (i / width) as f64 / height as f64);
        let sum = |at: usize| waves.iter().map(|w| w[at] * (w[0] * x + w[1] * y + w[2]).sin()).sum::<f64>();
        [128.0 + sum(3), 120.0 + sum(4), 128.0 - sum(3)].map(|level| level.clamp(0.0, 255.0) as u8)
    });
    Pixels::new(width, height, data.collect())
}

#[test]
fn copies_are_found_without_a_cache_and_the_hash_is_that_of_scipy() {
    let s = Sandbox::new();
    for number in 0..24 {
        s.write(
            &format!("in/{}/{number:02}.png", ["ant", "bee"][number % 2]),
            &encode_png(&scene(number as u64)),
        );
    }
    let theirs: BTreeMap<String, String> =
        serde_json::from_str(&python("perceptual.py", &[&s.path("in")])).unwrap();
    assert_eq!(theirs.len(), 24);
    for (path, bits) in &theirs {
        let number: u64 = path[4..6].parse().unwrap();
        assert_eq!(&format!("{:064b}", PerceptualHash::of(&scene(number)).bits()), bits, "{path}");
    }
    // A copy under another label.
    std::fs::copy(s.path("in/ant/02-saved.jpg"), s.path("in/bee/other.jpg")).unwrap();
    std::fs::write(
        s.path("in/bee/other.jpg"),
        [std::fs::read(s.path("in/bee/other.jpg")).unwrap(), vec![0]].concat(),
    )
    .unwrap();
    let found = s.json(&["data", "summary", "in", "--near-duplicates"])["perceptual_duplicates"].clone();
    assert_eq!(found["images"], 24 * 4 + 1);
    let groups = found["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 24);
    assert_eq!(groups[0]["labels"].as_array().unwrap().len(), 2, "a group of two labels comes first");
    for group in groups {
        let paths: Vec<&str> =
            group["images"].as_array().unwrap().iter().map(|image| image["path"].as_str().unwrap()).collect();
        let number = &paths[0][4..6];
        // Mirrored pictures have another hash.
        let mut expected = ["-saved.jpg", "-small.png", ".png"]
            .map(|end| format!("{}{number}{end}", &paths[0][..4]))
            .to_vec();
        expected.extend((number == "02").then(|| "bee/other.jpg".to_string()));
        assert_eq!(paths, expected);
    }
    let text = s.run(&["data", "summary", "in", "--near-duplicates"]).stdout;
    assert!(
        text.contains("24 groups, 1 of several classes; pictures that repeat another: 49 of 97"),
        "{text}"
    );
    let reported = s.json(&["data", "report", "in", "--tables", "t"]);
    assert_eq!(reported["perceptual_duplicates"], found);
    let page = std::fs::read_to_string(s.path("in-report.html")).unwrap();
    assert!(page.contains("49 of 97 pictures repeat another"));
    assert_eq!(std::fs::read_to_string(s.path("t/look-alike.csv")).unwrap().lines().count(), 1 + 24 * 3 + 1);
}

#[test]
fn headers_alone_tell_nothing_of_the_look() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 3)]);
    s.run(&["data", "summary", "in", "--near-duplicates", "--headers"]).fails(2, &["--headers"]);
    let plain = s.json(&["data", "summary", "in"]);
    assert_eq!(plain["perceptual_duplicates"], Value::Null);
}
