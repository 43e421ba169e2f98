"""Learned priors: each on three frameworks with the same networks, resumed bit by bit, and what each refuses."""

import json

import numpy as np
import pytest
from crosslens import InputSpec, method, wrap
from crosslens.errors import CrosslensError
from crosslens.objective import channel
from crosslens.testing import TinyModel

MODEL = TinyModel(size=8)
RNG = np.random.default_rng(0)
DRAWN = {
    "dense": RNG.normal(0, 0.5, (192, 5)),
    "start": RNG.normal(0, 0.1, 192),
    "conv": RNG.normal(0, 0.4, (4, 3, 3, 3)),
    "code": RNG.normal(0, 0.8, (5, 4)),
    "clean": RNG.normal(0, 0.2, (3, 3, 3, 3)),
}
WEIGHTS = {name: values.astype(np.float32) for name, values in DRAWN.items()}
"""A generator sigmoid(W z + b) of (3, 8, 8), an encoder conv - tanh - mean - linear, a denoiser of one convolution."""


def torch_networks():
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    nets = {
        "generator": nn.Sequential(nn.Linear(5, 192), nn.Sigmoid(), nn.Unflatten(1, (3, 8, 8))),
        "encoder": nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Tanh(), Mean(), nn.Linear(4, 5, bias=False)),
        "denoiser": nn.Sequential(nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.Sigmoid()),
    }
    given = {"generator": ("dense", "start"), "encoder": ("conv", "code"), "denoiser": ("clean",)}
    for name, net in nets.items():
        for parameter, key in zip(net.parameters(), given[name], strict=True):
            parameter.data = torch.from_numpy(WEIGHTS[key].copy())
    return {name: (net.eval(), "3") for name, net in nets.items()}


def keras_networks():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    code = keras.Input((5,))
    maps = layers.Permute((2, 3, 1))(layers.Reshape((3, 8, 8))(layers.Dense(192, "sigmoid")(code)))
    generator = keras.Model(code, maps)
    generator.set_weights([WEIGHTS["dense"].T, WEIGHTS["start"]])
    picture = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="tanh", use_bias=False)(picture))
    encoder = keras.Model(picture, layers.Dense(5, use_bias=False, name="code")(x))
    encoder.set_weights([WEIGHTS["conv"].transpose(2, 3, 1, 0), WEIGHTS["code"].T])
    same = layers.Conv2D(3, 3, padding="same", activation="sigmoid", use_bias=False)
    denoiser = keras.Model(picture, same(picture))
    denoiser.set_weights([WEIGHTS["clean"].transpose(2, 3, 1, 0)])
    return {"generator": (generator, ""), "encoder": (encoder, "code"), "denoiser": (denoiser, "")}


def onnx_networks():
    onnx = pytest.importorskip("onnx")
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info

    def net(shape, *nodes, **more):
        arrays = {**{name: WEIGHTS[name] for name in WEIGHTS if any(name in n.input for n in nodes)}, **more}
        constants = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
        ends = [value("x", 1, ["n", *shape])], [value("y", 1, None)]
        graph = onnx.helper.make_graph(nodes, "net", *ends, constants)
        return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)

    generator = net(
        (5,), node("Gemm", ["x", "dense", "start"], ["z"], transB=1), node("Sigmoid", ["z"], ["p"]),
        node("Reshape", ["p", "to"], ["y"]), to=np.asarray([-1, 3, 8, 8]),
    )  # fmt: skip
    encoder = net(
        (3, 8, 8), node("Conv", ["x", "conv"], ["c"]), node("Tanh", ["c"], ["t"]),
        node("GlobalAveragePool", ["t"], ["m"]), node("Flatten", ["m"], ["f"]),
        node("Gemm", ["f", "code"], ["y"], transB=1),
    )  # fmt: skip
    denoiser = net((3, 8, 8), node("Conv", ["x", "clean"], ["c"], pads=[1] * 4), node("Sigmoid", ["c"], ["y"]))
    return {"generator": (generator, ""), "encoder": (encoder, "<output>"), "denoiser": (denoiser, "")}


FRAMEWORKS = {"torch": torch_networks, "keras": keras_networks, "onnx": onnx_networks}


