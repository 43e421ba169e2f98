"""Images in every form that users have them in: taken with the right values, or refused with all that is to be done."""

import re

import crosslens
import numpy as np
import pytest
from crosslens.errors import CrosslensError, ImageError
from crosslens.image.batch import image_batch
from crosslens.model import InputSpec
from crosslens.testing import TinyModel
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (8, 8, 3), np.uint8)
"""A picture as cameras give it, (H, W, C)."""
BATCH = (PIXELS.transpose(2, 0, 1)[None] / 255).astype(np.float32)


def taking(*shape, bounds=(0.0, 1.0)):
    """A model that takes such images."""
    model = TinyModel()
    model.input = InputSpec(shape, bounds)
    return model


RGB = taking(3, 8, 8)
FORMS = {
    "(H, W, C) uint8": PIXELS,
    "(N, H, W, C) uint8": PIXELS[None],
    "(C, H, W) uint8": PIXELS.transpose(2, 0, 1),
    "(C, H, W) float32": BATCH[0],
    "(H, W, C) float64": PIXELS / 255,
    "(N, C, H, W) float64": BATCH.astype(np.float64),
    "another byte order": BATCH.astype(">f4"),
    "16 bits": PIXELS.astype(np.uint16) * 257,
    "turned round": PIXELS[::-1, ::-1][::-1, ::-1],
    "a list of one": [PIXELS],
    "a tuple of one float": (BATCH[0],),
    "Pillow's": Image.fromarray(PIXELS),
    "Pillow's with transparency that is not used": Image.fromarray(PIXELS).convert("RGBA"),
    "nested lists": BATCH.tolist(),
}


@pytest.mark.parametrize("form", FORMS)
def test_one_picture_in_every_form_is_the_same_batch(form):
    batch = image_batch(FORMS[form], RGB)
    assert (batch.dtype, batch.shape) == (np.float32, (1, 3, 8, 8))
    assert batch.flags.c_contiguous
    np.testing.assert_allclose(batch, BATCH, rtol=1e-6)


def test_what_was_right_comes_back_as_the_same_object():
    assert image_batch(BATCH, RGB) is BATCH


