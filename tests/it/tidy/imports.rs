//! Reads the paths in the source files (`crate::`, `super::` and child modules) and says which file uses which.

use std::collections::{BTreeMap, BTreeSet};

/// One source file: its name below `src` and its code without the unit tests.
#[derive(Debug, Clone)]
pub struct Source {
    /// Relative to `src`, with `/` between the parts.
    pub name: String,
    pub code: String,
}

type Path = Vec<String>;

/// For each file the files whose items it names. Re-exports count as uses of the file that defines the item.
pub fn uses(sources: &[Source]) -> BTreeMap<&str, BTreeSet<&str>> {
    let files: BTreeMap<Path, &Source> = sources.iter().map(|s| (module_of(&s.name), s)).collect();
    let statements: BTreeMap<Path, Statements> =
        files.iter().map(|(path, source)| (path.clone(), Statements::read(&source.code, path))).collect();
    let modules = Modules { files: &files, statements: &statements };
    let used = |path: &Path, source: &str| {
        let targets = statements[path].uses.iter().filter_map(|used| modules.file(used, 0));
        targets.filter(|target| *target != source).collect()
    };
    files.iter().map(|(path, source)| (source.name.as_str(), used(path, &source.name))).collect()
}

/// Groups of files that use one another in a circle, each sorted.
pub fn circles<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Vec<Vec<&'a str>> {
    let reachable = |start: &'a str| {
        let mut seen: BTreeSet<&'a str> = BTreeSet::new();
        let mut open = vec![start];
        while let Some(file) = open.pop() {
            open.extend(uses.get(file).into_iter().flatten().filter(|next| seen.insert(next)));
        }
        seen
    };
    let all: BTreeMap<&str, BTreeSet<&str>> = uses.keys().map(|file| (*file, reachable(file))).collect();
    let circle = |file: &&'a str| -> Vec<&'a str> {
        all[file]
            .iter()
            .copied()
            .filter(|other| all.get(other).is_some_and(|back| back.contains(file)))
            .collect()
    };
    let found: BTreeSet<Vec<&str>> = uses.keys().map(circle).filter(|circle| circle.len() > 1).collect();
    found.into_iter().collect()
}

/// The module path of a file: `a/b.rs` and `a/b/mod.rs` are both `[a, b]`, `lib.rs` is empty.
fn module_of(name: &str) -> Path {
    let stem = name.trim_end_matches(".rs").trim_end_matches("/mod");
    if stem == "lib" { Vec::new() } else { stem.split('/').map(str::to_string).collect() }
}

struct Modules<'s, 'a> {
    files: &'s BTreeMap<Path, &'a Source>,
    statements: &'s BTreeMap<Path, Statements>,
}

impl<'a> Modules<'_, 'a> {
    /// The file that defines what `path` names.
    fn file(&self, path: &[String], depth: usize) -> Option<&'a str> {
        let known = (0..=path.len()).rev().find(|n| self.files.contains_key(&path[..*n]))?;
        let (module, rest) = path.split_at(known);
        let source = self.files[module];
        if let Some(name) = rest.first()
            && let Some(target) = self.statements[module].exports.get(name)
            && depth < 8
            && target.as_slice() != path
        {
            return self.file(target, depth + 1);
        }
        (!module.is_empty()).then_some(source.name.as_str())
    }
}

/// The paths that a file names, and the names that it re-exports, with what they stand for. All paths start at the
/// crate's root.
#[derive(Debug, Default)]
struct Statements {
    uses: BTreeSet<Path>,
    exports: BTreeMap<String, Path>,
}

impl Statements {
    fn read(code: &str, module: &Path) -> Self {
        let code = without_comments(code);
        let mut found = Self::default();
        let children: BTreeSet<String> = code.lines().filter_map(child).collect();
        let mut rest = code.as_str();
        while let Some((at, is_use)) = next_path(rest, &children) {
            let before = rest[..at].trim_end();
            let is_export = is_use && before.ends_with("use") && {
                let line = before.rsplit('\n').next().unwrap_or_default().trim_start();
                line.starts_with("pub")
            };
            let mut paths = Vec::new();
            let length = tree(&rest[at..], &Vec::new(), &mut paths);
            for (path, alias) in paths {
                let Some(path) = absolute(&path, module, &children) else { continue };
                if is_export {
                    found.exports.insert(alias, path);
                } else {
                    found.uses.insert(path);
                }
            }
            rest = &rest[at + length.max(1)..];
        }
        found
    }
}

