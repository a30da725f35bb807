//! Cases of the operators that read one or two operands element by element.

use super::{Case, Operand, Rng};
use crate::reference::compare::{Compare, Relation};
use crate::reference::div::Div;
use crate::reference::extremum::Extremum;
use crate::reference::lookup::Lookup;
use crate::reference::mul::Mul;
use crate::reference::prelu::PRelu;
use bytemuck::cast_slice_mut;

impl Case for Lookup {
    fn random(rng: &mut Rng) -> Self {
        Self {
            len: rng.size(1..=99),
        }
    }
}

impl Case for Mul {
    fn random(rng: &mut Rng) -> Self {
        Self {
            broadcast: rng.broadcast(),
            zeros: [rng.int8(), rng.int8()],
            factor: rng.multiplier(-9..=-5),
            store: rng.output(),
        }
    }
}

impl Case for Extremum {
    fn random(rng: &mut Rng) -> Self {
        Self {
            maximum: rng.once_in(2),
            broadcast: rng.broadcast(),
        }
    }
}

impl Case for Compare {
    fn random(rng: &mut Rng) -> Self {
        let relation = match rng.size(0..=5) {
            0 => Relation::Equal,
            1 => Relation::NotEqual,
            2 => Relation::Less,
            3 => Relation::LessOrEqual,
            4 => Relation::Greater,
            _ => Relation::GreaterOrEqual,
        };
        Self {
            broadcast: rng.broadcast(),
            relation,
            zeros: [rng.int8(), rng.int8()],
            factors: [rng.multiplier(-2..=0), rng.multiplier(-2..=0)],
        }
    }
}

impl Case for Div {
    fn random(rng: &mut Rng) -> Self {
        Self {
            broadcast: rng.broadcast(),
            zeros: [rng.int8(), rng.int8()],
            store: rng.output(),
        }
    }

    fn fill(&self, rng: &mut Rng, operand: Operand, bytes: &mut [u8]) {
        match operand {
            Operand::Input(_) => rng.fill(cast_slice_mut(bytes)),
            Operand::Constant(0) => rng.fill_mantissas(cast_slice_mut(bytes)),
            Operand::Constant(_) => {
                let shifts: &mut [i8] = cast_slice_mut(bytes);
                rng.fill_shifts(-8..=0, shifts);
                for shift in shifts {
                    *shift = (*shift).min(22);
                }
            }
        }
    }
}

impl Case for PRelu {
    fn random(rng: &mut Rng) -> Self {
        Self {
            broadcast: rng.broadcast(),
            zero: rng.int8(),
            positive: rng.multiplier(-2..=1),
            negative: rng.multiplier(-18..=-12),
            store: rng.output(),
        }
    }
}
