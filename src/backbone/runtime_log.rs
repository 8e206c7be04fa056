//! What ONNX Runtime logs, held back and made plain. Its own logger would print it in colour, with paths of its source.

use std::sync::Mutex;

/// Lines that the runtime logged and that nobody has read.
static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps a line of the runtime's log, as plain text.
pub(super) fn keep(message: &str) {
    let mut lines = LOG.lock().unwrap_or_else(|e| e.into_inner());
    // A network that fails in each batch says so in each batch.
    if lines.len() < 20 {
        lines.push(plain(message));
    }
}

/// Takes the lines.
pub(super) fn take() -> Vec<String> {
    std::mem::take(&mut *LOG.lock().unwrap_or_else(|e| e.into_inner()))
}

/// Removes colour codes and paths of the runtime's source from a message of the runtime, and joins its lines.
pub(super) fn plain(message: &str) -> String {
    let mut text = String::new();
    let mut rest = message;
    while let Some((before, code)) = rest.split_once('\u{1b}') {
        text.push_str(before);
        rest = code.split_once('m').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    // Such as "concatbase.h:133" and "/onnxruntime_src/onnxruntime/core/platform/posix/env.cc:327".
    let is_source = |word: &str| [".h:", ".cc:", ".cpp:"].iter().any(|end| word.contains(end));
    let is_text = |word: &&str| !is_source(word);
    text.split_whitespace().filter(is_text).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_the_runtime_are_plain_text() {
        let message = "\u{1b}[1;31m2026-11-28 [E:onnxruntime:, env.cc:254] \u{1b}[mno:\n /onnxruntime_src/onnxruntime/core/a.cc:7 affinity";
        assert_eq!(plain(message), "2026-11-28 [E:onnxruntime:, no: affinity");
        assert_eq!(plain("cut short \u{1b}[1;3"), "cut short");
    }
}
