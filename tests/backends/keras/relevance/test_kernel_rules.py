"""Kernel rules in TensorFlow, against the table of `KernelRule` written with each layer's map as a matrix."""

import crosslens
import keras
import numpy as np
import pytest
import tensorflow as tf
from crosslens import INPUT, OUTPUT
from crosslens.errors import ModelError
from crosslens.model.kernel_rules import Branch, KernelRule
from crosslens.model.layer import ABSORBED

L = keras.layers
RANDOM = np.random.default_rng(0)


def normal(shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


LAYERS = {
    "conv": (lambda: L.Conv2D(4, 3, strides=2, padding="same", name="k"), (7, 6, 3)),
    "conv, no bias": (lambda: L.Conv2D(4, 3, use_bias=False, name="k"), (5, 5, 3)),
    "conv, dilated": (lambda: L.Conv2D(4, 3, dilation_rate=2, padding="same", name="k"), (6, 6, 3)),
    "conv in groups": (lambda: L.Conv2D(4, 3, groups=2, padding="same", name="k"), (5, 4, 2)),
    "conv 1-d, causal": (lambda: L.Conv1D(4, 3, padding="causal", name="k"), (6, 3)),
    "conv 1-d, dilated": (lambda: L.Conv1D(4, 3, dilation_rate=2, padding="same", name="k"), (6, 3)),
    "conv 3-d, channels first": (
        lambda: L.Conv3D(4, 2, padding="same", data_format="channels_first", name="k"),
        (3, 5, 2, 6),
    ),
    "depthwise, channels first": (
        lambda: L.DepthwiseConv2D(3, padding="same", data_format="channels_first", name="k"),
        (3, 5, 7),
    ),
    "conv 3-d": (lambda: L.Conv3D(3, 2, strides=2, padding="same", name="k"), (5, 4, 3, 2)),
    "depthwise": (lambda: L.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same", name="k"), (5, 5, 3)),
    "depthwise 1-d": (lambda: L.DepthwiseConv1D(3, depth_multiplier=2, name="k"), (5, 3)),
    "depthwise, strides and dilation": (
        lambda: L.DepthwiseConv2D(3, strides=2, dilation_rate=2, padding="same", name="k"),
        (7, 7, 3),
    ),
    "transposed": (lambda: L.Conv2DTranspose(4, 3, strides=2, padding="same", name="k"), (3, 4, 3)),
    "transposed 1-d": (lambda: L.Conv1DTranspose(4, 3, strides=2, name="k"), (4, 3)),
    "transposed 3-d": (lambda: L.Conv3DTranspose(2, 2, strides=2, name="k"), (2, 2, 2, 4)),
    "dense": (lambda: L.Dense(4, name="k"), (5,)),
    "dense on tokens": (lambda: L.Dense(4, name="k"), (3, 5)),
    "dense on maps": (lambda: L.Dense(4, name="k"), (2, 3, 5)),
    "einsum": (lambda: L.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de", name="k"), (4, 5)),
    "einsum, turned": (lambda: L.EinsumDense("abc,dec->abed", (None, 2, 3), bias_axes="ed", name="k"), (4, 5)),
    "einsum, two axes in": (lambda: L.EinsumDense("abcd,cde->abe", (None, 5), bias_axes="e", name="k"), (3, 2, 4)),
    "einsum, dots": (lambda: L.EinsumDense("...x,xy->...y", 4, bias_axes="y", name="k"), (3, 5)),
}


class Linear:
    """A layer as a matrix for any kernel, one column for each number of its input; float64."""

    def __init__(self, layer, shape):
        self.layer = layer.__class__.from_config(layer.get_config() | {"name": "copy", "dtype": "float64"})
        self.layer.build((None, *shape))
        self.shape = shape
        for variable in self.layer.weights:
            variable.assign(np.zeros(variable.shape))

    def matrix(self, kernel):
        """K (outputs, inputs); the kernel is in Keras' layout."""
        self.layer.kernel.assign(kernel)
        basis = np.eye(int(np.prod(self.shape))).reshape(-1, *self.shape)
        return np.asarray(self.layer(basis)).reshape(len(basis), -1).T

    def along_outputs(self, layer, values):
        """One number for each output channel at each of the outputs; by a bias, which `values` is one of."""
        if getattr(self.layer, "bias", None) is None:
            with_bias = layer.get_config() | {"name": "copy", "dtype": "float64", "use_bias": True}
            other = layer.__class__.from_config(with_bias)
            other.build((None, *self.shape))
        else:
            other = self.layer
        other.kernel.assign(np.zeros(other.kernel.shape))
        other.bias.assign(np.reshape(values, other.bias.shape))
        y = np.asarray(other(np.zeros((1, *self.shape)))).reshape(-1)
        other.bias.assign(np.zeros(other.bias.shape))
        return y


def native_kernel(model, name, values):
    """A kernel of the layout of `Model.weights` as Keras has it."""
    weights = model.network.weights_of(model._tensors[name])
    return weights["kernel"].inside(values)


def table(rule, layer, shape, model, x, dy):
    """The equations of `crosslens.model.kernel_rules`, one image after another: dx, and both accounts."""
    linear = Linear(layer, shape)

    def out(values):
        if isinstance(layer, L.EinsumDense):  # its bias may have other axes than its kernel has outputs
            rows = np.repeat(np.reshape(values, (-1, 1)), model.weights("k")["kernel"].shape[1], 1)
            return linear.matrix(native_kernel(model, "k", rows)) @ np.ones(np.prod(shape)) / rows.shape[1]
        return linear.along_outputs(layer, np.asarray(values, np.float64))

    K = linear.matrix(np.asarray(layer.kernel, np.float64))
    bias = linear.along_outputs(layer, layer.bias) if getattr(layer, "bias", None) is not None else 0
    ones = np.ones(len(model.weights("k")["kernel"]))
    g, s = (out(ones if rule.gain is None else rule.gain), out(0 * ones if rule.shift is None else rule.shift))
    gradients, accounts = [], []
    for x_n, dy_n in zip(x.reshape(len(x), -1).astype(np.float64), dy.reshape(len(dy), -1), strict=True):
        z = g * (K @ x_n + bias) + s
        relevance = np.where(g == 0, 0, np.divide(z * dy_n, g, out=np.zeros_like(z), where=g != 0))
        dx, taken, passed = np.zeros_like(x_n), 0.0, 0.0
        for branch in rule.branches:
            side = {"any": np.ones_like(z, bool), "positive": z > 0, "negative": z < 0}[branch.side]
            mine = np.where(side, relevance, 0)
            y, parts = (0.0 if branch.kernels else z), []
            for signs, kernel in branch.kernels:
                matrix = linear.matrix(np.asarray(native_kernel(model, "k", kernel), np.float64))
                if isinstance(signs, str):
                    mask = {"any": x_n == x_n, "positive": x_n > 0, "negative": x_n < 0}[signs]
                    u = np.where(mask, x_n, 0)
                else:
                    mask = np.zeros_like(x_n)
                    u = np.array(np.broadcast_to(np.reshape(signs, (*[1] * (len(shape) - 1), -1)), shape))
                    for axis, (low, high) in enumerate(rule.border):
                        u.swapaxes(0, axis)[:low] = 0
                        u.swapaxes(0, axis)[shape[axis] - high :] = 0
                    u = u.reshape(-1)
                parts.append((matrix, u, mask))
                y = y + matrix @ u
            y = y if branch.bias is None or not branch.kernels else y + out(branch.bias)
            stabilised = y + rule.stabiliser * np.where(y >= 0, 1, -1)
            share = np.divide(mine, stabilised, out=np.zeros_like(y), where=stabilised != 0)
            for matrix, u, mask in parts or [(K, x_n, 1)]:
                carried = share if parts else share * g
                dx += branch.weight * (u if rule.local else mask) * (matrix.T @ carried)
            taken += branch.weight * (share * (0 if branch.bias is None else out(branch.bias))).sum()
            passed += branch.weight * (share * y).sum()
        gradients.append(dx)
        accounts.append((taken, relevance.sum() - passed))
    return np.reshape(gradients, x.shape), np.array(accounts)


def kernels(model, count):
    return [normal(model.weights("k")["kernel"].shape) for _ in range(count)]


def alpha_beta(model):
    """Two branches of two kernels, each on one side, with biases and a normalisation behind."""
    a, b, c, d = kernels(model, 4)
    out = len(a)
    gain = normal(out)
    gain[0] = 0
    return KernelRule(
        (
            Branch((("positive", a), ("negative", b)), 2.0, normal(out), "positive"),
            Branch((("negative", c), ("any", d)), -1.0, None, "negative"),
        ),
        0.05,
        gain,
        normal(out),
    )


RULES = {
    "own": lambda model: KernelRule((Branch(),), 0.25),
    "own with gain": lambda model: KernelRule(
        (Branch(weight=0.5, bias=normal(len(kernels(model, 1)[0]))),),
        0.25,
        normal(len(kernels(model, 1)[0])),
        normal(len(kernels(model, 1)[0])),
    ),
    "one kernel": lambda model: KernelRule((Branch((("any", kernels(model, 1)[0]),)),), 1e-3),
    "alpha and beta": alpha_beta,
    "own and a kernel": lambda model: KernelRule(
        (Branch(side="negative"), Branch((("positive", kernels(model, 1)[0]),), side="positive")), 0.1
    ),
    "local": lambda model: KernelRule((Branch((("any", kernels(model, 1)[0]),)), Branch(weight=0.5)), 0.1, local=True),
}


def wrapped(layer, shape):
    net = keras.Sequential([keras.Input(shape), layer])
    for variable in layer.weights:
        variable.assign(normal(variable.shape))
    return crosslens.wrap(net, preprocess=None, bounds=None)


def channels_last(values):
    """As Keras stores it: channels last."""
    return np.moveaxis(values, 1, -1) if values.ndim > 3 else values


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("form", LAYERS)
def test_each_kind_of_layer_obeys_the_table(form, rule):
    build, shape = LAYERS[form]
    layer = build()
    model = wrapped(layer, shape)
    made = RULES[rule](model)
    x = normal((2, *model.input.example_shape))
    y = model.forward(x)[OUTPUT]
    dy = normal(y.shape)
    native = np.asarray if "first" in form else channels_last
    pull = model.modified(kernels={"k": made}).vjp(x, {OUTPUT: dy}, wrt=[INPUT, ABSORBED])
    expected, accounts = table(made, layer, shape, model, native(x), native(dy))
    got = native(pull.gradients[INPUT])
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=2e-5 * np.abs(expected).max())
    assert model.weights("k").get("bias", kernels(model, 1)[0][:, 0]).shape[0] == len(kernels(model, 1)[0])
    absorbed = pull.gradients[ABSORBED]
    assert absorbed.shape == (2, 2)
    assert absorbed.dtype == np.float32
    np.testing.assert_allclose(absorbed, accounts, rtol=1e-3, atol=1e-4 * np.abs(accounts).max())


@pytest.mark.parametrize("border", [(), ((1, 2), (0, 1))])
def test_constants_take_the_place_of_the_input_where_the_layer_has_no_border(border):
    """Two kernels of a box rule (Montavon et al. 2019): x - low where a kernel is positive, x - high elsewhere."""
    layer = L.Conv2D(4, 3, padding="same", name="k")
    model = wrapped(layer, (5, 4, 3))
    kernel = model.weights("k")["kernel"]
    low, high = np.full(3, -2.0, np.float32), np.full(3, 3.0, np.float32)
    box = (("any", kernel), (low, -np.maximum(kernel, 0)), (high, -np.minimum(kernel, 0)))
    rule = KernelRule((Branch(box),), 1e-4, local=True, border=border)
    x, dy = normal((2, 3, 5, 4)), normal((2, 4, 5, 4))
    got = model.modified(kernels={"k": rule}).vjp(x, {OUTPUT: dy}).gradients[INPUT]
    expected, _ = table(rule, layer, (5, 4, 3), model, channels_last(x), channels_last(dy))
    np.testing.assert_allclose(channels_last(got), expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def test_a_branch_of_its_own_with_no_stabiliser_is_the_gradient():
    net = keras.Sequential([keras.Input((6, 6, 3)), L.Conv2D(4, 3, activation="relu", name="k"), L.Flatten()])
    model = crosslens.wrap(keras.Sequential([net, L.Dense(2, name="d")]), preprocess=None, bounds=None)
    x, dy = normal((2, 3, 6, 6)), normal((2, 2))
    names = [name for name in model.layers if model.weights(name)] if model.layers else []
    ruled = model.modified(kernels={name: KernelRule((Branch(),)) for name in names})
    exact, got = (each.vjp(x, {OUTPUT: dy}, wrt=[INPUT, names[0]]).gradients for each in (model, ruled))
    for name, gradient in exact.items():
        np.testing.assert_allclose(got[name], gradient, rtol=1e-6, atol=1e-7)


def test_the_output_is_that_of_the_linear_map_and_not_of_the_activation_in_the_same_layer():
    layer = L.Conv2D(4, 3, activation="tanh", name="k")
    model = wrapped(layer, (5, 5, 3))
    x, dy = normal((2, 3, 5, 5)), normal((2, 4, 3, 3))
    y = model.forward(x)[OUTPUT]
    got = model.modified(kernels={"k": KernelRule((Branch(),), 0.25)}).vjp(x, {OUTPUT: dy}).gradients[INPUT]
    linear = L.Conv2D(4, 3, name="k")
    expected, _ = table(
        KernelRule((Branch(),), 0.25),
        copied(layer, linear, (5, 5, 3)),
        (5, 5, 3),
        model,
        channels_last(x),
        channels_last(dy * (1 - y * y)),
    )
    np.testing.assert_allclose(channels_last(got), expected, rtol=1e-3, atol=1e-5)


def copied(layer, other, shape):
    other.build((None, *shape))
    for variable, value in zip(other.weights, layer.weights, strict=True):
        variable.assign(value)
    return other


def test_each_run_of_a_layer_has_a_rule_of_its_own():
    layer = L.Dense(5, name="k")
    image = keras.Input((5,))
    model = crosslens.wrap(keras.Model(image, layer(L.Activation("tanh", name="t")(layer(image)))), bounds=None)
    layer.kernel.assign(normal((5, 5)))
    layer.bias.assign(normal(5))
    x, dy = normal((2, 5)), normal((2, 5))
    second = KernelRule((Branch(),), 0.3)
    got = model.modified(kernels={"k#2": second}).vjp(x, {OUTPUT: dy}, wrt=["t", INPUT]).gradients
    maps = model.forward(x, ["t", "k#2"])
    K, z = np.asarray(layer.kernel, np.float64).T, maps["k#2"]
    at_t = (dy * z / (z + 0.3 * np.where(z >= 0, 1, -1))) @ K
    np.testing.assert_allclose(got["t"], at_t, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got[INPUT], (at_t * (1 - maps["t"] ** 2)) @ K, rtol=1e-4, atol=1e-5)


def test_a_changed_network_has_its_own_kernels_and_the_original_stays_exact():
    layer = L.Dense(4, name="k")
    model = wrapped(layer, (5,))
    x, dy = normal((2, 5)), normal((2, 4))
    before = model.vjp(x, {OUTPUT: dy}).gradients[INPUT]
    ruled = model.modified(kernels={"k": KernelRule((Branch(),), 0.3)})
    other = ruled.randomised(["k"], 0)
    K, z = other.weights("k")["kernel"], other.forward(x)[OUTPUT]
    expected = (dy * z / (z + 0.3 * np.where(z >= 0, 1, -1))) @ K
    np.testing.assert_allclose(other.vjp(x, {OUTPUT: dy}).gradients[INPUT], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(model.vjp(x, {OUTPUT: dy}).gradients[INPUT], before)


class Looped(L.Layer):
    """Uses its kernel within a loop."""

    def build(self, shape):
        self.kernel = self.add_weight(name="kernel", shape=(shape[-1], shape[-1]))

    def call(self, x):
        return tf.while_loop(lambda n, _: n < 2, lambda n, x: (n + 1, x @ self.kernel), (0, x), maximum_iterations=2)[1]


class Own(Looped):
    """The network's own code: an activation before the product, whose parts are layers too."""

    def call(self, x):
        return tf.tanh(tf.tanh(x) @ self.kernel)


def test_tensors_within_a_layer_of_the_networks_own_have_one_gradient_each():
    layer = Own(name="k")
    model = crosslens.wrap(keras.Sequential([keras.Input((5,)), layer]), bounds=None)
    layer.kernel.assign(normal((5, 5)))
    names = [name for name in model.layers if name.startswith("k/")]
    assert len(names) == 2, names
    x, dy = normal((2, 5)), normal((2, 5))
    got = (
        model.modified(kernels={"k": KernelRule((Branch(),), 0.3)}).vjp(x, {OUTPUT: dy}, wrt=[*names, INPUT]).gradients
    )
    a = np.tanh(x.astype(np.float64))
    z = a @ np.asarray(layer.kernel)
    at_z = dy * (1 - np.tanh(z) ** 2)
    at_a = (at_z * z / (z + 0.3 * np.where(z >= 0, 1, -1))) @ np.asarray(layer.kernel).T
    for name, expected in ((names[0], at_a), (names[1], at_z), (INPUT, at_a * (1 - a**2))):
        np.testing.assert_allclose(got[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)


class Called(Looped):
    """Uses its kernel within a `tf.function`."""

    def call(self, x):
        return tf.function(lambda: x @ self.kernel)()


def test_what_is_absorbed_counts_every_layer_whatever_else_is_asked():
    net = keras.Sequential([keras.Input((5,)), L.Dense(4, name="a"), L.ReLU(), L.Dense(3, name="b")])
    for variable in net.weights:
        variable.assign(normal(variable.shape))
    model = crosslens.wrap(net, bounds=None)
    biases = {name: Branch(bias=model.weights(name)["bias"]) for name in "ab"}
    ruled = model.modified(kernels={name: KernelRule((branch,), 0.3) for name, branch in biases.items()})
    x, dy = normal((2, 5)), normal((2, 3))
    asked = [[INPUT, ABSORBED], [ABSORBED], ["b", ABSORBED], ["a", "b", ABSORBED]]
    first, *others = (ruled.vjp(x, {OUTPUT: dy}, wrt=wrt).gradients for wrt in asked)
    y = model.forward(x)[OUTPUT]
    shared = (x * first[INPUT]).sum(1) + first[ABSORBED].sum(1)
    np.testing.assert_allclose(shared, (y * dy).sum(1), rtol=1e-4, atol=1e-5)
    for each in others:
        np.testing.assert_allclose(each[ABSORBED], first[ABSORBED], rtol=1e-5, atol=1e-6)
    nothing = ruled.vjp(x, {}, wrt=[ABSORBED]).gradients[ABSORBED]
    np.testing.assert_array_equal(nothing, np.zeros((2, 2)))


@pytest.mark.parametrize("kind", [Looped, Called])
def test_a_kernel_within_a_loop_is_refused_at_once(kind):
    model = crosslens.wrap(keras.Sequential([keras.Input((5,)), kind(name="k")]), bounds=None)
    with pytest.raises(ModelError, match=r"cannot reach the linear map of layer 'k': its kernel is used within a loop"):
        model.modified(kernels={"k": KernelRule((Branch(),), 0.1)})


def test_separable_convolutions_have_the_rule_at_their_last_kernel():
    layer = L.SeparableConv2D(4, 3, padding="same", name="k")
    model = wrapped(layer, (5, 6, 3))
    rule = KernelRule((Branch((("positive", normal((4, 3, 1, 1))),), bias=normal(4)),), 0.1)
    x, dy = normal((2, 3, 5, 6)), normal((2, 4, 5, 6))
    got = model.modified(kernels={"k": rule}).vjp(x, {OUTPUT: dy}).gradients[INPUT]
    first = L.DepthwiseConv2D(3, padding="same", use_bias=False, name="first")
    last = L.Conv2D(4, 1, name="k")
    two = crosslens.wrap(keras.Sequential([keras.Input((5, 6, 3)), first, last]), preprocess=None, bounds=None)
    for variable, value in zip([*first.weights, *last.weights], layer.weights, strict=True):
        variable.assign(value)
    middle = channels_last(two.forward(x, ["first"])["first"])
    expected, _ = table(rule, last, (5, 6, 3), two, middle, channels_last(dy))
    expected = two.vjp(x, {"first": np.moveaxis(expected, -1, 1).astype(np.float32)}).gradients[INPUT]
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def test_captums_linear_networks_give_its_published_relevance():
    """Captum's SimpleLRP (tests/attr/test_lrp.py): two layers of weights 1 to 3 and 1, at [1, 2, 3]: 18, 36, 54."""
    first, last = (L.Dense(n, use_bias=False, name=name) for n, name in ((3, "a"), (1, "b")))
    net = keras.Sequential([keras.Input((3,)), first, last])
    first.kernel.assign(np.ones((3, 3)))
    last.kernel.assign(np.full((3, 1), 6.0))
    model = crosslens.wrap(net, bounds=None)
    x = np.array([[1, 2, 3]], np.float32)
    epsilon = KernelRule((Branch(),), 1e-9)
    got = model.modified(kernels={"a": epsilon, "b": epsilon}).vjp(x, {OUTPUT: np.ones((1, 1), np.float32)})
    np.testing.assert_allclose(x * got.gradients[INPUT], [[18, 36, 54]], rtol=1e-6)


def test_a_saved_model_obeys_the_table_at_its_operations(tmp_path):
    net = keras.Sequential([keras.Input((5, 4, 3)), L.Conv2D(4, 3, name="k"), L.Activation("tanh"), L.Flatten()])
    net.export(tmp_path / "net", verbose=False)
    model, saved = (
        crosslens.wrap(net, preprocess=None, bounds=None),
        crosslens.wrap(tmp_path / "net", bounds=None, preprocess=None),
    )
    (name,) = [name for name in saved.layers if "kernel" in saved.weights(name)]
    rule = KernelRule((Branch((("positive", normal((4, 3, 3, 3))),)), Branch(side="negative")), 0.2)
    x, dy = normal((2, 3, 5, 4)), normal(model.forward(normal((2, 3, 5, 4)))[OUTPUT].shape)
    got, expected = (
        m.modified(kernels={n: rule}).vjp(x, {OUTPUT: dy}, wrt=[INPUT, ABSORBED]).gradients
        for m, n in ((saved, name), (model, "k"))
    )
    np.testing.assert_allclose(got[INPUT], expected[INPUT], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(got[ABSORBED], expected[ABSORBED], rtol=1e-3, atol=1e-4)
