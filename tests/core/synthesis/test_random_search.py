"""Random search: draws that can be repeated, a sheet of all trials, and what it keeps when it is stopped."""

import json

import numpy as np
import pytest
from crosslens import method, search
from crosslens.errors import CrosslensError, DivergedError, ParameterError
from crosslens.synthesis.search_space import draw_value
from crosslens.testing import TinyModel

MODEL = TinyModel(size=16)
QUICK = method("activation_maximisation", steps=3)


def many(among, count=400):
    rng = np.random.default_rng(0)
    return [draw_value(among, rng) for _ in range(count)]


def test_a_range_is_drawn_evenly_or_over_a_factor_of_ten_by_its_logarithm():
    assert 1.4 < np.median(many((1.0, 2.0))) < 1.6
    assert 0.07 < np.median(many((0.01, 1.0))) < 0.14
    assert {1, 2, 3} == set(many((1, 3)))
    assert all(0.01 <= value <= 1 for value in many("0.01..1"))


def test_a_list_is_chosen_from_and_rules_are_in_or_out_with_numbers_of_their_own():
    assert set(many("rgb,lucid")) == {"rgb", "lucid"}
    assert set(many([0.5, 2.0])) == {0.5, 2.0}
    rules = many(["decay:0.01..0.1", "blur:0.5:2..4"])
    assert {len(chosen) for chosen in rules} == {0, 1, 2}
    texts = [rule.split(":") for chosen in rules for rule in chosen]
    assert all(0.01 <= float(rule[1]) <= 0.1 for rule in texts if rule[0] == "decay")
    assert {rule[2] for rule in texts if rule[0] == "blur"} == {"2", "3", "4"}


@pytest.mark.parametrize("among", [(2.0, 1.0), "2..1"])
def test_an_empty_range_is_refused(among):
    with pytest.raises(ParameterError, match=r"a range from 2(\.0)? to 1(\.0)? is empty; the least comes first"):
        draw_value(among, np.random.default_rng(0))


def test_each_trial_is_what_the_method_makes_with_its_settings():
    found = search(QUICK, MODEL, None, 1, trials=4)
    assert len(found.trials) == 4
    assert len({json.dumps(trial.settings) for trial in found.trials}) == 4
    assert set(found.trials[0].settings) == {"learning_rate", "shift", "zoom", "rules"}
    for trial in found.trials:
        alone = method("activation_maximisation", steps=3, **trial.settings)(MODEL, None, 1)
        np.testing.assert_array_equal(trial.images, alone.images)
        x = alone.images
        rough = (np.abs(x[..., 1:] - x[..., :-1]).mean() + np.abs(x[..., 1:, :] - x[..., :-1, :]).mean()) / 2
        assert trial.figures == {
            "first": pytest.approx(alone.history[0, 0]),
            "last": pytest.approx(alone.history[-1, 0]),
            "roughness": pytest.approx(rough, rel=1e-4),
        }


def test_a_seed_draws_the_same_trials_whatever_their_number_and_another_seed_others():
    few, more = (search(QUICK, MODEL, None, 1, trials=n, seed=3) for n in (2, 3))
    assert [t.settings for t in few.trials] == [t.settings for t in more.trials[:2]]
    assert search(QUICK, MODEL, None, 1, trials=1, seed=4).trials[0].settings != few.trials[0].settings


def test_what_is_varied_can_be_said():
    found = search(QUICK, MODEL, None, 1, trials=3, vary={"zoom": "0.1..0.2", "colour": ["rgb", "lucid"]})
    assert all(set(t.settings) == {"zoom", "colour"} for t in found.trials)
    assert all(0.1 <= t.settings["zoom"] <= 0.2 for t in found.trials)


def test_the_sheet_shows_each_trial_over_its_caption_and_the_file_holds_all(tmp_path):
    from PIL import Image

    found = search(QUICK, MODEL, None, 1, trials=3)
    sheet = found.picture()
    for n, place in enumerate([(0, 0), (0, 158)]):
        cell = sheet[place[0] : place[0] + 16, place[1] : place[1] + 16]
        pixels = (np.moveaxis(found.trials[n].images[0], 0, -1) * 255).round().astype(np.uint8)
        np.testing.assert_array_equal(cell, pixels)
        assert sheet[17:60, place[1] : place[1] + 150].min() < 100  # text
    with Image.open(found.save(tmp_path / "sheet.png")) as picture:
        assert picture.size == sheet.shape[1::-1]
    with np.load(found.save(tmp_path / "all.npz")) as saved:
        record = json.loads(str(saved["record"]))
        np.testing.assert_array_equal(saved["images_2"], found.trials[1].images)
    assert record["trials"][1]["settings"]["zoom"] == found.trials[1].settings["zoom"]
    assert found.figures()["trial 2"].startswith(f"learning_rate {found.trials[1].settings['learning_rate']:.3g}")


