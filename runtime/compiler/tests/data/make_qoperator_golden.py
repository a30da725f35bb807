"""Writes models in every form of quantization that onnxruntime makes, and what it computes for them,
as the fixture of `tests/qoperator.rs`.

    python make_qoperator_golden.py FIXTURE.npz

needs numpy, onnx and onnxruntime; it ran with onnxruntime 1.32 on its CPU provider, without graph
optimizations (which would fuse other kernels in). Weights and samples are drawn with the seed that is the
length of the family's name. The fixture holds, for each case,

    <case>/model    uint8: the ONNX file
    <case>/output   float32 [SAMPLES, …]: what onnxruntime computes

and `<family>/input`, float32 [SAMPLES, …], for each family; a case is `<family>.<form>`, where the form is

    <qoperator|qdq>.<s8s8|u8s8|u8u8>[.channel]      by quantize_static: activations, weights
    dynamic.<s8|u8>[.channel]                       by quantize_dynamic: weights
    plain                                           as it was written here
"""

import pathlib
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

SAMPLES = 4
OPSET = 17
TYPES = {"s8": QuantType.QInt8, "u8": QuantType.QUInt8}


class Family:
    """A float model under construction, with its own random numbers."""

    def __init__(self, name, shape, opset=OPSET):
        self.name, self.shape, self.opset = name, shape, opset
        self.random = np.random.default_rng(len(name))
        self.nodes, self.constants = [], []
        self.samples = self.random.normal(0.1, 0.8, (SAMPLES, *shape)).astype(np.float32)

    def constant(self, values, dtype=np.float32):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def weights(self, *shape, offset=0.0):
        fan_in = max(1, int(np.prod(shape[1:])))
        return self.constant(self.random.normal(offset, 1, shape) / fan_in**0.5)

    def node(self, op, *inputs, domain="", outputs=1, **attributes):
        names = [f"{op.lower()}{len(self.nodes)}_{index}" for index in range(outputs)]
        name = f"{op}_{len(self.nodes)}"
        node = helper.make_node(op, inputs, names, name, domain=domain, **attributes)
        self.nodes.append(node)
        return names[0] if outputs == 1 else names

    def model(self, output):
        """The model; its batch has a name."""
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *self.shape])
        y = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, self.name, [x], [y], self.constants)
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=imports, ir_version=8)


def families():
    """Float models of one operator each, and a small net."""

    def conv(f):
        return f.node("Conv", "x", f.weights(4, 3, 3, 3, offset=0.2), f.weights(4), pads=[1, 1, 0, 1], strides=[2, 1])

    def depthwise(f):
        return f.node("Conv", "x", f.weights(4, 1, 3, 3), f.weights(4), group=4, pads=[1] * 4)

    def dense(f):
        return f.node("Gemm", "x", f.weights(5, 16, offset=0.1), f.weights(5), transB=1)

    def matmul(f):
        return f.node("MatMul", "x", f.weights(16, 5))

    def filtered(f):
        # Some operators are quantized only where what they read already is.
        return f.node("Conv", "x", f.weights(3, 3, 1, 1), f.weights(3))

    def add(f):
        return f.node("Add", filtered(f), filtered(f))

    def mul(f):
        return f.node("Mul", filtered(f), filtered(f))

    def concat(f):
        return f.node("Concat", filtered(f), filtered(f), axis=1)

    def global_pool(f):
        return f.node("GlobalAveragePool", filtered(f))

    def average_pool(f):
        x = filtered(f)
        return f.node("AveragePool", x, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1])

    def max_pool(f):
        return f.node("MaxPool", filtered(f), kernel_shape=[2, 2], strides=[2, 2])

    def softmax(f):
        return f.node("Softmax", "x")

    def sigmoid(f):
        return f.node("Sigmoid", "x")

    def leaky_relu(f):
        return f.node("LeakyRelu", "x", alpha=0.1)

    def views(f):
        # Operators that QOperator models have on the integers themselves.
        x = f.node("Conv", "x", f.weights(4, 3, 1, 1), f.weights(4))
        x = f.node("Pad", x, f.constant([0, 0, 1, 0, 0, 0, 1, 2], np.int64))
        x = f.node("MaxPool", x, kernel_shape=[3, 2], strides=[2, 2])
        x = f.node("Reshape", f.node("Transpose", x, perm=[0, 2, 3, 1]), f.constant([0, -1], np.int64))
        return f.node("Gemm", x, f.weights(5, 48), f.weights(5), transB=1)

    def net(f):
        x = f.node("Relu", f.node("Conv", "x", f.weights(8, 3, 3, 3), f.weights(8), pads=[1] * 4))
        x = f.node("Conv", x, f.weights(8, 1, 3, 3), f.weights(8), group=8, pads=[1] * 4, strides=[2, 2])
        x = f.node("Relu", x)
        y = f.node("Conv", x, f.weights(8, 8, 1, 1), f.weights(8))
        x = f.node("MaxPool", f.node("Add", x, y), kernel_shape=[2, 2])
        x = f.node("Flatten", f.node("GlobalAveragePool", x))
        return f.node("Softmax", f.node("Gemm", x, f.weights(5, 8), f.weights(5), transB=1))

    image, vector = (3, 6, 6), (16,)
    weighted = [(conv, (3, 7, 6)), (depthwise, (4, 6, 6)), (dense, vector), (matmul, vector), (net, (3, 8, 8))]
    plain = [(add, image), (mul, image), (concat, image), (global_pool, image), (average_pool, image)]
    plain += [(max_pool, image), (softmax, vector), (sigmoid, vector), (leaky_relu, vector), (views, image)]
    for build, shape in weighted + plain:
        family = Family(build.__name__, shape)
        yield family, family.model(build(family)), (build, shape) in weighted


