"""Every synthesis as a long run: bit by bit the same again, snapshots, ctrl-C, going on from a file, NaN, history."""

import json
from itertools import pairwise

import numpy as np
import pytest
from crosslens import InputSpec, method
from crosslens.errors import CrosslensError, ParameterError
from crosslens.model.linearization import Linearization
from crosslens.testing import TinyModel
from PIL import Image

PICTURES = np.random.default_rng(0).uniform(0.1, 0.9, (2, 3, 16, 16)).astype(np.float32)
STYLE = np.random.default_rng(1).uniform(0, 1, (3, 32, 32)).astype(np.float32) ** 3
IMAGES = {"images": PICTURES}
STYLED = {"images": PICTURES, "style": STYLE, "content_layer": "act2", "style_layers": ("conv1", "act2")}
RUNS = {
    "activation_maximisation": {"target": 1},
    "activation_maximisation from images": {"target": None, "images": PICTURES},
    "class_maximisation": {"target": 1, "decay": 0.1},
    "diversity": {"target": 1, "count": 2},
    "interpolation": {"layer": "conv2", "count": 2},
    "channel_grid": {"layer": "conv2", "count": 2, "rules": ("decay:0.01",)},
    "feature_inversion": {"layer": "act2", **IMAGES},
    "feature_inversion adam": {"layer": "act2", "optimiser": "adam", **IMAGES},
    "texture_synthesis": {"texture_layers": ("conv1", "act2"), **IMAGES},
    "caricature": {"layer": "act2", **IMAGES},
    "style_transfer": STYLED,
    "style_transfer adam": {"optimiser": "adam", **STYLED},
    "style_transfer luminance": {"colours": "luminance", **STYLED},
    "maco": {"target": 1, "crops": 2, "size": 20},
    "accentuation": {"target": 1, "crops": 2, "layer": "act1", **IMAGES},
    "fooling_image": {"population": 8},
    "fooling_image of a class": {"population": 8, "target": 2},
    "fooling_image direct": {"population": 8, "encoding": "direct"},
    "fooling_image gradient": {"encoding": "gradient"},
}


def model(kind=TinyModel):
    made = kind(size=16, relu=True)
    made.input = InputSpec((3, None, None)) if kind is AnySize else made.input
    return made


class AnySize(TinyModel):
    pass


def run(name, progress=None, net=None, **changed):
    settings = {**RUNS[name], **changed}
    images, target = settings.pop("images", None), settings.pop("target", None)
    told = {} if progress is None else {"progress": progress}
    return method(name.partition(" ")[0], **settings)(net or model(), images, target, **told)


def stopping_after(count):
    heard = []

    def progress(done, total, what):
        heard.append(done)
        if len(heard) == count:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("name", RUNS)
def test_a_run_stopped_by_ctrl_c_goes_on_from_its_file_bit_by_bit(name, tmp_path):
    whole = run(name, steps=6)
    stopped = run(name, stopping_after(4), steps=6)
    (note,) = [note for note in stopped.notes if note.startswith("interrupted after 4 of 6 steps")]
    assert note.endswith("this is the best so far")
    assert stopped.history.shape[0] < whole.history.shape[0]
    assert np.isfinite(stopped.images).all()
    rest = run(name, steps=6, resume=stopped.save(tmp_path / "stopped.npz"))
    np.testing.assert_array_equal(rest.images, whole.images)
    np.testing.assert_array_equal(rest.history, whole.history)
    if whole.mask is not None:
        np.testing.assert_array_equal(rest.mask, whole.mask)
    assert not [note for note in rest.notes if note.startswith("interrupted")]


@pytest.mark.parametrize("name", [name for name in RUNS if "images" in RUNS[name] and "adam" not in name])
def test_a_run_that_ended_takes_more_steps_as_if_it_had_been_asked_for_them(name, tmp_path):
    path = run(name, steps=3).save(tmp_path / "three.npz")
    more, whole = run(name, steps=7, resume=path), run(name, steps=7)
    np.testing.assert_array_equal(more.images, whole.images)
    np.testing.assert_array_equal(more.history, whole.history)
    with pytest.raises(ParameterError, match="steps is 3, and the run to go on from has taken 3; ask for more"):
        run(name, steps=3, resume=path)


def test_a_run_at_the_default_layer_goes_on_where_that_layer_is_named(tmp_path):
    """The file says which layer was the default; another one is another run."""
    path = run("caricature", steps=2, layer=None).save(tmp_path / "two.npz")
    with np.load(path) as stored:
        (layer,) = json.loads(str(stored["record"]))["provenance"]["layers"]
    named = run("caricature", steps=3, resume=path, layer=layer)
    np.testing.assert_array_equal(named.images, run("caricature", steps=3).images)
    with pytest.raises(ParameterError, match=rf"another run: it had layers \['{layer}'\], not \['conv1'\]"):
        run("caricature", steps=3, resume=path, layer="conv1")


