//! How a run was made, as a part of its page: its settings, and the commands that make it again.

use super::run_data::CommandLine;
use crate::report::html::{Markup, html};
use crate::report::page::{self, Parts};

/// The table of settings and the commands. `has_cache` is whether the cache of the run can be read.
pub(super) fn markup(parts: Parts, commands: &[CommandLine], has_cache: bool) -> Markup {
    let commands: Vec<String> =
        commands.iter().map(|command| format!("# {}\n{}", command.label, command.line)).collect();
    html! {
        (parts.table("settings"))
        @if !commands.is_empty() {
            h3 { "Commands that make it again" }
            (page::scrolled("Commands", html! { pre { code { (commands.join("\n")) } } }))
            p.quiet {
                "On the same machine and cache the head is the same, byte for byte."
                @if !has_cache { " The cache cannot be read, so the command that makes it again is left out." }
            }
        }
    }
}
