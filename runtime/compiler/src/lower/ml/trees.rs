//! Ensembles of decision trees, whose nodes ONNX lists in any order: here each comes after its
//! parent, as the kernel has them.

use super::super::Lowering;
use super::{classes, classified, dense, raw_scores, table, transformed};
use crate::error::Refusal;
use crate::import::source::SourceNode;
use crate::ops::tree::Trees;
use crate::report::Fate;
use microtome_kernels::float::tree_ensemble::{Aggregate, Mode, TreeEnsemble};
use std::collections::{HashMap, HashSet};

pub(in super::super) fn lower_tree_regressor(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
) -> Result<Fate, Refusal> {
    let [rows, features] = table(cx, node)?;
    let targets = usize::try_from(node.attributes.int("n_targets", 1)?).unwrap_or(0);
    let aggregate = match node.attributes.text("aggregate_function", "SUM")? {
        "SUM" => Aggregate::Sum,
        "AVERAGE" => Aggregate::Mean,
        "MIN" => Aggregate::Min,
        "MAX" => Aggregate::Max,
        other => {
            return Err(Refusal::Attribute {
                attribute: "aggregate_function",
                value: other.into(),
            });
        }
    };
    let votes = votes(
        node,
        [
            "target_treeids",
            "target_nodeids",
            "target_ids",
            "target_weights",
        ],
    )?;
    let trees = trees(node, &votes, [rows, features, targets], aggregate)?;
    let input = cx.row_major(node, 0)?;
    let scores = raw_scores(cx, node, trees, &input, [rows, targets])?;
    transformed(cx, node, &scores, [rows, targets], 0)
}

pub(in super::super) fn lower_tree_classifier(
    cx: &mut Lowering<'_>,
    node: &SourceNode,
) -> Result<Fate, Refusal> {
    let [rows, features] = table(cx, node)?;
    let (count, labels) = classes(node)?;
    let mut votes = votes(
        node,
        [
            "class_treeids",
            "class_nodeids",
            "class_ids",
            "class_weights",
        ],
    )?;
    let targets: HashSet<i64> = votes.iter().map(|vote| vote.target).collect();
    let input = cx.row_major(node, 0)?;
    // Scores of the second class alone leave the first at 0, as in onnxruntime.
    let single = targets.len() == 1 && targets.contains(&0);
    if count != 2 || !single {
        let trees = trees(node, &votes, [rows, features, count], Aggregate::Sum)?;
        let scores = raw_scores(cx, node, trees, &input, [rows, count])?;
        return classified(cx, node, &scores, [rows, count], labels);
    }
    // One score for two classes: of the second, and what it leaves for the first.
    let positive = votes.iter().all(|vote| vote.weight >= 0.0);
    let transform = node.attributes.text("post_transform", "NONE")?;
    if positive && transform != "NONE" {
        return Err(Refusal::Attribute {
            attribute: "post_transform",
            value: transform.into(),
        });
    }
    votes.iter_mut().for_each(|vote| vote.target = 0);
    let trees = trees(node, &votes, [rows, features, 1], Aggregate::Sum)?;
    let score = raw_scores(cx, node, trees, &input, [rows, 1])?;
    let left = if positive { 1.0 } else { 0.0 };
    let both = dense([rows, 1], vec![-1.0, 1.0], vec![left, 0.0]);
    let scores = raw_scores(cx, node, both, &score, [rows, 2])?;
    classified(cx, node, &scores, [rows, 2], labels)
}

/// What a leaf adds to a target.
struct Vote {
    /// The tree and its node.
    leaf: (i64, i64),
    target: i64,
    weight: f32,
}

