"""Groups of units: scikit-learn's factorisation, masks in place, effects that add up and that removal confirms."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from crosslens import load, method, sweep
from crosslens.concepts.neuron_groups import NeuronGroups
from crosslens.errors import LayerError, ParameterError
from crosslens.methods.concepts._layer_maps import as_activation
from crosslens.testing import TinyModel

MODEL = TinyModel(relu=True)
IMAGES = np.random.default_rng(1).random((3, 3, 8, 8), dtype=np.float32)
MAPS = MODEL.forward(IMAGES, ["act2"])["act2"]


def grouped(model=MODEL, images=IMAGES, target=1, **settings):
    settings = {"groups": 3, "visualise": False, "target": "predicted" if target is None else target, **settings}
    return method("concept_groups", **settings)(model, images)


def gradient(model, images, layer, target):
    return model.vjp(images, {"<output>": np.eye(5, dtype=np.float32)[[target] * len(images)]}, wrt=[layer]).gradients[
        layer
    ]


def test_factors_are_scikit_learn_s_of_all_positions_and_masks_the_least_squares_at_each():
    from scipy.optimize import nnls
    from sklearn.decomposition import NMF

    found = grouped()
    matrix = MAPS.transpose(0, 2, 3, 1).reshape(-1, 6).astype(np.float64)
    solver = NMF(3, init="nndsvd", tol=0, max_iter=400, random_state=0)
    weights = solver.fit_transform(matrix)
    lengths = np.linalg.norm(solver.components_, axis=1)
    order = np.argsort(-(weights * lengths).sum(axis=0))
    np.testing.assert_allclose(found.factors, (solver.components_ / lengths[:, None])[order], rtol=1e-5, atol=1e-6)
    slowly = np.array([nnls(found.factors.T, row)[0] for row in matrix]).reshape(3, 8, 8, 3)
    np.testing.assert_allclose(found.masks, slowly.transpose(0, 3, 1, 2), rtol=1e-6, atol=1e-8)
    missed = np.linalg.norm(matrix - weights @ solver.components_) / np.linalg.norm(matrix)
    assert found.error == pytest.approx(missed, rel=1e-6)


def test_many_pictures_are_factorised_from_a_sample_and_each_group_shows_those_in_which_it_acts_most():
    images = np.random.default_rng(4).random((12, 3, 8, 8), dtype=np.float32)
    found = grouped(images=images, positions=60, pictures=2)
    assert any("60 positions drawn at random" in note for note in found.notes)
    assert not any("drawn at random" in note for note in grouped().notes)
    everywhere = found.to_dataframe()
    assert len(everywhere) == 36
    whole = grouped(images=images, positions=60, pictures=12)
    np.testing.assert_array_equal(whole.factors, found.factors)
    means = whole.masks.mean(axis=(2, 3))
    for group in range(3):
        best = [str(n) for n in np.argsort(-means[:, group], kind="stable")[:2]]
        assert [found.ids[n] for n in found.strongest(group)] == best
        rows = everywhere[everywhere.group == group + 1]
        np.testing.assert_allclose(rows["mask"], means[:, group])
        np.testing.assert_allclose(rows["removal"], whole.removals[:, group])
    assert len(found) <= 6
    assert found.picture().shape[2] == 3
    np.testing.assert_allclose(found.mean_effects()[1], whole.removals.mean(axis=0))


def test_a_store_two_workers_and_a_resumed_sweep_give_the_same_groups(tmp_path):
    asked = method("concept_groups", groups=3, visualise=False, layer="act2", target=1, positions=80, pictures=1)
    alone = asked(MODEL, IMAGES)
    for workers in (1, 2):
        for _ in range(2):
            found = sweep(MODEL, IMAGES, [asked], store=tmp_path / str(workers), workers=workers)["concept_groups"]
            for name in ("factors", "masks", "effects", "removals"):
                np.testing.assert_allclose(getattr(found, name), getattr(alone, name), rtol=1e-6, atol=1e-7)
    assert (tmp_path / "1" / "concept_groups" / "rows.csv").read_text().startswith("image,group,mask,effect,removal")


def test_as_many_groups_as_channels_of_separate_units_are_the_units_themselves():
    """X of one active channel at each position has one exact factorisation: these channels."""
    maps = np.zeros((1, 6, 8, 8), np.float32)
    owner = np.arange(64).reshape(8, 8) % 3
    for unit in range(3):
        maps[0, unit][owner == unit] = 3.0 - unit

    class Fixed(TinyModel):
        def _run(self, x, replace):
            return super()._run(x, {"act2": maps, **replace})

    found = grouped(Fixed(relu=True), IMAGES[:1])
    np.testing.assert_allclose(found.factors, np.eye(6)[:3], atol=1e-6)
    np.testing.assert_allclose(found.masks[0], maps[0, :3], atol=1e-5)
    assert found.error < 1e-6


def test_effects_are_mask_times_gradient_along_the_factor_and_add_up_with_the_rest():
    found = grouped(layer="act1", groups=2)
    pulled = gradient(MODEL, IMAGES, "act1", 1)
    for n in range(3):
        for k in range(2):
            slowly = sum(
                found.masks[n, k, y, x] * float(found.factors[k] @ pulled[n, :, y, x])
                for y in range(8)
                for x in range(8)
            )
            assert found.effects[n, k] == pytest.approx(slowly, rel=1e-5)
    linear = (pulled * MODEL.forward(IMAGES, ["act1"])["act1"]).sum(axis=(1, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(found.effects.sum(axis=1) + found.rest, linear, rtol=1e-5)


def test_before_a_linear_head_removal_takes_exactly_the_effect():
    found = grouped()
    np.testing.assert_allclose(found.removals, found.effects, rtol=1e-4, atol=1e-5)


def test_removal_runs_on_from_the_activations_without_the_group():
    found = grouped(layer="act1", groups=2)
    maps = MODEL.forward(IMAGES, ["act1"])["act1"]
    for k in range(2):
        without = maps - found.masks[:, k, None] * found.factors[k][:, None, None]
        left = MODEL.forward(IMAGES, replace={"act1": without.astype(np.float32)})["<output>"][:, 1]
        np.testing.assert_allclose(found.removals[:, k], found.scores - left, rtol=1e-4, atol=1e-5)


def test_the_target_is_each_picture_s_predicted_class_or_one_in_text():
    predicted = MODEL.forward(IMAGES)["<output>"].argmax(axis=1)
    found = grouped(target=None)
    assert found.targets == tuple(f"class {n}" for n in predicted)
    np.testing.assert_allclose(found.scores, MODEL.forward(IMAGES)["<output>"].max(axis=1), rtol=1e-6)
    assert "1 - 2" in grouped(target="1 - 2").targets[0]
    with pytest.raises(ParameterError, match=r"target is \[0, 1, 2\]; give the number or label of a class"):
        grouped(target=[0, 1, 2])


def test_batches_of_any_size_give_the_same_groups():
    split = TinyModel(relu=True)
    split.batch_size = 2
    whole, parts = grouped(), grouped(split)
    for name in ("masks", "factors", "effects", "removals"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-4, atol=1e-5)


def test_tokens_are_grouped_as_the_maps_they_lie_in():
    tokens = grouped(TinyModel(relu=True, tokens=True), layer="tokens")
    maps = grouped(TinyModel(relu=True), layer="act2")
    for name in ("masks", "effects", "removals"):
        np.testing.assert_allclose(getattr(tokens, name), getattr(maps, name), rtol=1e-3, atol=1e-4)


def test_negative_activations_are_left_out_and_counted():
    found = grouped(layer="conv2")
    maps = MODEL.forward(IMAGES, ["conv2"])["conv2"].astype(np.float64)
    share = (np.minimum(maps, 0) ** 2).sum() / (maps**2).sum()
    assert any(f"negative activations, {share:.1%} of all by their squares" in note for note in found.notes)
    same = grouped(layer="act2")
    np.testing.assert_allclose(found.masks, same.masks, rtol=1e-4, atol=1e-5)
    assert not any("negative" in note for note in same.notes)


def test_what_cannot_be_grouped_is_refused():
    with pytest.raises(
        ParameterError, match="groups is 7; layer 'act2' has 192 positions in these pictures and 6 channels"
    ):
        grouped(groups=7)
    with pytest.raises(LayerError, match=r"one position is not a map|not maps"):
        grouped(layer="pool")

    class Dark(TinyModel):
        def _run(self, x, replace):
            return super()._run(x, {"act2": np.zeros((len(x), 6, 8, 8), np.float32), **replace})

    with pytest.raises(LayerError, match="nowhere above zero"):
        grouped(Dark(relu=True))


def test_no_warning_of_the_solver_reaches_the_user():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(grouped(iterations=1))


def test_pictures_are_climbed_and_a_file_gives_all_back(tmp_path):
    found = method("concept_groups", groups=2, steps=2, size=8, target=1)(MODEL, IMAGES)
    assert found.pictures.shape == (2, 3, 8, 8)
    assert 0 <= found.pictures.min() < found.pictures.max() <= 1
    assert load(found.save(tmp_path / "groups.npz")) == found
    assert found.save(tmp_path / "groups.png").read_bytes()[:4] == b"\x89PNG"
    one = found[1]
    assert len(one) == 1
    np.testing.assert_array_equal(one.masks, found.masks[1:2])
    assert one.picture().shape[2] == 3


def test_the_table_has_a_row_for_each_picture_and_group(tmp_path):
    found = grouped()
    frame = found.to_dataframe()
    assert list(frame.columns) == ["image", "group", "mask", "effect", "removal", "score", "target"]
    row = frame[(frame.image == "2") & (frame.group == 2)].iloc[0]
    assert (row.effect, row.removal) == (found.effects[2, 1], found.removals[2, 1])
    assert found.save(tmp_path / "g.csv").read_text().count("\n") == 10


def test_a_sheet_colours_each_group_where_its_mask_is():
    masks = np.zeros((1, 2, 2, 2))
    masks[0, 0, :, 0], masks[0, 1, :, 1] = 1, 1
    two = NeuronGroups(
        layer="a", masks=masks, factors=np.eye(2), effects=np.ones((1, 2)), removals=np.ones((1, 2)),
        totals=np.full(1, 2.0), scores=np.ones(1), targets=("cat",), error=0.0, images=np.full((1, 3, 176, 176), 0.5),
    )  # fmt: skip
    sheet = two.picture().astype(int)
    first, second = (np.abs(sheet - mixed).max(axis=2) < 40 for mixed in ([219, 54, 54], [54, 219, 219]))
    assert first.any()
    assert second.any()
    assert np.nonzero(first.any(axis=0))[0].min() < np.nonzero(second.any(axis=0))[0].min()


def test_three_frameworks_find_the_same_groups_with_the_same_effects():
    pytest.importorskip("torch")
    from tests.conformance.plans import images
    from tests.conformance.zoo import net

    settings = {"layer": "relu2", "groups": 3, "visualise": False, "target": 1}
    found = [method("concept_groups", **settings)(net(b, "relu").model, images()) for b in ("torch", "keras", "onnx")]
    assert found[0].factors.max() > 0.3
    for name in ("masks", "factors", "effects", "removals"):
        first = getattr(found[0], name)
        for other in found[1:]:
            np.testing.assert_allclose(getattr(other, name), first, atol=1e-4 * np.abs(first).max(), err_msg=name)


def test_class_and_register_tokens_are_left_as_they_are():
    tokens = np.random.default_rng(0).random((1, 6, 3)).astype(np.float32)
    maps = np.arange(24.0).reshape(2, 3, 2, 2)
    made = as_activation(maps, tokens)
    assert not made[:, :2].any()
    for n, y, x in np.ndindex(2, 2, 2):
        np.testing.assert_array_equal(made[n, 2 + 2 * y + x], maps[n, :, y, x])


def test_a_network_of_other_bounds_has_pictures_in_the_unit_range():
    class Wide(TinyModel):
        def __init__(self):
            super().__init__(relu=True)
            self.input = replace(self.input, bounds=(-1.0, 1.0))

        def _run(self, x, replace):
            return super()._run((x + 1) / 2, replace)

    settings = {"groups": 2, "steps": 3, "target": 1}
    wide = method("concept_groups", **settings)(Wide(), 2 * IMAGES - 1)
    unit = method("concept_groups", **settings)(MODEL, IMAGES)
    np.testing.assert_allclose(wide.pictures, unit.pictures, atol=1e-4)
    np.testing.assert_allclose(wide.effects, unit.effects, rtol=1e-3)
