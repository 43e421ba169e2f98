"""A patch's result: rates counted by hand, files, and pasting into one's own pictures."""

import crosslens
import numpy as np
import pytest
from crosslens.attack.patch.patch_result import PatchResult
from crosslens.attack.patch.trials import Trials
from crosslens.errors import ImageError, ParameterError
from PIL import Image

RNG = np.random.default_rng(0)


def trials(n=4, count=5):
    placement = np.stack([RNG.uniform(0.2, 0.8, (n, count)) for _ in range(4)], axis=-1)
    placement[..., 2] = RNG.uniform(-45, 45, (n, count))
    placement[..., 3] = RNG.uniform(0.9, 1.1, (n, count))
    success = RNG.random((n, count)) < 0.6
    return Trials(success, np.where(success, 1, 0), RNG.random((n, count)), placement)


HELD, OTHER = trials(), trials(4, 2)


def opened(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def result(**changes):
    fields = {
        "method": "adversarial_patch",
        "images": RNG.random((1, 3, 20, 20), np.float32),
        "scale": (0.9, 1.1),
        "rotation": 45.0,
        "towards": 1,
        "trials": {"held out": HELD.arrays(), "grey patch": OTHER.arrays()},
        "held_out": ("a", "b", "c", "d"),
        "before": np.array([0, 2, 0, 2]),
        "trained_on": np.array([5, 6]),
        "examples": RNG.random((2, 3, 48, 64), np.float32),
        "example_rows": np.array([0, 3]),
        "example_confidence": np.array([0.9, 0.4]),
        "labels": ("cat", "toaster", "dog"),
    }
    return PatchResult(**{**fields, **changes})


def test_the_rate_is_the_share_of_hits_and_its_parts_add_up():
    rate = result().rate
    assert (rate.pictures, rate.trials) == (4, 20)
    assert rate.success == HELD.success.mean()
    assert rate.low < rate.success < rate.high
    assert rate.confidence == pytest.approx(HELD.confidence.mean())
    for what in ("rotation", "scale", "location"):
        parts = result().rates_by(what)
        assert parts["trials"].sum() == 20
        assert (parts["trials"] * parts["success"]).sum() == pytest.approx(HELD.success.sum())


def test_a_part_holds_the_trials_between_its_limits():
    chosen = HELD.placement[..., 2] >= 15
    row = result().rates_by("rotation")["of"].tolist().index("rotation 15 to 45")
    assert result().rates_by("rotation")["success"][row] == HELD.success[chosen].mean()
    inner = np.abs(HELD.placement[..., :2] - 0.5) < 1 / 6
    table = result().rates_by("location")
    assert table["trials"][table["of"].tolist().index("middle centre")] == inner.all(axis=-1).sum()


def test_the_summary_has_a_row_for_each_trial_and_part():
    summary = result().summary
    assert summary["of"][:2].tolist() == ["held out", "grey patch"]
    assert "held out, scale 0.9 to 0.967" in summary["of"]
    assert "toaster" in repr(result())


def test_a_png_is_clear_outside_the_circle_and_the_sheet_lies_beside(tmp_path):
    made = result()
    made.save(tmp_path / "patch.png")
    pixels = opened(tmp_path / "patch.png")
    assert pixels.shape == (20, 20, 4)
    assert pixels[0, 0, 3] == 0
    np.testing.assert_allclose(pixels[10, 10, :3] / 255, made.images[0, :, 10, 10], atol=0.5 / 255 + 1e-6)
    assert pixels[10, 10, 3] == 255
    assert opened(tmp_path / "patch-on-pictures.png").shape[1] > 128
    made.save(tmp_path / "white.jpg")
    assert opened(tmp_path / "white.jpg").shape == (20, 20, 3)
    assert made.picture()[0, 0].tolist() == [255, 255, 255]


def test_a_surveys_folder_has_the_sheet_and_the_patch(tmp_path):
    assert [path.name for path in result().save_into(tmp_path)] == ["patch-on-pictures.png", "patch.png"]
    (tmp_path / "alone").mkdir()
    assert [path.name for path in result(examples=None).save_into(tmp_path / "alone")] == ["patch.png"]


def test_a_square_patch_is_opaque_everywhere(tmp_path):
    result(shape="square").save(tmp_path / "patch.png")
    assert (opened(tmp_path / "patch.png")[..., 3] == 255).all()


def test_it_comes_back_from_its_file(tmp_path):
    made = result()
    assert crosslens.load(made.save(tmp_path / "patch.npz")) == made


def test_it_is_pasted_into_pictures_of_any_size_at_its_share_of_the_area(tmp_path):
    made = result(images=np.ones((1, 3, 20, 20), np.float32))
    pictures = np.zeros((2, 3, 100, 160), np.float32)
    for area in (None, 0.03):
        pasted = made.paste(pictures, location=(0.4, 0.6), rotation=20, area=area)
        assert pasted.shape == pictures.shape
        assert pasted[0, 0].mean() == pytest.approx(area or 0.1, rel=0.01)
        rows, columns = (np.average(each, weights=pasted[1, 0]) + 0.5 for each in np.indices((100, 160)))
        assert (rows, columns) == pytest.approx((40, 96), abs=0.1)
    Image.new("RGB", (80, 60)).save(tmp_path / "black.png")
    assert made.paste(tmp_path / "black.png").shape == (1, 3, 60, 80)
    assert made.paste([tmp_path / "black.png"] * 2).shape == (2, 3, 60, 80)
    assert made.paste(pictures[0]).shape == (1, 3, 100, 160)


def test_pasting_keeps_to_the_bounds_of_the_model(tmp_path):
    made = result(images=np.ones((1, 3, 20, 20), np.float32), provenance={"bounds": (-1.0, 1.0)})
    Image.new("RGB", (80, 60)).save(tmp_path / "black.png")
    assert made.paste(tmp_path / "black.png")[0, 0, 0, 0] == -1


def test_a_grey_patch_is_pasted_into_a_file_in_grey(tmp_path):
    made = result(images=np.ones((1, 1, 20, 20), np.float32))
    Image.new("RGB", (80, 60), (255, 0, 0)).save(tmp_path / "red.png")
    pasted = made.paste(tmp_path / "red.png")
    assert pasted.shape == (1, 1, 60, 80)
    assert pasted[0, 0, 0, 0] == pytest.approx(0.299)


def test_what_it_cannot_do_is_refused(tmp_path):
    with pytest.raises(ImageError, match="3 channels"):
        result().paste(np.zeros((2, 1, 8, 8)))
    with pytest.raises(ParameterError, match="no trials of 'real toaster'; there are 'held out'"):
        result().trials_of("real toaster")
    with pytest.raises(ParameterError, match="rates are by rotation, scale, location"):
        result().rates_by("colour")
    with pytest.raises(ImageError, match=r"use \.png"):
        result().save(tmp_path / "patch.gif")
