"""Fooling images: what they are, on three backends the same, refusals, and what the result shows."""

import json
from dataclasses import replace

import crosslens
import numpy as np
import pytest
from click.testing import CliRunner
from crosslens import method
from crosslens.cli import cli
from crosslens.errors import ModelError, ParameterError, TargetError
from crosslens.model import INPUT, OUTPUT
from crosslens.testing import TinyModel
from PIL import Image

from tests.conformance.zoo import net

ENCODINGS = ("cppn", "direct", "gradient")
SMALL = {"steps": 6, "population": 16}


def made(encoding="cppn", model=None, target=None, **changed):
    settings = {**({"steps": 6} if encoding == "gradient" else SMALL), **changed}
    return method("fooling_image", encoding=encoding, **settings)(model or TinyModel(), target=target)


def softmax(z):
    odds = np.exp(z - z.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_confidence_is_the_networks_own_in_the_picture(encoding):
    """All classes where none is named, else those named, in their order; digits of the picture are float32."""
    for target, classes in ((None, range(5)), (3, [3]), ([4, 1], [4, 1]), ("class 4 | 1", [4, 1])):
        result = made(encoding, target=target)
        assert list(result.classes) == list(classes)
        assert result.images.shape == (len(classes), 3, 8, 8)
        assert result.images.dtype == np.float32
        assert result.images.min() >= 0
        assert result.images.max() <= 1
        for pictures, told in (
            (result.images, result.confidence),
            (np.rint(result.images * 255) / np.float32(255), result.confidence_8_bit),
        ):
            p = softmax(TinyModel().forward(pictures)[OUTPUT].astype(np.float64))
            np.testing.assert_allclose(told, p[np.arange(len(classes)), result.classes], rtol=1e-5)
        np.testing.assert_allclose(result.history.max(axis=0)[: len(classes)], result.confidence, rtol=1e-12)
        assert (np.diff(result.history, axis=0) >= 0).all()


def test_images_of_other_bounds_are_made_in_them():
    model = TinyModel()
    model.input = crosslens.InputSpec((3, 8, 8), bounds=(-1.0, 3.0))
    result = made(model=model)
    assert result.images.min() < 0
    p = softmax(model.forward(result.images)[OUTPUT].astype(np.float64))
    np.testing.assert_allclose(p[range(5), range(5)], result.confidence, rtol=1e-4)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_three_backends_make_the_same_pictures(encoding):
    results = [made(encoding, net(backend, "smooth").model) for backend in ("torch", "keras", "onnx")]
    for other in results[1:]:
        np.testing.assert_allclose(other.images, results[0].images, atol=1e-5)
        np.testing.assert_allclose(other.confidence, results[0].confidence, rtol=1e-3)
        np.testing.assert_array_equal(other.generation, results[0].generation)


def test_seeds_make_different_pictures_and_the_same_seed_the_same():
    one, again, other = made(seed=1), made(seed=1), made(seed=2)
    np.testing.assert_array_equal(one.images, again.images)
    assert not np.array_equal(one.images, other.images)


def ascent_by_hand(x, label, model, steps, rate, decay):
    """Section 3.4, one step at a time: up the gradient of log(p / (1 - p)), then back to grey."""
    sure = []
    for _ in range(steps):
        z = model.forward(x)[OUTPUT].astype(np.float64)
        sure.append(softmax(z)[0, label])
        others = softmax(np.delete(z, label, axis=1))
        cotangent = np.insert(-others, label, 1.0, axis=1).astype(np.float32)
        gradient = model.vjp(x, {OUTPUT: cotangent}).gradients[INPUT]
        x = x + rate * gradient / np.sqrt((gradient**2).mean())
        x = np.clip(0.5 + (1 - decay) * (x - 0.5), 0, 1).astype(np.float32)
    return np.asarray(sure)


def test_gradient_ascent_is_the_steps_written_out():
    result = made("gradient", target=2, start="zero", steps=5, learning_rate=0.05, decay=0.1)
    by_hand = ascent_by_hand(np.zeros((1, 3, 8, 8), np.float32), 2, TinyModel(), 5, 0.05, 0.1)
    np.testing.assert_allclose(result.history[:, 0], np.maximum.accumulate(by_hand), rtol=1e-4)


@pytest.mark.parametrize(
    ("start", "mean", "deviation"), [("grey", 0.5, 1 / 255), ("noise", 0.5, 12**-0.5), ("zero", 0, 0)]
)
def test_where_the_ascent_starts(start, mean, deviation):
    """The first step evaluates the start itself."""
    pictures = made("gradient", start=start, steps=1).images
    assert abs(pictures.mean() - mean) < 0.03
    assert abs(pictures.std() - deviation) < 0.02


def test_a_picture_stops_at_the_confidence_asked_for():
    """And is the first that has it."""
    whole = made("gradient", steps=30, learning_rate=0.1, target=[0, 1, 2, 3, 4], confidence=1.0)
    goal = float(np.median(whole.history[-1]))
    result = made("gradient", steps=30, learning_rate=0.1, target=[0, 1, 2, 3, 4], confidence=goal)
    for n in range(5):
        reached = np.flatnonzero(whole.history[:, n] >= goal)
        if reached.size:
            assert result.generation[n] == reached[0] + 1
            assert result.confidence[n] == pytest.approx(whole.history[reached[0], n])


def test_the_size_of_the_pictures_can_be_chosen():
    model = TinyModel()
    model.input = crosslens.InputSpec((3, None, None))
    assert made(model=model, size=11).images.shape == (5, 3, 11, 11)
    with pytest.raises(ParameterError, match=r"size is 11; this model takes pictures \(8, 8\)"):
        made(size=11)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"learning_rate": 0.1}, "encoding is 'cppn', which has no use for learning_rate; that is for gradient ascent"),
        (
            {"encoding": "gradient", "steps": 3, "population": 5},
            "'gradient', which has no use for population; that is for evo",
        ),
        ({"encoding": "direct", "start": "zero", "decay": 0.5}, "'direct', which has no use for start and decay"),
        ({"encoding": "cpn"}, r"encoding is 'cpn'; it must be cppn, direct or gradient. Did you mean 'cppn'"),
        ({"population": 0}, "population is 0; it must be a whole number, at least 1"),
        ({"confidence": 99.99}, r"confidence is 99\.99; it must be a number, above 0 and at most 1"),
        ({"colour": "lab"}, "colour is 'lab'; it must be"),
        ({"steps": 0}, "steps is 0; it must be a whole number, at least 1"),
        (
            {"every": 1, "steps": 10**8},
            r"every is 1, which keeps 5 pictures 100000000 times, \d+ GB; give every=\d+ or more",
        ),
    ],
)
def test_wrong_parameters_are_refused(settings, told):
    with pytest.raises(ParameterError, match=told):
        made(**settings)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (99, "target 99 is out of range; this model has 5 classes, 0 to 4"),
        ([1, 2, 1], "target names class 1 twice; fooling_image makes one picture a class"),
        ("1 | class 1", "target names class 1 twice"),
        ("channel:conv1:0", r"pictures of classes, not of .*; give target=281, or several as '281 . 282'"),
        ("1 | channel:conv1:0", r"pictures of classes, not of logit\(1\) . "),
        ("(1 + 2)", "pictures of classes, not of "),
    ],
)
def test_wrong_targets_are_refused(target, told):
    with pytest.raises(TargetError, match=told):
        made(target=target)


