//! One version everywhere: the crate's, with its date in the changelog.

use crate::support::root;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// What follows `key` on the first line that begins with it.
fn value(text: &str, key: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.unwrap_or_else(|| panic!("no line begins with {key:?}")).trim_matches('"').to_string()
}

#[test]
fn the_newest_section_of_the_changelog_is_this_version_with_the_date_of_the_citation() {
    let newest = value(&read("CHANGELOG.md"), "## ");
    let citation = read("CITATION.cff");
    assert_eq!(value(&citation, "version: "), VERSION);
    assert_eq!(newest, format!("{VERSION}, {}", value(&citation, "date-released: ")));
}

#[test]
fn packages_have_the_version_of_the_crate() {
    for package in ["integrations/ray/pyproject.toml", "integrations/spark/pyproject.toml"] {
        assert_eq!(value(&read(package), "version = "), VERSION, "{package}");
    }
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let text = read(lock);
        let own = text.split("name = \"headstart\"\n").nth(1).unwrap();
        assert_eq!(value(own, "version = "), VERSION, "{lock}");
    }
}

/// Wheel, archives and their addresses take the version from `Cargo.toml`, so they name none.
#[test]
fn what_is_built_takes_its_version_from_the_crate() {
    assert!(read("pyproject.toml").contains("dynamic = [\"version\"]"));
    assert!(read("packaging/release").contains("cargo metadata"));
    let manifest = read("Cargo.toml");
    let binstall = manifest.split("[package.metadata.binstall]").nth(1).unwrap().split("\n[").next().unwrap();
    assert_eq!(binstall.matches("{ version }").count(), 3, "{binstall}");
    for file in ["pyproject.toml", "packaging/release", "packaging/Dockerfile", "packaging/Dockerfile.cuda"] {
        assert!(!read(file).contains(VERSION), "{file} names the version");
    }
}
