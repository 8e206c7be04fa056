//! Command lines as a POSIX shell reads them. The only door to `shlex`.

/// The longest line of a command that can still be broken before an option, in characters.
const LINE: usize = 72;

/// Quotes a word so that a shell takes it as one argument; a plain word stays as it is.
pub(super) fn quote(word: &str) -> String {
    // No argument can hold a NUL byte, so no word does.
    shlex::Quoter::new().allow_nul(true).quote(word).map_or_else(|_| word.into(), Into::into)
}

/// A command that runs the program with these `arguments`, on as many lines as it needs.
pub(super) fn command_line(arguments: &[String]) -> String {
    let mut out = String::from("headstart");
    let mut column = out.len();
    for argument in arguments {
        let is_option = argument.starts_with("--");
        let argument = quote(argument);
        let breaks = is_option && column + argument.len() + 12 > LINE;
        out.push_str(if breaks { " \\\n    " } else { " " });
        column = if breaks { 4 } else { column + 1 } + argument.chars().count();
        out.push_str(&argument);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_words_back_as_they_were() {
        assert_eq!(command_line(&["train", "plain-1.2"].map(String::from)), "headstart train plain-1.2");
        let arguments =
            ["a b", "it's", "", "--x=$HOME", "a$b `c` \"d\" 'e' \\ *\n<script>", "猫,_é", "!x", "~", "#y"];
        let line = command_line(&arguments.map(String::from)).replacen("headstart", "printf '%s|'", 1);
        let output = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), arguments.join("|") + "|");
    }

    #[test]
    fn long_commands_are_broken_before_options() {
        let arguments =
            ["train", "/a/path/of/some/length", "--run", "runs/first", "--use", "none", "--lr", "0.01"];
        let line = command_line(&arguments.map(String::from));
        assert_eq!(
            line,
            "headstart train /a/path/of/some/length --run runs/first --use none \\\n    --lr 0.01"
        );
    }
}