def test_images_are_refused():
    with pytest.raises(ParameterError, match="makes its pictures from the network alone; leave the images out"):
        method("fooling_image")(TinyModel(), np.zeros((1, 3, 8, 8), np.float32))


def test_a_regression_is_refused():
    model = TinyModel(classes=1)
    model.output_kind = "score"
    with pytest.raises(ModelError, match="it is never sure of a class"):
        made(model=model)


def test_hue_needs_three_channels():
    model = crosslens.wrap(grey_net(), preprocess=None, input_shape=(1, 8, 8))
    assert made(model=model).images.shape == (3, 1, 8, 8)
    with pytest.raises(
        ParameterError, match="colour is 'hsv', and these pictures have 1 channel, not 3; leave colour out"
    ):
        made(model=model, colour="hsv")


def grey_net():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)).eval()


def test_hue_or_plain_channels():
    assert not np.array_equal(made(colour="hsv").images, made(colour="rgb").images)
    np.testing.assert_array_equal(made(colour="hsv").images, made().images)


def test_the_result_says_what_it_holds(tmp_path):
    result = made(every=2)
    assert repr(result).startswith(
        "<FoolingImages of fooling_image: images (5, 3, 8, 8), 6 generations, median confidence"
    )
    assert result.figures()["pictures"] == 5
    assert result.figures()["confidence at least 0.5"] == int((result.confidence >= 0.5).sum())
    assert result.figures()["least confidence"] == result.confidence.min()
    first = result.details()["pictures"][0]
    assert list(first) == ["class", "label", "confidence", "confidence_8_bit", "generation", "nodes", "connections"]
    assert (first["class"], first["label"]) == (0, "class 0")
    assert result.caption(2) == f"2 class 2\n{int(result.confidence[2] * 1e4) / 1e4:.4f}"
    sure = replace(result, confidence=np.full(5, 0.99999))
    assert sure.caption(2) == "2 class 2\n0.9999", "never rounded up to 1"
    sheet, frames = result.picture(), result.frames()
    earlier, shorter = result.after(4), made(steps=4)
    for name in ("images", "confidence", "generation", "history"):
        np.testing.assert_array_equal(getattr(earlier, name), getattr(shorter, name))
    assert sheet.shape[1] > 3 * 112
    assert len(frames) == 3
    assert len({frame.shape for frame in frames}) == 1
    np.testing.assert_array_equal(
        result[1].picture(), np.rint(result.images[1] * 255).astype(np.uint8).transpose(1, 2, 0)
    )
    assert result[[1, 3]].classes.tolist() == [1, 3]
    assert result[[1, 3]].labels == ("class 1", "class 3")
    back = crosslens.load(result.save(tmp_path / "it.npz"))
    assert back == result
    with Image.open(result.save(tmp_path / "it.gif")) as animation:
        assert animation.n_frames > 1


