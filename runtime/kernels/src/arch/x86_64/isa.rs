//! What the kernels ask of an instruction set: vectors of 64 bytes, whatever registers hold them.
//!
//! A vector is bytes, int16 or int32, as the operation has it. Operations that pair or pack
//! elements do so within each 16 bytes, a *quarter*, as the processor does.

/// Bytes of a vector.
pub const BYTES: usize = 64;
/// int32 of a vector.
pub const LANES: usize = 16;

/// Something that begins with a cache line, so that no vector in it lies in two.
#[repr(align(64))]
pub struct Line<T>(
    /// What it is.
    pub T,
);

/// Work that is to run with the instructions of a set.
pub trait Work {
    /// Does it. Implementations are inlined always: only then they have the instructions.
    fn run<I: Isa>(self);
}

/// An instruction set. Whoever names one makes sure that the processor has it; a caller of an
/// operation on memory, that there is what it reads or writes: a vector, if it says no other size.
pub trait Isa: Copy {
    /// A vector.
    type Vector: Copy;
    /// Whether there are 32 registers for whole vectors, not 16 for halves.
    const WIDE: bool;

    /// Does `work` with the instructions of the set.
    fn enter(work: impl Work);

    /// The vector at `at`.
    unsafe fn load(at: *const i8) -> Self::Vector;
    /// The `len` bytes at `at`, at most a vector; the others are any.
    unsafe fn load_part(at: *const i8, len: usize) -> Self::Vector;
    /// The four bytes at `at`, in every lane.
    unsafe fn broadcast(at: *const i8) -> Self::Vector;
    /// The sixteen bytes at `at`, each as an int32.
    unsafe fn widen(at: *const i8) -> Self::Vector;
    /// Writes the vector to `at`.
    unsafe fn store(at: *mut i8, vector: Self::Vector);
    /// Writes the first `len` bytes to `at`, at most a vector.
    unsafe fn store_part(at: *mut i8, len: usize, vector: Self::Vector);

    /// `x` in every byte.
    fn splat8(x: i8) -> Self::Vector;
    /// `x` in every int32.
    fn splat32(x: i32) -> Self::Vector;

    /// Bits that differ.
    fn xor(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Sums of int32, which wrap.
    fn add32(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Differences of int32, which wrap.
    fn sub32(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `sum` and, in each int32, the four products of bytes without a sign and bytes with one.
    fn dot(sum: Self::Vector, unsigned: Self::Vector, signed: Self::Vector) -> Self::Vector;

    /// The products of the even int32, as int64.
    fn mul(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The even int32, as int64 without a sign.
    fn even(a: Self::Vector) -> Self::Vector;
    /// The odd int32, as int64 without a sign.
    fn odd(a: Self::Vector) -> Self::Vector;
    /// int64 over powers of two, rounded half up; `by` is in 1 to 62.
    fn round64(a: Self::Vector, by: Self::Vector) -> Self::Vector;
    /// The low halves of int64, of `even` at the even int32 and of `odd` at the odd ones.
    fn low(even: Self::Vector, odd: Self::Vector) -> Self::Vector;
    /// The high halves of int64, of `even` at the even int32 and of `odd` at the odd ones.
    fn high(even: Self::Vector, odd: Self::Vector) -> Self::Vector;
    /// Each int32 shifted left by as many bits as `by` has there; 0 by more than 31.
    fn shift_left(a: Self::Vector, by: Self::Vector) -> Self::Vector;
    /// Each int32 shifted right, with its sign, by as many bits as `by` has there.
    fn shift_right(a: Self::Vector, by: Self::Vector) -> Self::Vector;

    /// int16 of the int32 of `a` and `b`, saturated: those of `a` first in each quarter.
    fn pack32(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Bytes of the int16 of `a` and `b`, saturated: those of `a` first in each quarter.
    fn pack16(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The larger bytes.
    fn max8(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// The smaller bytes.
    fn min8(a: Self::Vector, b: Self::Vector) -> Self::Vector;

    /// The bytes of `a` and `b` in turns: of the first and of the second half of each quarter.
    fn zip8(a: Self::Vector, b: Self::Vector) -> [Self::Vector; 2];
    /// The int16 of `a` and `b` in turns: of the first and of the second half of each quarter.
    fn zip16(a: Self::Vector, b: Self::Vector) -> [Self::Vector; 2];
    /// The four int32 of each quarter apart: the first of all quarters, then the second ones.
    fn by_place(a: Self::Vector) -> Self::Vector;
}
