//! A number with its noun, for messages and results.

use std::fmt::Display;

/// Formats a number with its noun, which is in the singular for 1 alone: `1 image`, `0 images`, `2 classes`.
pub fn counted<N: PartialEq + From<u8> + Display>(number: N, noun: &str) -> String {
    let ends_in_hiss =
        ["s", "x", "ch", "sh"].iter().any(|end| noun.ends_with(end)) && !noun.ends_with("epoch");
    match (number == N::from(1), ends_in_hiss) {
        (true, _) => format!("1 {noun}"),
        (false, true) => format!("{number} {noun}es"),
        (false, false) => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn one_alone_is_singular() {
        let counts = [
            (0, "image"),
            (1, "image"),
            (2, "image"),
            (1, "class"),
            (3, "class"),
            (2, "batch"),
            (28, "epoch"),
        ];
        let texts = counts.map(|(number, noun)| counted(number, noun));
        assert_eq!(
            texts,
            ["0 images", "1 image", "2 images", "1 class", "3 classes", "2 batches", "28 epochs"]
        );
    }
}