def priors(framework):
    """The parameters of each prior, with networks of this framework."""
    nets = FRAMEWORKS[framework]()
    picture = InputSpec((3, 8, 8))
    made = wrap(nets["generator"][0], preprocess=None, input_shape=InputSpec.latent((5,)))
    coder = wrap(nets["encoder"][0], preprocess=None, input_shape=picture)
    cleaner = wrap(nets["denoiser"][0], preprocess=None, input_shape=picture)
    codes = {"generator": made, "encoder": coder, "code_layer": nets["encoder"][1] or None}
    return {
        "dgn_am": {"generator": made},
        "ppgn": {**codes, "epsilon1": 0.5, "epsilon3": 0.01, "learning_rate": 0.2},
        "denoiser": {"denoiser": cleaner, "sigma": 0.3, "epsilon1": 1.0},
    }


def maximise(prior, framework="torch", target=1, name="activation_maximisation", **settings):
    chosen = {"prior": prior, "steps": 6, **priors(framework)[prior], **settings}
    return method(name, **chosen)(MODEL, None, target)


@pytest.mark.parametrize("prior", ["dgn_am", "ppgn", "denoiser"])
def test_a_prior_gives_the_same_picture_whatever_framework_its_networks_are_in(prior):
    pytest.importorskip("torch")
    expected = maximise(prior).images
    for framework in ("keras", "onnx"):
        np.testing.assert_allclose(maximise(prior, framework).images, expected, atol=2e-4)


@pytest.mark.parametrize("prior", ["dgn_am", "ppgn", "denoiser"])
def test_every_step_of_a_prior_can_be_gone_on_from_bit_by_bit(prior, tmp_path, monkeypatch):
    whole = maximise(prior, every=1)
    assert list(whole.snapshots) == [1, 2, 3, 4, 5, 6]
    for step in (1, 4):
        path = interrupted_after(step, prior, tmp_path)
        again = maximise(prior, every=1, resume=path)
        np.testing.assert_array_equal(again.state["0_parameters"], whole.state["0_parameters"])
        np.testing.assert_array_equal(again.history, whole.history)


def interrupted_after(step, prior, folder):
    """A run that ctrl-C ended after so many steps."""

    def stop(done, total, what):
        if done == step:
            raise KeyboardInterrupt

    chosen = {"prior": prior, "steps": 6, "every": 1, **priors("torch")[prior]}
    made = method("activation_maximisation", **chosen)(MODEL, None, 1, progress=stop)
    assert f"interrupted after {step} of 6 steps" in " ".join(made.notes)
    return made.save(folder / f"{step}.npz")


def test_more_steps_of_a_falling_rate_are_another_run_and_so_is_another_network(tmp_path):
    path = interrupted_after(3, "dgn_am", tmp_path)
    with pytest.raises(CrosslensError, match="another run: it had steps 6, not 9"):
        maximise("dgn_am", steps=9, resume=path)
    path = interrupted_after(3, "ppgn", tmp_path)
    assert len(maximise("ppgn", steps=9, resume=path).history) == 9


def test_provenance_holds_the_digest_of_each_network():
    found = maximise("ppgn")
    nets = priors("torch")["ppgn"]
    assert found.provenance["networks"] == {name: nets[name].digest for name in ("generator", "encoder")}
    assert json.dumps(found.provenance["networks"])
    assert list(maximise("denoiser").provenance["networks"]) == ["denoiser"]


def test_diversity_draws_several_codes_and_ppgns_noise_moves_each_its_own_way():
    found = maximise("ppgn", name="diversity", count=3, epsilon3=0.0)
    noisy = maximise("ppgn", name="diversity", count=3, epsilon3=1.0)
    codes, moved = found.state["0_parameters"], noisy.state["0_parameters"]
    for each in (codes, moved):
        assert min(np.abs(each[a] - each[b]).max() for a, b in [(0, 1), (0, 2), (1, 2)]) > 0.1
    ways = (moved - codes).reshape(3, -1)
    assert np.abs(np.corrcoef(ways)[np.triu_indices(3, 1)]).max() < 0.99


