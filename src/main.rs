//! The `headstart` program: parse, dispatch, exit code. Everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    headstart::cli::main()
}
