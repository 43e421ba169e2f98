"""What a result keeps, saves and shows."""

import json
import pickle
from copy import deepcopy
from dataclasses import replace

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import ImageError
from crosslens.plugins import method
from crosslens.testing import TinyModel


@pytest.fixture
def result():
    images = np.random.default_rng(0).random((3, 3, 8, 8)).astype(np.float32)
    return method("grad_cam", layer="act1")(TinyModel(), images, target=2)


def test_npz_holds_the_raw_values_and_the_provenance(result, tmp_path):
    saved = np.load(result.save(tmp_path / "cam.npz"))
    record = json.loads(str(saved["record"]))
    np.testing.assert_array_equal(saved["values"], result.values)
    np.testing.assert_array_equal(saved["images"], result.images)
    assert record["method"] == "grad_cam"
    assert record["parameters"]["layer"] == "act1"
    assert {"crosslens", "backend", "versions", "model", "preprocess", "objective", "seconds"} <= set(
        record["provenance"]
    )


def test_npz_is_written_whole_or_not_at_all(result, tmp_path, monkeypatch):
    """A disk that fills up while the file is written."""

    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    (tmp_path / "cat.npz").write_bytes(b"an earlier result")
    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(ImageError, match=r"cannot write '.*cat.npz': No space left on device"):
        result.save(tmp_path / "cat.npz")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("cat.npz", b"an earlier result")]


def test_npz_into_a_missing_folder_is_refused(result, tmp_path):
    with pytest.raises(ImageError, match=r"cannot write '.*none/cat.npz': the folder '.*none' does not exist"):
        result.save(tmp_path / "none" / "cat.npz")


def test_png_is_a_sheet_of_overlays(result, tmp_path):
    from PIL import Image

    with Image.open(result.save(tmp_path / "cam.png", scale=1)) as sheet:
        assert sheet.size == (2 * 8 + 4, 2 * 8 + 4)


def test_another_suffix_is_refused(result, tmp_path):
    with pytest.raises(
        ImageError,
        match=r"cannot save a result as 'cam.tiff'; use \.png, \.jpg or \.webp for a picture, \.gif, \.webp or "
        r"\.mp4 for an animation, \.npz for everything",
    ):
        result.save(tmp_path / "cam.tiff")


def test_a_split_batch_gives_what_one_batch_gives(result):
    model = TinyModel()
    model.batch_size = 2
    split = method("grad_cam", layer="act1")(model, result.images, target=2)
    np.testing.assert_allclose(split.values, result.values, rtol=1e-6)
    np.testing.assert_allclose(split.scores, result.scores, rtol=1e-6)


def test_a_split_batch_keeps_each_image_its_own_target(result):
    model = TinyModel()
    whole = method("gradient")(model, result.images, target=[4, 0, 2])
    model.batch_size = 1
    np.testing.assert_allclose(
        method("gradient")(model, result.images, target=[4, 0, 2]).values, whole.values, rtol=1e-6
    )


def test_plot_draws_on_given_axes(result):
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    assert result.plot(axes, index=1) is axes
    assert axes.get_title() == "grad_cam, logit(2)"
    assert axes.images[0].get_array().shape == (8, 8, 3)
    pyplot.close(figure)


def test_maps_larger_than_the_image_are_made_smaller_for_the_picture(result):
    """Those of a network that enlarges its images, at its last layer."""
    wide = np.random.default_rng(0).random((len(result.values), 21, 6))
    small = replace(result, values=wide).upsampled((7, 12))
    rows = torch.nn.functional.interpolate(
        torch.tensor(wide)[:, None], (7, 12), mode="bilinear", align_corners=False, antialias=True
    )
    np.testing.assert_allclose(small, rows[:, 0].numpy(), atol=1e-12)


def test_the_layers_used_are_in_every_form_of_a_result(tmp_path):
    """In the provenance, the .npz and what `run --json` prints; a default is told from a layer that was named."""
    images = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    for layer, used in ((None, ["act2"]), ("act1", ["act1"]), (("act1", "act2"), ["act1", "act2"])):
        found = method("grad_cam", layer=layer)(TinyModel(), images, 1)
        assert found.provenance["layers"] == used
        assert found.provenance["default_layer"] is (layer is None)
        with np.load(found.save(tmp_path / "found.npz")) as stored:
            assert json.loads(str(stored["record"]))["provenance"]["layers"] == used
    assert method("gradient")(TinyModel(), images, 1).provenance["layers"] == ["<input>"]
    judged = method("insertion", steps=2)(TinyModel(), images, 1)
    assert judged.provenance["layers"] == ["act2"]
    assert judged.provenance["default_layer"]


def test_a_layer_is_recorded_by_its_own_name():
    model = TinyModel()
    model.layers = {n: replace(each, aliases=("second",)) if n == "act2" else each for n, each in model.layers.items()}
    images = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    assert method("grad_cam", layer="second")(model, images, 1).provenance["layers"] == ["act2"]


def test_results_that_hold_the_same_are_equal(result):
    other = replace(result, values=result.values + 1)
    copies = [pickle.loads(pickle.dumps(result)), deepcopy(result)]
    assert all(each == result and hash(each) == hash(result) for each in copies)
    assert result != other
    assert result != "a text"
    assert [other, result].index(copies[0]) == 1
    assert len({result, other, *copies}) == 2


def test_a_loaded_result_equals_the_saved_one(tmp_path):
    """torch's version is text of a class of its own, which a file holds as text."""
    model = crosslens.wrap(torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.Flatten()), input_shape=(3, 8, 8))
    result = method("gradient")(model, np.zeros((1, 3, 8, 8), np.float32), 1)
    assert crosslens.load(result.save(tmp_path / "result.npz")) == result


def test_a_result_whose_values_are_nan_equals_its_copy(result):
    broken = replace(result, values=np.full_like(result.values, np.nan))
    assert broken == deepcopy(broken)


def test_a_result_without_images_shows_no_picture_and_says_so(result, tmp_path):
    assert result[:0]._repr_png_() is None
    with pytest.raises(ImageError, match="no picture to draw: the result holds no image"):
        result[:0].save(tmp_path / "none.png")