fn votes(node: &SourceNode, names: [&'static str; 4]) -> Result<Vec<Vote>, Refusal> {
    let [trees, nodes, targets, weights] = names;
    let ints = |name| Ok(node.attributes.ints(name)?.unwrap_or(&[]));
    let (trees, nodes, ids) = (ints(trees)?, ints(nodes)?, ints(targets)?);
    let weights = node.attributes.floats(weights)?;
    if [nodes.len(), ids.len(), weights.len()] != [trees.len(); 3] {
        return Err(broken(targets));
    }
    let all = 0..trees.len();
    let votes = all.map(|at| Vote {
        leaf: (trees[at], nodes[at]),
        target: ids[at],
        weight: weights[at],
    });
    Ok(votes.collect())
}

fn broken(attribute: &'static str) -> Refusal {
    Refusal::Attribute {
        attribute,
        value: "inconsistent with the other lists".into(),
    }
}

/// The nodes as ONNX lists them.
struct Nodes<'a> {
    trees: &'a [i64],
    ids: &'a [i64],
    features: &'a [i64],
    modes: &'a [String],
    thresholds: &'a [f32],
    holds: &'a [i64],
    fails: &'a [i64],
    nan_holds: &'a [i64],
}

impl<'a> Nodes<'a> {
    fn of(node: &'a SourceNode) -> Result<Self, Refusal> {
        let ints = |name| Ok(node.attributes.ints(name)?.unwrap_or(&[]));
        let nodes = Self {
            trees: ints("nodes_treeids")?,
            ids: ints("nodes_nodeids")?,
            features: ints("nodes_featureids")?,
            modes: node.attributes.texts("nodes_modes")?,
            thresholds: node.attributes.floats("nodes_values")?,
            holds: ints("nodes_truenodeids")?,
            fails: ints("nodes_falsenodeids")?,
            nan_holds: ints("nodes_missing_value_tracks_true")?,
        };
        let count = nodes.trees.len();
        let lens = [
            nodes.ids.len(),
            nodes.features.len(),
            nodes.modes.len(),
            nodes.thresholds.len(),
            nodes.holds.len(),
            nodes.fails.len(),
        ];
        let nan = nodes.nan_holds.is_empty() || nodes.nan_holds.len() == count;
        if count == 0 || lens != [count; 6] || !nan {
            return Err(broken("nodes_nodeids"));
        }
        Ok(nodes)
    }

    /// Each node after its parent; and how many of the first are roots.
    fn order(&self) -> Result<(Vec<usize>, usize), Refusal> {
        let broken = || broken("nodes_truenodeids");
        let mut at = HashMap::new();
        for (index, key) in self.trees.iter().zip(self.ids).enumerate() {
            if at.insert(key, index).is_some() {
                return Err(broken());
            }
        }
        let is_leaf = |index: usize| self.modes[index] == "LEAF";
        let mut children = HashSet::new();
        for index in (0..self.trees.len()).filter(|&index| !is_leaf(index)) {
            for child in [self.holds[index], self.fails[index]] {
                // With one parent each, every walk from a root ends.
                let child = at.get(&(&self.trees[index], &child)).ok_or_else(broken)?;
                if !children.insert(*child) {
                    return Err(broken());
                }
            }
        }
        let roots = (0..self.trees.len()).filter(|index| !children.contains(index));
        let mut order: Vec<usize> = roots.collect();
        let (count, mut next) = (order.len(), 0);
        while let Some(&index) = order.get(next) {
            next += 1;
            if !is_leaf(index) {
                for child in [self.holds[index], self.fails[index]] {
                    order.extend(at.get(&(&self.trees[index], &child)));
                }
            }
        }
        Ok((order, count))
    }

