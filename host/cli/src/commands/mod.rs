//! One file a subcommand: its arguments, its work, and what it prints.

pub mod audit;
pub mod bench;
pub mod boards;
pub mod compare;
pub mod compile;
pub mod daemon;
pub mod demo;
pub mod devices;
pub mod explain;
pub mod export;
pub mod flash;
pub mod inspect;
pub mod keygen;
pub mod latency;
pub mod pack;
pub mod quantization;
pub mod run;
pub mod token;
pub mod trust;
pub mod update;
