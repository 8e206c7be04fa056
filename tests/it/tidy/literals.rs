//! Reads the string literals of a source file.

/// The contents of all string literals, as written: escapes stay escapes. Comments and characters are skipped.
pub fn string_literals(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let rest = &code[at..];
        at += if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(length) = raw_string(rest, &mut found).or_else(|| string(rest, &mut found)) {
            length
        } else if let Some(length) = character(rest) {
            length
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
    }
    found
}

/// `"..."` at the start of `text`; returns its length.
fn string<'a>(text: &'a str, found: &mut Vec<&'a str>) -> Option<usize> {
    let inside = text.strip_prefix('"')?;
    let mut is_escaped = false;
    let end = inside.find(|c| match c {
        _ if is_escaped => {
            is_escaped = false;
            false
        }
        '\\' => {
            is_escaped = true;
            false
        }
        c => c == '"',
    })?;
    found.push(&inside[..end]);
    Some(end + 2)
}

/// `r"..."` or `r#"..."#` at the start of `text`; returns its length.
fn raw_string<'a>(text: &'a str, found: &mut Vec<&'a str>) -> Option<usize> {
    let hashes = text.strip_prefix('r')?.chars().take_while(|c| *c == '#').count();
    let inside = text[1 + hashes..].strip_prefix('"')?;
    let end = inside.find(&format!("\"{}", "#".repeat(hashes)))?;
    found.push(&inside[..end]);
    Some(end + 3 + 2 * hashes)
}

/// `'x'` or `'\x'` at the start of `text`, but no lifetime; returns its length.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let escape = usize::from(inside.starts_with('\\'));
    let length = escape + inside[escape..].chars().next()?.len_utf8();
    inside[length..].starts_with('\'').then_some(length + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_told_from_comments_characters_and_lifetimes() {
        let code = r##"fn f<'a>(x: &'a str) { // "no"
            g('"', '\'', "a \"b\"", r#"c "d""#, "é\\", x)
        }"##;
        assert_eq!(string_literals(code), ["a \\\"b\\\"", "c \"d\"", "é\\\\"]);
    }
}
