//! Groups by path: a regular expression whose match names the group of an image. The only user of the `regex` crate.

use crate::data::dataset::ImageFile;
use crate::error::{Error, Kind, Result};
use regex::Regex;
use std::fmt;
use std::str::FromStr;

/// A regular expression over paths. What its first pair of brackets matches, or the whole match without brackets, is the group.
#[derive(Debug, Clone)]
pub struct GroupPattern(Regex);

impl GroupPattern {
    /// Returns the group of a path; `None` where the expression does not match, or matches nothing.
    pub fn group<'a>(&self, path: &'a str) -> Option<&'a str> {
        let found = self.0.captures(path)?;
        let group = found.get(1).or_else(|| found.get(0).filter(|_| self.0.captures_len() == 1))?;
        Some(group.as_str()).filter(|group| !group.is_empty())
    }

    /// Gives each file the group of its path. Returns the number of files that the expression does not match, which are on
    /// their own.
    pub fn apply(&self, files: &mut [ImageFile]) -> usize {
        let mut unmatched = 0;
        for file in files {
            file.group = self.group(&file.path).map(String::from);
            unmatched += usize::from(file.group.is_none());
        }
        unmatched
    }
}

impl FromStr for GroupPattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Regex::new(text).map(Self).map_err(|e| {
            let cause = e.to_string();
            let cause = cause.lines().last().unwrap_or_default().trim_start_matches("error: ").to_string();
            Error::new(Kind::Usage, format!("{text:?} is not a regular expression: {cause}"))
                .help(r"put brackets around the part of the path that names the group, such as '([^/]+)_\d+'")
        })
    }
}

impl fmt::Display for GroupPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str())
    }
}

impl PartialEq for GroupPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_brackets_or_the_whole_match_name_the_group() {
        let group =
            |pattern: &str, path| pattern.parse::<GroupPattern>().unwrap().group(path).map(String::from);
        assert_eq!(group(r"([^/]+)_\d+\.", "cat/video7_0012.png").as_deref(), Some("video7"));
        assert_eq!(group(r"p\d+", "cat/p12/a.png").as_deref(), Some("p12"));
        assert_eq!((group(r"p\d+", "cat/a.png"), group(r"(x?)", "cat/a.png")), (None, None));
        // Brackets that take no part in the match.
        assert_eq!(group(r"(x)|cat", "cat/a.png"), None);
        let error = "(".parse::<GroupPattern>().unwrap_err().to_string();
        assert!(error.contains("unclosed group"), "{error}");
    }
}
