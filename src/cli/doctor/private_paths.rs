//! Takes from a text what its paths tell of a user: names of people, of projects, and of the folders of a company.

use serde_json::Value;

/// Folders of the system: what is below them is the same for everybody.
const OF_THE_SYSTEM: [&str; 13] = [
    "/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/", "/opt/", "/etc/", "/proc/", "/sys/", "/dev/", "/run/", "/Library/",
    "/System/",
];

/// What stands for folders that tell nothing but of this user.
const ELSEWHERE: &str = "[private]";

/// What is replaced in a text.
#[derive(Debug)]
pub(super) struct PrivatePaths {
    /// What is found, and what stands for it, the longest first.
    replaced: Vec<(String, String)>,
    /// Name of the user.
    user: Option<String>,
}

impl PrivatePaths {
    /// For this process and the paths that a text is `known` to have; other paths in it are found by their look.
    pub fn of_this_process(known: &[String]) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| value.starts_with('/') && value.len() > 1);
        let own = ["HEADSTART_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"];
        let mut bases: Vec<(String, String)> =
            own.iter().filter_map(|name| Some((variable(name)?, format!("${name}")))).collect();
        let path = |path: Option<std::path::PathBuf>| path.map(|path| path.display().to_string());
        bases.extend(path(std::env::home_dir()).map(|home| (home, "~".into())));
        bases.extend(path(std::env::current_dir().ok()).map(|here| (here, ".".into())));
        let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
        Self::new(bases, known, user)
    }

    fn new(mut bases: Vec<(String, String)>, known: &[String], user: Option<String>) -> Self {
        bases.retain(|(base, _)| base.len() > 1);
        bases.sort_by_key(|(base, _)| std::cmp::Reverse(base.len()));
        // Among known paths are some with spaces, which no look at the text could tell.
        let outside = known.iter().filter(|path| bases.iter().all(|(base, _)| !is_below(path, base)));
        let outside: Vec<(String, String)> =
            outside.filter(|path| !is_of_system(path)).map(|path| (path.clone(), elsewhere(path))).collect();
        let mut replaced = [bases, outside].concat();
        replaced.sort_by_key(|(found, _)| std::cmp::Reverse(found.len()));
        Self { replaced, user: user.filter(|name| !name.is_empty()) }
    }

    /// The text without private paths.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_string();
        for (found, instead) in &self.replaced {
            text = replace_path(&text, found, instead);
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(start) = find_path(rest) {
            let (before, from) = rest.split_at(start);
            let end = from.find(ends_path).unwrap_or(from.len());
            out.push_str(before);
            out.push_str(&self.hide_in_path(&from[..end]));
            rest = &from[end..];
        }
        out + rest
    }

    /// The document with every text in it as [`PrivatePaths::hide`] has it.
    pub fn hide_in_json(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.hide(&text)),
            Value::Array(all) => all.into_iter().map(|one| self.hide_in_json(one)).collect(),
            Value::Object(all) => {
                Value::Object(all.into_iter().map(|(name, one)| (name, self.hide_in_json(one))).collect())
            }
            other => other,
        }
    }

    /// A path that starts with a slash.
    fn hide_in_path(&self, path: &str) -> String {
        if !is_of_system(path) {
            return elsewhere(path);
        }
        let part = |part| if Some(part) == self.user.as_deref() { "[user]" } else { part };
        path.split('/').map(part).collect::<Vec<_>>().join("/")
    }
}

fn is_of_system(path: &str) -> bool {
    OF_THE_SYSTEM.iter().any(|folder| path.starts_with(folder))
}

fn is_below(path: &str, base: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '\\']))
}

/// The last part of a path, without the folders above it.
fn elsewhere(path: &str) -> String {
    let name = path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
    match name.rsplit_once('.') {
        // A file's kind tells something of the fault, a folder's name tells of its owner.
        Some((_, extension)) if !extension.is_empty() => format!("{ELSEWHERE}/*.{extension}"),
        _ => ELSEWHERE.into(),
    }
}

/// Replaces `found` where it is a whole path or a folder of one.
fn replace_path(text: &str, found: &str, instead: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(found) {
        let (before, from) = rest.split_at(at);
        let after = &from[found.len()..];
        let goes_on = after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
        let is_inside = before.ends_with(|c: char| !c.is_whitespace() && !"\"'`(=:,;".contains(c));
        out.push_str(before);
        out.push_str(if goes_on || is_inside { found } else { instead });
        rest = after;
    }
    out + rest
}

/// Where the next absolute path begins.
fn find_path(text: &str) -> Option<usize> {
    text.match_indices('/').map(|(at, _)| at).find(|&at| {
        let before = text[..at].chars().next_back();
        let is_start = before.is_none_or(|c| c.is_whitespace() || "\"'`(=:,;".contains(c));
        is_start && text[at + 1..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'))
    })
}

fn ends_path(c: char) -> bool {
    c.is_whitespace() || "\"'`(),;:".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hide(text: &str) -> String {
        let bases = [("/home/alice", "~"), ("/home/alice/work/secret", "."), ("/data/x", "$HEADSTART_HOME")];
        let bases = bases.map(|(path, name)| (path.to_string(), name.to_string())).to_vec();
        PrivatePaths::new(bases, &["/srv/Alice Smith/net.onnx".into()], Some("alice".into())).hide(text)
    }

    #[test]
    fn folders_of_the_user_become_names_that_all_users_have() {
        for (text, hidden) in [
            ("at /home/alice/.cache/headstart/lib.so: gone", "at ~/.cache/headstart/lib.so: gone"),
            ("/home/alice/work/secret/models", "./models"),
            ("HEADSTART_HOME  /data/x", "HEADSTART_HOME  $HEADSTART_HOME"),
            ("(/data/x/models)", "($HEADSTART_HOME/models)"),
            ("/home/alicent/x.onnx", "[private]/*.onnx"),
            ("/srv/Alice Smith/net.onnx: no", "[private]/*.onnx: no"),
            ("see /srv/acme/alice/project, then", "see [private], then"),
            ("/usr/lib/alice/libonnxruntime.so.1", "/usr/lib/[user]/libonnxruntime.so.1"),
            ("LD_LIBRARY_PATH=/srv/a:/usr/lib/b", "LD_LIBRARY_PATH=[private]:/usr/lib/b"),
            ("2 / 3 and/or 1/2, 70/5/25", "2 / 3 and/or 1/2, 70/5/25"),
        ] {
            assert_eq!(hide(text), hidden);
        }
    }

    #[test]
    fn all_texts_of_a_document_are_changed_and_nothing_else() {
        let bases = vec![("/home/alice".to_string(), "~".to_string())];
        let private = PrivatePaths::new(bases, &[], None);
        let value = serde_json::json!({ "a": ["/home/alice/b", 1], "c": { "d": "/home/alice" }, "e": null });
        let hidden = serde_json::json!({ "a": ["~/b", 1], "c": { "d": "~" }, "e": null });
        assert_eq!(private.hide_in_json(value), hidden);
    }
}
