//! Operators that move elements of any type but int16.

pub(super) mod concat;
pub(super) mod copy;
pub(super) mod gather;
pub(super) mod pad_by;
pub(super) mod select;

use super::Dispatch;
use super::params::Job;
use crate::program::Program;
use bytemuck::NoUninit;
use microtome_plan::Element;

/// Its programs: for elements of one byte, and of one word.
pub(super) type Programs = [Program; 2];

/// The programs whose parts define `place`.
macro_rules! programs {
    ($name:literal, $($part:literal),+) => {
        [
            $crate::program::Program::by_element(
                concat!($name, "_bytes"),
                &[
                    include_str!("../../shaders/strided.wgsl"),
                    include_str!("../../shaders/data/place.wgsl"),
                    $(include_str!($part),)+
                    include_str!("../../shaders/data/move_bytes.wgsl"),
                ],
            ),
            $crate::program::Program::by_word(
                concat!($name, "_words"),
                &[
                    include_str!("../../shaders/strided.wgsl"),
                    include_str!("../../shaders/data/place.wgsl"),
                    $(include_str!($part),)+
                    include_str!("../../shaders/data/move_words.wgsl"),
                ],
            ),
        ]
    };
}
use programs;

fn dispatch<P: NoUninit>(
    programs: &'static Programs,
    element: Element,
    params: &P,
    job: &Job,
) -> Option<Dispatch> {
    let [bytes, words] = programs;
    match element {
        Element::I8 => Some(Dispatch::of_quads(bytes, params, job)),
        Element::I16 => None,
        Element::I32 | Element::F32 => Some(Dispatch::of_elements(words, params, job)),
    }
}
