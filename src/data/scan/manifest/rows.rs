//! Checks the rows of a manifest, and gathers them as files that may be images.

use super::table::Row;
use crate::data::dataset::{
    FolderLayout, Reason, Refused, Split, UNLABELLED, Weight, label_set, label_set_text,
};
use crate::data::scan::labels::ClassFolder;
use crate::data::scan::walk::Candidate;
use crate::error::Error;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Component, Path};

/// The rows read so far.
pub(super) struct Rows<'a> {
    root: &'a Path,
    classes: Vec<ClassFolder>,
    class_indexes: HashMap<String, usize>,
    /// Whether a row has several labels.
    has_label_sets: bool,
    candidates: Vec<Candidate>,
    refused: Vec<Refused>,
}

/// The rows of a manifest, sorted by path, each path once.
pub(super) struct ListedRows {
    pub classes: Vec<ClassFolder>,
    /// Whether the classes are texts of several labels.
    pub has_label_sets: bool,
    pub candidates: Vec<Candidate>,
    pub refused: Vec<Refused>,
    pub notes: Vec<String>,
}

impl<'a> Rows<'a> {
    /// Starts without rows; `root` is the folder that relative paths start from.
    pub fn new(root: &'a Path) -> Self {
        let (classes, candidates, refused) = (Vec::new(), Vec::new(), Vec::new());
        Self { root, classes, class_indexes: HashMap::new(), has_label_sets: false, candidates, refused }
    }

    /// Adds a row with the values path, label, labels, split, group, weight.
    pub fn add(&mut self, Row { line, values }: Row) {
        let mut path = String::new();
        match values.and_then(|values| self.candidate(line, values, &mut path)) {
            Ok(candidate) => self.candidates.push(candidate),
            Err(fault) => self.refused.push(refusal(path, line, fault)),
        }
    }

    /// Parses the values of a row, and sets `path` where there is one.
    fn candidate(&mut self, line: u64, values: Vec<String>, path: &mut String) -> Result<Candidate, String> {
        let mut values = values.into_iter();
        let mut next = || values.next().unwrap_or_default();
        let (given, label, labels, split, group, weight) = (next(), next(), next(), next(), next(), next());
        if given.trim().is_empty() {
            return Err("it has no path".into());
        }
        *path = plain_path(self.root, &given);
        let label = match labels.trim() {
            "" => label.trim().to_string(),
            labels => {
                self.has_label_sets = true;
                label_set_text(&label_set(labels))
            }
        };
        check_label(&label)?;
        let split = match split.trim() {
            "" => None,
            name => Some(FolderLayout::split_called(name).ok_or_else(|| {
                format!("{name:?} is not a split; use train, validation or test, or leave it empty")
            })?),
        };
        let weight = match weight.trim() {
            "" => Weight::default(),
            text => text.parse().map_err(|e: Error| e.to_string())?,
        };
        let group = Some(group.trim()).filter(|group| !group.is_empty()).map(Into::into);
        let folder = self.class(&label);
        Ok(Candidate { path: path.clone(), folder, line: Some(line), split, group, weight })
    }

    /// The index of a label; that of rows without one is empty.
    fn class(&mut self, label: &str) -> usize {
        if let Some(index) = self.class_indexes.get(label) {
            return *index;
        }
        self.classes.push(ClassFolder { path: label.into(), name: label.into() });
        self.class_indexes.insert(label.into(), self.classes.len() - 1);
        self.classes.len() - 1
    }

    /// Sorts the rows. Rows of one path must agree; they are refused where they do not. `name` is that of the manifest, and
    /// stands for the path of rows without one.
    pub fn finish(mut self, name: &str) -> ListedRows {
        self.candidates.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
        let mut repeated = 0;
        let mut contradicting: HashSet<String> = HashSet::new();
        for rows in self.candidates.chunk_by(|a, b| a.path == b.path).filter(|rows| rows.len() > 1) {
            match rows[1..].iter().find_map(|row| self.contradiction(&rows[0], row)) {
                None => repeated += rows.len() - 1,
                Some((line, fault)) => {
                    contradicting.insert(rows[0].path.clone());
                    self.refused.push(refusal(rows[0].path.clone(), line, fault));
                }
            }
        }
        self.candidates.dedup_by(|b, a| a.path == b.path);
        self.candidates.retain(|row| !contradicting.contains(&row.path));
        for refused in self.refused.iter_mut().filter(|refused| refused.path.is_empty()) {
            refused.path = name.into();
        }
        let notes = (repeated > 0).then(|| format!("rows that repeat an earlier one: {repeated}"));
        let notes = notes.into_iter().chain(self.notes_of_splits()).collect();
        let Self { classes, has_label_sets, candidates, refused, .. } = self;
        ListedRows { classes, has_label_sets, candidates, refused, notes }
    }

