//! The search for families of variants that pay: a run without augmentation, one with each family, and one with all of them, each
//! compared with the first.

use super::file::{ExperimentFile, RunEntry, Settings};
use super::names::usage;
use crate::data::augment::Augmentation;
use crate::error::Result;

/// Name of the run without augmentation.
const NONE: &str = "none";

/// Adds the runs and pairs of the search to a file that asks for it. The families are those of the first cache.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) when the cache has no augmentation, or there are no other splits to compare on.
pub(super) fn with_search(mut file: ExperimentFile) -> Result<ExperimentFile> {
    if !file.search_families {
        return Ok(file);
    }
    if file.resplits < 2 {
        return Err(
            usage("search_families compares over other splits").help("set resplits to 2 or more, such as 10")
        );
    }
    let mut families: Vec<String> = Vec::new();
    for augment in file.caches.first().map_or(&[][..], |cache| &cache.augment) {
        for variant in augment.parse::<Augmentation>()?.variants() {
            let family = variant.family().into_owned();
            if !families.contains(&family) {
                families.push(family);
            }
        }
    }
    if families.is_empty() {
        return Err(
            usage("search_families: the first cache has no augmentation").help("name some in its augment")
        );
    }
    let alone = families.iter().map(|family| vec![family.clone()]);
    let all = (families.len() > 1).then(|| families.clone());
    let sets: Vec<Vec<String>> = alone.chain(all).collect();
    file.runs.push(run(Vec::new()));
    for set in sets {
        let run = run(set);
        file.pairs.push([run.name.clone(), NONE.into()]);
        file.runs.push(run);
    }
    Ok(file)
}

/// A run on the images as they are and some families.
fn run(families: Vec<String>) -> RunEntry {
    let variants = [vec![NONE.to_string()], families].concat();
    RunEntry {
        name: variants.join(","),
        cache: None,
        variants: Some(variants),
        init: None,
        settings: Settings::new(),
        published: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::toml::parse_toml as parse;

    fn file(text: &str) -> ExperimentFile {
        parse(&format!("title = \"t\"\nsearch_families = true\n{text}")).unwrap()
    }

    #[test]
    fn each_family_and_all_of_them_are_compared_with_none() {
        let text = "resplits = 3\n[[cache]]\nname = \"c\"\naugment = [\"flip\", \"rotate:10\", \"flip+rotate:10\"]\n";
        let file = with_search(file(text)).unwrap();
        let names: Vec<&str> = file.runs.iter().map(|run| run.name.as_str()).collect();
        assert_eq!(
            names,
            ["none", "none,flip", "none,rotate", "none,flip+rotate", "none,flip,rotate,flip+rotate"]
        );
        assert!(file.pairs.len() == 4 && file.pairs.iter().all(|pair| pair[1] == "none"));
    }

    #[test]
    fn a_search_without_splits_or_families_is_an_error() {
        let text = "[[cache]]\nname = \"c\"\naugment = [\"flip\"]\n";
        assert!(with_search(file(text)).unwrap_err().to_string().contains("over other splits"));
        let text = "resplits = 3\n[[cache]]\nname = \"c\"\n";
        assert!(with_search(file(text)).unwrap_err().to_string().contains("no augmentation"));
    }
}