    fn mode(&self, index: usize) -> Result<i8, Refusal> {
        let mode = match &*self.modes[index] {
            "BRANCH_LEQ" => Mode::LessOrEqual,
            "BRANCH_LT" => Mode::Less,
            "BRANCH_GTE" => Mode::GreaterOrEqual,
            "BRANCH_GT" => Mode::Greater,
            "BRANCH_EQ" => Mode::Equal,
            "BRANCH_NEQ" => Mode::NotEqual,
            "LEAF" => Mode::Leaf,
            other => {
                return Err(Refusal::Attribute {
                    attribute: "nodes_modes",
                    value: other.into(),
                });
            }
        };
        let nan = self.nan_holds.get(index).is_some_and(|&it| it != 0) && mode != Mode::Leaf;
        Ok(mode as i8 + if nan { TreeEnsemble::NAN_IS_TRUE } else { 0 })
    }
}

/// The constants while they are put together.
#[derive(Default)]
struct Lists {
    features: Vec<i32>,
    modes: Vec<i8>,
    thresholds: Vec<f32>,
    holds: Vec<i32>,
    fails: Vec<i32>,
    targets: Vec<i32>,
    weights: Vec<f32>,
}

fn trees(
    node: &SourceNode,
    votes: &[Vote],
    [rows, features, targets]: [usize; 3],
    aggregate: Aggregate,
) -> Result<Trees, Refusal> {
    let nodes = Nodes::of(node)?;
    let (order, trees) = nodes.order()?;
    let place: HashMap<_, i32> = order
        .iter()
        .map(|&index| (nodes.trees[index], nodes.ids[index]))
        .zip(0..)
        .collect();
    let mut of_leaf: HashMap<(i64, i64), Vec<&Vote>> = HashMap::new();
    for vote in votes {
        of_leaf.entry(vote.leaf).or_default().push(vote);
    }
    let mut lists = Lists::default();
    for &index in &order {
        let key = (nodes.trees[index], nodes.ids[index]);
        let mode = nodes.mode(index)?;
        let child = |id: i64| place.get(&(key.0, id)).copied().unwrap_or(0);
        let (mut yes, mut no) = (child(nodes.holds[index]), child(nodes.fails[index]));
        if mode == Mode::Leaf as i8 {
            yes = lists.targets.len() as i32;
            for vote in of_leaf.get(&key).into_iter().flatten() {
                let target = i32::try_from(vote.target).unwrap_or(-1);
                lists.targets.push(target);
                lists.weights.push(vote.weight);
            }
            no = lists.targets.len() as i32;
        }
        let feature = i32::try_from(nodes.features[index]).unwrap_or(-1);
        lists.features.push(feature);
        lists.modes.push(mode);
        lists.thresholds.push(nodes.thresholds[index]);
        lists.holds.push(yes);
        lists.fails.push(no);
    }
    let within = |values: &[i32], end: usize| values.iter().all(|&it| (it as usize) < end);
    let bases = node.attributes.floats("base_values")?;
    let mut bases = bases.to_vec();
    if bases.is_empty() {
        bases = vec![0.0; targets];
    }
    if !within(&lists.features, features) || !within(&lists.targets, targets) {
        return Err(broken("nodes_featureids"));
    }
    if bases.len() != targets {
        return Err(broken("base_values"));
    }
    let ensemble = TreeEnsemble {
        rows,
        features,
        nodes: order.len(),
        trees,
        votes: lists.targets.len(),
        targets,
        aggregate,
    };
    Ok(Trees {
        ensemble,
        constants: lists.constants(trees, &bases),
    })
}

impl Lists {
    /// In the kernel's order; the roots are the first nodes.
    fn constants(mut self, trees: usize, bases: &[f32]) -> Vec<Vec<u8>> {
        let roots: Vec<i32> = (0..trees as i32).collect();
        self.weights.extend(bases);
        let ints = |values: &[i32]| bytemuck::cast_slice(values).to_vec();
        let floats = |values: &[f32]| bytemuck::cast_slice(values).to_vec();
        vec![
            ints(&self.features),
            bytemuck::cast_slice(&self.modes).to_vec(),
            floats(&self.thresholds),
            ints(&self.holds),
            ints(&self.fails),
            ints(&roots),
            ints(&self.targets),
            floats(&self.weights),
        ]
    }
}
