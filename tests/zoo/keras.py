"""The zoo in Keras, functional, channels last."""

import keras
from keras import layers


def conv(step, x):
    out, width, size, _ = step.weights["kernel"].shape
    if step.pad:
        x = layers.ZeroPadding2D(step.pad, name=f"{step.name}_pad")(x)
    bias = "bias" in step.weights
    if step.groups > 1:
        assert width == 1, "TensorFlow has no gradient of other groups on the CPU"
        return layers.DepthwiseConv2D(size, step.stride, use_bias=bias, name=step.name)(x)
    return layers.Conv2D(out, size, step.stride, use_bias=bias, name=step.name)(x)


LAYERS = {
    "norm": lambda s: layers.BatchNormalization(epsilon=1e-3, name=s.name),
    "linear": lambda s: layers.Dense(len(s.weights["bias"]), name=s.name),
    "silu": lambda s: layers.Activation("silu", name=s.name),
    "gelu": lambda s: layers.Activation("gelu", name=s.name),
    "relu": lambda s: layers.ReLU(name=s.name),
    "relu6": lambda s: layers.ReLU(max_value=6, name=s.name),
    "leaky_relu": lambda s: layers.LeakyReLU(negative_slope=s.slope, name=s.name),
    "avg_pool": lambda s: layers.AveragePooling2D(s.size, s.stride, name=s.name),
    "max_pool": lambda s: layers.MaxPooling2D(s.size, s.stride, name=s.name),
    "gap": lambda s: layers.GlobalAveragePooling2D(name=s.name),
}
NAMES = ("kernel", "scale", "offset", "bias", "mean", "variance")


def apply(step, inputs):
    if step.kind == "conv":
        return conv(step, *inputs)
    if step.kind == "add":
        return layers.Add(name=step.name)(inputs)
    if step.kind == "concat":
        return layers.Concatenate(name=step.name)(inputs)
    return LAYERS[step.kind](step)(*inputs)


def stored(step):
    """A step's weights in Keras' order and layout: kernels (kh, kw, in, out), depthwise (kh, kw, in, 1)."""
    for name in [name for name in NAMES if name in step.weights]:
        values = step.weights[name]
        if name == "kernel":
            values = (
                values.transpose((2, 3, 0, 1) if step.groups > 1 else (2, 3, 1, 0)) if values.ndim == 4 else values.T
            )
        yield values


def build(plan, shape):
    """A functional model whose layers are called as the plan's steps."""
    x = keras.Input((*shape[1:], shape[0]))
    found = {plan[0].reads[0]: x}
    for step in plan:
        found[step.name] = apply(step, [found[name] for name in step.reads])
    net = keras.Model(x, found[plan[-1].name])
    for step in plan:
        net.get_layer(step.name).set_weights(list(stored(step)))
    return net


def state(net):
    """Weights, flags, what `call` is, and the settings of Keras and TensorFlow."""
    return {
        "weights": [values.tobytes() for values in net.get_weights()],
        "trainable": [layer.trainable for layer in net.layers],
        "call": ["call" in vars(layer) for layer in net.layers],
        "attributes": [sorted(vars(layer)) for layer in net.layers],
        "settings": (keras.config.floatx(), keras.config.image_data_format(), keras.config.dtype_policy().name),
    }
