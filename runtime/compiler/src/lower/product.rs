//! `MatMul` and `Einsum` of two activations, or of one and a constant of any rank: products of
//! strided matrices. Transposed and broadcast operands are read where they lie.

use super::Lowering;
use super::operand::Activation;
use crate::error::Refusal;
use crate::graph::Layout;
use crate::import::source::SourceNode;
use crate::ops::product::Product;
use crate::report::Fate;
use microtome_kernels::reference::mat_mul::BATCH;

/// An operand's axes, each of a size and a stride.
type Axes = Vec<(usize, isize)>;

pub(super) fn lower_matmul(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let (a, b) = (cx.strided(node, 0)?, cx.strided(node, 1)?);
    let (mut a_axes, mut b_axes) = (axes(&a), axes(&b));
    // A vector is a row on the left and a column on the right; the result has no such axis.
    if a_axes.len() == 1 {
        a_axes.insert(0, (1, 0));
    }
    if b_axes.len() == 1 {
        b_axes.push((1, 0));
    }
    let product = broadcast_product(&a_axes, &b_axes)?;
    let layout = Layout::row_major(cx.output_dims(node)?);
    cx.add_node(node, product, &[&a, &b], layout)
}

/// The axes of `activation`, whose layout has the model's.
pub(super) fn axes(activation: &Activation) -> Axes {
    let dims = activation.layout.dims.iter().copied();
    dims.zip(activation.layout.strides()).collect()
}

/// The product of matrices along the last two axes, broadcast along the others.
pub(super) fn broadcast_product(a: &Axes, b: &Axes) -> Result<Product, Refusal> {
    let misfit = || misfit(a, b);
    let ([a_batch @ .., rows, a_depth], [b_batch @ .., b_depth, columns]) = (&a[..], &b[..]) else {
        return Err(misfit());
    };
    let rank = a_batch.len().max(b_batch.len());
    let axis = |axes: &[(usize, isize)], axis: usize| {
        let missing = rank - axes.len();
        let at = axis.checked_sub(missing).map(|axis| axes[axis]);
        match at.unwrap_or((1, 0)) {
            (1, _) => (1, 0),
            other => other,
        }
    };
    let mut batch = Vec::new();
    for at in 0..rank {
        let ((a_size, a_step), (b_size, b_step)) = (axis(a_batch, at), axis(b_batch, at));
        if a_size != b_size && a_size != 1 && b_size != 1 {
            return Err(misfit());
        }
        batch.push((a_size.max(b_size), [a_step, b_step]));
    }
    if a_depth.0 != b_depth.0 {
        return Err(misfit());
    }
    product(&batch, *rows, (a_depth.0, [a_depth.1, b_depth.1]), *columns)
}

/// The product with these axes, where both operands have them each with a stride.
fn product(
    batch: &[(usize, [isize; 2])],
    rows: (usize, isize),
    depth: (usize, [isize; 2]),
    columns: (usize, isize),
) -> Result<Product, Refusal> {
    let merged = merged(batch);
    let found = merged.len();
    let first = BATCH.checked_sub(found).ok_or(Refusal::TooMany {
        what: "axes of a batch",
        found,
        most: BATCH,
    })?;
    let mut product = Product {
        batch: [1; BATCH],
        matrix: [rows.0, depth.0, columns.0],
        a: ([0; BATCH], [rows.1, depth.1[0]]),
        b: ([0; BATCH], [depth.1[1], columns.1]),
    };
    for (at, (size, [a, b])) in merged.into_iter().enumerate() {
        product.batch[first + at] = size;
        (product.a.0[first + at], product.b.0[first + at]) = (a, b);
    }
    Ok(product)
}

/// Axes without those of size 1, and with neighbours that go on as one joined.
fn merged<const N: usize>(axes: &[(usize, [isize; N])]) -> Vec<(usize, [isize; N])> {
    let mut merged: Vec<(usize, [isize; N])> = Vec::new();
    for &(size, steps) in axes.iter().filter(|(size, _)| *size != 1) {
        match merged.last_mut() {
            Some((outer, outer_steps))
                if *outer_steps == steps.map(|step| step * size as isize) =>
            {
                (*outer, *outer_steps) = (*outer * size, steps);
            }
            _ => merged.push((size, steps)),
        }
    }
    merged
}

fn misfit(a: &Axes, b: &Axes) -> Refusal {
    let dims = |axes: &Axes| axes.iter().map(|(size, _)| *size).collect();
    Refusal::Shape {
        found: vec![dims(a), dims(b)],
    }
}