def test_methods_take_every_form(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    gradient = crosslens.method("gradient")
    want = gradient(RGB, BATCH, 0)
    for form in (PIXELS, tmp_path / "a.png", str(tmp_path / "a.png"), [PIXELS], Image.fromarray(PIXELS)):
        got = gradient(RGB, form, 0)
        np.testing.assert_array_equal(got.images, BATCH)
        np.testing.assert_array_equal(got.values, want.values)


def test_a_normalised_batch_is_told_how_it_is_taken():
    normalised = (2 * BATCH - 1) / 0.5
    with pytest.raises(ImageError, match=r"to give it normalised, wrap\(..., preprocess=None, bounds=\(-2, 2\)\)$"):
        image_batch(normalised, RGB)
    assert image_batch(normalised, taking(3, 8, 8, bounds=(-2, 2))) is normalised


def test_several_pictures_in_a_list_are_one_batch(tmp_path):
    Image.fromarray(PIXELS[::-1]).save(tmp_path / "b.png")
    batch = image_batch([PIXELS, BATCH, tmp_path / "b.png", Image.fromarray(PIXELS)], RGB)
    np.testing.assert_allclose(batch, np.concatenate([BATCH, BATCH, BATCH[:, :, ::-1], BATCH]), rtol=1e-6)


def test_truth_values_are_black_and_white():
    np.testing.assert_array_equal(
        image_batch(PIXELS > 99, taking(3, 8, 8, bounds=(-1, 1)))[0, 1, 2, 3], 1 if PIXELS[2, 3, 1] > 99 else -1
    )


@pytest.mark.parametrize("bounds", [(0, 255), (-1, 1), (0, 2), (16, 235)])
def test_whole_numbers_become_shares_of_the_bounds(bounds):
    low, high = bounds
    want = low + (high - low) * (PIXELS.transpose(2, 0, 1)[None] / 255)
    np.testing.assert_allclose(image_batch(PIXELS, taking(3, 8, 8, bounds=bounds)), want, rtol=1e-6, atol=1e-6)


def test_grey_pictures_need_no_channel_axis():
    digits = RNG.integers(0, 256, (5, 28, 28), np.uint8)
    want = (digits[:, None] / 255).astype(np.float32)
    grey = taking(1, 28, 28)
    for form in (digits, digits[..., None], digits[:, None], list(digits), digits / 255):
        np.testing.assert_allclose(image_batch(form, grey), want, rtol=1e-6)
    for form in (digits[0], digits[0, ..., None], digits[0, None], digits[:1]):
        np.testing.assert_allclose(image_batch(form, grey), want[:1], rtol=1e-6)


def test_codes_and_volumes_are_no_pictures():
    code = taking(100, bounds=None)
    assert image_batch(np.full(100, -7.0), code).shape == (1, 100)
    with pytest.raises(ImageError, match=re.escape("takes (N, 100) float32, not pictures")):
        image_batch("a.png", code)
    scan = RNG.random((5, 6, 7, 2))
    np.testing.assert_allclose(image_batch(scan, taking(2, 5, 6, 7)), np.moveaxis(scan, -1, 0)[None], rtol=1e-6)
    with pytest.raises(ImageError, match=re.escape("this model takes (N, 2, 5, 6, 8) float32 in [0, 1]. Resample")):
        image_batch(scan, taking(2, 5, 6, 8))


PASTED = {
    "uint8": (PIXELS, RGB),
    "one image": (BATCH[0], RGB),
    "floats to 255": (PIXELS.astype(np.float64), RGB),
    "a batch to 255": (255 * BATCH, RGB),
    "whole numbers of 64 bits": (PIXELS.astype(np.int64), RGB),
    "16 bits that hold 8": (PIXELS.astype(np.uint16), RGB),
    "8 bits that hold one": (PIXELS // 128, RGB),
    "a little too bright": (1.01 * PIXELS / 255, RGB),
    "for another range": (PIXELS.astype(np.float32), taking(3, 8, 8, bounds=(-1, 1))),
    "shares for 255": (BATCH, taking(3, 8, 8, bounds=(0, 255))),
    "another size": (RNG.integers(0, 256, (20, 30, 3), np.uint8), RGB),
    "another size, to 255": (RNG.integers(0, 255, (20, 30, 3)).astype(np.float32), RGB),
    "transparency": (RNG.integers(0, 256, (8, 8, 4), np.uint8), RGB),
    "grey for colours": (PIXELS[..., 0], RGB),
    "colours for grey": (PIXELS, taking(1, 8, 8)),
    "a deep volume": (RNG.integers(0, 256, (5, 6, 7, 2)), taking(2, 5, 6, 7)),
}


@pytest.mark.parametrize("case", PASTED)
def test_the_code_in_the_message_makes_images_that_the_model_takes(case):
    images, model = PASTED[case]
    with pytest.raises(ImageError) as refused:
        model.input.check(images, strict=True)
    message = str(refused.value)
    assert "\n" not in message
    code = message.rpartition("]. ")[2].partition(": ")[2]
    made = eval(code, {"crosslens": crosslens, "images": images, "model": model})
    model.input.check(made, strict=True)


def test_a_refusal_names_all_steps_at_once():
    message = (
        "images have shape (8, 8, 3) and dtype float64, values from 0 to 255; this model takes (N, 3, 8, 8) float32 in "
        "[0, 1]. Move the channels to the front, add the batch axis, divide by 255, convert to float32: "
        "(images.transpose(2, 0, 1)[None] / 255).astype('float32')"
    )
    images = PIXELS.astype(np.float64)
    images[0, 0], images[0, 1] = 0, 255
    for call in (
        lambda: image_batch(images, RGB),
        lambda: RGB.forward(images),
        lambda: crosslens.method("gradient")(RGB, images),
    ):
        with pytest.raises(ImageError, match=f"^{re.escape(message)}$"):
            call()


@pytest.mark.parametrize(
    ("images", "model", "readings"),
    [
        (
            np.zeros((3, 4, 3)),
            taking(3, None, None),
            [
                "images[None].astype('float32') if the axes are (C, H, W)",
                "images.transpose(2, 0, 1)[None].astype('float32') if the axes are (H, W, C)",
            ],
        ),
        (
            np.zeros((3, 8, 8)),
            taking(1, 8, 8),
            [
                "images[:, None].astype('float32') if the axes are (N, H, W)",
                "crosslens.load_image(images, like=model) if the axes are (C, H, W)",
            ],
        ),
    ],
)
def test_axes_that_can_be_read_in_two_ways_are_refused_with_both(images, model, readings):
    with pytest.raises(ImageError, match="Two readings of the axes fit") as refused:
        image_batch(images, model)
    for reading in readings:
        assert reading in str(refused.value)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({"image": 1}, "images are dict, not an array of numbers"),
        (np.array(["a"]), "images are ndarray, not an array of numbers"),
        (3.0, "images are float, not an array of numbers"),
        (object(), "images are object, not an array of numbers"),
        ([], "the batch holds no image"),
        ([PIXELS, PIXELS[:7]], r"images\[1\]: images have shape \(7, 8, 3\)"),
        ([[1, 2], [3]], "images are list, which NumPy cannot read"),
        ([PIXELS, "none.png"], r"images\[1\]: no picture at 'none.png'"),
        (np.ma.masked_less(BATCH, 0.5), r"masked array.*images.filled\(0\)"),
        (BATCH + 1j, "Give real numbers"),
        (2 * BATCH - 1, r"Undo the normalisation \(the model does its own\): give pixels in \[0, 1\]"),
        (np.where(BATCH > 0.5, BATCH, np.nan).astype(np.float32), "NaN or infinite"),
        (-PIXELS.astype(np.int16), "give pixels in"),
        (BATCH[None], r"this model takes \(N, 3, 8, 8\)"),
    ],
)
def test_what_cannot_be_images_is_refused(images, message):
    with pytest.raises(ImageError, match=f"(?i){message}"):
        image_batch(images, RGB)


