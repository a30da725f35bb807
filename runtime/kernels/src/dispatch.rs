//! The one place that chooses a kernel.
