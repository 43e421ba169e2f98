"""Reading a mask from a file: which pixels are painted, and where they lie on the image."""

import numpy as np
from crosslens import load_image
from crosslens.objective.mask_file import read_mask
from crosslens.testing import TinyModel
from PIL import Image


def test_a_mask_is_read_from_every_kind_of_picture(tmp_path):
    model, inside = TinyModel(), np.zeros((8, 8), bool)
    inside[2:5, 1:7] = True
    grey = Image.fromarray(np.where(inside, 255, 0).astype(np.uint8))
    few = Image.fromarray(inside.astype(np.uint8))
    palette = few.convert("P")
    palette.putdata(inside.astype(np.uint8).ravel() * 3)
    clear = Image.fromarray(np.dstack([np.zeros((8, 8, 3), np.uint8), np.where(inside, 255, 0).astype(np.uint8)]))
    for name, picture in {"grey": grey, "few": few, "palette": palette, "clear": clear}.items():
        picture.save(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(read_mask(str(tmp_path / f"{name}.png"), model), inside)
    np.save(tmp_path / "mask.npy", inside)
    np.testing.assert_array_equal(read_mask(str(tmp_path / "mask.npy"), model), inside)


def test_a_mask_of_another_size_is_cropped_as_the_photograph_is(tmp_path):
    model, photo = TinyModel(), np.zeros((64, 96), np.uint8)
    photo[16:48, 30:70] = 255
    Image.fromarray(photo).save(tmp_path / "mask.png")
    mask = read_mask(str(tmp_path / "mask.png"), model)
    np.testing.assert_allclose(mask, load_image(tmp_path / "mask.png", like=model)[0, 0], atol=1e-6)
