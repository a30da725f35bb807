//! How the weights of a convolution lie in memory: as one kernel reads them with fewest loads.
//!
//! Output channels come in blocks of `lanes`, the taps of a channel in groups of `taps`; block by
//! block, and group by group within it, each lane has its taps together. What is missing to whole
//! blocks and groups is zero. The choice is the compiler's, by the target of a plan; every kernel
//! set computes the same bits from every packing, and is fast with its own.

use crate::operator::{Fault, checked_len, require};
use bytemuck::Zeroable;
use serde::{Deserialize, Serialize};

/// The layout of a convolution's weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packing {
    /// Output channels of a block.
    pub lanes: u8,
    /// Taps of a group.
    pub taps: u8,
}

impl Packing {
    /// `[output channel][tap]`, without padding.
    pub const ROWS: Self = Self::new(1, 1);
    /// Most lanes, and most taps of a group.
    pub const SIZE_MAX: u8 = 64;

    /// Blocks of `lanes` channels, groups of `taps` taps.
    pub const fn new(lanes: u8, taps: u8) -> Self {
        Self { lanes, taps }
    }

    /// Checks it for the weights of `channels` channels of `taps` taps each.
    ///
    /// # Errors
    /// [`Fault::Number`] for a size out of its range, [`Fault::Size`] for too many weights.
    pub fn check(self, channels: usize, taps: usize) -> Result<(), Fault> {
        let sizes = 1..=Self::SIZE_MAX;
        require(
            sizes.contains(&self.lanes) && sizes.contains(&self.taps),
            Fault::Number,
        )?;
        let whole = [
            channels.checked_next_multiple_of(self.lanes.into()),
            taps.checked_next_multiple_of(self.taps.into()),
        ];
        match whole {
            [Some(channels), Some(taps)] => checked_len(&[channels, taps]).map(drop),
            _ => Err(Fault::Size),
        }
    }

    /// The taps of a channel once padded to whole groups.
    pub const fn pitch(self, taps: usize) -> usize {
        taps.next_multiple_of(self.taps as usize)
    }

    /// Elements of the packed weights.
    pub const fn len(self, channels: usize, taps: usize) -> usize {
        channels.next_multiple_of(self.lanes as usize) * self.pitch(taps)
    }

    /// Where tap `tap` of channel `channel` lies among weights of `taps` taps a channel; from
    /// `taps` on, the tap is padding.
    pub const fn index(self, taps: usize, channel: usize, tap: usize) -> usize {
        let (lanes, group) = (self.lanes as usize, self.taps as usize);
        let block = channel / lanes * lanes * self.pitch(taps);
        let place = (tap / group * lanes + channel % lanes) * group;
        block + place + tap % group
    }

    /// Whether the taps that pad each of `channels` channels are zero, as kernels rely on.
    pub fn is_padded(self, weights: &[i8], channels: usize, taps: usize) -> bool {
        let mut padding = taps..self.pitch(taps);
        padding.all(|tap| (0..channels).all(|channel| weights[self.index(taps, channel, tap)] == 0))
    }

    /// Writes weights that lie in [`Packing::ROWS`] to `packed`, [`Packing::len`] long.
    pub fn pack<T: Zeroable + Copy>(self, rows: &[T], taps: usize, packed: &mut [T]) {
        packed.fill(T::zeroed());
        for (place, &weight) in rows.iter().enumerate() {
            packed[self.index(taps, place / taps, place % taps)] = weight;
        }
    }

    /// Writes packed weights to `rows`, in [`Packing::ROWS`].
    pub fn unpack<T: Copy>(self, packed: &[T], taps: usize, rows: &mut [T]) {
        for (place, weight) in rows.iter_mut().enumerate() {
            *weight = packed[self.index(taps, place / taps, place % taps)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Packing;

    #[test]
    fn lanes_lie_side_by_side_group_by_group() {
        // Three channels of three taps, in blocks of two and groups of two.
        let packing = Packing::new(2, 2);
        let rows = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        let mut packed = [-1; 16];
        packing.pack(&rows, 3, &mut packed);
        assert_eq!(packing.len(3, 3), packed.len());
        assert_eq!(packed, [1, 2, 4, 5, 3, 0, 6, 0, 7, 8, 0, 0, 9, 0, 0, 0]);
        assert!(packing.is_padded(&packed, 3, 3));
        let mut again = [0; 9];
        packing.unpack(&packed, 3, &mut again);
        assert_eq!(again, rows);
        packed[5] = 1;
        assert!(!packing.is_padded(&packed, 3, 3));
    }

    #[test]
    fn rows_are_as_they_were() {
        for (channel, tap) in [(0, 0), (0, 6), (4, 0), (4, 6)] {
            assert_eq!(Packing::ROWS.index(7, channel, tap), channel * 7 + tap);
        }
        assert_eq!(Packing::ROWS.len(5, 7), 35);
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        for (lanes, taps) in [(0, 1), (1, 0), (65, 1), (1, 65)] {
            assert!(Packing::new(lanes, taps).check(1, 1).is_err());
        }
        assert!(Packing::new(64, 64).check(1 << 28, 1).is_err());
        assert!(Packing::new(16, 4).check(1, 1).is_ok());
    }
}