def test_pictures_of_different_sizes_are_no_batch():
    with pytest.raises(ImageError, match=r"images have different sizes, \(3, 7, 8\), \(3, 8, 8\), and a batch has one"):
        image_batch([PIXELS, PIXELS[:7]], taking(3, None, None))


def by_hand(array, channels, size):
    """The batch that an array is, written for this test: its axes by name, then its unit; None if it is none."""
    named = {2: ["HW"], 3: ["CHW", "HWC", "NHW"], 4: ["NCHW", "NHWC"]}.get(array.ndim, [])
    found = []
    for axes in named:
        lengths = dict(zip(axes, array.shape, strict=True))
        if lengths.get("C", 1) == channels and (lengths["H"], lengths["W"]) == size and all(array.shape):
            moved = np.einsum(f"{axes}->{''.join(a for a in 'NCHW' if a in axes)}", array)
            found.append(moved.reshape(lengths.get("N", 1), channels, *size))
    if not found:
        return None
    white = {"b": 1, "u": 2 ** (8 * array.dtype.itemsize) - 1}.get(array.dtype.kind, 1)
    return found[0].astype(np.float64) / white


SHAPES = st.lists(st.sampled_from([0, 1, 2, 3, 4, 5]), min_size=0, max_size=5).map(tuple)
TYPES = st.sampled_from(
    ["bool", "uint8", "uint16", "int32", "float16", "float32", "float64", "complex64", "U1", "O", "M8[s]"]
)


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(st.data(), st.sampled_from([1, 3, 4]), st.sampled_from([(4, 5), (3, 3), (1, 2)]))
def test_any_array_is_taken_as_by_hand_or_refused(data, channels, size):
    likely = st.sampled_from([(*size, channels), (channels, *size), (2, channels, *size), (2, *size, channels), size])
    shape = data.draw(st.one_of(likely, likely, SHAPES))
    dtype = np.dtype(data.draw(TYPES))
    unit = st.floats(0, 1, width=16)
    array = data.draw(arrays.arrays(dtype, shape, elements=unit if dtype.kind == "f" else None))
    model = taking(channels, *size)
    try:
        batch = image_batch(array, model)
    except CrosslensError:
        return
    np.testing.assert_allclose(batch, by_hand(array, channels, size), rtol=1e-5, atol=1e-7)
    model.input.check(batch, strict=True)


@pytest.mark.parametrize("backend", ["tiny", "torch"])
@pytest.mark.parametrize(
    ("name", "parameters"),
    [("gradient_x_input", {}), ("integrated_gradients", {"steps": 2}), ("occlusion", {"window": 4, "stride": 4})],
)
def test_methods_give_the_same_for_tensors_of_torch(name, parameters, backend):
    import torch

    torch.manual_seed(0)
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 4))
    model = RGB if backend == "tiny" else crosslens.wrap(flat, input_shape=(3, 8, 8), preprocess="unit")
    run = crosslens.method(name, **parameters)
    want = run(model, BATCH, 0)
    for tensor in (torch.tensor(BATCH), torch.tensor(BATCH[0], requires_grad=True), [torch.tensor(PIXELS)] * 2):
        got = run(model, tensor, 0)
        assert type(got.values) is type(got.images) is np.ndarray
        np.testing.assert_allclose(got.values[:1], want.values, rtol=1e-5, atol=1e-6)


def test_tensors_of_torch_become_arrays():
    import torch

    right = torch.tensor(BATCH).contiguous(memory_format=torch.channels_last)
    forms = [right, torch.tensor(PIXELS), torch.tensor(BATCH, requires_grad=True), torch.tensor(BATCH[0]).double()]
    forms += [torch.tensor(PIXELS.astype(np.float32) / 255), torch.tensor(PIXELS)[None]]
    for form in forms:
        batch = image_batch(form, RGB)
        assert batch.flags.c_contiguous
        np.testing.assert_allclose(batch, BATCH, rtol=1e-6)
    for half, error in ((torch.float16, 1e-3), (torch.bfloat16, 1e-2)):
        np.testing.assert_allclose(image_batch(torch.tensor(BATCH).to(half), RGB), BATCH, atol=error)
    np.testing.assert_allclose(crosslens.load_image(torch.tensor(PIXELS), like=RGB), BATCH, rtol=1e-6)
    with pytest.raises(ImageError, match=r"divide by 255: images.permute\(2, 0, 1\)\[None\] / 255"):
        image_batch(torch.tensor(PIXELS).float(), RGB)


def test_tensors_of_tensorflow_are_read():
    import tensorflow as tf

    for form in (tf.constant(PIXELS), tf.constant(BATCH), tf.Variable(BATCH), tf.cast(tf.constant(BATCH), tf.bfloat16)):
        np.testing.assert_allclose(image_batch(form, RGB), BATCH, atol=1e-2 if form.dtype == tf.bfloat16 else 1e-6)
