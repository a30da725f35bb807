//! What convolutions and transposed ones share: parameters, and how weights are packed.

use crate::ops::chain;
use crate::ops::context::{At, Packed};
use crate::ops::params::{Job, Shape, Window};
use bytemuck::NoUninit;
use microtome_kernels::float::source::Source;
use microtome_kernels::num;

/// Output channels of a tile, and of one where there are many.
const TILE_CHANNELS: usize = 8;
pub(super) const TILE_CHANNELS_WIDE: usize = 16;
/// What tells a program that its tiles have [`TILE_CHANNELS`].
pub(super) const TILE_8: &str = include_str!("../../shaders/float/tile_8.wgsl");
/// Pixels that an invocation of a tiled program computes.
pub(super) const TILE_PIXELS: usize = 8;

/// `Params` in `conv_params.wgsl`.
#[derive(Clone, Copy, NoUninit)]
#[repr(C)]
pub(super) struct Params {
    job: Job,
    pub input_at: u32,
    input: Shape,
    output: Shape,
    window: Window,
    group_inputs: u32,
    group_outputs: u32,
    group_tiles: u32,
    pub tiles: u32,
    weights_at: u32,
    bias_at: u32,
}

impl Params {
    /// Whether four input channels can be read at once, wherever a pixel lies.
    pub(super) const fn has_quads(&self) -> bool {
        self.input_at.is_multiple_of(16) && self.group_inputs.is_multiple_of(4)
    }
}

/// A convolution of either direction.
pub(super) struct Conv {
    pub input: num::Shape,
    pub output: num::Shape,
    pub window: num::Window,
    pub groups: usize,
    pub limits: [f32; 2],
    /// Where weights and bias come from.
    pub sources: [Source; 2],
    /// Whether it goes from the output's side.
    pub is_transposed: bool,
}

impl Conv {
    /// Whether it has so few pixels that tiles of them would be mostly empty.
    pub(super) const fn has_few_pixels(&self) -> bool {
        self.output.height * self.output.width < TILE_PIXELS / 2
    }

    /// Output channels of a tile: sixteen make more of what is read, where few of them are empty.
    pub(super) const fn tile_channels(&self, input_at: u32) -> usize {
        let group_outputs = self.output.channels / self.groups;
        let padded = group_outputs.next_multiple_of(TILE_CHANNELS_WIDE);
        let is_full = (padded - group_outputs) * 8 <= group_outputs;
        let depth = self.input.channels / self.groups;
        let has_quads = input_at.is_multiple_of(16) && depth.is_multiple_of(4);
        if is_full && has_quads && !self.is_transposed && !self.has_few_pixels() {
            TILE_CHANNELS_WIDE
        } else {
            TILE_CHANNELS
        }
    }

    /// The parameters; `None` where weights or bias are no constants.
    pub(super) fn params(&self, at: &mut At<'_>) -> Option<Params> {
        let sources = [Source::Operand, self.sources[0], self.sources[1]];
        let weights = at.floats(&sources, 1)?;
        let bias = match self.sources[1] {
            Source::None => &[],
            _ => at.floats(&sources, 2)?,
        };
        self.params_of(at, weights, bias)
    }

    /// The parameters with these weights, `[output channel][tap]`, and this bias, or none.
    pub(super) fn params_of(
        &self,
        at: &mut At<'_>,
        weights: &[f32],
        bias: &[f32],
    ) -> Option<Params> {
        let input_at = at.arena(0)?.0 as u32;
        let [min, max] = self.limits;
        let job = at.chained(chain::clamp(min, max));
        let group_outputs = self.output.channels / self.groups;
        let tile_channels = self.tile_channels(input_at);
        let group_tiles = group_outputs.div_ceil(tile_channels);
        Some(Params {
            job,
            input_at,
            input: self.input.into(),
            output: self.output.into(),
            window: self.window.into(),
            group_inputs: (self.input.channels / self.groups) as u32,
            group_outputs: group_outputs as u32,
            group_tiles: group_tiles as u32,
            tiles: (group_tiles * self.groups) as u32,
            weights_at: self.pack(at.packed, weights, tile_channels),
            bias_at: self.pack(at.packed, bias, tile_channels),
        })
    }

    /// Packs `values`, as many an output channel, tile by tile: for each of an output channel's
    /// values, those of the tile's channels. No values at all are one zero a channel.
    fn pack(&self, packed: &mut Packed, values: &[f32], tile_channels: usize) -> u32 {
        let channels = self.output.channels;
        let each = (values.len() / channels).max(1);
        let group_outputs = channels / self.groups;
        let tiles = group_outputs.div_ceil(tile_channels);
        let value = |channel: usize, within: usize, index: usize| {
            let values = values.get(channel * each + index);
            let value = values.copied().unwrap_or(0.0);
            if within < group_outputs { value } else { 0.0 }
        };
        let tiles = (0..self.groups).flat_map(|group| (0..tiles).map(move |tile| (group, tile)));
        let vectors = tiles.flat_map(|(group, tile)| {
            let row = move |index: usize| {
                (0..tile_channels).map(move |lane| {
                    let within = tile * tile_channels + lane;
                    value(group * group_outputs + within, within, index)
                })
            };
            (0..each).flat_map(row)
        });
        packed.floats(vectors)
    }
}
