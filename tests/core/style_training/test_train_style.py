"""`crosslens.train_style`: going on, interruptions, losses that are not finite, and what is refused."""

import numpy as np
import pytest
from crosslens import train_style
from crosslens.errors import CrosslensError, DivergedError, ImageError, ModelError, ParameterError
from crosslens.testing import TinyModel

SMALL = {"width": 4, "blocks": 1}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("norm", ["instance", "batch", "conditional"])
def test_a_training_that_goes_on_ends_bit_by_bit_as_one_that_never_stopped(
    loss_network, photographs, styles, tmp_path, norm
):
    style = styles if norm == "conditional" else styles[0]
    given = {**SMALL, "norm": norm, "batch": 2}
    whole = train_style(loss_network, photographs, style, steps=6, **given)
    half = train_style(loss_network, photographs, style, steps=3, state=tmp_path / "half.npz", **given)
    rest = train_style(loss_network, photographs, style, steps=6, state=tmp_path / "half.npz", resume=True, **given)
    assert same(rest.weights, whole.weights)
    np.testing.assert_array_equal(rest.losses, whole.losses)
    np.testing.assert_array_equal(rest.losses[:3], half.losses)


def test_the_loss_falls(loss_network, photographs, styles):
    trained = train_style(loss_network, photographs, styles[0], steps=80, strength=0.1, **SMALL)
    losses = trained.losses.sum(axis=1)
    assert losses[-20:].mean() < 0.7 * losses[:10].mean()
    made = trained(photographs[:2, :, :16, :16])
    assert made.shape == (2, 3, 16, 16)
    assert 0 <= made.min() <= made.max() <= 1


def test_the_seed_decides_all(loss_network, photographs, styles):
    first, again, other = (
        train_style(loss_network, photographs, styles[0], steps=2, seed=seed, **SMALL) for seed in (0, 0, 1)
    )
    assert same(first.weights, again.weights)
    assert not same(first.weights, other.weights)


def stop_after(steps):
    def progress(done, total, what):
        if done == steps:
            raise KeyboardInterrupt

    return progress


def test_an_interruption_keeps_what_was_trained_and_it_can_be_gone_on_with(loss_network, photographs, styles, tmp_path):
    given = {**SMALL, "steps": 6, "state": tmp_path / "state.npz"}
    cut = train_style(loss_network, photographs, styles[0], progress=stop_after(4), **given)
    assert cut.interrupted
    assert cut.notes == ("interrupted after 4 of 6 steps",)
    rest = train_style(loss_network, photographs, styles[0], resume=True, **given)
    whole = train_style(loss_network, photographs, styles[0], steps=6, **SMALL)
    assert same(rest.weights, whole.weights)


def test_interrupted_before_the_first_step_there_is_nothing_to_keep(loss_network, photographs, styles, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("crosslens.style_training.loop.one_step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_style(loss_network, photographs, styles[0], steps=2, **SMALL)


def test_where_the_loss_is_nan_the_last_state_that_was_kept_stays(
    loss_network, photographs, styles, tmp_path, monkeypatch
):
    from crosslens.style_training import loop

    real = loop.pullback

    def broken(model, images, loss):
        pull, total = real(model, images, loss)
        return pull, total * np.float32("nan") if broken.calls == 4 else total

    def counted(*args):
        counted.calls = broken.calls = counted.calls + 1
        return broken(*args)

    counted.calls = 0
    monkeypatch.setattr(loop, "pullback", counted)
    trained = train_style(loss_network, photographs, styles[0], steps=6, every=2, state=tmp_path / "state.npz", **SMALL)
    assert trained.diverged
    assert trained.notes == (
        "the loss is not finite at step 4: take shorter steps, learning_rate=0.001 for example; "
        "the network is that of step 2",
    )
    monkeypatch.setattr(loop, "pullback", real)
    good = train_style(loss_network, photographs, styles[0], steps=2, **SMALL)
    assert same(trained.weights, good.weights)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as kept:
        assert len(kept["losses"]) == 2


def test_steps_that_are_too_long_are_one_clear_line(loss_network, photographs, styles):
    with pytest.raises(DivergedError, match=r"^the network's pictures are not finite at step 2: take shorter steps, "):
        train_style(loss_network, photographs, styles[0], steps=9, learning_rate=1e30, **SMALL)


def test_samples_are_shown_in_each_style_after_every_so_many_steps(loss_network, photographs, styles):
    seen = {}
    train_style(
        loss_network, photographs, styles, norm="conditional", steps=5, every=2, watch=seen.__setitem__, **SMALL
    )
    assert {step: images.shape for step, images in seen.items()} == {2: (2, 3, 16, 16), 4: (2, 3, 16, 16)}


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"norm": "conditional"}, ParameterError, "norm is 'conditional' and there is one style; give several"),
        ({"norm": "batch", "batch": 1}, ParameterError, "statistics of a batch need batch=2 or more"),
        ({"size": 40}, ParameterError, "size is 40, but the loss network takes pictures of 16 x 16: leave it out"),
        ({"norm": "group"}, ParameterError, "norm is 'group'; it must be instance, batch or conditional"),
        ({"learning_rates": 1}, ParameterError, "train_style has no setting 'learning_rates'"),
        ({"resume": True}, ParameterError, "resume=True needs state="),
        ({"state": "x.pt"}, ParameterError, "its name must end in .npz"),
        ({"content_layer": "conv9"}, CrosslensError, "no layer 'conv9'"),
        ({"style_layers": ("pool",)}, CrosslensError, "a style needs maps"),
    ],
)
def test_what_cannot_be_is_refused_before_training(loss_network, photographs, styles, settings, error, text):
    with pytest.raises(error, match=text):
        train_style(loss_network, photographs, styles[0], steps=1, **SMALL, **settings)