/// The name in `mod name;`.
fn child(line: &str) -> Option<String> {
    let line = line.trim();
    let line =
        ["pub(crate) ", "pub(super) ", "pub "].iter().find_map(|p| line.strip_prefix(p)).unwrap_or(line);
    Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_string())
}

fn without_comments(code: &str) -> String {
    code.lines().map(|line| line.find("//").map_or(line, |at| &line[..at])).collect::<Vec<_>>().join("\n")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where the next path of this crate begins, and whether the word before it is `use`.
fn next_path(code: &str, children: &BTreeSet<String>) -> Option<(usize, bool)> {
    let starts = |name: &str, at: usize| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| is_word(c) || c == ':' || c == '"')
            && code[at + name.len()..].starts_with("::")
    };
    let names = ["crate", "super", "self"].into_iter().chain(children.iter().map(String::as_str));
    let first =
        names.filter_map(|name| code.match_indices(name).map(|(at, _)| at).find(|at| starts(name, *at)));
    let at = first.min()?;
    Some((at, code[..at].trim_end().ends_with("use")))
}

/// Reads a path or a tree of paths (`a::{b, c::d as e}`) at the start of `text` into `found`, each with its last name;
/// returns the bytes read.
fn tree(text: &str, prefix: &Path, found: &mut Vec<(Path, String)>) -> usize {
    let mut path = prefix.clone();
    let mut at = 0;
    loop {
        let skipped = text[at..].len() - text[at..].trim_start().len();
        if text[at + skipped..].starts_with('{') {
            at += skipped + 1;
            loop {
                at += text[at..].len() - text[at..].trim_start_matches([',', ' ', '\n']).len();
                if text[at..].starts_with('}') || text[at..].is_empty() {
                    return at + 1;
                }
                let read = tree(&text[at..], &path, found);
                if read == 0 {
                    return at + 1;
                }
                at += read;
            }
        }
        let word: String = text[at..].chars().take_while(|c| is_word(*c) || *c == '*').collect();
        if word.is_empty() {
            return at;
        }
        at += word.len();
        path.push(word);
        if text[at..].starts_with("::") {
            at += 2;
            continue;
        }
        let mut name = path.last().cloned().unwrap_or_default();
        if name == "self" {
            path.pop();
            name = path.last().cloned().unwrap_or_default();
        }
        if let Some(alias) = text[at..].strip_prefix(" as ") {
            name = alias.chars().take_while(|c| is_word(*c)).collect();
            at += " as ".len() + name.len();
        }
        found.push((path, name));
        return at;
    }
}

/// `path` as seen in `module`, from the crate's root.
fn absolute(path: &Path, module: &Path, children: &BTreeSet<String>) -> Option<Path> {
    let first = path.first()?;
    let mut base = match first.as_str() {
        "crate" => Vec::new(),
        "super" => module[..module.len().checked_sub(1)?].to_vec(),
        "self" => module.clone(),
        child if children.contains(child) => [module.as_slice(), &[child.to_string()]].concat(),
        _ => return None,
    };
    for part in &path[1..] {
        if part == "super" {
            base.pop()?;
        } else {
            base.push(part.clone());
        }
    }
    Some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, code: &str) -> Source {
        Source { name: name.into(), code: code.into() }
    }

    #[test]
    fn a_circle_through_a_re_export_is_found() {
        let sources = [
            source("lib.rs", "pub mod room;"),
            source("room/mod.rs", "mod one;\nmod two;\npub use one::{First, Other as Second};"),
            source("room/one.rs", "use super::two::{\n    deep::Name,\n    third,\n};\npub struct First;"),
            source("room/two.rs", "fn f(a: super::Second) {}"),
            source("room/three.rs", "use crate::room::First; // crate::room::three"),
        ];
        let uses = uses(&sources);
        assert_eq!(uses["room/one.rs"], BTreeSet::from(["room/two.rs"]));
        assert_eq!(uses["room/two.rs"], BTreeSet::from(["room/one.rs"]));
        assert_eq!(uses["room/three.rs"], BTreeSet::from(["room/one.rs"]));
        assert_eq!(uses["room/mod.rs"], BTreeSet::new());
        assert_eq!(circles(&uses), [["room/one.rs", "room/two.rs"]]);
    }
}
