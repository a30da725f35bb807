//! Ensembles of decision trees: `ai.onnx.ml` TreeEnsembleClassifier and TreeEnsembleRegressor.

use crate::operator::{
    Args, Constants, Element, Extent, Extents, Fault, Operator, checked_len, extents, one, require,
};
use crate::set::KernelSet;
use serde::{Deserialize, Serialize};

/// How a node compares its feature with its threshold: the values of the nodes' modes. For NaN,
/// [`TreeEnsemble::NAN_IS_TRUE`] may be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `x ≤ t`
    LessOrEqual = 0,
    /// `x < t`
    Less = 1,
    /// `x ≥ t`
    GreaterOrEqual = 2,
    /// `x > t`
    Greater = 3,
    /// `x = t`
    Equal = 4,
    /// `x ≠ t`
    NotEqual = 5,
    /// None: a leaf, whose children are the first of its votes and the one after its last.
    Leaf = 6,
}

/// How the votes for one target become its score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Aggregate {
    /// Their sum.
    Sum,
    /// Their sum by the number of trees.
    Mean,
    /// The smallest; 0 without votes.
    Min,
    /// The largest; 0 without votes.
    Max,
}

/// Parameters of an ensemble. The constants are, for each node, the feature (int32), the mode
/// (int8), the threshold (float), the child where the comparison holds and the one where not
/// (int32); the root of each tree (int32); the target of each vote (int32); the weight of each
/// vote and then the base value of each target (float). Children come after their parents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeEnsemble {
    /// Rows of features.
    pub rows: usize,
    /// Features of a row.
    pub features: usize,
    /// Nodes of all trees.
    pub nodes: usize,
    /// Trees.
    pub trees: usize,
    /// Votes of all leaves.
    pub votes: usize,
    /// Scores of a row.
    pub targets: usize,
    /// How votes become scores.
    pub aggregate: Aggregate,
}

/// The constants.
struct Forest<'a> {
    features: &'a [i32],
    modes: &'a [i8],
    thresholds: &'a [f32],
    holds: &'a [i32],
    fails: &'a [i32],
    roots: &'a [i32],
    targets: &'a [i32],
    weights: &'a [f32],
}

impl<'a> Forest<'a> {
    fn of(constants: &Constants<'a>) -> Self {
        Self {
            features: constants.get(0),
            modes: constants.get(1),
            thresholds: constants.get(2),
            holds: constants.get(3),
            fails: constants.get(4),
            roots: constants.get(5),
            targets: constants.get(6),
            weights: constants.get(7),
        }
    }

    /// The votes of the leaf that `row` leads to from `node`. Children come after their parents,
    /// so that every walk ends.
    fn votes(&self, mut node: usize, row: &[f32]) -> core::ops::Range<usize> {
        loop {
            let (mode, threshold) = (self.modes[node], self.thresholds[node]);
            let (yes, no) = (self.holds[node] as usize, self.fails[node] as usize);
            let kind = mode & !TreeEnsemble::NAN_IS_TRUE;
            if kind == Mode::Leaf as i8 {
                return yes..no;
            }
            let x = row[self.features[node] as usize];
            let nan_holds = mode != kind && x.is_nan();
            let holds = nan_holds || compare(kind, x, threshold);
            node = if holds { yes } else { no };
        }
    }
}

fn compare(kind: i8, x: f32, threshold: f32) -> bool {
    match kind {
        0 => x <= threshold,
        1 => x < threshold,
        2 => x >= threshold,
        3 => x > threshold,
        4 => x == threshold,
        _ => x != threshold,
    }
}

/// Whether `index` is one of `range`.
fn within(index: i32, range: core::ops::Range<usize>) -> bool {
    usize::try_from(index).is_ok_and(|index| range.contains(&index))
}

impl TreeEnsemble {
    /// Added to a node's mode: the comparison holds for NaN.
    pub const NAN_IS_TRUE: i8 = 8;

    fn check_node(&self, forest: &Forest<'_>, node: usize) -> bool {
        let (yes, no) = (forest.holds[node], forest.fails[node]);
        match forest.modes[node] & !Self::NAN_IS_TRUE {
            0..=5 => {
                let later = node + 1..self.nodes;
                let children = within(yes, later.clone()) && within(no, later);
                children && within(forest.features[node], 0..self.features)
            }
            6 => within(yes, 0..self.votes + 1) && within(no, yes as usize..self.votes + 1),
            _ => false,
        }
    }