class Samples(CalibrationDataReader):
    def __init__(self, samples):
        self.samples = iter(samples)

    def get_next(self):
        sample = next(self.samples, None)
        return None if sample is None else {"x": sample[None]}


def quantized(model, samples, activations, weights, form, channel):
    with tempfile.TemporaryDirectory() as folder:
        source, result = (str(pathlib.Path(folder) / name) for name in ("source.onnx", "result.onnx"))
        onnx.save(model, source)
        if activations is None:
            quantize_dynamic(source, result, weight_type=TYPES[weights], per_channel=channel)
        else:
            quantize_static(
                source,
                result,
                Samples(samples),
                quant_format={"qoperator": QuantFormat.QOperator, "qdq": QuantFormat.QDQ}[form],
                activation_type=TYPES[activations],
                weight_type=TYPES[weights],
                per_channel=channel,
            )
        return onnx.load(result)


def handwritten():
    """Operators that no quantizer or only onnxruntime's optimizer writes."""
    ms = "com.microsoft"

    def quantizer(f, scale, zero, dtype=np.uint8):
        return f.constant(scale), f.constant(zero, dtype)

    def quantize(f, x, q):
        return f.node("QuantizeLinear", x, *q)

    def where(f):
        a, b, c = quantizer(f, 0.03, 120), quantizer(f, 0.02, 100), quantizer(f, 0.025, 128)
        above = f.node("Greater", "x", f.constant(0.2))
        y = f.node("QLinearWhere", above, quantize(f, "x", a), *a, quantize(f, "x", b), *b, *c, domain=ms)
        return f.node("DequantizeLinear", y, *c)

    def nhwc_conv(f):
        a, b = quantizer(f, 0.03, 120), quantizer(f, 0.02, 100)
        x = f.node("Transpose", quantize(f, "x", a), perm=[0, 2, 3, 1])
        w = f.constant(f.random.integers(-100, 100, (5, 3, 3, 3)), np.int8)
        w_scale = f.constant([0.001, 0.002, 0.003, 0.001, 0.002])
        bias = f.constant(f.random.integers(-9000, 9000, 5), np.int32)
        y = f.node("QLinearConv", x, *a, w, w_scale, f.constant([0] * 5, np.int8), *b, bias, domain=ms, channels_last=1, pads=[1, 0, 1, 2])
        return f.node("Transpose", f.node("DequantizeLinear", y, *b), perm=[0, 3, 1, 2])

    def nhwc_pools(f):
        a, b, c = quantizer(f, 0.03, 120), quantizer(f, 0.02, 100), quantizer(f, 0.01, 128)
        x = f.node("Transpose", quantize(f, "x", a), perm=[0, 2, 3, 1])
        y = f.node("QLinearAveragePool", x, *a, *b, domain=ms, channels_last=1, kernel_shape=[2, 3], strides=[1, 2])
        return f.node("Transpose", f.node("DequantizeLinear", y, *b), perm=[0, 3, 1, 2])

    def gemm_to_float(f):
        a = quantizer(f, 0.03, 120)
        w = f.constant(f.random.integers(-100, 100, (16, 6)), np.int8)
        w_scale = f.constant([0.001, 0.002, 0.003, 0.001, 0.002, 0.003])
        c = f.constant(f.random.integers(-9000, 9000, 6), np.int32)
        return f.node("QGemm", quantize(f, "x", a), *a, w, w_scale, f.constant([0] * 6, np.int8), c, domain=ms, alpha=1.0)

    def joined_softmax(f):
        a, b = quantizer(f, 0.03, 120), quantizer(f, 1 / 256, 0)
        y = f.node("QLinearSoftmax", quantize(f, "x", a), *a, *b, domain=ms, axis=1, opset=12)
        return f.node("DequantizeLinear", y, *b)

    def contributed_quantizers(f):
        a = quantizer(f, 0.03, 120)
        x = f.node("DequantizeLinear", f.node("QuantizeLinear", "x", *a, domain=ms), *a, domain=ms)
        y = f.node("QuantizeLinear", f.node("Relu", x), *a, domain=ms)
        return f.node("DequantizeLinear", y, *a, domain=ms)

    def to_float(f):
        a = quantizer(f, 0.03, 120)
        w, bias = f.constant(f.random.integers(0, 255, (16, 6)), np.uint8), f.weights(6)
        return f.node("MatMulIntegerToFloat", quantize(f, "x", a), w, a[0], f.constant(0.01), a[1], f.constant(131, np.uint8), bias, domain=ms)

    def dynamic_matmul(f):
        w = f.constant(f.random.integers(0, 255, (16, 6)), np.uint8)
        return f.node("DynamicQuantizeMatMul", "x", w, f.constant(0.01), f.constant(131, np.uint8), f.weights(6), domain=ms)

    def gelus(f):
        x = f.node("BiasGelu", f.node("Gelu", "x", domain=ms), f.weights(16), domain=ms)
        x = f.node("FastGelu", x, f.weights(16), domain=ms)
        return f.node("QuickGelu", x, domain=ms, alpha=1.5)

    def norms(f):
        # Normalizations of three axes, which onnxruntime has them for.
        gamma, beta, bias = f.weights(8, offset=1), f.weights(8), f.weights(8)
        skip = f.node("Mul", "x", f.constant(0.5))
        x = f.node("SkipLayerNormalization", "x", skip, gamma, beta, bias, domain=ms, epsilon=1e-5)
        x = f.node("SkipSimplifiedLayerNormalization", x, skip, gamma, domain=ms, epsilon=1e-5)
        return f.node("SimplifiedLayerNormalization", x, gamma, axis=-1, epsilon=1e-5)

    def fused_conv(f):
        y = f.node("FusedConv", "x", f.weights(4, 3, 3, 3), f.weights(4), domain=ms, activation="LeakyRelu", activation_params=[0.2])
        return f.node("FusedConv", y, f.weights(2, 4, 1, 1), domain=ms, activation="Clip", activation_params=[-0.3, 0.4])

    def fused_gemm(f):
        y = f.node("FusedGemm", "x", f.weights(6, 16), f.weights(6), domain=ms, transB=1, activation="Relu")
        return f.node("FusedMatMul", y, f.weights(5, 6), domain=ms, transB=1, alpha=0.5)

    image, vector = (3, 6, 6), (16,)
    shapes = {where: image, nhwc_conv: image, nhwc_pools: image, gemm_to_float: vector}
    shapes |= {joined_softmax: (2, 3, 5), contributed_quantizers: vector, to_float: vector}
    shapes |= {dynamic_matmul: vector, gelus: vector, norms: (5, 8), fused_conv: image, fused_gemm: vector}
    for build, shape in shapes.items():
        family = Family(build.__name__, shape)
        yield family, family.model(build(family))


