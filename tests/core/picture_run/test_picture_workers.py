"""Many pictures by several workers: outputs and index are those of one, whatever fails."""

import json

import crosslens
import numpy as np
import pytest
from crosslens.errors import ImageError, LayerError, ParameterError, TargetError
from crosslens.picture_run.batch_job import PictureBatch
from crosslens.picture_run.batches import Outcome
from crosslens.picture_run.outcomes import _in_order_until_one_works
from crosslens.picture_run.picture_list import PictureFile
from crosslens.plugins import method_class
from crosslens.testing import TinyModel
from PIL import Image


def picture_folder(folder):
    """Eleven pictures: the ninth is white, the tenth cannot be read."""
    folder.mkdir()
    for seed in range(11):
        pixels = np.random.default_rng(seed).integers(0, 255, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels if seed != 8 else np.full_like(pixels, 255)).save(folder / f"{seed:02}.png")
    (folder / "09.png").write_bytes(b"no picture")
    return folder


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}


def records(folder):
    """The lines of the index, but for the times."""
    return [{**json.loads(line), "seconds": 0} for line in (folder / "index.jsonl").read_text().splitlines()]


class NotWhite(method_class("gradient")):
    name = "not_white"

    def run(self, model, images, objective, progress):
        if float(images.mean(axis=(1, 2, 3)).max()) > 0.99:
            raise ImageError("this picture is white")
        return super().run(model, images, objective, progress)


def small_batches():
    model = TinyModel()
    model.batch_size = 2
    return model


def test_outputs_and_index_are_the_same_whatever_the_number_of_workers(tmp_path):
    photos, told = picture_folder(tmp_path / "photos"), list[int]()
    for count in (1, 2):
        summary = crosslens.run_pictures(
            NotWhite(), small_batches(), photos, tmp_path / str(count), workers=count,
            progress=lambda done, total, what: told.append(done),
        )  # fmt: skip
        assert [each["name"] for each in summary.failed] == ["08", "09"]
    assert len(files(tmp_path / "1")) == 9
    assert files(tmp_path / "1") == files(tmp_path / "2")
    assert records(tmp_path / "1") == records(tmp_path / "2")
    assert (tmp_path / "1/run.json").read_bytes() == (tmp_path / "2/run.json").read_bytes()
    assert told[-12:] == list(range(12))


def test_what_is_wrong_whatever_the_picture_comes_back_from_workers_as_it_was(tmp_path):
    photos, wrong = picture_folder(tmp_path / "photos"), crosslens.method("gradient", layer="conv9")
    with pytest.raises(LayerError, match="no layer 'conv9'"):
        crosslens.run_pictures(wrong, small_batches(), photos, tmp_path / "maps", workers=2)
    with pytest.raises(ParameterError, match="workers is 0"):
        crosslens.run_pictures(crosslens.method("gradient"), small_batches(), photos, tmp_path / "maps", workers=0)


def batch(start, *outcomes):
    there = range(start, start + len(outcomes))
    return PictureBatch(there, frozenset(there)), list(zip(there, outcomes, strict=True))


PICTURE = PictureFile("x.png", "x")
DONE, UNREAD = Outcome(PICTURE, record={}), Outcome(PICTURE, error="no picture")


def failed(text, kind=ImageError):
    return Outcome(PICTURE, error=text, raised=kind(text))


def given(*results):
    """The first indices of the batches, in the order in which they are given."""
    batches = sorted((each for each, _ in results), key=lambda each: each.pictures.start)
    return [made[0][0] for made in _in_order_until_one_works(batches, results)]


def test_batches_are_judged_in_the_order_of_the_pictures_until_one_works_and_given_as_they_come_after_that():
    late = batch(0, DONE, DONE)
    assert given(batch(4, failed("white"), failed("white")), batch(2, DONE), late, batch(8, DONE), batch(6, DONE)) in (
        [0, 4, 2, 8, 6],
        [0, 2, 4, 8, 6],
    )
    assert given(batch(2, failed("a"), UNREAD), batch(0, failed("b"), UNREAD), batch(4, failed("c"), DONE)) == [0, 2, 4]


def test_the_same_failure_twice_before_any_picture_worked_is_that_of_the_call():
    with pytest.raises(ImageError, match="white"):
        given(batch(2, DONE), batch(0, failed("white"), failed("white")))
    with pytest.raises(TargetError, match="no class"):
        given(batch(0, failed("no class", TargetError), DONE))
    assert given(batch(0, UNREAD, UNREAD), batch(2, failed("white"), DONE)) == [0, 2]