@pytest.mark.parametrize("prior", ["dgn_am", "ppgn", "denoiser"])
@pytest.mark.parametrize(
    ("name", "settings"),
    [("class_maximisation", {}), ("interpolation", {"count": 2}), ("channel_grid", {"count": 2, "layer": "conv2"})],
)
def test_methods_that_share_the_parameters_have_the_priors_too(prior, name, settings):
    target = 1 if name == "class_maximisation" else None
    found = maximise(prior, name=name, target=target, steps=3, **settings)
    plain = method(name, steps=3, **settings)(MODEL, None, target)
    assert found.images.shape == plain.images.shape
    assert np.abs(found.images - plain.images).max() > 0.05


def test_a_target_that_is_no_class_is_climbed_as_it_is():
    assert "channel('conv2', 3)" in maximise("ppgn", target=channel("conv2", 3)).notes[0]
    assert "log_probability(1)" in maximise("ppgn", target=1).notes[0]
    assert "log_probability(1) | log_probability(3)" in maximise("ppgn", target="1 | 3").notes[0]
    assert "logit(1)" in maximise("dgn_am", target=1).notes[0]


CODES = InputSpec.latent((5,))
GAN = {"prior": "dgn_am", "generator": MODEL}
CLEAN = {"prior": "denoiser", "denoiser": MODEL, "sigma": 0.1}


def refused(message, **settings):
    with pytest.raises(CrosslensError, match=message):
        method("activation_maximisation", **{"steps": 2, **settings})(MODEL, None, 1)


@pytest.mark.parametrize(
    ("message", "settings"),
    [
        ("^prior=dgn_am needs generator=GENERATOR, a network that makes pictures of codes$", {"prior": "dgn_am"}),
        (
            "^prior=ppgn needs encoder=ENCODER, the network whose layer holds these codes$",
            {"prior": "ppgn", "generator": MODEL},
        ),
        (
            "^prior=ppgn needs code_layer=CODE_LAYER, that layer of the encoder$",
            {"prior": "ppgn", "generator": MODEL, "encoder": MODEL},
        ),
        ("^prior=denoiser needs sigma=SIGMA, the deviation of the noise", {"prior": "denoiser", "denoiser": MODEL}),
        ("^encoder is given without code_layer; give code_layer too", {"generator": MODEL, "encoder": MODEL}),
        ("^encoder is given without generator; give generator too", {"encoder": MODEL, "code_layer": "fc"}),
        ("^sigma means nothing with prior=None; leave it out$", {"sigma": 0.1}),
        ("^epsilon1 means nothing with prior=dgn_am; leave it out$", GAN | {"epsilon1": 1.0}),
        ("^code_decay means nothing without a generator; leave it out$", {"code_decay": 0.1}),
        ("^colour means nothing where a generator makes the picture; leave it out$", GAN | {"colour": "rgb"}),
        ("^prior is 3; it must be dgn_am, ppgn, denoiser, a Drift or None$", {"prior": 3}),
        ("^prior is 'ppgm'; it must be dgn_am, ppgn or denoiser. Did you mean 'ppgn'", {"prior": "ppgm"}),
        ("^epsilon3 is -1.0; it must be a number, at least 0", {"epsilon3": -1.0}),
        ("^sigma is 0.0; it must be a number, above 0", {"sigma": 0.0}),
        ("a generator takes codes; this one takes pictures", GAN),
        ("a denoiser makes pictures .* of pictures; this network gives", CLEAN),
    ],
)  # fmt: skip
def test_what_a_prior_lacks_or_does_not_take_is_refused_in_one_line(message, settings):
    refused(message, **settings)