def computed(model, samples):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    model = model.SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    # One by one: scales that are found as a model runs are those of a whole batch.
    results = [session.run(None, {"x": sample[None]})[0] for sample in samples]
    return np.concatenate(results)


def main(path):
    fixture = {}

    def case(family, form, model):
        name = f"{family.name}.{form}"
        # What quantize_static writes of shapes and of itself is not needed.
        del model.metadata_props[:]
        for node in model.graph.node:
            node.doc_string = ""
        fixture[f"{name}/output"] = computed(model, family.samples).astype(np.float32)
        fixture[f"{name}/model"] = np.frombuffer(model.SerializeToString(), np.uint8)

    for family, model, is_weighted in families():
        fixture[f"{family.name}/input"] = family.samples
        forms = ["s8s8", "u8s8", "u8u8"] if is_weighted else ["s8s8", "u8u8"]
        for form in ("qoperator", "qdq"):
            for types in forms:
                for channel in ([False, True] if is_weighted else [False]):
                    result = quantized(model, family.samples, types[:2], types[2:], form, channel)
                    case(family, f"{form}.{types}" + ".channel" * channel, result)
        if is_weighted:
            for weights in TYPES:
                for channel in (False, True):
                    result = quantized(model, family.samples, None, weights, None, channel)
                    case(family, f"dynamic.{weights}" + ".channel" * channel, result)
    for family, model in handwritten():
        fixture[f"{family.name}/input"] = family.samples
        case(family, "plain", model)
    np.savez_compressed(path, **fixture)
    print(len(fixture), "arrays,", pathlib.Path(path).stat().st_size, "bytes")


if __name__ == "__main__":
    main(sys.argv[1])
