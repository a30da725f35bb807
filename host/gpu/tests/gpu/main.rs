//! The executor on the adapter that is there: against the reference, the CPU executor and the
//! specification of saliency maps.

mod contract;
mod models;
mod plans;
mod random_graphs;
mod rise;
mod support;
