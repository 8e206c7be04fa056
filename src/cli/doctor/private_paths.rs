//! Takes from a text what its paths tell of a user: names of people, of projects, and of the folders of a company.

use serde_json::Value;

/// Folders of the system: what is below them is the same for everybody.
const OF_THE_SYSTEM: [&str; 13] = [
    "/usr/",
    "/lib/",
    "/lib64/",
    "/bin/",
    "/sbin/",
    "/opt/",
    "/etc/",
    "/proc/",
    "/sys/",
    "/dev/",
    "/run/",
    "/Library/",
    "/System/",
];

/// What stands for folders that tell nothing but of this user.
const ELSEWHERE: &str = "[private]";

/// A folder of this user, and what stands for it.
#[derive(Debug, Clone)]
struct Base {
    path: String,
    name: String,
    /// Whether names below it tell nothing either: those that headstart gives.
    is_ours: bool,
}

/// What is replaced in a text.
#[derive(Debug)]
pub(super) struct PrivatePaths {
    /// The longest first.
    bases: Vec<Base>,
    /// Paths that the text is known to have, and what stands for them, the longest first.
    known: Vec<(String, String)>,
    /// Name of the user.
    user: Option<String>,
}

impl PrivatePaths {
    /// For this process and the paths that a text is `known` to have; other paths in it are found by their look.
    pub fn of_this_process(known: &[String]) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| value.starts_with('/'));
        let own = ["HEADSTART_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"];
        let own = own.iter().filter_map(|name| Some((variable(name)?, format!("${name}"), true)));
        let text = |path: Option<std::path::PathBuf>| path.map(|path| path.display().to_string());
        let home = text(std::env::home_dir()).map(|home| (home, "~".to_string(), false));
        let here = text(std::env::current_dir().ok()).map(|here| (here, ".".to_string(), false));
        let bases = own.chain(here).chain(home).map(|(path, name, is_ours)| Base { path, name, is_ours });
        let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
        Self::new(bases.collect(), known, user)
    }

    fn new(mut bases: Vec<Base>, known: &[String], user: Option<String>) -> Self {
        bases.retain(|base| base.path.len() > 1);
        bases.sort_by_key(|base| std::cmp::Reverse(base.path.len()));
        let mut private = Self { bases, known: Vec::new(), user: user.filter(|name| !name.is_empty()) };
        let mut known: Vec<_> = known.iter().map(|path| (path.clone(), private.hide_path(path))).collect();
        known.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        private.known = known;
        private
    }

    /// The text without private paths.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_string();
        // They may have spaces, which no look at the text could tell from the end of a path.
        for (path, instead) in &self.known {
            text = replace_path(&text, path, instead);
        }
        for base in &self.bases {
            text = replace_path(&text, &base.path, &base.name);
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(start) = find_path(rest) {
            let (before, from) = rest.split_at(start);
            let end = from.find(ends_path).unwrap_or(from.len());
            out.push_str(before);
            out.push_str(&self.hide_path(&from[..end]));
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

    /// What stands for a whole path, which may begin with the name of a base.
    fn hide_path(&self, path: &str) -> String {
        let base = self.bases.iter().find_map(|base| {
            let named = [base.path.as_str(), base.name.as_str()].into_iter();
            let rest =
                named.filter(|start| is_below(path, start)).map(|start| &path[start.len()..]).next()?;
            Some((base, rest))
        });
        match base {
            Some((base, rest)) if base.is_ours || is_plain(rest) => format!("{}{rest}", base.name),
            Some((base, rest)) => format!("{}/{}", base.name, elsewhere(rest)),
            None if is_of_system(path) => {
                let part = |part| if Some(part) == self.user.as_deref() { "[user]" } else { part };
                path.split('/').map(part).collect::<Vec<_>>().join("/")
            }
            None => elsewhere(path),
        }
    }
}

/// Whether a path below a folder of the user tells nothing: hidden folders of programs, and what headstart itself calls so.
fn is_plain(rest: &str) -> bool {
    let rest = rest.trim_start_matches(['/', '\\']);
    rest.is_empty() || rest.starts_with('.') || rest == "models" || rest.starts_with("models/")
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

/// Where the next path begins that is absolute or starts with the name of a base.
fn find_path(text: &str) -> Option<usize> {
    let starts = text.match_indices('/').map(|(at, _)| match text[..at].chars().next_back() {
        Some(c @ ('~' | '.')) => at - c.len_utf8(),
        _ => at,
    });
    starts.into_iter().find(|&at| {
        let before = text[..at].chars().next_back();
        let is_start = before.is_none_or(|c| c.is_whitespace() || "\"'`(=:,;".contains(c));
        let name = text[at..].trim_start_matches(['~', '.', '/']);
        is_start && name.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-'))
    })
}

fn ends_path(c: char) -> bool {
    c.is_whitespace() || "\"'`(),;:".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hide(text: &str) -> String {
        let base = |path: &str, name: &str, is_ours| Base { path: path.into(), name: name.into(), is_ours };
        let bases = vec![
            base("/home/alice", "~", false),
            base("/home/alice/work/secret", ".", false),
            base("/data/x", "$HEADSTART_HOME", true),
        ];
        let known =
            ["/srv/Alice Smith/net.onnx", "/home/alice/my own/models", "/usr/bin/npm"].map(String::from);
        PrivatePaths::new(bases, &known, Some("alice".into())).hide(text)
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
            ("~/project/x and /home/alice/project/x.toml", "~/[private] and ~/[private]/*.toml"),
            ("in /home/alice/my own/models: none", "in ~/[private]: none"),
            ("./secret.onnx", "./[private]/*.onnx"),
            ("/usr/lib/alice/libonnxruntime.so.1", "/usr/lib/[user]/libonnxruntime.so.1"),
            ("LD_LIBRARY_PATH=/srv/a:/usr/lib/b", "LD_LIBRARY_PATH=[private]:/usr/lib/b"),
            ("2 / 3 and/or 1/2, 70/5/25", "2 / 3 and/or 1/2, 70/5/25"),
        ] {
            assert_eq!(hide(text), hidden);
        }
    }

    #[test]
    fn all_texts_of_a_document_are_changed_and_nothing_else() {
        let bases = vec![Base { path: "/home/alice".into(), name: "~".into(), is_ours: false }];
        let private = PrivatePaths::new(bases, &[], None);
        let value = serde_json::json!({ "a": ["/home/alice/.b", 1], "c": { "d": "/home/alice" }, "e": null });
        let hidden = serde_json::json!({ "a": ["~/.b", 1], "c": { "d": "~" }, "e": null });
        assert_eq!(private.hide_in_json(value), hidden);
    }
}