def test_networks_that_do_not_fit_are_refused_in_one_line():
    torch = pytest.importorskip("torch")
    nn, nets = torch.nn, priors("torch")

    def latent(*layers):
        return wrap(nn.Sequential(*layers).eval(), preprocess=None, input_shape=CODES)

    def picture(*layers, shape=(3, 8, 8)):
        return wrap(nn.Sequential(*layers).eval(), preprocess=None, input_shape=shape)

    ppgn = {"prior": "ppgn", **{name: nets["ppgn"][name] for name in ("generator", "encoder", "code_layer")}}
    refused(
        r"takes codes \(5,\), and layer '0' of the encoder gives \(4, 6, 6\); give the code_layer",
        **{**ppgn, "code_layer": "0"},
    )
    broken = nn.Linear(5, 192)
    broken.weight.data[0] = np.nan
    refused(
        "the generator gives NaN or infinite pixels",
        prior="dgn_am",
        generator=latent(broken, nn.Unflatten(1, (3, 8, 8))),
    )
    grey = picture(nn.Conv2d(1, 5, 8), nn.Flatten(), shape=(1, 8, 8))
    refused(
        "the encoder takes pictures with 1 channels, and these have 3", **{**ppgn, "encoder": grey, "code_layer": "1"}
    )
    cleaner = {"prior": "denoiser", "sigma": 0.1}
    refused(
        "a denoiser keeps the size of its pictures; this one makes", denoiser=picture(nn.Conv2d(3, 3, 3)), **cleaner
    )
    other = picture(nn.Conv2d(3, 3, 3, padding=1), shape=(3, 9, 9))
    refused(r"the denoiser takes pictures \(3, 9, 9\), and these are \(3, 8, 8\)", denoiser=other, **cleaner)
    nan = nn.Conv2d(3, 3, 1)
    nan.bias.data[0] = np.nan
    refused("the denoiser gives NaN or infinite pixels", denoiser=picture(nan), **cleaner)
    refused("the rule 'blur' changes the picture between steps", generator=nets["dgn_am"]["generator"], rules=("blur",))


def test_codes_keep_the_range_that_was_measured_on_codes_and_on_pictures(tmp_path):
    nets = priors("torch")["ppgn"]
    made, coder = nets["generator"], nets["encoder"]
    images = np.random.default_rng(1).random((40, 3, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "pictures.npz", images=images)
    codes = coder.forward(images)["<output>"]
    np.save(tmp_path / "codes.npy", codes)
    low, high = (codes.mean(0) + side * 2 * codes.std(0) for side in (-1, 1))
    known = {"generator": made, "encoder": coder, "code_layer": nets["code_layer"], "code_bound": 2.0, "steps": 8}
    for name in ("pictures.npz", "codes.npy"):
        found = method("activation_maximisation", **known, code_range=f"data:{tmp_path / name}", learning_rate=1.0)
        code = found(MODEL, None, 1).state["0_parameters"][0]
        assert (code >= low - 1e-5).all()
        assert (code <= high + 1e-5).all()
        assert (np.isclose(code, low, atol=1e-5) | np.isclose(code, high, atol=1e-5)).any()
    refused(
        "holds no codes .* give encoder and code_layer to make codes",
        generator=made,
        code_range=f"data:{tmp_path / 'pictures.npz'}",
    )
    refused("code_range is 'wide'; it must be noise, LOW,HIGH or data:FILE", generator=made, code_range="wide")
    refused("code_range is 2,1; the lower end must be below the upper one", generator=made, code_range="2,1")
    refused("code_bound is 2 deviations, and codes keep 0,1 here", generator=made, code_range="0,1", code_bound=2.0)


def test_an_image_to_start_from_starts_at_its_code():
    nets = priors("torch")["ppgn"]
    image = np.random.default_rng(1).random((1, 3, 8, 8)).astype(np.float32)
    settings = {"prior": "ppgn", **nets, "learning_rate": 1e-9, "steps": 1}
    found = method("activation_maximisation", **settings)(MODEL, image, 1)
    np.testing.assert_allclose(found.state["0_parameters"], nets["encoder"].forward(image)["<output>"], atol=1e-6)


def test_a_generator_in_colour_serves_a_network_in_grey_which_sees_its_luminance():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)
    grey = wrap(nn.Sequential(nn.Conv2d(1, 4, 8), nn.Flatten()).eval(), preprocess=None, input_shape=(1, 8, 8))
    settings = {"prior": "dgn_am", "generator": priors("torch")["dgn_am"]["generator"], "steps": 8}
    whole = {"shift": 0.0, "zoom": 0.0, "turn": 0.0}
    found = method("activation_maximisation", **settings, **whole, code_decay=0.0)(grey, None, 1)
    assert found.images.shape == (1, 3, 8, 8)
    seen = np.tensordot(found.images, np.float32([0.299, 0.587, 0.114]), axes=(1, 0))[:, None]
    assert f"to {grey.forward(seen)['<output>'][0, 1]:.4g}" in found.notes[0]
    assert "class 1 with probability" in method("class_maximisation", **settings)(grey, None, 1).notes[1]