def stopping_after(count):
    heard = []

    def progress(done, total, what):
        heard.append(what)
        if len(heard) == count:
            raise KeyboardInterrupt

    return progress


def test_ctrl_c_keeps_the_trials_done():
    found = search(QUICK, MODEL, None, 1, trials=5, progress=stopping_after(5))
    assert len(found.trials) == 2
    assert found.notes == ("interrupted in trial 2 of 5, which is the best so far of its own steps",)
    whole = search(QUICK, MODEL, None, 1, trials=1)
    np.testing.assert_array_equal(found.trials[0].images, whole.trials[0].images)


@pytest.mark.parametrize("count", [3, 5, 6, 7])  # at the end of a trial, in the next and at its end, in the last
def test_a_search_that_was_stopped_goes_on_from_its_file_to_the_same_sheet(count, tmp_path):
    whole = search(QUICK, MODEL, None, 1, trials=3)
    path = search(QUICK, MODEL, None, 1, trials=3, progress=stopping_after(count)).save(tmp_path / "stopped.npz")
    rest = search(QUICK, MODEL, None, 1, trials=3, resume=path)
    assert [t.settings for t in rest.trials] == [t.settings for t in whole.trials]
    assert [t.figures for t in rest.trials] == [t.figures for t in whole.trials]
    np.testing.assert_array_equal(rest.picture(), whole.picture())
    assert rest.notes == ()


def test_a_finished_search_takes_more_trials_and_only_those(tmp_path):
    path = search(QUICK, MODEL, None, 1, trials=2).save(tmp_path / "two.npz")
    heard = []
    more = search(QUICK, MODEL, None, 1, trials=3, resume=path, progress=lambda *told: heard.append(told[2]))
    assert {text.partition(":")[0] for text in heard} == {"trial 3 of 3"}
    np.testing.assert_array_equal(more.picture(), search(QUICK, MODEL, None, 1, trials=3).picture())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"trials": 2}, "trials is 2, and the search to go on from has 2; ask for more"),
        ({"seed": 1}, "is another search: it had search_seed 0, not 1"),
        ({"target": 2}, "is another search: it had objective 'logit.1.', not 'logit.2.'"),
        ({"vary": {"zoom": (0.1, 0.2)}}, "is another search: it had .*zoom"),
        ({"method": method("activation_maximisation", steps=4)}, "is another search: it had steps 3, not 4"),
        ({"resume": "nowhere.npz"}, "cannot go on from 'nowhere.npz': .*; give the .npz of an earlier search"),
    ],
)
def test_another_search_is_not_gone_on_with(changed, message, tmp_path):
    path = search(QUICK, MODEL, None, 1, trials=2).save(tmp_path / "two.npz")
    given = {"method": QUICK, "target": 1, "trials": 3, "resume": path, **changed}
    with pytest.raises(ParameterError, match=message):
        search(given.pop("method"), MODEL, None, given.pop("target"), **given)


class Breaking(TinyModel):
    """Its gradients are NaN in the passes named."""

    broken, passes = (), 0

    def vjp(self, *given, **named):
        self.passes += 1
        pull = super().vjp(*given, **named)
        if self.passes in self.broken:
            pull.gradients["<input>"][...] = np.nan
        return pull


def test_a_trial_whose_steps_were_too_long_is_left_out_and_said_so():
    net = Breaking(size=16)
    net.broken = (5,)
    found = search(QUICK, net, None, 1, trials=3)
    assert [trial.number for trial in found.trials] == [1, 3]
    assert set(found.figures()) == {"trial 1", "trial 3"}
    assert found.notes == (
        "trial 2 left out: gradient not finite at step 2: take smaller steps (learning_rate), or smaller weights; "
        "steps=1 end before it",
    )
    net.passes, net.broken = 0, range(99)
    with pytest.raises(DivergedError, match="gradient not finite at step 1"):
        search(QUICK, net, None, 1, trials=2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 0}, "trials is 0; it must be a whole number, at least 1"),
        ({"vary": {"zoooom": (0, 1)}}, r"activation_maximisation has no parameter 'zoooom'; .* Did you mean 'zoom'\?"),
        ({"vary": {"zoom": ()}}, r"nothing can be drawn from \(\); give \(low, high\), or a list to choose from"),
        ({"method": "grad_cam"}, "grad_cam makes no pictures to choose from; search methods that do, such as maco"),
        ({"method": "texture_synthesis"}, "texture_synthesis proposes no ranges; say what to vary"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_words(given, message):
    with pytest.raises(CrosslensError, match=message):
        search(given.pop("method", QUICK), MODEL, None, 1, **given)
