//! The name that a mistyped one is likely to mean.

/// Returns the one of `names` that `typed` is likely to mean, the first of equals: at most a third of its letters are other,
/// missing, too many or exchanged with their neighbours, or it is the beginning of one name alone. Small and capital letters,
/// spaces, hyphens and underscores are the same. `None` where nothing is near.
pub fn nearest_name<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = letters(typed);
    let mut all: Vec<(usize, &str)> = Vec::new();
    let mut begun: Vec<&str> = Vec::new();
    for name in names {
        let other = self::letters(name);
        let longest = letters.len().max(other.len());
        let distance = edit_distance(&letters, &other);
        // Of short names one letter is much, but a slip all the same.
        if distance <= (longest / 3).max(1) && distance < longest {
            all.push((distance, name));
        }
        if letters.len() >= 3 && other.starts_with(&letters) {
            begun.push(name);
        }
    }
    let nearest = all.into_iter().min_by_key(|(distance, _)| *distance).map(|(_, name)| name);
    nearest.or(match begun.as_slice() {
        [only] => Some(only),
        _ => None,
    })
}

/// Returns `did you mean "NAME"? `, to stand before a remedy, or nothing where no name is near.
pub fn did_you_mean<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest_name(typed, names).map_or(String::new(), |name| format!("did you mean {name:?}? "))
}

fn letters(name: &str) -> Vec<char> {
    let plain = |c: char| if matches!(c, ' ' | '-') { '_' } else { c };
    name.to_lowercase().chars().map(plain).collect()
}

/// Counts the letters to insert, remove, replace or exchange with their neighbour (optimal string alignment; Damerau 1964).
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_the_name_and_other_words_do_not() {
        let names = ["Mixed_6e", "Mixed_7a", "PreLogits", "validation", "test", "Tony Blair", "cpu", "cuda"];
        for (typed, meant) in [
            ("mixed_6e", Some("Mixed_6e")),
            ("Mixed6e", Some("Mixed_6e")),
            ("prelogit", Some("PreLogits")),
            ("valid", Some("validation")),
            ("tset", Some("test")),
            ("tony-blair", Some("Tony Blair")),
            ("Tony Bliar", Some("Tony Blair")),
            ("cpus", Some("cpu")),
            ("zebra", None),
            ("mix", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest_name(typed, names), meant, "{typed}");
        }
        assert_eq!(did_you_mean("tets", names), "did you mean \"test\"? ");
        assert_eq!(did_you_mean("zebra", names), "");
    }

    #[test]
    fn distances_are_those_worked_out_by_hand() {
        let distance = |a: &str, b: &str| edit_distance(&letters(a), &letters(b));
        for (a, b, expected) in
            [("kitten", "sitting", 3), ("", "abc", 3), ("ab", "ba", 1), ("ca", "abc", 3), ("猫", "犬", 1)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (expected, expected), "{a} {b}");
        }
    }
}
