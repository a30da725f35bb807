//! Which operators a build links: all, or those that `MICROTOME_OPS` named when it was built, by
//! their names in [`Op::NAMES`](crate::op::Op::NAMES), separated by commas.
//!
//! A plan with another operator is refused when it is validated.

use microtome_kernels::KernelSet;
use microtome_kernels::operator::{Args, Extents, Fault, Operator};

/// Whether this build has the operator `name`.
pub const fn is_linked(name: &str) -> bool {
    match option_env!("MICROTOME_OPS") {
        Some(list) => is_among(name.as_bytes(), list.as_bytes()),
        None => true,
    }
}

/// Whether `list`, separated by commas, has `name`.
const fn is_among(name: &[u8], list: &[u8]) -> bool {
    let (mut at, mut matched, mut same) = (0, 0, true);
    while at <= list.len() {
        if at == list.len() || list[at] == b',' {
            if same && matched == name.len() {
                return true;
            }
            (matched, same) = (0, true);
        } else {
            same = same && matched < name.len() && name[matched] == list[at];
            matched += 1;
        }
        at += 1;
    }
    false
}

/// Stops the build where `MICROTOME_OPS` has a name that is none of `names`.
pub const fn check(names: &[&str]) {
    let Some(list) = option_env!("MICROTOME_OPS") else {
        return;
    };
    let (mut known, mut index) = (0, 0);
    while index < names.len() {
        if is_linked(names[index]) {
            known += 1;
        }
        index += 1;
    }
    // Each name once: a name that is there twice counts as unknown, too.
    assert!(
        known == count(list.as_bytes()),
        "MICROTOME_OPS has a name that is no operator's, or one twice"
    );
}

/// The names in `list`.
const fn count(list: &[u8]) -> usize {
    let (mut count, mut at) = (1, 0);
    while at < list.len() {
        if list[at] == b',' {
            count += 1;
        }
        at += 1;
    }
    count
}

/// Stands for an operator that is not linked: its check fails, so that no valid plan has it.
#[derive(Debug)]
pub(crate) struct Absent;

impl Operator for Absent {
    fn kind(&self) -> &'static str {
        "absent"
    }

    fn check(&self) -> Result<(), Fault> {
        Err(Fault::Absent)
    }

    fn inputs(&self) -> Extents {
        Extents::new()
    }

    fn outputs(&self) -> Extents {
        Extents::new()
    }

    fn run(&self, _set: &KernelSet, _args: Args<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::{Absent, is_among};
    use microtome_kernels::operator::{Fault, Operator};

    #[test]
    fn only_whole_names_are_among_a_list() {
        let list = b"Conv2d,Add";
        for name in ["Conv2d", "Add"] {
            assert!(is_among(name.as_bytes(), list), "{name}");
        }
        for name in ["Conv", "Conv2dX", "dd", "Addx", "Conv2d,Add", "Mul"] {
            assert!(!is_among(name.as_bytes(), list), "{name}");
        }
    }

    #[test]
    fn what_is_absent_is_never_valid() {
        assert_eq!(Absent.check(), Err(Fault::Absent));
    }
}
