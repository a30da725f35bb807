//! Portable kernels.