def test_a_data_frame_has_a_row_for_each_picture():
    pytest.importorskip("pandas")
    frame = made("direct").to_dataframe()
    assert list(frame.columns) == ["class", "label", "confidence", "confidence_8_bit", "generation"]
    assert len(frame) == 5


def test_notes_say_how_far_it_came():
    result = made()
    assert result.notes[0] == "after 6 of at most 6 steps 0 of 5 pictures have confidence 0.9999"
    assert any(note.startswith("confidence below 0.5 for class") for note in result.notes)
    assert made("gradient").figures()["steps"] == 6


def test_pictures_without_a_gradient_are_named():
    """Behind rectifiers that are off, nothing near black moves the network; black pictures stay."""
    model = TinyModel(relu=True)
    bias = np.full(4, -100, np.float32)
    off = model._with_weights({"conv1": {"bias": bias}})
    result = made("gradient", off, start="zero")
    assert (
        "no gradient for classes 0, 1, 2, 3, 4: nothing near the picture moves it; take another start" in result.notes
    )
    assert not [note for note in result.notes if "more steps" in note]
    assert not any("no gradient" in note for note in made("gradient", model).notes)


def test_from_the_shell(tmp_path):
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "net.onnx"
    onnx.save(net("onnx", "smooth").build(), path)

    def shell(*options):
        words = ["run", "fooling_image", str(path), "--steps", "3", "--population", "8", *options]
        return CliRunner().invoke(cli, words, prog_name="crosslens")

    ended = shell("-o", str(tmp_path / "it.png"), "--json")
    assert ended.exit_code == 0
    record = json.loads(ended.stdout)
    assert record["objective"].startswith("probability(each of ")
    assert record["figures"]["generations"] == 3
    assert [each["class"] for each in record["pictures"]] == list(range(record["figures"]["pictures"]))
    ended = shell("-o", str(tmp_path / "it.gif"))
    assert ended.exit_code == 1
    assert "an animation of fooling_image shows its pictures on the way: give --every 10" in ended.stderr