/// `Einsum` of two operands, whose letters are each of the batch, of one operand and the result,
/// or summed over.
pub(super) fn lower_einsum(cx: &mut Lowering<'_>, node: &SourceNode) -> Result<Fate, Refusal> {
    let equation = node.attributes.text("equation", "")?.to_owned();
    let refused = || Refusal::Attribute {
        attribute: "equation",
        value: equation.clone(),
    };
    let letters = Letters::parse(&equation).ok_or_else(refused)?;
    let dims = [cx.input_dims(node, 0)?, cx.input_dims(node, 1)?];
    let fits = node.inputs.len() == 2
        && dims[0].len() == letters.a.len()
        && dims[1].len() == letters.b.len()
        && letters.sizes_agree(dims);
    if !fits {
        return Err(refused());
    }
    let Roles {
        batch,
        rows,
        depth,
        columns,
    } = letters.roles().ok_or_else(refused)?;
    let a = cx.grouped(node, 0, &letters.a, [&batch, &rows, &depth])?;
    let b = cx.grouped(node, 1, &letters.b, [&batch, &depth, &columns])?;
    let a_axis = |letter: &char| axis_of(&a, &letters.a, *letter);
    let b_axis = |letter: &char| axis_of(&b, &letters.b, *letter);
    let one = |axes: Vec<(usize, [isize; 2])>| {
        let merged = merged(&axes);
        match *merged {
            [] => Some((1, [0, 0])),
            [axis] => Some(axis),
            _ => None,
        }
    };
    let both = |letter: &char| (a_axis(letter).0, [a_axis(letter).1, b_axis(letter).1]);
    let in_a = |letter: &char| (a_axis(letter).0, [a_axis(letter).1, 0]);
    let in_b = |letter: &char| (b_axis(letter).0, [0, b_axis(letter).1]);
    let parts = (
        one(rows.iter().map(in_a).collect()),
        one(depth.iter().map(both).collect()),
        one(columns.iter().map(in_b).collect()),
    );
    let (Some(row), Some(sum), Some(column)) = parts else {
        return Err(refused());
    };
    let batch_axes: Vec<_> = batch.iter().map(both).collect();
    let product = product(&batch_axes, (row.0, row.1[0]), sum, (column.0, column.1[1]))?;
    // The result lies as the product makes it, whatever order the equation names.
    let made = batch.iter().chain(&rows).chain(&columns);
    let order = made.filter_map(|letter| letters.result.iter().position(|it| it == letter));
    let layout = Layout {
        dims: cx.output_dims(node)?.into(),
        order: order.collect(),
    };
    cx.add_node(node, product, &[&a, &b], layout)
}

fn axis_of(activation: &Activation, letters: &[char], letter: char) -> (usize, isize) {
    let at = letters.iter().position(|&it| it == letter);
    at.map_or((1, 0), |at| axes(activation)[at])
}

impl Lowering<'_> {
    /// Operand `operand`, whose axes have `letters`, with the axes of each group of letters as
    /// one: where it lies, or by a copy. The last two groups may lie in either order.
    fn grouped(
        &mut self,
        node: &SourceNode,
        operand: usize,
        letters: &[char],
        [first, second, third]: [&Vec<char>; 3],
    ) -> Result<Activation, Refusal> {
        let input = self.strided(node, operand)?;
        let layout = |groups: [&Vec<char>; 3]| Layout {
            dims: input.layout.dims.clone(),
            order: groups
                .into_iter()
                .flatten()
                .filter_map(|letter| letters.iter().position(|it| it == letter))
                .collect(),
        };
        let (straight, turned) = (
            layout([first, second, third]),
            layout([first, third, second]),
        );
        let wanted = if input.layout.same_memory(&turned) {
            turned
        } else {
            straight
        };
        self.laid_out(node, input, &wanted)
    }
}

/// The letters of an equation.
struct Letters {
    a: Vec<char>,
    b: Vec<char>,
    result: Vec<char>,
}

/// What the axes of a product's operands are.
struct Roles {
    batch: Vec<char>,
    rows: Vec<char>,
    depth: Vec<char>,
    columns: Vec<char>,
}

impl Letters {
    /// Two operands and a stated result, none with a letter twice.
    fn parse(equation: &str) -> Option<Self> {
        let equation: String = equation.chars().filter(|it| *it != ' ').collect();
        let (operands, result) = equation.split_once("->")?;
        let (a, b) = operands.split_once(',')?;
        let letters = |text: &str| -> Option<Vec<char>> {
            let letters: Vec<char> = text.chars().collect();
            let single = |at: usize| !letters[..at].contains(&letters[at]);
            let valid = letters.iter().all(char::is_ascii_alphabetic);
            (valid && (0..letters.len()).all(single)).then_some(letters)
        };
        Some(Self {
            a: letters(a)?,
            b: letters(b)?,
            result: letters(result)?,
        })
    }

    fn sizes_agree(&self, [a, b]: [&[usize]; 2]) -> bool {
        let in_b = |letter: &char| self.b.iter().position(|it| it == letter);
        let mut pairs = self.a.iter().zip(a);
        pairs.all(|(letter, size)| in_b(letter).is_none_or(|at| b[at] == *size))
    }

    /// `None` where a letter of one operand alone is summed over, or the result has one more.
    fn roles(&self) -> Option<Roles> {
        let (mut rows, mut depth) = (Vec::new(), Vec::new());
        for letter in &self.a {
            match (self.b.contains(letter), self.result.contains(letter)) {
                (true, true) => {}
                (true, false) => depth.push(*letter),
                (false, true) => rows.push(*letter),
                (false, false) => return None,
            }
        }
        let columns: Vec<_> = self
            .b
            .iter()
            .copied()
            .filter(|it| !self.a.contains(it))
            .collect();
        let known = |letter: &char| self.a.contains(letter) || columns.contains(letter);
        let complete = self.result.iter().all(known);
        let used = columns.iter().all(|letter| self.result.contains(letter));
        let shared = |letter: &&char| self.a.contains(letter) && self.b.contains(letter);
        let batch = self.result.iter().filter(shared).copied().collect();
        (complete && used).then_some(Roles {
            batch,
            rows,
            depth,
            columns,
        })
    }
}
