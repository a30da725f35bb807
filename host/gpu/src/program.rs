//! The text of a compute program.
//!
//! A program is one WGSL module: what is common to all, how elements are given out, and the
//! operator itself. Every one is validated by a test that needs no GPU.

/// A compute program with the entry point `main` of `common.wgsl`.
#[derive(Debug)]
pub(crate) struct Program {
    /// Its operator and variant, for labels and errors.
    pub name: &'static str,
    /// What gives out single elements, or nothing where the program computes four at a time.
    by_element: &'static str,
    parts: &'static [&'static str],
}

const COMMON: &str = include_str!("shaders/common.wgsl");
const FIXED_POINT: &str = include_str!("shaders/fixed_point.wgsl");

impl Program {
    /// A program whose parts define `element`.
    pub(crate) const fn by_element(name: &'static str, parts: &'static [&'static str]) -> Self {
        Self {
            name,
            by_element: include_str!("shaders/by_element.wgsl"),
            parts,
        }
    }

    /// A program whose parts define `quad`: four elements at a time.
    pub(crate) const fn by_quad(name: &'static str, parts: &'static [&'static str]) -> Self {
        Self {
            name,
            by_element: "",
            parts,
        }
    }

    /// The module's text.
    pub(crate) fn source(&self) -> String {
        let common = [COMMON, FIXED_POINT, self.by_element];
        common.iter().chain(self.parts).copied().collect()
    }
}