def test_several_styles_take_conditional_normalisation(loss_network, photographs, styles):
    with pytest.raises(ParameterError, match="there are 2 styles and norm is 'instance'; several take norm='cond"):
        train_style(loss_network, photographs, styles, steps=1, **SMALL)


def test_a_style_smaller_than_the_receptive_field_is_refused(loss_network, photographs):
    with pytest.raises(ParameterError, match="a style of 2 x 2 pixels is smaller than the 3 pixels"):
        train_style(loss_network, photographs, np.full((3, 2, 2), 0.5, np.float32), steps=1, **SMALL)


def test_a_state_of_another_training_is_refused(loss_network, photographs, styles, tmp_path):
    path = tmp_path / "state.npz"
    train_style(loss_network, photographs, styles[0], steps=2, state=path, **SMALL)
    for change, text in (
        ({"seed": 1}, "is another training: it had seed 0, not 1"),
        ({"steps": 2}, "steps is 2, and the training to go on from has taken 2; ask for more"),
    ):
        with pytest.raises(ParameterError, match=text):
            train_style(
                loss_network, photographs, styles[0], state=path, resume=True, **{"steps": 4, **SMALL, **change}
            )
    with pytest.raises(ParameterError, match="it had photographs"):
        train_style(loss_network, photographs[::-1], styles[0], state=path, resume=True, steps=4, **SMALL)
    with pytest.raises(ParameterError, match="exists: resume=True goes on from it"):
        train_style(loss_network, photographs, styles[0], state=path, steps=4, **SMALL)


@pytest.mark.parametrize("content", [b"", b"not a zip", None])
def test_a_state_that_is_damaged_or_missing_is_one_line(loss_network, photographs, styles, tmp_path, content):
    path = tmp_path / "state.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ParameterError, match=r"^cannot go on from .*; give the state of an earlier training$"):
        train_style(loss_network, photographs, styles[0], state=path, resume=True, steps=4, **SMALL)


def test_bad_pictures_are_listed_and_few_are_noted(loss_network, photographs, styles):
    some = photographs[:5].copy()
    some[3, 0, 0, 0] = np.nan
    trained = train_style(loss_network, some, styles[0], steps=2, **SMALL)
    assert trained.notes[0].startswith("trained on 4 photographs only")
    assert trained.notes[1].startswith("3 cannot be read and was left out: ")


def test_no_readable_photograph_is_refused(loss_network, styles, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="none of the 1 pictures"):
        train_style(loss_network, tmp_path, styles[0], steps=2, **SMALL)


def test_grey_pictures_become_colours(loss_network, photographs, styles):
    trained = train_style(loss_network, photographs[:, :1], styles[0], steps=1, **SMALL)
    assert trained(photographs[:1, :, :16, :16]).shape == (1, 3, 16, 16)


def test_a_loss_network_without_colours_is_refused(photographs, styles):
    from crosslens import InputSpec

    model = TinyModel(size=16)
    model.input = InputSpec((1, 16, 16))
    with pytest.raises(ModelError, match=r"the loss network takes \(1, 16, 16\); it must take pictures in colours"):
        train_style(model, photographs, styles[0], steps=1, **SMALL)
