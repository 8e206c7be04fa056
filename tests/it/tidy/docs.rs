//! What the documentation says of the code: paths exist, and the table of crates names the places that use them.

use super::{DOORS, FLOORS};
use crate::support::root;
use std::collections::{BTreeMap, BTreeSet};

/// The words in backticks of a Markdown text.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn paths_in_the_docs_exist() {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages =
        docs.chain([root().join("README.md")]).filter(|path| path.extension().is_some_and(|e| e == "md"));
    let mut seen = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        let is_path = |word: &&str| {
            ["src/", "tests/", "models/", "benches/", "experiments/"].iter().any(|top| word.starts_with(top))
                && !word.contains([' ', '*', '<'])
        };
        for path in quoted(&text).filter(is_path) {
            // What `setup` and `tests/run` make is not in the repository.
            let is_made = path.starts_with("models/") && path.ends_with(".onnx");
            assert!(is_made || root().join(path).exists(), "{} names {path}", page.display());
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen} paths");
}

#[test]
fn the_table_of_crates_names_the_places_that_use_them() {
    let text = std::fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let mut documented: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = quoted(cells[1]).next().unwrap().replace('-', "_");
        documented.entry(name).or_default().extend(quoted(cells[2]).map(str::to_string));
    }
    for (name, door) in DOORS.iter().filter(|(_, door)| !door.is_empty()) {
        let doors =
            documented.get(*name).unwrap_or_else(|| panic!("docs/dependencies.md has no row for {name}"));
        assert!(
            doors.iter().any(|known| known == door),
            "docs/dependencies.md: {name} is used in {door} too"
        );
    }
}

#[test]
fn the_table_of_rooms_lists_all_rooms() {
    let text = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let table = text.split("| room |").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = table.lines().filter_map(|row| row.split('|').nth(1)).flat_map(quoted);
    let listed: BTreeSet<&str> =
        names.map(|name| name.trim_end_matches('/').trim_end_matches(".rs")).collect();
    assert_eq!(listed, FLOORS.iter().copied().flatten().copied().collect());
}
