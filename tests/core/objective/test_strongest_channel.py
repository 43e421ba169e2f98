"""The lectures' second occlusion map: the sum of a layer's strongest channel, with the box centred at each place."""

import crosslens
import numpy as np
from crosslens import objective
from crosslens.testing import TinyModel

IMAGES = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)
MODEL = TinyModel()


def test_it_is_the_sum_of_the_channel_with_the_largest_sum():
    maps = MODEL.forward(IMAGES, ["act1"])["act1"]
    got = objective.strongest("act1").value({"act1": maps})
    expected = [max(float(channel.sum()) for channel in image) for image in maps]
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_its_gradient_is_that_of_the_channel_s_sum():
    maps = MODEL.forward(IMAGES, ["act1"])["act1"]
    (cotangent,) = objective.strongest("act1").cotangents({"act1": maps}).values()
    for image, ones in zip(maps, cotangent, strict=True):
        best = int(np.argmax([channel.sum() for channel in image]))
        assert (ones[best] == 1).all()
        assert ones.sum() == ones[best].size


def test_occlusion_shows_the_channel_of_the_whole_image_with_the_box_centred_at_each_place():
    """Zeiler and Fergus 2014, figure 7b, one box at a time."""
    got = crosslens.method("occlusion", window=3, stride=1, show="value", fill=0.0)(MODEL, IMAGES, "strongest:act1")
    for image, values, score in zip(IMAGES, got.values, got.scores, strict=True):
        whole = MODEL.forward(image[None], ["act1"])["act1"][0]
        best = int(np.argmax([channel.sum() for channel in whole]))
        np.testing.assert_allclose(score, whole[best].sum(), rtol=1e-5)
        for y in range(8):
            for x in range(8):
                covered = image.copy()
                covered[:, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = 0
                expected = MODEL.forward(covered[None], ["act1"])["act1"][0, best].sum()
                np.testing.assert_allclose(values[y, x], expected, rtol=1e-4)
