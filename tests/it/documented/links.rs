//! Links between the pages: each leads to a file and to a heading that exist, and each page has its place in one of the two
//! tables of contents.

use super::pages;
use crate::support::root;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Pages for contributors, which `CONTRIBUTING.md` lists; README lists all others.
const FOR_CONTRIBUTORS: [&str; 6] = [
    "architecture.md",
    "dependencies.md",
    "design-notes.md",
    "environments.md",
    "gpu-checklist.md",
    "odd-images.md",
];

/// The lines of a page that are no code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let is_fence = line.starts_with("```");
        inside ^= is_fence;
        !inside && !is_fence
    })
}

/// Where the links of a page lead.
fn targets(text: &str) -> Vec<String> {
    let of_line = |line: &str| {
        let parts: Vec<&str> = line.split("](").skip(1).collect();
        parts.iter().map(|part| part.split(')').next().unwrap().to_string()).collect::<Vec<_>>()
    };
    prose(text).flat_map(of_line).collect()
}

/// The anchors of a page, as the usual renderers of Markdown make them from headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for line in prose(text).filter(|line| line.starts_with('#')) {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let anchor: String = heading.chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect();
        let number = (1..).find(|n| !seen.contains(&format!("{anchor}-{n}"))).unwrap();
        let is_new = seen.insert(anchor.clone());
        if !is_new {
            seen.insert(format!("{anchor}-{number}"));
        }
    }
    seen
}

fn place(page: &str) -> PathBuf {
    match page.chars().next().is_some_and(char::is_uppercase) {
        true => root(),
        false => root().join("docs"),
    }
}

/// What is wrong with a link of a page in `folder`.
fn trouble(folder: &Path, text: &str, target: &str) -> Option<String> {
    if target.contains("://") {
        return (!target.starts_with("https://")).then(|| "not by https".into());
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let whole = folder.join(path);
    if !path.is_empty() && !whole.exists() {
        return Some("no such file".into());
    }
    if anchor.is_empty() {
        return None;
    }
    let linked = if path.is_empty() { text.to_string() } else { std::fs::read_to_string(whole).unwrap() };
    (!anchors(&linked).contains(anchor)).then(|| "no such heading".into())
}

#[test]
fn every_link_of_the_pages_leads_somewhere() {
    let mut seen = 0;
    for (name, text) in pages() {
        for target in targets(&text) {
            assert_eq!(trouble(&place(&name), &text, &target), None, "{name} links to {target}");
            seen += 1;
        }
    }
    assert!(seen > 200, "{seen} links");
    let docs = root().join("docs");
    for (target, why) in [
        ("nothing.md", "no such file"),
        ("guide.md#nothing", "no such heading"),
        ("#nothing", "no such heading"),
        ("http://example.org", "not by https"),
    ] {
        assert_eq!(trouble(&docs, "# Some heading", target).as_deref(), Some(why), "{target}");
    }
    assert_eq!(trouble(&docs, "# Some `--heading`, twice", "#some---heading-twice"), None);
}

#[test]
fn every_page_is_listed_for_users_or_for_contributors() {
    let pages = pages();
    let linked = |page: &str, prefix: &str| -> BTreeSet<String> {
        let text = &pages.iter().find(|(name, _)| name == page).unwrap().1;
        let files = targets(text).into_iter().filter_map(|target| {
            let path = target.split('#').next().unwrap().strip_prefix(prefix)?.to_string();
            path.ends_with(".md").then_some(path)
        });
        files.collect()
    };
    let (users, contributors) = (linked("README.md", "docs/"), linked("CONTRIBUTING.md", "docs/"));
    let is_in_docs = |name: &&String| place(name).ends_with("docs");
    for name in pages.iter().map(|(name, _)| name).filter(is_in_docs) {
        match FOR_CONTRIBUTORS.contains(&name.as_str()) {
            true => {
                assert!(contributors.contains(name), "CONTRIBUTING.md does not list {name}");
                assert!(!users.contains(name), "README.md lists {name}, which is for contributors");
            }
            false => assert!(users.contains(name), "README.md does not list {name}"),
        }
    }
}
