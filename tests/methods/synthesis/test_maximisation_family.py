"""Class maximisation, channel grid, diversity, interpolation; and how runs of activation maximisation end and go on."""

import numpy as np
import pytest
from crosslens import method
from crosslens.errors import CrosslensError, ParameterError, TargetError
from crosslens.objective import channel, diversity, each
from crosslens.testing import TinyModel

MODEL = TinyModel(size=16)
PICTURES = np.random.default_rng(0).uniform(0.1, 0.9, (2, 3, 16, 16)).astype(np.float32)
FAST = {"steps": 12, "learning_rate": 0.05}


def maximise(target=1, images=None, name="activation_maximisation", model=MODEL, progress=None, **parameters):
    told = {} if progress is None else {"progress": progress}
    return method(name, **{**FAST, **parameters})(model, images, target, **told)


def test_a_saved_run_goes_on_bit_by_bit(tmp_path):
    settings = {"rules": ("blur:0.5:4", "decay:0.01"), "seed": 5}
    whole = maximise(steps=12, **settings)
    path = maximise(steps=7, **settings).save(tmp_path / "half.npz")
    rest = maximise(steps=12, resume=path, **settings)
    np.testing.assert_array_equal(rest.images, whole.images)
    np.testing.assert_array_equal(rest.history, whole.history)


def test_another_run_is_not_gone_on_with(tmp_path):
    path = maximise(steps=3).save(tmp_path / "run.npz")
    with pytest.raises(ParameterError, match=r"another run: it had objective 'logit\(1\)', not 'logit\(2\)'"):
        maximise(2, resume=path)
    with pytest.raises(ParameterError, match=r"another run: it had learning_rate 0\.05, not 0\.1"):
        maximise(resume=path, learning_rate=0.1)
    with pytest.raises(ParameterError, match="another run: it had model "):
        maximise(resume=path, model=TinyModel(size=16, seed=4))
    with pytest.raises(ParameterError, match=r"cannot go on from 'nowhere\.npz'"):
        maximise(resume="nowhere.npz")
    with pytest.raises(ParameterError, match="steps is 3, and the run to go on from has taken 3"):
        maximise(resume=path, steps=3)


def test_ctrl_c_gives_the_best_so_far_with_a_note():
    def stop(done, total, what):
        if done == 5:
            raise KeyboardInterrupt

    result = maximise(progress=stop)
    assert "interrupted after 5 of 12 steps: this is the best so far" in result.notes
    assert result.history.shape == (5, 1)
    assert np.isfinite(result.images).all()


def test_snapshots_lie_beside_the_picture(tmp_path):
    result = maximise(every=5)
    assert list(result.snapshots) == [5, 10]
    np.testing.assert_array_equal(result.snapshots[10], maximise(steps=10).images)
    result.save(tmp_path / "it.png")
    assert {p.name for p in tmp_path.iterdir()} == {"it.png", "it-0005.png", "it-0010.png"}


def test_a_rule_changes_the_picture_as_it_says():
    plain, greyed = maximise(parameterisation="pixels"), maximise(parameterisation="pixels", rules=("decay:0.5",))
    assert np.abs(greyed.images - 0.5).mean() < 0.3 * np.abs(plain.images - 0.5).mean()


def test_from_an_image_it_keeps_what_changed():
    result = maximise([1, 2], PICTURES)
    np.testing.assert_array_equal(result.starts, PICTURES)
    np.testing.assert_array_equal(result.change(), result.images - PICTURES)
    said = [float(share) for share in result.notes[-1].split("by ")[1].split(" a pixel")[0].split(", ")]
    np.testing.assert_allclose(said, np.abs(result.change()).mean(axis=(1, 2, 3)), atol=6e-4)


def test_from_grey_the_seed_decides_the_views_only():
    result = maximise(start="grey", steps=1, learning_rate=1e-9)
    np.testing.assert_allclose(result.images, 0.5, atol=1e-6)


def test_several_objectives_in_one_run_are_each_made_as_if_alone():
    both = maximise(each([channel("conv2", 3), channel("conv2", 1)]))
    alone = maximise(channel("conv2", 3))
    np.testing.assert_allclose(both.images[:1], alone.images, atol=1e-5)


def dead():
    model = TinyModel(size=16, relu=True)
    weights = dict(model.weights("conv1"))
    bias = weights["bias"].copy()
    bias[1] -= 100
    return model._with_weights({"conv1": {**weights, "bias": bias}})


def test_a_dead_unit_proposes_channels_that_fire():
    with pytest.raises(TargetError, match=r"or another channel: .* fire there") as refused:
        maximise(channel("act1", 1), model=dead())
    proposed = [int(k) for k in str(refused.value).rpartition("channel: ")[2].removesuffix(" fire there").split(", ")]
    assert 1 not in proposed
    assert maximise(channel("act1", proposed[0]), model=dead()).images.shape == (1, 3, 16, 16)


