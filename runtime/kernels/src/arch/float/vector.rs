//! Vectors of floats, for code that is one for all instruction sets.

/// A vector of floats.
pub trait Vector: Copy {
    /// Its elements.
    const LANES: usize;

    /// `x` in every lane.
    ///
    /// # Safety
    /// As all of these functions: the processor has the instructions, and the caller is compiled
    /// for them.
    unsafe fn splat(x: f32) -> Self;

    /// The elements at `from`.
    ///
    /// # Safety
    /// So many can be read there.
    unsafe fn load(from: *const f32) -> Self;

    /// Writes the elements to `to`.
    ///
    /// # Safety
    /// So many can be written there.
    unsafe fn store(self, to: *mut f32);

    /// `self + a · b`, rounded once.
    ///
    /// # Safety
    /// As [`Vector::splat`].
    unsafe fn add_product(self, a: Self, b: Self) -> Self;

    /// Limited to `min..=max`; NaN stays NaN.
    ///
    /// # Safety
    /// As [`Vector::splat`].
    unsafe fn clip(self, min: Self, max: Self) -> Self;
}
