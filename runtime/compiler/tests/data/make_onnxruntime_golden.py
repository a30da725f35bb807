"""Writes what onnxruntime computes for a QDQ model, as the fixture of `tests/onnxruntime.rs`.

    python make_onnxruntime_golden.py MODEL.onnx FIXTURE.npz

needs numpy, onnx and onnxruntime; it ran with onnxruntime 1.32, on its CPU provider with its
default optimizations; without any (--unoptimized) the fixtures of kws and ic are the same. The fixture holds

    scores          int8 [SAMPLES, n]: the first output of each sample, quantized
    layer/<sample>/<node>
                    int8: for the samples LAYERS_OF, the quantized result of each operator that
                    a QuantizeLinear follows, channels last, under the operator's name; the
                    result of a Softmax that ends the model is quantized to 1/256, -128

Samples are not stored. `sample` below makes them from integers, and the test does the same.
"""

import sys

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

SAMPLES = 100
LAYERS_OF = (6, 12)
VIEWS = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity")


def sample(index, count):
    """int8 noise of some contrast and brightness that repeats, in the model's own order."""
    period = 10 * (index % 7 + 1)
    contrast = 16 * (index % 8 + 1)
    state = index + 1
    draws = []
    for _ in range(period + 1):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        draws.append((state >> 56) - 128)
    brightness = draws[0] // 2
    noise = np.array(draws[1:])[np.arange(count) % period] * contrast // 128
    return np.clip(noise + brightness, -128, 127).astype(np.int8)


def quantize(real, scale, zero):
    return np.clip(np.rint(real / scale) + zero, -128, 127).astype(np.int8)


def channels_last(array):
    return np.moveaxis(array, 1, -1) if array.ndim > 2 else array


def main(model_path, fixture_path):
    model = onnx.load(model_path)
    graph = model.graph
    constants = {it.name: numpy_helper.to_array(it) for it in graph.initializer}
    producer = {output: node for node in graph.node for output in node.output}
    parameters = lambda node: [constants[name].item() for name in node.input[1:3]]

    def operator(value):
        """The node that computes a value, layout changes left out; None for the input."""
        node = producer.get(value)
        while node is not None and node.op_type in VIEWS:
            node = producer.get(node.input[0])
        return node

    activations = [
        node
        for node in graph.node
        if node.op_type == "QuantizeLinear" and node.input[0] not in constants
    ]
    (input_scale, input_zero), *_ = [
        parameters(node) for node in activations if operator(node.input[0]) is None
    ]
    layers = {
        operator(node.input[0]).name: node.output[0]
        for node in activations
        if operator(node.input[0]) is not None
    }
    outputs = [graph.output[0].name]
    last = operator(outputs[0])
    if last.op_type == "DequantizeLinear":
        output_scale, output_zero = parameters(last)
    elif last.op_type == "Softmax":
        output_scale, output_zero = 1 / 256, -128

    del graph.output[1:]
    for name in layers.values():
        graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT8, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if "--unoptimized" in sys.argv:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    (port,) = session.get_inputs()
    shape = [dim if isinstance(dim, int) else 1 for dim in port.shape]
    scores, fixture = [], {}
    for index in range(SAMPLES):
        integers = sample(index, np.prod(shape)).reshape(shape)
        real = (integers.astype(np.float32) - np.float32(input_zero)) * np.float32(input_scale)
        result, *results = session.run(None, {port.name: real})
        score = channels_last(quantize(result, output_scale, output_zero))
        scores.append(score.reshape(-1))
        if index in LAYERS_OF:
            for name, array in zip(layers, results, strict=True):
                fixture[f"layer/{index}/{name}"] = channels_last(array).reshape(-1)
            if last.op_type == "Softmax":
                fixture[f"layer/{index}/{last.name}"] = scores[-1]
    np.savez_compressed(fixture_path, scores=np.array(scores), **fixture)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
