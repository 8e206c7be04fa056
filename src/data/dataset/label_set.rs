//! Several labels of one image: their text, as manifests, caches and predictions hold it.

use crate::error::{Error, Kind};

/// Separates labels in a text.
const SEPARATOR: char = '|';

/// The text of an image that has none of the labels, unlike one without a label yet, whose text is empty.
pub const NO_LABELS: &str = "|";

/// Reads the labels of a text such as `cat|dog`: sorted, each once.
pub fn label_set(text: &str) -> Vec<String> {
    let names = text.split(SEPARATOR).map(str::trim).filter(|name| !name.is_empty());
    let mut labels: Vec<String> = names.map(String::from).collect();
    labels.sort_unstable();
    labels.dedup();
    labels
}

/// Writes sorted labels as a text.
pub fn label_set_text<T: AsRef<str>>(labels: &[T]) -> String {
    let names: Vec<&str> = labels.iter().map(AsRef::as_ref).collect();
    if names.is_empty() { NO_LABELS.into() } else { names.join("|") }
}

/// The error for a setting that is about one class an image, where images have several labels.
pub fn refuse_for_label_sets(field: &str) -> Error {
    let message = format!("`{field}` cannot be used where images have several labels");
    Error::new(Kind::Usage, message).help(format!("leave `{field}` out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_form() {
        assert_eq!(label_set_text(&label_set(" dog|cat | dog")), "cat|dog");
        assert_eq!(label_set_text(&label_set("|")), NO_LABELS);
        assert!(label_set("").is_empty());
    }
}
