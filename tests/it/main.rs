//! All integration tests in one binary. `tests/run` installs what they need, then runs them.

mod acceptance;
mod browser;
mod commands_page;
mod data;
mod decode;
mod error_table;
mod errors;
mod experiment;
mod extract;
mod faults;
mod heads;
mod kills;
mod lab;
mod old_versions;
mod oracle;
mod pages;
mod power_loss;
mod report;
mod reproduce;
mod sandbox;
mod setup;
mod small;
mod tensorboard;
mod tidy;
mod trust;
