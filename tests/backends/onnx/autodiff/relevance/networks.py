"""Networks exported by torch, and backward rules written as torch functions in float64."""

import io
import warnings

import numpy as np
import onnx
import torch
from crosslens import wrap
from crosslens.model import InputSpec

__all__ = ["exported", "gradient", "with_rule"]


def exported(net, shape, opset=18, preset=None):
    """The network as an ONNX model whose input has this shape, without preprocessing."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's older exporter
        torch.onnx.export(
            net.eval().float(), torch.rand(2, *shape), buffer, dynamo=False, input_names=["x"], opset_version=opset,
            dynamic_axes=None if preset else {"x": {0: "N"}},
        )  # fmt: skip
    return wrap(onnx.load_from_string(buffer.getvalue()), input_shape=InputSpec.latent(shape))


def with_rule(f, backward):
    """f as a torch function of float64 whose cotangent of x is `backward(x, dy, f, derivative)`."""

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return f(x)

        @staticmethod
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            with torch.enable_grad():
                u = x.detach().requires_grad_()
                (derivative,) = torch.autograd.grad(f(u).sum(), u)
            return backward(x, dy, f, derivative)

    return Function.apply


def gradient(run, x, dy):
    """Of sum(dy run(x)) at x, in float64."""
    u = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    (got,) = torch.autograd.grad(run(u), u, torch.tensor(dy, dtype=torch.float64))
    return got.numpy()


def close(got, want, by=1e-5):
    np.testing.assert_allclose(got, want, rtol=0, atol=by * np.abs(want).max())
