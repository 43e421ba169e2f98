"""The three files of a style network: plain frameworks and `crosslens.wrap` open them, and they agree to 1e-5."""

import json
import zipfile

import numpy as np
import pytest

torch, keras, onnxruntime = (pytest.importorskip(name) for name in ("torch", "keras", "onnxruntime"))

import crosslens  # noqa: E402
from crosslens.backends.torch.style.networks import build, load_weights, read_weights  # noqa: E402
from crosslens.errors import ModelError  # noqa: E402
from crosslens.model import INPUT, OUTPUT, InputSpec  # noqa: E402
from crosslens.style_network.architecture import weight_shapes  # noqa: E402
from crosslens.style_network.spec import StyleSpec  # noqa: E402
from crosslens.style_training.save import save_style_network  # noqa: E402

SUFFIXES = (".pt2", ".onnx", ".keras")
SPECS = {
    "instance": StyleSpec(width=3, blocks=1),
    "conditional": StyleSpec(norm="conditional", styles=3, width=2, blocks=0),
    "decoder": StyleSpec("decoder", "none", width=3, blocks=1, code=(8, 4), encoder="lite0.onnx", layer="blocks.2"),
}


def weights_of(spec):
    """Of the size that trained ones have, so that no activation saturates and none is all zero."""
    rng = np.random.default_rng(0)
    weights = {}
    for name, shape in weight_shapes(spec).items():
        spread = (2 / np.prod(shape[1:])) ** 0.5 if name.endswith("convolution.weight") else 0.3
        weights[name] = (rng.standard_normal(shape) * spread).astype(np.float32)
        if name.endswith(("norm.weight", "running_var")):
            weights[name] = 1 + np.abs(weights[name])
    return weights


BATCH = StyleSpec(norm="batch", width=2, blocks=0)


@pytest.fixture(scope="module", params=SPECS)
def saved(request, tmp_path_factory):
    """The network in float64, which is the oracle, its description and its files."""
    spec = SPECS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    weights = weights_of(spec)
    files = {suffix: save_style_network(spec, weights, folder / f"net{suffix}") for suffix in SUFFIXES}
    network = build(spec).double().eval()
    load_weights(network, weights)
    return network, spec, files


def inputs_of(spec, count, size, seed=0):
    """An image, or features of a picture of about that size, and the mixture of styles."""
    rng = np.random.default_rng(seed)
    shape = (count, 3, *size) if spec.code is None else (count, spec.code[0], *(side // 4 + 2 for side in size))
    styles = [rng.dirichlet(np.ones(spec.styles), count).astype(np.float32)] if spec.has_style_weights else []
    return [rng.random(shape, dtype=np.float32), *styles]


def exact(network, inputs):
    with torch.no_grad():
        return network(*(torch.tensor(x).double() for x in inputs)).numpy()


def by_the_framework(path, inputs):
    """What the file gives without crosslens, channels first."""
    if path.suffix == ".pt2":
        with torch.no_grad():
            return torch.export.load(path).module()(*map(torch.tensor, inputs)).numpy()
    if path.suffix == ".onnx":
        session = onnxruntime.InferenceSession(path)
        return session.run(None, dict(zip([each.name for each in session.get_inputs()], inputs, strict=True)))[0]
    image, *more = inputs
    y = keras.models.load_model(path)([image.transpose(0, 2, 3, 1), *more] if more else image.transpose(0, 2, 3, 1))
    return np.asarray(y).transpose(0, 3, 1, 2)


@pytest.mark.parametrize(("count", "size"), [(1, (97, 130)), (2, (64, 32)), (3, (9, 14))])
def test_plain_frameworks_open_the_files_at_any_size_and_agree(saved, count, size):
    network, spec, files = saved
    inputs = inputs_of(spec, count, size)
    expected = exact(network, inputs)
    assert expected.std() > 0.01
    assert spec.is_decoder or expected.shape == (count, 3, *size)
    for path in files.values():
        got = by_the_framework(path, inputs)
        assert abs(got - expected).max() <= 5e-6 * abs(expected).max()  # so that no two are 1e-5 apart


def test_wrap_needs_no_options_and_the_gradients_agree(saved):
    network, spec, files = saved
    x, *_ = inputs_of(spec, 2, (18, 23))
    styles = [np.full((2, spec.styles), 1 / spec.styles, np.float32)] if spec.has_style_weights else []
    expected = exact(network, [x, *styles])
    dy = np.random.default_rng(2).standard_normal(expected.shape).astype(np.float32)
    leaf = torch.tensor(x).double().requires_grad_()
    network(leaf, *(torch.tensor(s).double() for s in styles)).backward(torch.tensor(dy).double())
    gradient = leaf.grad.numpy()
    for path in files.values():
        model = crosslens.wrap(path)
        assert model.preprocess.identity
        assert model.origin.carried.style == spec
        assert model.input == (
            InputSpec((spec.code[0], None, None), None) if spec.is_decoder else InputSpec((3, None, None), (0.0, 1.0))
        )
        at = model.linearize(x, [OUTPUT])
        np.testing.assert_allclose(at.activations[OUTPUT], expected, atol=1e-5)
        got = at.vjp({OUTPUT: dy})[INPUT]
        assert np.linalg.norm(got - gradient) <= 1e-4 * np.linalg.norm(gradient)


def test_a_keras_file_holds_nothing_but_keras_own_layers_and_functions(saved):
    _, _, files = saved
    with zipfile.ZipFile(files[".keras"]) as archive:
        config = json.loads(archive.read("config.json"))
    layers = config["config"]["layers"]
    assert {each["module"].partition(".")[0] for each in layers} == {"keras"}
    assert "Lambda" not in {each["class_name"] for each in layers}


def test_batch_normalisation_has_torch_s_epsilon_in_keras(tmp_path):
    """Keras' own is 1e-3; the other normalisations are among the files above."""
    network = build(BATCH).double().eval()
    load_weights(network, weights_of(BATCH))
    inputs = inputs_of(BATCH, 2, (9, 14))
    got = by_the_framework(save_style_network(BATCH, weights_of(BATCH), tmp_path / "net.keras"), inputs)
    np.testing.assert_allclose(got, exact(network, inputs), atol=5e-6)


def test_what_attach_adds_leaves_the_description(tmp_path):
    spec = SPECS["decoder"]
    path = save_style_network(spec, weights_of(spec), tmp_path / "net.keras")
    crosslens.attach(path, output_kind="maps")
    model = crosslens.wrap(path)
    assert model.origin.carried.style == spec
    assert model.input.shape == (8, None, None)


def test_a_file_that_stood_there_stays_where_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "net.keras"
    path.write_text("before")
    monkeypatch.setattr(keras.Model, "save", lambda self, path: path.write_text("half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_style_network(BATCH, weights_of(BATCH), path)
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["net.keras"]


def test_weights_go_in_and_out_of_a_network():
    spec = SPECS["conditional"]
    network = build(spec)
    load_weights(network, weights_of(spec))
    assert all(np.array_equal(read_weights(network)[name], w) for name, w in weights_of(spec).items())
    with pytest.raises(ModelError, match="not the weights of this style network"):
        load_weights(network, weights_of(SPECS["decoder"]))
