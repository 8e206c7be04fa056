//! The programs in `examples/`, run on a small network and on the cache of an earlier version.

#[expect(dead_code, reason = "`main` reads the command line")]
#[path = "../../examples/classify_from_memory.rs"]
mod classify_from_memory;
#[expect(dead_code, reason = "`main` reads the command line")]
#[path = "../../examples/extract_and_train.rs"]
mod extract_and_train;
#[expect(dead_code, reason = "`main` reads the command line")]
#[path = "../../examples/k_fold.rs"]
mod k_fold;
#[expect(dead_code, reason = "`main` reads the command line")]
#[path = "../../examples/plan_many_images.rs"]
mod plan_many_images;
#[expect(dead_code, reason = "`main` reads the command line")]
#[path = "../../examples/read_a_cache.rs"]
mod read_a_cache;

use crate::support::small_network;
use crate::support::{Sandbox, root};
use headstart::prelude::{BackboneChoice, FeatureCache, Silent};

#[test]
fn images_are_extracted_trained_on_cross_validated_and_classified_from_memory() {
    let s = Sandbox::new();
    s.images("in", &[("ant", 40), ("bee", 40)]);
    let backbone = BackboneChoice::new(small_network::install(&s));
    let train =
        || extract_and_train::extract_and_train(&s.path("in"), &s.path(""), backbone.clone(), &Silent);
    let scores = train().unwrap();
    assert_eq!((scores.images, scores.accuracy), (20, Some(1.0)));
    let parts = || std::fs::read_dir(s.path("cache/features")).unwrap().count();
    let before = parts();
    assert_eq!(train().unwrap().accuracy, Some(1.0));
    assert_eq!(parts(), before, "a second call computes no features");

    let accuracies = k_fold::k_fold(&s.path("cache"), 5).unwrap();
    assert!(accuracies.len() == 5 && accuracies.iter().sum::<f64>() > 4.5, "{accuracies:?}");

    let mut classifier = classify_from_memory::Classifier::open(&s.path("run"), &Silent).unwrap();
    for class in ["ant", "bee"] {
        let bytes = std::fs::read(s.path(&format!("in/{class}/001.png"))).unwrap();
        let (label, probability) = classifier.classify(&bytes).unwrap();
        assert_eq!(label, class);
        assert!(probability > 0.5);
    }
    assert!(classifier.classify(b"not an image").unwrap_err().to_string().contains("image"));
}

#[test]
fn a_cache_is_read() {
    let cache = root().join("tests/fixtures/v0.1.0/cache");
    assert_eq!(read_a_cache::print_images(&cache).unwrap(), 42);
    let centers = read_a_cache::class_centers(&cache).unwrap();
    assert_eq!(centers.len(), 4);
    let width = FeatureCache::open(&cache).unwrap().spec().width;
    assert!(centers.iter().all(|(_, center)| center.len() == width && center.iter().any(|f| *f != 0.0)));
}

#[test]
fn many_images_are_planned_and_described() {
    let s = Sandbox::new();
    let cost = plan_many_images::plan(&s.path("c"), 10_000).unwrap();
    assert_eq!((cost.images, cost.chunks), (10_000, 3));
    assert!(cost.bytes > 10_000 * 32 && cost.seconds > 0.0, "{cost:?}");
    assert!(plan_many_images::describe(1000) > 1000 * 32);
}
