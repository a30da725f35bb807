//! The API over real sockets, with a daemon that is not there and a journal that is.
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod access;
mod document;
mod ends;
mod hostile;
mod limits;
mod stream;
mod subjects;
mod support;
mod tls;
