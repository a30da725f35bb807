//! Offsets for buffers, such that those that live at the same time do not overlap.
//!
//! Placing buffers one after another, each at the lowest offset that is free for its whole
//! life, gives an optimal arena for some order of the buffers. A few good orders are tried
//! first; if none reaches the lower bound, orders near the best one are, a fixed number of times
//! and always the same ones, so that a model always has the same plan.

use super::Buffer;
use std::cmp::Reverse;

/// Comparisons of two buffers that the search may make after the greedy orders.
const COMPARISONS: usize = 4_000_000;

/// Where each buffer lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Byte offset of each buffer.
    pub offsets: Vec<usize>,
    /// The end of the last one.
    pub arena_bytes: usize,
}

/// Places `buffers` in as small an arena as the search finds; `lower_bound` ends it early.
pub fn place(buffers: &[Buffer], lower_bound: usize) -> Placement {
    let (mut order, mut best) = greedy(buffers);
    let mut random = Random(1);
    for _ in 0..COMPARISONS / buffers.len().pow(2).max(1) {
        if best.arena_bytes <= lower_bound {
            break;
        }
        let mut changed = order.clone();
        let last = changed.len();
        changed.swap(random.below(last), random.below(last));
        let from = changed.remove(random.below(last));
        changed.insert(random.below(last), from);
        let placed = place_in_order(buffers, &changed);
        if placed.arena_bytes <= best.arena_bytes {
            (order, best) = (changed, placed);
        }
    }
    best
}

/// The best of: large first, long-lived first, large areas of bytes and time first, early first.
fn greedy(buffers: &[Buffer]) -> (Vec<usize>, Placement) {
    let keys: [fn(&Buffer) -> Reverse<usize>; 4] = [
        |it| Reverse(it.size),
        |it| Reverse(it.last - it.first),
        |it| Reverse((it.last - it.first + 1) * it.size),
        |it| Reverse(usize::MAX - it.first),
    ];
    let by_key = |key: fn(&Buffer) -> Reverse<usize>| {
        let mut order: Vec<_> = (0..buffers.len()).collect();
        order.sort_by_key(|&index| (key(&buffers[index]), Reverse(buffers[index].size)));
        let placed = place_in_order(buffers, &order);
        (order, placed)
    };
    let [first, rest @ ..] = keys.map(by_key);
    rest.into_iter().fold(first, |best, next| {
        if next.1.arena_bytes < best.1.arena_bytes {
            next
        } else {
            best
        }
    })
}

fn place_in_order(buffers: &[Buffer], order: &[usize]) -> Placement {
    let mut offsets = vec![0; buffers.len()];
    let mut arena_bytes = 0;
    for (rank, &index) in order.iter().enumerate() {
        let buffer = &buffers[index];
        let placed = order[..rank].iter();
        let mut taken: Vec<_> = placed
            .filter(|&&other| buffers[other].overlaps(buffer))
            .map(|&other| (offsets[other], offsets[other] + buffers[other].size))
            .collect();
        taken.sort_unstable();
        let lowest = taken.iter().try_fold(0, |free, &(start, end)| {
            // Breaks at the first gap that is large enough.
            if start >= free + buffer.size {
                Err(free)
            } else {
                Ok(end.max(free))
            }
        });
        offsets[index] = lowest.unwrap_or_else(|gap| gap);
        arena_bytes = arena_bytes.max(offsets[index] + buffer.size);
    }
    Placement {
        offsets,
        arena_bytes,
    }
}

/// A small linear congruential generator (Knuth's MMIX): its numbers are part of the result.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

#[cfg(test)]
mod tests {
    use super::super::lifetimes::largest_live_set;
    use super::*;
    use proptest::prelude::*;

    fn buffers() -> impl Strategy<Value = Vec<Buffer>> {
        let buffer =
            (1_usize..64, 0_usize..20, 0_usize..8).prop_map(|(words, first, life)| Buffer {
                size: words * 4,
                first,
                last: first + life,
            });
        prop::collection::vec(buffer, 1..24)
    }

    proptest! {
        #[test]
        fn buffers_that_live_together_are_disjoint(buffers in buffers()) {
            let bound = largest_live_set(&buffers);
            let placed = place(&buffers, bound);
            prop_assert!(placed.arena_bytes >= bound);
            let ends = |index: usize| placed.offsets[index] + buffers[index].size;
            for a in 0..buffers.len() {
                prop_assert!(ends(a) <= placed.arena_bytes);
                prop_assert_eq!(placed.offsets[a] % 4, 0);
                for b in 0..a {
                    let apart = ends(a) <= placed.offsets[b] || ends(b) <= placed.offsets[a];
                    prop_assert!(apart || !buffers[a].overlaps(&buffers[b]));
                }
            }
        }

        #[test]
        fn the_placement_is_always_the_same(buffers in buffers()) {
            let bound = largest_live_set(&buffers);
            prop_assert_eq!(place(&buffers, bound), place(&buffers, bound));
        }
    }

    #[test]
    fn a_chain_needs_its_two_largest_neighbours() {
        let chain: Vec<_> = [64, 16, 32, 8]
            .iter()
            .enumerate()
            .map(|(first, &size)| Buffer {
                size,
                first,
                last: first + 1,
            })
            .collect();
        assert_eq!(place(&chain, largest_live_set(&chain)).arena_bytes, 80);
    }
}
