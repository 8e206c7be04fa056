//! All integration tests in one binary. `tests/run` installs what they need, then runs them.

mod acceptance;
mod data;
mod error_table;
mod errors;
mod extract;
mod heads;
mod lab;
mod oracle;
mod sandbox;
mod setup;
mod small;
mod tidy;
