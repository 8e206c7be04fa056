//! Parses TOML text into data. The only user of the `toml` crate.

use crate::error::{Error, Kind, Result, nearest_name};
use serde::de::DeserializeOwned;

/// Parses `text` as a `T`.
///
/// # Errors
/// [`Kind::Usage`] with the line and the key that is wrong.
pub fn parse_toml<T: DeserializeOwned>(text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| {
        let before = e.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(String::new(), |text| format!("line {}: ", text.matches('\n').count() + 1));
        let error = Error::new(Kind::Usage, format!("{line}{}", e.message().replace('\n', ", ")));
        match nearest_key(e.message()) {
            Some(key) => error.help(format!("did you mean {key}?")),
            None => error,
        }
    })
}

/// The key that an unknown one may have meant. The message names in backticks the unknown key, then those that are known.
fn nearest_key(message: &str) -> Option<&str> {
    let names = message.starts_with("unknown field").then(|| message.split('`').skip(1).step_by(2))?;
    let mut names = names.collect::<Vec<_>>().into_iter();
    let unknown = names.next()?;
    nearest_name(unknown, names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Small {
        #[expect(dead_code, reason = "only parsed")]
        size: u32,
    }

    #[test]
    fn a_wrong_key_is_reported_with_its_line() {
        parse_toml::<Small>("size = 3").unwrap();
        for (text, expected) in [
            ("size = 3\n\nsise = 4", "line 3: unknown field `sise`"),
            ("# nothing\nsize = \"x\"", "line 2: invalid type"),
            ("", "missing field `size`"),
            ("size = ", "line 1: "),
        ] {
            let error = parse_toml::<Small>(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let error = parse_toml::<Small>("size = 3\nsise = 4").unwrap_err();
        assert_eq!(error.remedy(), Some("did you mean size?"));
    }
}