    /// The line of the later of two rows of one path, and what the two disagree in.
    fn contradiction(&self, first: &Candidate, row: &Candidate) -> Option<(u64, String)> {
        let label = |row: &Candidate| match self.classes[row.folder].name.as_str() {
            "" => "none".to_string(),
            label => label.to_string(),
        };
        let split = |row: &Candidate| row.split.map_or("none".into(), |split: Split| split.to_string());
        let group = |row: &Candidate| row.group.clone().unwrap_or_else(|| "none".into());
        let weight = |row: &Candidate| row.weight.to_string();
        let values: [(&str, [String; 2]); 4] = [
            ("label", [label(first), label(row)]),
            ("split", [split(first), split(row)]),
            ("group", [group(first), group(row)]),
            ("weight", [weight(first), weight(row)]),
        ];
        let (what, [a, b]) = values.into_iter().find(|(_, [a, b])| a != b)?;
        let fault = format!("two {what}s for one path: {a} on line {}, {b} here", first.line.unwrap_or(0));
        Some((row.line.unwrap_or(0), fault))
    }

    /// A remark where some rows have a split and others have none.
    fn notes_of_splits(&self) -> Option<String> {
        let mut counts: BTreeMap<Option<Split>, usize> = BTreeMap::new();
        let labelled = self.candidates.iter().filter(|row| !self.classes[row.folder].name.is_empty());
        labelled.for_each(|row| *counts.entry(row.split).or_default() += 1);
        let without = counts.get(&None).copied().unwrap_or(0);
        (without > 0 && counts.len() > 1).then(|| {
            format!(
                "rows without a split, which get that of their group, or one by the split rule: {without}"
            )
        })
    }
}

/// Refuses the name of the folder of images without a label as a label.
pub(super) fn check_label(label: &str) -> Result<(), String> {
    match label_set(label).iter().any(|name| name == UNLABELLED) {
        true => Err(format!("{UNLABELLED} is no label; leave the label of an image without one empty")),
        false => Ok(()),
    }
}

fn refusal(path: String, line: u64, fault: String) -> Refused {
    Refused { path, image_sha256: None, reason: Reason::Row { line, fault } }
}

/// The path of a row as it is stored: relative to `root` where it is below, without `.` and doubled separators.
pub(super) fn plain_path(root: &Path, given: &str) -> String {
    let path = Path::new(given);
    let below = path.strip_prefix(root).unwrap_or(path);
    let mut plain = String::with_capacity(given.len());
    for component in below.components() {
        match component {
            Component::RootDir => plain.push('/'),
            Component::CurDir => {}
            other => {
                if !plain.is_empty() && !plain.ends_with('/') {
                    plain.push('/');
                }
                plain.push_str(&other.as_os_str().to_string_lossy());
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(rows: &[[&str; 4]]) -> ListedRows {
        let mut all = Rows::new(Path::new("/photos"));
        for (line, row) in (2..).zip(rows) {
            all.add(Row {
                line,
                values: Ok([row[0], row[1], "", row[2], row[3]].map(String::from).to_vec()),
            });
        }
        all.finish("m.csv")
    }

    fn refused(listed: &ListedRows) -> Vec<String> {
        listed.refused.iter().map(|refused| format!("{}: {}", refused.path, refused.reason)).collect()
    }

    #[test]
    fn faulty_rows_are_named_with_their_lines_and_the_others_stay() {
        let rows = listed(&[
            ["b.png", "cat", "", ""],
            ["", "cat", "", ""],
            ["c.png", " ", "", ""],
            ["d.png", "cat", "trian", ""],
            ["e.png", "cat", "val", "p1"],
            ["./e.png", "dog", "val", "p1"],
            ["/photos//a/f.png", "dog", "Test", "p2"],
            ["a/f.png", "dog", "test", "p2"],
        ]);
        let found: Vec<_> =
            rows.candidates.iter().map(|row| (row.path.as_str(), row.line, row.split)).collect();
        assert_eq!(
            found,
            [("a/f.png", Some(8), Some(Split::Test)), ("b.png", Some(2), None), ("c.png", Some(4), None),]
        );
        assert_eq!(
            refused(&rows),
            [
                "m.csv: line 3: it has no path",
                "d.png: line 5: \"trian\" is not a split; use train, validation or test, or leave it empty",
                "e.png: line 7: two labels for one path: cat on line 6, dog here",
            ]
        );
        assert_eq!(
            rows.notes,
            [
                "rows that repeat an earlier one: 1",
                "rows without a split, which get that of their group, or one by the split rule: 1"
            ]
        );
    }

    #[test]
    fn paths_are_stored_in_one_form() {
        let plain = |given| plain_path(Path::new("/photos"), given);
        assert_eq!(plain("./a//b/./c.png"), "a/b/c.png");
        assert_eq!(plain("/photos/a.png"), "a.png");
        assert_eq!((plain("/other/a.png"), plain("../a.png")), ("/other/a.png".into(), "../a.png".into()));
    }
}
