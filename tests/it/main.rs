//! All integration tests in one binary. `tests/run` installs what they need, then runs them.

mod acceptance;
mod browser;
mod calibration;
#[cfg(unix)]
mod clients;
mod commands_page;
mod data;
mod decode;
mod environments;
mod error_table;
mod errors;
mod examples;
mod experiment;
mod extract;
mod faults;
mod folders;
mod fuzz;
mod heads;
mod kills;
mod moved;
mod not_finite;
mod old_versions;
mod oracle;
mod pages;
mod power_loss;
mod readers;
mod report;
mod reproduce;
mod setup;
mod solvers;
mod stress;
mod support;
mod tensorboard;
mod tidy;
mod training;
