//! What a plan is packed for, and the one place that chooses how.

use crate::op::{ConstAt, Op};
use crate::plan::Plan;
use core::fmt;
use microtome_kernels::arch::scratch;
#[cfg(feature = "float")]
use microtome_kernels::float::conv2d::ConvF32;
use microtome_kernels::reference::conv2d::Conv2d;
use microtome_kernels::{Packing, dispatch, generic};
use serde::{Deserialize, Serialize};

/// What a plan was packed for. Every executor runs every target's plan with the same bits; it is
/// fastest on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// No instruction set in particular.
    Generic,
    /// Armv7E-M: Cortex-M4 and M7.
    CortexM4,
    /// Armv8.1-M with Helium.
    CortexM55,
    /// The SIMD units of hosts and SBCs: x86-64, AArch64.
    Cpu,
    /// A GPU.
    Gpu,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 5] = [
        Self::Generic,
        Self::CortexM4,
        Self::CortexM55,
        Self::Cpu,
        Self::Gpu,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::CortexM4 => "cortex-m4",
            Self::CortexM55 => "cortex-m55",
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        }
    }

    /// The target of that name, or of a core of that name that runs its instructions.
    pub fn named(name: &str) -> Option<Self> {
        if name == "cortex-m7" {
            return Some(Self::CortexM4);
        }
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// The target of the kernels that this host runs.
    pub fn of_this_host() -> Self {
        if dispatch::best().name == generic::SET.name {
            Self::Generic
        } else {
            Self::Cpu
        }
    }

    /// The kernels that run a plan of this target: their set's name, on this machine where any
    /// processor runs it.
    pub fn kernels(self) -> &'static str {
        match self {
            Self::CortexM4 => "armv7em",
            Self::CortexM55 => "armv81m",
            Self::Gpu => "wgsl",
            Self::Generic | Self::Cpu => dispatch::best().name,
        }
    }

    /// Whether every step of `plan` is as [`Target::choose`] would have it.
    pub fn suits(self, plan: &Plan<'_>) -> bool {
        plan.steps().all(|step| {
            let mut op = step.op.clone();
            self.choose(&mut op);
            op == step.op
        })
    }

    /// Gives `op` the packing and the scratch that the target's kernels are fastest with.
    pub fn choose(self, op: &mut Op) {
        match op {
            Op::Conv2d(conv) => {
                conv.packing = self.packing(conv);
                conv.scratch = match self {
                    Self::CortexM4 => scratch::armv7em_conv2d(conv),
                    Self::CortexM55 => scratch::armv81m_conv2d(conv),
                    _ => 0,
                };
            }
            Op::Depthwise(depthwise) => {
                depthwise.scratch = match self {
                    Self::CortexM55 => scratch::armv81m_depthwise(depthwise),
                    _ => 0,
                };
            }
            #[cfg(feature = "float")]
            Op::ConvF32(conv) => {
                conv.packing = match self {
                    Self::Cpu if conv.may_be_packed() => ConvF32::PANELS,
                    _ => Packing::ROWS,
                };
            }
            _ => {}
        }
    }

    /// Where constants lie at a multiple of in a plan: at cache lines where vectors are as long.
    pub const fn constant_align(self) -> usize {
        match self {
            Self::Cpu => 64,
            _ => ConstAt::ALIGN,
        }
    }

    /// How the weights of `conv` lie for the target's kernels.
    pub fn packing(self, conv: &Conv2d) -> Packing {
        let pixels = conv.output.height * conv.output.width;
        match self {
            _ if conv.groups > 1 => Packing::ROWS,
            Self::Generic | Self::Gpu => Packing::ROWS,
            // Few pixels read every weight once each: four channels are fetched at a time.
            Self::CortexM4 if pixels < 4 => Packing::new(4, 4),
            Self::CortexM4 => Packing::new(1, 4),
            // Whole vectors of four channels, behind one pointer.
            Self::CortexM55 => Packing::new(4, 16),
            Self::Cpu => Packing::new(16, 4),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
