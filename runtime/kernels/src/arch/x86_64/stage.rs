//! The input of a convolution as its inner loop reads it: raised by 128, so that bytes have no
//! sign, with its padding, and with the taps of every output pixel in a few runs of whole words.

use super::isa::{BYTES, Isa};
use crate::reference::conv2d::Conv2d;
use core::ops::Range;

/// Taps of a word.
pub const TAPS: usize = 4;
/// Most pixels of a band.
pub const PIXELS_MAX: usize = 1024;
/// Most runs of a pixel.
const RUNS_MAX: usize = 64;

/// Output pixels that are computed together: columns of neighbouring rows, which lie one after
/// another in the output.
pub struct Band {
    /// Output rows.
    pub rows: Range<usize>,
    /// Output columns; all of them where there are several rows.
    pub columns: Range<usize>,
}

impl Band {
    /// Its pixels.
    pub fn pixels(&self) -> usize {
        self.rows.len() * self.columns.len()
    }
}

/// How the input of a layer is staged.
pub struct Stage<'a> {
    params: &'a Conv2d,
    /// Bytes of a pixel's taps, in whole words.
    patch: usize,
    /// Bytes of a run of neighbouring taps.
    run: usize,
    /// Whether runs are not whole words, so that each pixel's are collected.
    collects: bool,
    /// The bands: rows, and columns.
    size: [usize; 2],
}

/// A band as the inner loop reads it.
pub struct Staged<'a> {
    /// The bytes, followed by a vector's worth of any.
    pub bytes: &'a [i8],
    /// Where each pixel begins.
    pub places: &'a [u32],
    /// Where its runs begin, after that.
    pub runs: &'a [u32],
    /// Words of a run.
    pub words: usize,
}

/// Room for places and runs.
pub struct Index {
    places: [u32; PIXELS_MAX],
    runs: [u32; RUNS_MAX],
}

impl Index {
    /// Room, not filled yet.
    pub const fn new() -> Self {
        Self {
            places: [0; PIXELS_MAX],
            runs: [0; RUNS_MAX],
        }
    }
}

impl Staged<'_> {
    /// Asserts that every word of every run of every pixel is within the bytes.
    fn check(self) -> Self {
        let last = |places: &[u32]| places.iter().copied().max().unwrap_or(0) as usize;
        let end = last(self.places) + last(self.runs) + self.words * TAPS;
        assert!(end <= self.bytes.len());
        self
    }
}

impl<'a> Stage<'a> {
    /// How to stage the input of `params` in `room` bytes; `None` where they are too few for one
    /// pixel.
    pub fn new(params: &'a Conv2d, room: usize) -> Option<Self> {
        let window = &params.window;
        let depth = params.input.channels;
        let whole = window.dilation[1] == 1;
        let run = if whole {
            window.kernel[1] * depth
        } else {
            depth
        };
        let runs = params.taps() / run;
        let collects = !run.is_multiple_of(TAPS) || runs > RUNS_MAX;
        let mut stage = Self {
            params,
            patch: params.taps().next_multiple_of(TAPS),
            run,
            collects,
            size: [1, params.output.width],
        };
        while stage.size[1] > PIXELS_MAX || stage.len() > room {
            if stage.size[1] == 1 {
                return None;
            }
            stage.size[1] = stage.size[1].div_ceil(2);
        }
        if stage.size[1] == params.output.width {
            let pitch = stage.staged_pitch(stage.size[1]);
            let patches = if collects {
                stage.size[1] * stage.patch
            } else {
                0
            };
            let more = (room - stage.len()) / (window.stride[0] * pitch + patches);
            let rows = (1 + more).min(PIXELS_MAX / stage.size[1]);
            stage.size[0] = rows.min(params.output.height);
        }
        Some(stage)
    }

    /// Bytes of room for a band of one row.
    fn len(&self) -> usize {
        let columns = self.size[1];
        let rows = self.staged_rows(1) * self.staged_pitch(columns) + BYTES;
        let patches = columns * self.patch + BYTES;
        rows + if self.collects { patches } else { 0 }
    }

    /// Input rows that `rows` output rows read.
    fn staged_rows(&self, rows: usize) -> usize {
        let window = &self.params.window;
        (rows - 1) * window.stride[0] + (window.kernel[0] - 1) * window.dilation[0] + 1
    }

    /// Bytes of the input columns that `columns` output columns read.
    fn staged_pitch(&self, columns: usize) -> usize {
        let window = &self.params.window;
        let width = (columns - 1) * window.stride[1] + (window.kernel[1] - 1) * window.dilation[1];
        (width + 1) * self.params.input.channels
    }

    /// The bands of the output, in the order of its pixels.
    pub fn bands(&self) -> impl Iterator<Item = Band> {
        let ([height, width], [rows, columns]) = (
            [self.params.output.height, self.params.output.width],
            self.size,
        );
        (0..height).step_by(rows).flat_map(move |row| {
            (0..width).step_by(columns).map(move |column| Band {
                rows: row..height.min(row + rows),
                columns: column..width.min(column + columns),
            })
        })
    }