def test_class_maximisation_says_what_the_network_makes_of_it():
    result = maximise([1, 2], name="class_maximisation", steps=60)
    assert result.images.shape == (2, 3, 16, 16)
    scores = MODEL.forward(result.images)["<output>"].astype(np.float64)
    for row, c, note in zip(scores, (1, 2), result.notes[-2:], strict=True):
        share = np.exp(row[c]) / np.exp(row).sum()
        assert note == (
            f"the network gives the picture itself class {c} with probability {share:.4f}, "
            f"rank {1 + int((row > row[c]).sum())} of 5"
        )


def test_its_decay_draws_the_picture_to_grey():
    strong = maximise(1, name="class_maximisation", decay=20.0, steps=40)
    none = maximise(1, name="class_maximisation", steps=40)
    assert ((strong.images - 0.5) ** 2).mean() < 0.5 * ((none.images - 0.5) ** 2).mean()


def test_a_grid_holds_each_channel_as_if_alone_in_batches_of_any_size():
    model = TinyModel(size=16)
    model.batch_size = 2
    grid = maximise(None, name="channel_grid", layer="conv2", channels=(0, 3, 5), model=model, every=6)
    assert grid.images.shape == (3, 3, 16, 16)
    assert grid.history.shape == (12, 3)
    assert grid.snapshots[6].shape == (3, 3, 16, 16)
    np.testing.assert_allclose(grid.images[:1], maximise(channel("conv2", 0)).images, atol=1e-5)
    np.testing.assert_allclose(grid.images[2:], maximise(channel("conv2", 5), seed=1).images, atol=1e-5)


def test_a_dead_channel_does_not_end_a_grid():
    grid = maximise(None, name="channel_grid", layer="act1", count=4, model=dead())
    (note,) = [note for note in grid.notes if note.startswith("no gradient at the start, so that the picture stayed")]
    assert "channel('act1', 1)" in note
    assert np.abs(grid.images[3] - 0.5).max() > 2 * np.abs(grid.images[1] - 0.5).max()


def test_diversity_makes_pictures_that_differ_more():
    def apart(weight):
        result = maximise(channel("act2", 1), name="diversity", weight=weight, count=3, steps=40)
        return float(diversity("act2").value(MODEL.forward(result.images, ["act2"])).mean())

    assert apart(50.0) > apart(0.0) + 0.01


def test_an_interpolations_ends_are_its_channels():
    strip = maximise(None, name="interpolation", layer="conv2", first=1, second=4, count=3, steps=40)
    maps = MODEL.forward(strip.images, ["conv2"])["conv2"].mean(axis=(2, 3))
    assert maps[0, 1] == maps[:, 1].max()
    assert maps[2, 4] == maps[:, 4].max()
    first = maximise(None, name="interpolation", layer="conv2", first=1, second=4, count=3, steps=1, learning_rate=1e-9)
    np.testing.assert_allclose(first.images[0], first.images[2], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "target", "parameters", "message"),
    [
        ("class_maximisation", channel("conv1", 1), {}, "class_maximisation needs a class: target=281"),
        ("class_maximisation", None, {}, "class_maximisation needs a class: target=281"),
        ("channel_grid", None, {"count": 0}, "count is 0; it must be a whole number, at least 1"),
        ("channel_grid", None, {"resume": "run.npz"}, "cannot go on from 'run.npz'"),
        ("channel_grid", None, {"layer": "conv1", "channels": (9,)}, "channel 9 is out of range"),
        ("diversity", 1, {"count": 1}, "count is 1; it must be a whole number, at least 2"),
        ("diversity", 1, {"start": "grey"}, "start is 'grey', from where all pictures would go the same way"),
        ("diversity", 1, {"layer": "fc"}, r"layer 'fc' gives \(None, 5\); diversity compares maps"),
        ("interpolation", None, {"count": 1}, "count is 1; it must be a whole number, at least 2"),
        ("activation_maximisation", 1, {"start": "blue"}, "start is 'blue'; it must be noise, grey or data:FILE"),
        ("activation_maximisation", 1, {"rules": ("blurr",)}, "no rule 'blurr'"),
        ("activation_maximisation", channel("conv9", 1), {}, "no layer 'conv9' in this model"),
    ],
)
def test_wrong_use_is_refused_in_words(name, target, parameters, message):
    with pytest.raises(CrosslensError, match=message):
        maximise(target, name=name, **parameters)


def test_of_a_data_set_the_examples_that_excite_the_target_most_are_where_it_starts():
    many = np.random.default_rng(1).random((20, 3, 16, 16), dtype=np.float32)
    values = MODEL.forward(many, ["conv2"])["conv2"][:, 3].mean(axis=(1, 2))
    best = np.argsort(-values)[:2]
    result = maximise(channel("conv2", 3), many, examples=2, steps=2)
    np.testing.assert_array_equal(result.starts, many[best])
    assert f"started from images {best[0]}, {best[1]} of 20, which excite channel('conv2', 3) most" in result.notes
    for images, count in ((many, 21), (many, 0), (None, 1)):
        with pytest.raises(ParameterError, match=rf"examples is {count}, of \d+ images given; it must be 1 to their"):
            maximise(channel("conv2", 3), images, examples=count)
    with pytest.raises(ParameterError, match=r"examples chooses images for one target; .* has one for each image"):
        maximise([1] * 20, many, examples=2)