@pytest.mark.parametrize("name", RUNS)
def test_snapshots_are_what_a_shorter_run_makes(name, tmp_path):
    kept = run(name, steps=5, every=2)
    assert list(kept.snapshots) == [2, 4]
    np.testing.assert_array_equal(kept.snapshots[4], run(name, steps=4).images)
    kept.save(tmp_path / "it.png")
    assert {"it.png", "it-0002.png", "it-0004.png"} <= {path.name for path in tmp_path.iterdir()}
    with pytest.raises(ParameterError, match="every is 0; it must be a whole number, at least 1"):
        run(name, every=0)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_goes_on_keeps_its_snapshots_and_animates_as_one(name, tmp_path):
    path = run(name, steps=3, every=2).save(tmp_path / "three.npz")
    more, whole = run(name, steps=5, every=2, resume=path), run(name, steps=5, every=2)
    assert list(more.snapshots) == [2, 4]
    np.testing.assert_array_equal(more.snapshots[2], whole.snapshots[2])
    np.testing.assert_array_equal(more.frames(), whole.frames())


@pytest.mark.parametrize("name", [*RUNS, "deep_dream"])
def test_snapshots_become_an_animation_that_ends_with_the_result(name, tmp_path):
    """Each frame is the sheet of all pictures; one that is the last snapshot already is not shown twice."""
    result = dream(every=2, steps=3) if name == "deep_dream" else run(name, steps=5, every=2)
    frames = result.frames()
    last = result.snapshots[max(result.snapshots)]
    assert len(frames) == len(result.snapshots) + (not np.array_equal(last, result.images))
    np.testing.assert_array_equal(frames[-1], result.picture())
    with Image.open(result.save(tmp_path / "grown.gif")) as animation:
        assert (animation.n_frames, animation.size) == (_different(frames), frames[0].shape[1::-1])


def _different(frames):
    """Pillow writes a frame that equals the one before as a longer one."""
    return 1 + sum(not np.array_equal(a, b) for a, b in pairwise(frames))


def test_a_run_of_images_in_other_bounds_keeps_its_snapshots_too(tmp_path):
    """They are saved in the model's bounds, and made in [0, 1]."""
    net = model()
    net.input = InputSpec((3, 16, 16), bounds=(-1.0, 3.0))
    whole = run("maco", steps=5, every=2, net=net)
    more = run(
        "maco", steps=5, every=2, net=net, resume=run("maco", steps=3, every=2, net=net).save(tmp_path / "3.npz")
    )
    np.testing.assert_allclose(more.snapshots[2], whole.snapshots[2], atol=1e-6)


CLIMBING = [name for name in RUNS if not name.startswith("fooling_image") or name.endswith("gradient")]
"""Those that use gradients."""


@pytest.mark.parametrize("name", [*CLIMBING, "deep_dream"])
def test_nan_stops_the_work_and_the_step_is_named(name):
    given = {"layer": "act2", **DREAM} if name == "deep_dream" else RUNS[name]
    settings = {**given, "steps": 6}
    images, target = settings.pop("images", None), settings.pop("target", None)
    with pytest.raises(CrosslensError, match=r"gradient not finite at step \d: take smaller steps"):
        method(name.partition(" ")[0], **settings)(model(Breaking), images, target)