    /// Stages what `band` reads.
    #[inline(always)]
    pub fn stage<'b, I: Isa>(
        &self,
        input: &[i8],
        band: &Band,
        room: &'b mut [i8],
        index: &'b mut Index,
    ) -> Staged<'b> {
        let window = &self.params.window;
        let depth = self.params.input.channels;
        let pitch = self.staged_pitch(band.columns.len());
        let len = self.staged_rows(band.rows.len()) * pitch;
        self.raise::<I>(input, band, &mut room[..len + BYTES], pitch);
        let whole = window.dilation[1] == 1;
        let columns = if whole { 1 } else { window.kernel[1] };
        let runs = window.kernel[0] * columns;
        let place = |row: usize, column: usize| row * pitch + column * depth;
        let pixels = &mut index.places[..band.pixels()];
        let mut next = pixels.iter_mut();
        for row in 0..band.rows.len() {
            for column in 0..band.columns.len() {
                if let Some(next) = next.next() {
                    *next = place(row * window.stride[0], column * window.stride[1]) as u32;
                }
            }
        }
        if !self.collects {
            for (run, at) in index.runs[..runs].iter_mut().enumerate() {
                let [row, column] = [run / columns, run % columns];
                *at = place(row * window.dilation[0], column * window.dilation[1]) as u32;
            }
            return Staged {
                bytes: &room[..len + BYTES],
                places: pixels,
                runs: &index.runs[..runs],
                words: self.run / TAPS,
            }
            .check();
        }
        let (rows, patches) = room.split_at_mut(len + BYTES);
        let patches = &mut patches[..pixels.len() * self.patch + BYTES];
        Patch {
            len: self.patch,
            run: self.run,
            rows: [window.kernel[0], window.dilation[0] * pitch],
            columns: [columns, window.dilation[1] * depth],
        }
        .collect(rows, patches, pixels);
        index.runs[0] = 0;
        Staged {
            bytes: patches,
            places: pixels,
            runs: &index.runs[..1],
            words: self.patch / TAPS,
        }
        .check()
    }

    /// Writes the input rows of `band`, raised and padded, to `staged`.
    #[inline(always)]
    fn raise<I: Isa>(&self, input: &[i8], band: &Band, staged: &mut [i8], pitch: usize) {
        let (window, shape) = (&self.params.window, self.params.input);
        let depth = shape.channels;
        let (width, line) = (pitch / depth, shape.width * depth);
        // Columns before, inside of, and after the input.
        let origin = band.columns.start * window.stride[1];
        let left = window.pad[1].saturating_sub(origin).min(width);
        let first = (origin + left).saturating_sub(window.pad[1]);
        let inside = shape.width.saturating_sub(first).min(width - left) * depth;
        let left = left * depth;
        let zero = self.params.input_zero ^ i8::MIN;
        for (row, staged_at) in (0..).zip((0..staged.len() - BYTES).step_by(pitch)) {
            let to = &mut staged[staged_at..];
            let y = band.rows.start * window.stride[0] + row;
            let y = y.wrapping_sub(window.pad[0]);
            if y >= shape.height || inside == 0 {
                to[..pitch].fill(zero);
                continue;
            }
            to[..left].fill(zero);
            raise::<I>(
                &input[y * line + first * depth..][..inside],
                &mut to[left..],
            );
            to[left + inside..pitch].fill(zero);
        }
    }
}

/// Writes `from`, raised, to `to`, which has room for a vector more.
#[inline(always)]
pub fn raise<I: Isa>(from: &[i8], to: &mut [i8]) {
    assert!(from.len() + BYTES <= to.len());
    let sign = I::splat8(i8::MIN);
    let mut at = 0;
    while at + BYTES <= from.len() {
        // SAFETY: there are `BYTES` bytes at `at` in both.
        unsafe {
            let vector = I::load(from.as_ptr().add(at));
            I::store(to.as_mut_ptr().add(at), I::xor(vector, sign));
        }
        at += BYTES;
    }
    if at < from.len() {
        // SAFETY: the rest is less than a vector, and `to` has room for one.
        unsafe {
            let vector = I::load_part(from.as_ptr().add(at), from.len() - at);
            I::store(to.as_mut_ptr().add(at), I::xor(vector, sign));
        }
    }
}

/// What is collected of a pixel's taps.
struct Patch {
    /// Bytes of the place for it.
    len: usize,
    /// Bytes of a run.
    run: usize,
    /// Of both axes, how many runs there are, and how far apart they lie.
    rows: [usize; 2],
    columns: [usize; 2],
}

impl Patch {
    /// Bytes that are copied at once.
    const STEP: usize = size_of::<u128>();

    /// Copies what lies at each of `places` of `from` to a place of its own in `to`, which becomes
    /// the pixel's. Both have a vector more than that.
    #[inline(never)]
    fn collect(&self, from: &[i8], to: &mut [i8], places: &mut [u32]) {
        if self.run <= Self::STEP {
            self.runs::<true>(from, to, places);
        } else {
            self.runs::<false>(from, to, places);
        }
    }

    #[inline(always)]
    fn runs<const SHORT: bool>(&self, from: &[i8], to: &mut [i8], places: &mut [u32]) {
        let ([rows, row_pitch], [columns, pitch]) = (self.rows, self.columns);
        let (len, run) = (self.len, self.run);
        let end = (rows - 1) * row_pitch + (columns - 1) * pitch + run;
        assert!(rows * columns * run <= len && places.len() * len + BYTES <= to.len());
        for (pixel, place) in places.iter_mut().enumerate() {
            assert!(*place as usize + end + BYTES <= from.len());
            let mut line = from.as_ptr().wrapping_add(*place as usize);
            let mut to = to.as_mut_ptr().wrapping_add(pixel * len);
            *place = (pixel * len) as u32;
            for _ in 0..rows {
                let mut from = line;
                for _ in 0..columns {
                    for at in (0..if SHORT { 1 } else { run }).step_by(Self::STEP) {
                        // SAFETY: what is read and written is less than a vector longer than a run,
                        // and the assertions leave room for that.
                        unsafe {
                            let bytes = from.add(at).cast::<u128>().read_unaligned();
                            to.add(at).cast::<u128>().write_unaligned(bytes);
                        }
                    }
                    from = from.wrapping_add(pitch);
                    to = to.wrapping_add(run);
                }
                line = line.wrapping_add(row_pitch);
            }
        }
    }
}
