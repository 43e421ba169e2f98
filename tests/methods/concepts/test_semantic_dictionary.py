"""Semantic dictionaries: the strongest units of positions, contributions that add up, icons of two kinds."""

import numpy as np
import pytest
from crosslens import load, method, sweep
from crosslens.concepts.cells import cell
from crosslens.concepts.unit_dictionary import UnitDictionary
from crosslens.errors import ParameterError
from crosslens.testing import TinyModel

MODEL = TinyModel(relu=True)
IMAGES = np.random.default_rng(1).random((3, 3, 8, 8), dtype=np.float32)
FORWARD = MODEL.forward(IMAGES, ["act1", "act2"])


def looked_up(model=MODEL, images=IMAGES, target=1, **settings):
    return method("semantic_dictionary", **{"icons": "none", **settings})(model, images, target)


def gradient(layer, target=1):
    cotangent = np.eye(5, dtype=np.float32)[[target] * 3]
    return MODEL.vjp(IMAGES, {"<output>": cotangent}, wrt=[layer]).gradients[layer]


def test_contributions_are_activation_times_gradient_and_add_up_to_the_linear_attribution():
    found, pulled = looked_up(layer="act1"), gradient("act1")
    np.testing.assert_array_equal(found.activations, FORWARD["act1"])
    np.testing.assert_array_equal(found.contributions, FORWARD["act1"] * pulled)
    for n in range(3):
        per_position = found.at_positions(n)
        for y, x in np.ndindex(8, 8):
            whole = sum(float(FORWARD["act1"][n, c, y, x] * pulled[n, c, y, x]) for c in range(4))
            assert per_position[y, x] == pytest.approx(whole, abs=1e-12)
        exact = (FORWARD["act1"][n] * pulled[n]).sum(dtype=np.float64)
        assert per_position.sum() == pytest.approx(exact, abs=1e-10)


def test_before_a_linear_head_contributions_and_bias_are_the_logit():
    found = looked_up()
    bias = MODEL.weights("fc")["bias"][1]
    np.testing.assert_allclose(found.contributions.sum(axis=(1, 2, 3)) + bias, found.scores, rtol=1e-4, atol=1e-5)


def test_the_positions_that_contribute_most_are_shown_apart_with_their_strongest_units():
    found = looked_up(positions_shown=5, count=3)
    for n in range(3):
        values = {place: float(found.contributions[n][:, place[0], place[1]].sum()) for place in np.ndindex(8, 8)}
        left, expected = sorted(values, key=lambda place, values=values: -values[place]), []
        while left and len(expected) < 5:
            best = left.pop(0)
            expected.append(best)
            left = [each for each in left if max(abs(each[0] - best[0]), abs(each[1] - best[1])) > 1]
        assert list(found.places[n]) == expected
        for y, x in found.places[n]:
            here = FORWARD["act2"][n, :, y, x]
            ordered = sorted(range(6), key=lambda unit, here=here: (-here[unit], unit))
            assert found.strongest(n, (y, x)) == [unit for unit in ordered[:3] if here[unit] > 0]


def test_more_positions_than_lie_apart_are_filled_up_to_all():
    found = looked_up(positions_shown=64)
    assert sorted(found.places[0]) == list(np.ndindex(8, 8))
    assert len(looked_up(positions_shown=99).places[0]) == 64


@pytest.mark.parametrize("positions", ["2,3;4,5", ((2, 3), (4, 5)), [[2, 3], [4, 5]]])
def test_positions_are_text_or_pairs(positions):
    assert looked_up(positions=positions).places == (((2, 3), (4, 5)),) * 3


def test_all_positions_are_all():
    found = looked_up(positions="all")
    assert found.places[0] == tuple(np.ndindex(8, 8))
    assert found.picture().shape[2] == 3


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"positions": "2,8"}, "no position 2,8: layer 'act2' has 8 rows and 8 columns, 0,0 to 7,7"),
        ({"positions": "2"}, "positions is '2'; give rows and columns"),
        ({"positions": "1,1;1,1"}, "each position once"),
        ({"icons": "drawn"}, "no icons 'drawn'|icons is 'drawn'"),
        (
            {"icons": "data:/no/such/store"},
            "no examples at '/no/such/store': it does not exist; gather them: crosslens",
        ),
    ],
)
def test_what_it_does_not_know_it_refuses(settings, text):
    with pytest.raises(ParameterError, match=text):
        looked_up(**settings)


def test_an_icon_is_climbed_once_and_is_the_same_whatever_others_are_asked_for():
    few = looked_up(icons="visualise", steps=2, size=8, positions="2,3", count=2)
    more = looked_up(icons="visualise", steps=2, size=8, positions="2,3;7,7", count=3)
    assert set(few.units) <= set(more.units)
    assert list(more.units) == sorted(set(more.units))
    for unit, icon in zip(few.units, few.icons, strict=True):
        other = more.icons[more.units.index(unit)]
        np.testing.assert_allclose(icon.astype(int), other.astype(int), atol=1)


