"""An affine network of two classes, whose least changes have a closed form."""

import crosslens
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SHAPE = (1, 6, 6)


class Affine:
    """z = W x + b, and the distances from its border."""

    def __init__(self, seed, labels=("no", "yes"), turned=0.0):
        """`turned` mixes in other weights: 0 for none."""
        rng = np.random.default_rng(seed)
        w = rng.normal(0, 1, (2, 36)) + turned * np.random.default_rng(99).normal(0, 1, (2, 36))
        self.w = w.astype(np.float32)
        self.b = (-self.w @ np.full(36, 0.5)).astype(np.float32)
        self.labels = labels

    def model(self, **options):
        nodes = [
            helper.make_node("Flatten", ["x"], ["flat"]),
            helper.make_node("Gemm", ["flat", "w", "b"], ["z"], transB=1),
        ]
        weights = [numpy_helper.from_array(self.w, "w"), numpy_helper.from_array(self.b, "b")]
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *SHAPE])
        z = helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 2])
        graph = helper.make_graph(nodes, "affine", [x], [z], weights)
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(proto)
        return crosslens.wrap(proto, output_kind="logits", preprocess=None, labels=list(self.labels), **options)

    def margin(self, x):
        """(N,): logit 1 minus logit 0."""
        z = x.reshape(len(x), -1).astype(np.float64) @ self.w.T.astype(np.float64) + self.b
        return z[:, 1] - z[:, 0]

    def radii(self, x, norm):
        """(N,): the distance to the border, |f| / |w|_q with q the dual of the norm."""
        w = np.float64(self.w[1]) - self.w[0]
        dual = {"linf": abs(w).sum(), "l2": np.sqrt((w**2).sum()), "l1": abs(w).max()}[norm]
        return abs(self.margin(x)) / dual


def pictures(count, seed=1):
    """Far from black and white, so that bounds do not matter for small changes."""
    return np.random.default_rng(seed).uniform(0.35, 0.65, (count, *SHAPE)).astype(np.float32)
