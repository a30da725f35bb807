//! Updates over the wire: from the first byte of a package to the plan that runs.

mod client;
#[path = "../common/mod.rs"]
mod common;
mod cuts;
mod flash;
mod hostile;
mod refusals;
mod steps;