@pytest.mark.parametrize("whole", [False, True])
def test_where_no_unit_is_active_none_is_climbed_and_a_note_says_so(whole):
    dead = MODEL._with_weights({"conv2": {"bias": np.full(6, -99.0, np.float32)}})
    found = looked_up(dead, layer="act2", icons="visualise", steps=2, size=8, positions="2,3;0,0", whole=whole)
    assert "no unit is active at 6 of 6 positions of 'act2'" in found.notes
    assert found.icons == found.units == ()
    assert found.picture().shape[2] == 3


def test_whole_activations_have_pictures_too():
    found = looked_up(steps=2, size=8, positions="2,3;4,5", whole=True)
    assert set(found.whole) == {f"{n},{place}" for n in range(3) for place in ("2,3", "4,5")}
    assert set(found[2].whole) == {"0,2,3", "0,4,5"}
    assert found[2].picture().shape[2] == 3


def test_icons_from_a_survey_are_what_excited_the_units_most(tmp_path):
    examples = method("top_examples", layers=("act2",), count=2, units=(0, 1, 2, 3), attribution="none")
    survey = sweep(
        MODEL, np.random.default_rng(2).random((9, 3, 8, 8), dtype=np.float32), [examples], store=tmp_path / "s"
    )
    crops = survey["top_examples"].crops["act2"]
    found = looked_up(icons=f"data:{tmp_path / 's'}", positions="all", count=6)
    assert found.units == (0, 1, 2, 3)
    for unit in found.units:
        np.testing.assert_array_equal(found.icons[unit], crops[0, unit, 0])
    assert any("2 of 6 units have no picture" in note and "units=0,1,2,3,4,5" in note for note in found.notes)
    assert found.picture().dtype == np.uint8
    other = looked_up(TinyModel(relu=True, seed=4), icons=f"data:{tmp_path / 's'}", positions="all", count=6)
    assert any("another network" in note for note in other.notes)
    with pytest.raises(ParameterError, match="holds no examples of layer 'act1'; gather them: crosslens sweep"):
        looked_up(icons=f"data:{tmp_path / 's'}", layer="act1")


def test_an_icon_is_as_large_as_its_unit_is_active_and_red_for_the_target():
    icon = np.zeros((5, 5, 3), np.uint8)
    full, quarter, against = cell(icon, 1.0, 1.0, 40), cell(icon, 0.25, 1.0, 40), cell(icon, 1.0, -1.0, 40)
    drawn = [(each < 250).any(axis=2).sum() for each in (full, quarter)]
    assert drawn[0] == 4 * drawn[1] == 1600
    assert full[0, 20, 0] > full[0, 20, 2]
    assert against[0, 20, 2] > against[0, 20, 0]


def test_a_file_gives_it_back_whole_and_the_table_has_a_row_for_each_unit_shown(tmp_path):
    found = looked_up(icons="visualise", steps=2, size=8, positions="2,3;4,5", count=2, whole=True)
    assert load(found.save(tmp_path / "dictionary.npz")) == found
    assert found.save(tmp_path / "dictionary.png").read_bytes()[:4] == b"\x89PNG"
    assert found.save(tmp_path / "d.csv").read_text().startswith("image,row,column,rank,unit,activation,contribution")
    frame = found.to_dataframe()
    active = [(FORWARD["act2"][n, :, y, x] > 0).sum() for n in range(3) for y, x in ((2, 3), (4, 5))]
    assert len(frame) == sum(min(2, count) for count in active)
    row = frame[(frame.image == 2) & (frame.row == 4) & (frame["rank"] == 0)].iloc[0]
    assert row.unit == found.strongest(2, (4, 5))[0]
    assert row.contribution == found.contributions[2, row.unit, 4, 5]


def dictionary_of(activations, contributions, count=3):
    shape = np.shape(activations)
    return UnitDictionary(
        layer="a",
        activations=np.array(activations, np.float32).reshape(1, -1, 1, 1),
        contributions=np.array(contributions, np.float32).reshape(1, -1, 1, 1),
        scores=np.zeros(1, np.float32),
        targets=("cat",),
        places=(((0, 0),),),
        count=min(count, shape[0]),
        images=np.zeros((1, 3, 8, 8), np.float32),
    )


def test_units_at_one_cap_are_ordered_by_what_they_contribute():
    found = dictionary_of([6, 1, 6, 6, 6], [0.1, 9, -0.3, 0.3, 0.0])
    assert found.strongest(0, (0, 0)) == [2, 3, 0]


@pytest.mark.parametrize(("activations", "expected"), [([0, 2, 0, -1, 3], [4, 1]), ([0, -1, 0], [])])
def test_units_that_are_not_active_are_not_shown(activations, expected):
    found = dictionary_of(activations, np.zeros(len(activations)))
    assert found.strongest(0, (0, 0)) == expected
    assert found.picture().shape[2] == 3
    assert found.figures()["units at positions"] == "0,0: " + (" ".join(f"#{n}" for n in expected) or "none")
    assert len(found.to_dataframe()) == len(expected)