    fn score(&self, forest: &Forest<'_>, row: &[f32], scores: &mut [f32], seen: &mut [u8]) {
        seen.fill(0);
        scores.fill(0.0);
        for &root in forest.roots {
            for vote in forest.votes(root as usize, row) {
                let target = forest.targets[vote] as usize;
                let (score, weight) = (&mut scores[target], forest.weights[vote]);
                let first = core::mem::replace(&mut seen[target], 1) == 0;
                *score = match self.aggregate {
                    Aggregate::Sum | Aggregate::Mean => *score + weight,
                    _ if first => weight,
                    Aggregate::Min => score.min(weight),
                    Aggregate::Max => score.max(weight),
                };
            }
        }
        let bases = &forest.weights[self.votes..];
        let mean = self.aggregate == Aggregate::Mean;
        let divisor = if mean { self.trees as f32 } else { 1.0 };
        for (score, base) in scores.iter_mut().zip(bases) {
            *score = *score / divisor + base;
        }
    }
}

impl Operator for TreeEnsemble {
    fn kind(&self) -> &'static str {
        "tree_ensemble"
    }

    fn check(&self) -> Result<(), Fault> {
        checked_len(&[self.rows, self.features])?;
        checked_len(&[self.rows, self.targets])?;
        [self.nodes, self.trees, self.votes]
            .iter()
            .try_for_each(|&len| checked_len(&[len]).map(drop))
    }

    fn inputs(&self) -> Extents {
        one(Element::F32, self.rows * self.features)
    }

    fn outputs(&self) -> Extents {
        one(Element::F32, self.rows * self.targets)
    }

    fn constants(&self) -> Extents {
        extents(&[
            Extent::new(Element::I32, self.nodes),
            Extent::new(Element::I8, self.nodes),
            Extent::new(Element::F32, self.nodes),
            Extent::new(Element::I32, self.nodes),
            Extent::new(Element::I32, self.nodes),
            Extent::new(Element::I32, self.trees),
            Extent::new(Element::I32, self.votes),
            Extent::new(Element::F32, self.votes + self.targets),
        ])
    }

    fn check_constants(&self, constants: &Constants<'_>) -> Result<(), Fault> {
        let forest = Forest::of(constants);
        let nodes = (0..self.nodes).all(|node| self.check_node(&forest, node));
        let roots = forest.roots.iter().all(|&root| within(root, 0..self.nodes));
        let mut targets = forest.targets.iter();
        let targets = targets.all(|&target| within(target, 0..self.targets));
        require(nodes && roots && targets, Fault::Number)
    }

    fn scratch_bytes(&self) -> usize {
        self.targets
    }

    fn run(&self, _: &KernelSet, mut args: Args<'_>) {
        let forest = Forest::of(&args.constants);
        let rows = args.input::<f32>(0).chunks_exact(self.features);
        let seen = core::mem::take(&mut args.scratch);
        for (row, scores) in rows.zip(args.output(0).chunks_exact_mut(self.targets)) {
            self.score(&forest, row, scores, &mut seen[..self.targets]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Data, bytes, close, floats, hostile_constants, ints, run};
    use super::*;

    /// Two trees: one that splits on both features, one that is a leaf.
    const ENSEMBLE: TreeEnsemble = TreeEnsemble {
        rows: 4,
        features: 2,
        nodes: 6,
        trees: 2,
        votes: 5,
        targets: 2,
        aggregate: Aggregate::Sum,
    };

    fn constants() -> [Data; 8] {
        [
            ints(&[0, 1, 0, 0, 0, 0]),
            bytes(&[TreeEnsemble::NAN_IS_TRUE, 3, 6, 6, 6, 6]),
            floats(&[0.5, 2.0, 0.0, 0.0, 0.0, 0.0]),
            ints(&[1, 2, 0, 1, 2, 3]),
            ints(&[4, 3, 1, 2, 3, 5]),
            ints(&[0, 5]),
            ints(&[0, 1, 0, 0, 1]),
            floats(&[1.0, 2.0, 4.0, 8.0, -16.0, 0.25, 0.5]),
        ]
    }

    #[test]
    fn every_aggregate() {
        // x0 ≤ 0.5 (or NaN): x1 > 2 votes 1 for target 0, else 2 for target 1; if not, 4 for
        // target 0. The leaf votes 8 and −16.
        let rows = floats(&[0.5, 3.0, 0.0, 2.0, 0.6, 0.0, f32::NAN, f32::NAN]);
        let expected = [
            (
                Aggregate::Sum,
                [9.0, -16.0, 8.0, -14.0, 12.0, -16.0, 8.0, -14.0],
            ),
            (
                Aggregate::Mean,
                [4.5, -8.0, 4.0, -7.0, 6.0, -8.0, 4.0, -7.0],
            ),
            (
                Aggregate::Min,
                [1.0, -16.0, 8.0, -16.0, 4.0, -16.0, 8.0, -16.0],
            ),
            (Aggregate::Max, [8.0, -16.0, 8.0, 2.0, 8.0, -16.0, 8.0, 2.0]),
        ];
        for (aggregate, scores) in expected {
            let params = TreeEnsemble {
                aggregate,
                ..ENSEMBLE
            };
            let got = run(&params, core::slice::from_ref(&rows), &constants());
            let bases = [0.25, 0.5].into_iter().cycle();
            let expected = scores.iter().zip(bases).map(|(score, base)| score + base);
            close(&got[0], expected, 0.0);
        }
    }

    #[test]
    fn every_comparison() {
        let holds = |mode: Mode| [1.0, 2.0, 3.0].map(|x| compare(mode as i8, x, 2.0));
        assert_eq!(holds(Mode::LessOrEqual), [true, true, false]);
        assert_eq!(holds(Mode::Less), [true, false, false]);
        assert_eq!(holds(Mode::GreaterOrEqual), [false, true, true]);
        assert_eq!(holds(Mode::Greater), [false, false, true]);
        assert_eq!(holds(Mode::Equal), [false, true, false]);
        assert_eq!(holds(Mode::NotEqual), [true, false, true]);
    }

    #[test]
    fn cycles_and_strangers_are_refused() {
        let check = |edit: fn(&mut [Data; 8])| {
            let mut data = constants();
            edit(&mut data);
            let bytes = data.iter().map(Data::bytes).collect();
            ENSEMBLE.check_constants(&Constants(bytes))
        };
        assert_eq!(check(|_| ()), Ok(()));
        assert_eq!(
            check(|data| data[3] = ints(&[0, 2, 0, 1, 2, 3])),
            Err(Fault::Number)
        );
        assert_eq!(
            check(|data| data[4] = ints(&[4, 1, 1, 2, 3, 5])),
            Err(Fault::Number)
        );
        assert_eq!(
            check(|data| data[4] = ints(&[4, 3, 1, 2, 3, 6])),
            Err(Fault::Number)
        );
        assert_eq!(
            check(|data| data[0] = ints(&[2, 1, 0, 0, 0, 0])),
            Err(Fault::Number)
        );
        assert_eq!(check(|data| data[5] = ints(&[0, 6])), Err(Fault::Number));
        assert_eq!(
            check(|data| data[6] = ints(&[0, 1, 0, 0, 2])),
            Err(Fault::Number)
        );
        assert_eq!(
            check(|data| data[1] = bytes(&[7, 3, 6, 6, 6, 6])),
            Err(Fault::Number)
        );
    }

    #[test]
    fn hostile_constants_do_no_harm() {
        hostile_constants(&ENSEMBLE, &constants());
    }

    #[test]
    fn sizes_are_checked() {
        let huge = usize::MAX / 2;
        for params in [
            TreeEnsemble {
                nodes: huge,
                ..ENSEMBLE
            },
            TreeEnsemble {
                votes: huge,
                ..ENSEMBLE
            },
            TreeEnsemble {
                targets: huge,
                ..ENSEMBLE
            },
            TreeEnsemble {
                features: 0,
                ..ENSEMBLE
            },
        ] {
            assert_eq!(params.check(), Err(Fault::Size));
        }
    }
}