class Breaking(TinyModel):
    """Its gradients are NaN from the fifth pass on."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.passes = []

    def _linearize(self, *given):
        self.passes.append(1)
        inner = super()._linearize(*given)
        return Nan(inner) if len(self.passes) > 4 else inner


class Nan(Linearization):
    def __init__(self, inner):
        self.inner, self.activations = inner, inner.activations

    def vjp(self, cotangents):
        return {name: gradient * np.float32("nan") for name, gradient in self.inner.vjp(cotangents).items()}

    def close(self):
        self.inner.close()


@pytest.mark.parametrize("count", [2, 4, 7, 9])  # in the first batch, at its end, in the second, in the last
def test_a_grid_of_several_batches_stopped_in_any_goes_on_bit_by_bit(count, tmp_path):
    net = model()
    net.batch_size = 2
    whole = run("channel_grid", net=net, count=5, steps=4)
    stopped = run("channel_grid", stopping_after(count), net=net, count=5, steps=4)
    begun = -(-count // 4)
    assert stopped.images.shape[0] == min(2 * begun, 5)
    assert sum(note.startswith("not begun") for note in stopped.notes) == 3 - begun
    path = stopped.save(tmp_path / "stopped.npz")
    rest = run("channel_grid", net=net, count=5, steps=4, resume=path)
    np.testing.assert_array_equal(rest.images, whole.images)
    np.testing.assert_array_equal(rest.history, whole.history)
    assert rest.notes == whole.notes
    net.batch_size = 3
    with pytest.raises(ParameterError, match="made 2 pictures at a time, not 3: the same batch_size=2 is needed"):
        run("channel_grid", net=net, count=5, steps=4, resume=path)


def test_from_coarse_to_fine_a_stopped_transfer_goes_on_at_its_scale(tmp_path):
    settings = {"scales": 2, "steps": 4, "net": model(AnySize)}
    whole = run("style_transfer", **settings)
    for count in (2, 6, 11):  # in the first scale, the second, and the second picture
        path = run("style_transfer", stopping_after(count), **settings).save(tmp_path / f"{count}.npz")
        np.testing.assert_array_equal(run("style_transfer", resume=path, **settings).images, whole.images)
    with pytest.raises(ParameterError, match="another run: it had steps 4, not 5"):
        run("style_transfer", resume=path, **{**settings, "steps": 5})


def test_a_run_from_other_images_is_not_gone_on_with(tmp_path):
    path = run("caricature", steps=2, layer=None).save(tmp_path / "run.npz")
    with pytest.raises(ParameterError, match="is another run: it was made from other images"):
        run("caricature", steps=3, resume=path, images=PICTURES[::-1].copy())


DREAM = {"images": PICTURES[:1], "size": 20, "octaves": 2, "steps": 3, "jitter": 3, "layer": "act2"}


def dream(progress=None, **changed):
    settings = {**DREAM, **changed}
    images = settings.pop("images")
    told = {} if progress is None else {"progress": progress}
    return method("deep_dream", **settings)(model(), images, **told)


@pytest.mark.parametrize("count", [1, 3, 4, 8])  # in an octave, at its end, in the next, in a zoom
def test_a_stopped_dream_goes_on_bit_by_bit(count, tmp_path):
    whole = dream(zoom_frames=2)
    stopped = dream(stopping_after(count), zoom_frames=2)
    assert f"interrupted after {count} of 12 steps: this is the dream so far" in stopped.notes
    assert stopped.images.shape == (1, 3, 20, 20)
    rest = dream(zoom_frames=2, resume=stopped.save(tmp_path / "stopped.npz"))
    np.testing.assert_array_equal(rest.images, whole.images)
    np.testing.assert_array_equal(rest.history, whole.history)


def test_a_finished_dream_can_be_zoomed_on_and_only_that(tmp_path):
    path = dream().save(tmp_path / "dream.npz")
    np.testing.assert_array_equal(dream(zoom_frames=1, resume=path).images, dream(zoom_frames=1).images)
    with pytest.raises(ParameterError, match="has taken all its 6 steps; ask for zoom_frames"):
        dream(resume=path)
    with pytest.raises(ParameterError, match="another run: it had steps 3, not 4"):
        dream(resume=path, steps=4)


def test_snapshots_of_a_dream_are_of_its_full_size_and_the_last_is_the_dream():
    result = dream(every=2)
    assert list(result.snapshots) == [2, 4, 6]
    assert {snapshot.shape for snapshot in result.snapshots.values()} == {(1, 3, 20, 20)}
    np.testing.assert_array_equal(result.snapshots[6], result.images)
    np.testing.assert_array_equal(result.images, dream().images)


def test_what_started_from_images_keeps_what_changed():
    for result in (run("style_transfer", steps=3), run("accentuation", steps=3)):
        np.testing.assert_array_equal(result.change(), result.images - PICTURES)
    small = dream(size=16)
    np.testing.assert_allclose(small.change(), small.images - PICTURES[:1], atol=1e-6)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_history_is_plotted_value_by_value(suffix, tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    result = run("activation_maximisation", steps=5)
    path = result.save_history(tmp_path / f"history{suffix}")
    assert path.read_bytes()[:5] in {b"\x89PNG\r", b"<?xml"}
    figure, axes = pyplot.subplots()
    (line,) = result.plot_history(axes).lines
    np.testing.assert_array_equal(line.get_ydata(), result.history[:, 0])
    assert axes.get_ylabel() == "logit(1)"
    pyplot.close(figure)


def test_the_start_is_noise_grey_or_images():
    for name in ("noise", "grey"):
        assert np.abs(run("activation_maximisation", start=name, steps=1, learning_rate=1e-9).images - 0.5).max() < 0.1
    images = run("activation_maximisation from images", steps=1, learning_rate=1e-9).images
    np.testing.assert_allclose(images, PICTURES, atol=1e-4)


def test_what_was_made_before_nan_can_be_had_as_the_message_says():
    net = model(Breaking)
    with pytest.raises(CrosslensError, match=r"gradient not finite at step 5: .*; steps=4 end before it"):
        run("caricature", steps=9, net=net)
    net.passes.clear()
    assert np.isfinite(run("caricature", steps=4, net=net).images).all()
