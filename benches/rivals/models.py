#!/usr/bin/env python3
"""Writes the three float models by which executors are timed, as ONNX with seeded weights.

    benches/rivals/models.py FOLDER

| file | input | what it is | GFLOP |
|---|---|---|---|
| mobilenetv2.onnx | 1×3×224×224 | MobileNetV2 at width 1, batch norms folded, 1,000 classes | 0.6 |
| unet.onnx | 1×3×256×256 | U-Net, 16 to 256 channels, four levels down and up, one sigmoid map | 6.1 |
| encoder.onnx | 1×256×320 | six pre-norm transformer layers, 5 heads, 1,280 hidden, GELU by erf | 4.3 |

Operators are those that exporters write, at opset 17. Weights are random at He's scale, so that
activations stay about 1. The same seed gives the same file.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
SEED = 7


class Net:
    """A graph under construction: every method adds nodes and returns the name of the result."""

    def __init__(self, name, shape):
        self.name, self.shape = name, shape
        self.rng = np.random.default_rng(SEED)
        self.nodes, self.weights = [], []

    def node(self, kind, inputs, **attributes):
        output = f"{kind.lower()}_{len(self.nodes)}"
        node = helper.make_node(kind, inputs, [output], name=output, **attributes)
        self.nodes.append(node)
        return output

    def constant(self, values, dtype=np.float32):
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def noise(self, shape, scale):
        return self.constant(self.rng.standard_normal(shape) * scale)

    def conv(self, x, shape, stride=1, groups=1, gain=2.0):
        """`shape` is outputs, inputs of a group, kernel; padding keeps the size."""
        outputs, inputs, kernel = shape
        weights = self.noise((outputs, inputs, kernel, kernel), (gain / (inputs * kernel**2)) ** 0.5)
        bias = self.noise(outputs, 0.1)
        attributes = dict(kernel_shape=[kernel] * 2, strides=[stride] * 2, group=groups)
        return self.node("Conv", [x, weights, bias], pads=[kernel // 2] * 4, **attributes)

    def linear(self, x, inputs, outputs, gain=1.0):
        product = self.node("MatMul", [x, self.noise((inputs, outputs), (gain / inputs) ** 0.5)])
        return self.node("Add", [self.noise(outputs, 0.02), product])

    def save(self, folder, result, shape):
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(result, TensorProto.FLOAT, shape)],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, folder / f"{self.name}.onnx")


def mobilenetv2(folder):
    net = Net("mobilenetv2", [1, 3, 224, 224])
    limits = [net.constant(0.0), net.constant(6.0)]

    def relu6(x):
        return net.node("Clip", [x, *limits])

    x, inputs = relu6(net.conv("input", (32, 3, 3), stride=2)), 32
    # Expansion, outputs, repeats, stride of the first.
    blocks = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    blocks += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expansion, outputs, repeats, first_stride in blocks:
        for repeat in range(repeats):
            stride, hidden = first_stride if repeat == 0 else 1, inputs * expansion
            y = relu6(net.conv(x, (hidden, inputs, 1))) if expansion > 1 else x
            y = relu6(net.conv(y, (hidden, 1, 3), stride=stride, groups=hidden))
            y = net.conv(y, (outputs, hidden, 1), gain=1.0)
            x = net.node("Add", [x, y]) if stride == 1 and inputs == outputs else y
            inputs = outputs
    x = relu6(net.conv(x, (1280, inputs, 1)))
    x = net.node("Flatten", [net.node("GlobalAveragePool", [x])], axis=1)
    weights, bias = net.noise((1000, 1280), 1280**-0.5), net.noise(1000, 0.1)
    net.save(folder, net.node("Gemm", [x, weights, bias], transB=1), [1, 1000])


def unet(folder):
    net = Net("unet", [1, 3, 256, 256])

    def twice(x, inputs, outputs):
        for depth in (inputs, outputs):
            x = net.node("Relu", [net.conv(x, (outputs, depth, 3))])
        return x

    x, inputs, skips = "input", 3, []
    for outputs in (16, 32, 64, 128):
        x, inputs = twice(x, inputs, outputs), outputs
        skips.append(x)
        x = net.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x, inputs = twice(x, inputs, 256), 256
    for outputs in (128, 64, 32, 16):
        weights = net.noise((inputs, outputs, 2, 2), (1.0 / inputs) ** 0.5)
        operands = [x, weights, net.noise(outputs, 0.1)]
        x = net.node("ConvTranspose", operands, kernel_shape=[2, 2], strides=[2, 2])
        x = twice(net.node("Concat", [skips.pop(), x], axis=1), 2 * outputs, outputs)
        inputs = outputs
    x = net.node("Sigmoid", [net.conv(x, (1, inputs, 1), gain=1.0)])
    net.save(folder, x, [1, 1, 256, 256])


def encoder(folder):
    tokens, width, heads, hidden, layers = 256, 320, 5, 1280, 6
    net = Net("encoder", [1, tokens, width])

    def norm(x):
        gamma, beta = net.constant(1 + 0.1 * net.rng.standard_normal(width)), net.noise(width, 0.1)
        return net.node("LayerNormalization", [x, gamma, beta], axis=-1, epsilon=1e-5)

    def gelu(x):
        inner = net.node("Erf", [net.node("Div", [x, net.constant(2**0.5)])])
        inner = net.node("Mul", [x, net.node("Add", [inner, net.constant(1.0)])])
        return net.node("Mul", [inner, net.constant(0.5)])

    split = net.constant([1, tokens, heads, width // heads], np.int64)
    joined = net.constant([1, tokens, width], np.int64)
    scale = net.constant((width // heads) ** 0.5)

    def head(x, perm):
        x = net.node("Reshape", [net.linear(x, width, width), split])
        return net.node("Transpose", [x], perm=perm)

    x = "input"
    for _ in range(layers):
        y = norm(x)
        q, k, v = (head(y, perm) for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
        scores = net.node("Div", [net.node("MatMul", [q, k]), scale])
        y = net.node("MatMul", [net.node("Softmax", [scores], axis=-1), v])
        y = net.node("Reshape", [net.node("Transpose", [y], perm=[0, 2, 1, 3]), joined])
        x = net.node("Add", [x, net.linear(y, width, width)])
        y = gelu(net.linear(norm(x), width, hidden))
        x = net.node("Add", [x, net.linear(y, hidden, width)])
    net.save(folder, norm(x), [1, tokens, width])


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    folder = arguments.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for make in (mobilenetv2, unet, encoder):
        make(folder)


if __name__ == "__main__":
    main()
