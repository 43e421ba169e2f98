"""Many pictures in Python: what is written, how a stopped run goes on, what fails alone."""

import json
import os
import signal
from contextlib import suppress
from dataclasses import dataclass

import crosslens
import numpy as np
import pytest
from crosslens.errors import ImageError, LayerError, ParameterError
from crosslens.picture_run.batches import BatchRunner
from crosslens.picture_run.job import PictureJob
from crosslens.picture_run.picture_list import find_pictures
from crosslens.plugins import method_class
from crosslens.testing import TinyModel
from PIL import Image


@pytest.fixture
def photos(tmp_path):
    """Seven pictures; the last one is white."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(6):
        pixels = np.random.default_rng(seed).integers(0, 255, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    Image.new("RGB", (24, 20), "white").save(folder / "white.png")
    return folder


def by_threes(seed=0):
    model = TinyModel(seed=seed)
    model.batch_size = 3
    return model


def index(folder):
    return [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}


@dataclass(frozen=True, kw_only=True)
class NotWhite(method_class("gradient")):
    name = "not_white"

    def run(self, model, images, objective, progress):
        if float(images.mean(axis=(1, 2, 3)).max()) > 0.99:
            raise ImageError("this picture is white")
        return super().run(model, images, objective, progress)


def test_a_picture_that_fails_leaves_its_batch_alone(photos, tmp_path):
    summary = crosslens.run_pictures(NotWhite(), by_threes(), photos, tmp_path / "maps")
    assert [each["error"] for each in summary.failed] == ["this picture is white"]
    assert len(files(tmp_path / "maps")) == 6
    assert repr(summary) == f"<PictureSummary: 6 of 7 pictures in '{tmp_path / 'maps'}'>"
    one = crosslens.load_image(photos / "5.png", like=TinyModel())
    alone = crosslens.method("gradient")(TinyModel(), one)
    runner = BatchRunner(PictureJob(NotWhite(), by_threes()), find_pictures(photos))
    *_, fifth, _ = runner.run(range(4, 7))
    np.testing.assert_allclose(fifth.result.values, alone.values, rtol=1e-4, atol=1e-7)


def test_a_stopped_run_goes_on_and_gives_what_a_whole_one_gives(photos, tmp_path):
    def stop_at_the_fourth(done, total, what):
        if done == 4:
            raise KeyboardInterrupt

    grad_cam = crosslens.method("grad_cam")
    with pytest.raises(KeyboardInterrupt):
        crosslens.run_pictures(grad_cam, by_threes(), photos, tmp_path / "cut", progress=stop_at_the_fourth)
    assert len(index(tmp_path / "cut")) == len(files(tmp_path / "cut")) == 4
    summary = crosslens.run_pictures(grad_cam, by_threes(), photos, tmp_path / "cut")
    assert summary.before == 4
    crosslens.run_pictures(grad_cam, by_threes(), photos, tmp_path / "whole")
    assert files(tmp_path / "cut") == files(tmp_path / "whole")
    of_pictures = [[{**each, "seconds": 0} for each in index(tmp_path / name)] for name in ("cut", "whole")]
    assert of_pictures[0] == of_pictures[1]


def test_what_a_killed_process_leaves_is_put_in_order(photos, tmp_path):
    gradient = crosslens.method("gradient")
    crosslens.run_pictures(gradient, by_threes(), photos, tmp_path / "maps")
    lines = (tmp_path / "maps/index.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "maps/index.jsonl").write_text("".join(lines[:3]) + lines[3][:40])
    (tmp_path / "maps/.0123456789abcdef.png").write_bytes(b"half")
    (tmp_path / "maps/.mine.png").write_bytes(b"a user's own")
    summary = crosslens.run_pictures(gradient, by_threes(), photos, tmp_path / "maps")
    assert summary.before == 3
    assert [{**each, "seconds": 0} for each in index(tmp_path / "maps")] == [
        {**json.loads(line), "seconds": 0} for line in lines
    ]
    assert sorted(path.name for path in (tmp_path / "maps").glob(".*")) == [".mine.png"]


@dataclass(frozen=True, kw_only=True)
class BestSoFar(method_class("gradient")):
    """Ends early when a signal comes, as long synthesis does."""

    name = "best_so_far"

    def run(self, model, images, objective, progress):
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        return super().run(model, images, objective, progress)


def test_the_best_so_far_of_an_interrupted_method_is_not_taken_for_finished(photos, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        crosslens.run_pictures(BestSoFar(), by_threes(), photos, tmp_path / "maps")
    assert index(tmp_path / "maps") == []
    assert not files(tmp_path / "maps")


def test_other_weights_are_refused(photos, tmp_path):
    gradient = crosslens.method("gradient")
    crosslens.run_pictures(gradient, by_threes(), photos, tmp_path / "maps")
    with pytest.raises(ParameterError, match=r"holds results of other settings \(model: .*again=True"):
        crosslens.run_pictures(gradient, by_threes(seed=1), photos, tmp_path / "maps")
    again = crosslens.run_pictures(gradient, by_threes(seed=1), photos, tmp_path / "maps", again=True)
    assert again.before == 0
    assert json.loads((tmp_path / "maps/run.json").read_text())["model"] == TinyModel(seed=1).digest


def test_another_format_is_added_to_what_is_there(photos, tmp_path):
    gradient = crosslens.method("gradient")
    crosslens.run_pictures(gradient, by_threes(), photos, tmp_path / "maps")
    crosslens.run_pictures(gradient, by_threes(), photos, tmp_path / "maps", formats=["npz", "png"])
    saved = crosslens.load(tmp_path / "maps/3.npz")
    image = crosslens.load_image(photos / "3.png", like=TinyModel())
    np.testing.assert_array_equal(saved.images, image)
    assert saved.values.shape == image.shape


def test_what_is_wrong_whatever_the_picture_is_an_error_at_once(photos, tmp_path):
    with pytest.raises(LayerError, match="no layer 'conv9'"):
        crosslens.run_pictures(crosslens.method("gradient", layer="conv9"), by_threes(), photos, tmp_path / "maps")


def test_where_no_picture_can_be_done_the_first_reason_is_the_error(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"none of the 2 pictures could be done; the first: .*a\.png"):
        crosslens.run_pictures(crosslens.method("gradient"), TinyModel(), tmp_path, tmp_path / "maps")


def test_a_target_for_each_picture_is_that_of_each(photos, tmp_path):
    target = [0, 1, 2, 3, 4, 0, 1]
    summary = crosslens.run_pictures(
        crosslens.method("gradient"), by_threes(), photos, tmp_path / "maps", target=target
    )
    assert [each["class"] for each in summary.records] == target


def test_names_are_all_different(tmp_path):
    for name in ("a/x.png", "a/x.jpg", "a/x.jpg.gif", "b/x.png", "c/d/X.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = find_pictures(
        [tmp_path / "a", tmp_path / "b" / "x.png", str(tmp_path / "c" / "**"), tmp_path / "a" / "x.png"]
    )
    names = [each.name.casefold() for each in found]
    assert len(names) == len(set(names)) == 5
