//! The operators: each is one line in [`TRANSLATORS`], and a function in the file of its family.

mod activation;
mod convolution;
mod dense;
mod elementwise;
mod image;
mod index;
mod lstm;
mod pad;
mod pool;
mod quantize;
mod reduce;
mod shape;
mod slice;

use super::schema::OPERATORS;
use super::translation::{Stop, Translation};

/// Adds the nodes of the operator that a translation is at.
pub type Translate = fn(&mut Translation<'_>) -> Result<(), Stop>;

/// Every operator that has a translation, by TFLite's name.
const TRANSLATORS: &[(&str, Translate)] = &[
    ("ABS", |cx| elementwise::unary(cx, "Abs")),
    ("ADD", |cx| elementwise::binary(cx, "Add")),
    ("ARG_MAX", |cx| index::arg(cx, "ArgMax")),
    ("ARG_MIN", |cx| index::arg(cx, "ArgMin")),
    ("AVERAGE_POOL_2D", |cx| pool::pool(cx, "AveragePool")),
    ("BATCH_MATMUL", dense::batch_matmul),
    ("CAST", quantize::cast),
    ("CEIL", |cx| elementwise::unary(cx, "Ceil")),
    ("CONCATENATION", shape::concatenation),
    ("CONV_2D", convolution::conv_2d),
    ("COS", |cx| elementwise::unary(cx, "Cos")),
    ("DEPTHWISE_CONV_2D", convolution::depthwise_conv_2d),
    ("DEPTH_TO_SPACE", image::depth_to_space),
    ("DEQUANTIZE", quantize::dequantize),
    ("DIV", |cx| elementwise::binary(cx, "Div")),
    ("ELU", |cx| elementwise::unary(cx, "Elu")),
    ("EMBEDDING_LOOKUP", index::embedding_lookup),
    ("EXP", |cx| elementwise::unary(cx, "Exp")),
    ("EXPAND_DIMS", shape::reshape),
    ("FLOOR", |cx| elementwise::unary(cx, "Floor")),
    ("FULLY_CONNECTED", dense::fully_connected),
    ("GATHER", index::gather),
    ("GELU", activation::gelu),
    ("HARD_SWISH", |cx| elementwise::unary(cx, "HardSwish")),
    ("LEAKY_RELU", activation::leaky_relu),
    ("LOG", |cx| elementwise::unary(cx, "Log")),
    ("LOGISTIC", |cx| elementwise::unary(cx, "Sigmoid")),
    ("LOG_SOFTMAX", activation::log_softmax),
    ("MAXIMUM", |cx| elementwise::binary(cx, "Max")),
    ("MAX_POOL_2D", |cx| pool::pool(cx, "MaxPool")),
    ("MEAN", |cx| reduce::reduce(cx, "ReduceMean")),
    ("MINIMUM", |cx| elementwise::binary(cx, "Min")),
    ("MIRROR_PAD", pad::mirror_pad),
    ("MUL", |cx| elementwise::binary(cx, "Mul")),
    ("NEG", |cx| elementwise::unary(cx, "Neg")),
    ("PACK", shape::pack),
    ("PAD", pad::pad),
    ("PADV2", pad::pad),
    ("POW", |cx| elementwise::binary(cx, "Pow")),
    ("PRELU", |cx| elementwise::binary(cx, "PRelu")),
    ("QUANTIZE", quantize::quantize),
    ("REDUCE_MAX", |cx| reduce::reduce(cx, "ReduceMax")),
    ("REDUCE_MIN", |cx| reduce::reduce(cx, "ReduceMin")),
    ("REDUCE_PROD", |cx| reduce::reduce(cx, "ReduceProd")),
    ("RELU", activation::relu),
    ("RELU6", activation::relu6),
    ("RELU_N1_TO_1", activation::relu_n1_to_1),
    ("RESHAPE", shape::reshape),
    ("RESIZE_BILINEAR", image::resize_bilinear),
    ("RESIZE_NEAREST_NEIGHBOR", image::resize_nearest),
    ("RSQRT", elementwise::rsqrt),
    ("SIN", |cx| elementwise::unary(cx, "Sin")),
    ("SLICE", slice::slice),
    ("SOFTMAX", activation::softmax),
    ("SPACE_TO_DEPTH", image::space_to_depth),
    ("SPLIT", shape::split),
    ("SPLIT_V", shape::split_v),
    ("SQRT", |cx| elementwise::unary(cx, "Sqrt")),
    ("SQUARE", elementwise::square),
    ("SQUEEZE", shape::reshape),
    ("STRIDED_SLICE", slice::strided_slice),
    ("SUB", |cx| elementwise::binary(cx, "Sub")),
    ("SUM", |cx| reduce::reduce(cx, "ReduceSum")),
    ("TANH", |cx| elementwise::unary(cx, "Tanh")),
    ("TRANSPOSE", shape::transpose),
    ("TRANSPOSE_CONV", convolution::transpose_conv),
    ("UNIDIRECTIONAL_SEQUENCE_LSTM", lstm::lstm),
    ("UNPACK", shape::unpack),
];

/// The names of all operators that have a translation.
pub fn translated() -> impl Iterator<Item = &'static str> {
    TRANSLATORS.iter().map(|&(name, _)| name)
}

/// The translator of the operator of that code.
pub fn translator(code: i32) -> Option<Translate> {
    let name = OPERATORS.get(usize::try_from(code).ok()?)?;
    let mut known = TRANSLATORS.iter();
    known
        .find(|(known, _)| known == name)
        .map(|&(_, translate)| translate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_translator_is_of_an_operator_of_the_schema() {
        for (name, _) in TRANSLATORS {
            assert!(OPERATORS.contains(name), "{name}");
        }
    }
}
