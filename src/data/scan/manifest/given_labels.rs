//! Labels that a person gives to images of a data set, in tables with a row for each image.

use super::rows::{check_label, plain_path};
use super::table::{Column, Row, for_each_row, format};
use crate::data::dataset::{ImageFile, Reason, Refused, label_set, label_set_text};
use crate::error::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Labels by path. Rows that cannot be used are refused with their lines.
pub(in crate::data) struct GivenLabels {
    labels: BTreeMap<String, GivenLabel>,
    /// Paths that have two labels, of which neither counts.
    contradicting: BTreeSet<String>,
    refused: Vec<Refused>,
}

/// The label of a row.
struct GivenLabel {
    line: u64,
    label: String,
}

impl GivenLabels {
    /// Reads tables with the columns path and label; paths start from `root`. Rows without a label are passed over.
    ///
    /// # Errors
    /// [`Kind::Input`](crate::error::Kind::Input) for a file that is no such table.
    pub fn read(files: &[PathBuf], root: &Path) -> Result<Self> {
        let columns = ["path", "label"].map(|name| Column {
            name: name.into(),
            is_required: true,
            instead: None,
            takes_list: false,
        });
        let mut given = Self { labels: BTreeMap::new(), contradicting: BTreeSet::new(), refused: Vec::new() };
        for file in files {
            let format = format(file, "not a table of labels", "")?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            for_each_row(file, format, &columns, &mut |row| given.add(row, root, &name))?;
        }
        Ok(given)
    }

    fn add(&mut self, Row { line, values }: Row, root: &Path, table: &str) {
        let mut values = match values {
            Ok(values) => values.into_iter(),
            Err(fault) => return self.refuse(table, line, fault),
        };
        let [path, label] = [values.next(), values.next()].map(Option::unwrap_or_default);
        let label = label.trim();
        if label.is_empty() {
            return;
        }
        if path.trim().is_empty() {
            return self.refuse(table, line, "it has no path".into());
        }
        let path = plain_path(root, &path);
        if let Err(fault) = check_label(label) {
            return self.refuse(&path, line, fault);
        }
        match self.labels.get(&path) {
            Some(first) if first.label != label => {
                let GivenLabel { line: earlier, label: first } = first;
                let fault = format!("two labels for one path: {first} on line {earlier}, {label} here");
                self.refuse(&path, line, fault);
                self.contradicting.insert(path);
            }
            _ => drop(self.labels.insert(path, GivenLabel { line, label: label.into() })),
        }
    }

    fn refuse(&mut self, path: &str, line: u64, fault: String) {
        let reason = Reason::Row { line, fault };
        self.refused.push(Refused { path: path.into(), image_sha256: None, reason });
    }

    /// Gives the labels to the images; those of `unlabelled` that get one move to `files`. Returns how many labels changed.
    /// Labels of other images are refused.
    pub fn apply(&mut self, files: &mut Vec<ImageFile>, unlabelled: &mut Vec<ImageFile>) -> usize {
        let mut relabelled = 0;
        let has_sets = files.iter().any(|file| file.labels.is_some());
        for path in &self.contradicting {
            self.labels.remove(path);
        }
        let mut relabel = |file: &mut ImageFile| {
            let Some(GivenLabel { label, .. }) = self.labels.remove(&file.path) else { return };
            let labels = has_sets.then(|| label_set(&label));
            let label = labels.as_ref().map_or(label, |labels| label_set_text(labels));
            relabelled += usize::from(file.label != label);
            (file.label, file.labels) = (label, labels);
        };
        files.iter_mut().chain(&mut *unlabelled).for_each(&mut relabel);
        files.extend(unlabelled.extract_if(.., |file| !file.label.is_empty()));
        for (path, GivenLabel { line, .. }) in std::mem::take(&mut self.labels) {
            self.refuse(&path, line, "it is none of the images".into());
        }
        relabelled
    }

    /// The rows that could not be used.
    pub fn into_refused(self) -> Vec<Refused> {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::tests::file;

    #[test]
    fn labels_are_given_by_path_and_the_rest_is_refused_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let table = dir.path().join("labels.csv");
        let rows =
            "path,label,answer\n./new/1,cat,dog\nnew/2,,dog\ncat/3,dog,\ncat/3,ant,\nelse/9,cat,\n,cat,\n";
        std::fs::write(&table, rows).unwrap();
        let unlabelled = |path: &str| ImageFile { label: String::new(), ..file(path, path) };
        let (mut files, mut others) =
            (vec![file("cat/3", "3"), file("cat/4", "4")], vec![unlabelled("new/1"), unlabelled("new/2")]);
        let mut given = GivenLabels::read(&[table], dir.path()).unwrap();
        assert_eq!(given.apply(&mut files, &mut others), 1);
        let labels: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.label.as_str())).collect();
        assert_eq!(labels, [("cat/3", "cat"), ("cat/4", "cat"), ("new/1", "cat")]);
        assert_eq!(others.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["new/2"]);
        let refused: Vec<String> = given
            .into_refused()
            .iter()
            .map(|refused| format!("{}: {}", refused.path, refused.reason))
            .collect();
        assert_eq!(
            refused,
            [
                "cat/3: line 5: two labels for one path: dog on line 4, ant here",
                "labels.csv: line 7: it has no path",
                "else/9: line 6: it is none of the images",
            ]
        );
    }
}
