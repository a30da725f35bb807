"""Writes `dynamic.onnx`, whose output has a length that its input decides: tract runs it, and no plan can hold it.

    python make_dynamic.py

needs onnx.
"""

import pathlib

from onnx import TensorProto, helper

nodes = [
    helper.make_node("NonZero", ["x"], ["places"], "find"),
    helper.make_node("Cast", ["places"], ["y"], "cast", to=TensorProto.FLOAT),
]
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, "found"])
graph = helper.make_graph(nodes, "dynamic", [x], [y])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
pathlib.Path(__file__).with_name("dynamic.onnx").write_bytes(model.SerializeToString())
