"""Progress in a notebook: one bar, updated in place, not for short work, and it says how the work ended."""

import re
import sys
from types import ModuleType, SimpleNamespace

import crosslens
import numpy as np
import pytest
from crosslens.execution import notebook_bar
from crosslens.execution import progress as shown
from crosslens.execution.notebook_bar import notebook_display
from crosslens.execution.progress import show_progress, shows_progress, silent, track
from crosslens.testing import TinyModel

IMAGES = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)


class Cell:
    """What a cell shows: a list of outputs, each a list of what it showed one after the other."""

    def __init__(self, second=1.0):
        self.outputs, self.now, self.second = [], 0.0, second

    def display(self, bundle, raw, display_id):
        assert (raw, display_id) == (True, True)
        self.outputs.append(output := [bundle])
        return SimpleNamespace(update=lambda bundle, raw: output.append(bundle))

    def clock(self):
        """Each look at the clock takes a while."""
        self.now += self.second
        return self.now

    @property
    def texts(self):
        return [[bundle["text/plain"] for bundle in output] for output in self.outputs]


@pytest.fixture
def cell(monkeypatch):
    """A notebook whose clock goes on by a second at each look."""
    cell = Cell()
    monkeypatch.setattr(shown, "notebook_display", lambda: cell.display)
    monkeypatch.setattr(notebook_bar, "perf_counter", cell.clock)
    return cell


def test_one_bar_is_updated_in_place_and_ends_complete(cell):
    with show_progress(None, "work") as progress:
        for _ in track("abc", progress, "letter"):
            pass
    assert cell.texts == [
        [
            "33 % work: letter 1 of 3",
            "67 % work: letter 2 of 3",
            "100 % work: letter 3 of 3",
            "100 % work: letter 3 of 3, done after 4.0 s",
        ]
    ]
    values = re.findall(r'<progress max="1" value="(.*?)">', "".join(b["text/html"] for b in cell.outputs[0]))
    assert values == ["0.333", "0.667", "1.000", "1.000"]


def test_short_work_shows_no_bar(cell):
    cell.second = 0.1
    with show_progress(None, "work") as progress:
        progress(1, 2, "step")
        progress(2, 2, "step")
    assert not cell.outputs


def test_updates_are_at_least_a_tenth_of_a_second_apart(cell):
    cell.second = 0.03
    with show_progress(None, "work") as progress:
        for done in range(1, 101):
            progress(done, 100, "step")
    assert len(cell.outputs[0]) <= (100 * 0.03 - 0.5) / 0.1 + 2
    assert cell.texts[0][-1].startswith("100 % work: step 100 of 100, done")


def test_work_that_fails_leaves_a_bar_that_says_where(cell):
    @shows_progress
    def work(*, progress=silent):
        progress(1, 4, "step")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert cell.texts == [["25 % work: step 1 of 4", "25 % work: step 1 of 4, stopped after 2.0 s"]]
    with show_progress(None, "more") as progress:
        progress(1, 1, "step")
    assert len(cell.outputs) == 2


def test_work_within_work_moves_the_outer_bar(cell):
    with show_progress(None, "outer") as outer:
        outer(1, 2, "part")
        with show_progress(None, "inner") as inner:
            inner(1, 2, "step")
        outer(2, 2, "part")
    assert cell.texts == [
        [
            "50 % outer: part 1 of 2",
            "75 % outer: part 1 of 2, inner: step 1 of 2",
            "100 % outer: part 2 of 2",
            "100 % outer: part 2 of 2, done after 4.0 s",
        ]
    ]


def test_a_callback_that_is_given_is_obeyed_and_no_bar_shown(cell):
    heard = []
    with show_progress(lambda *told: heard.append(told), "outer") as progress:
        progress(1, 2, "part")
        with show_progress(None, "inner") as inner:
            inner(1, 1, "step")
    with show_progress(silent, "quiet") as progress:
        progress(1, 1, "step")
    assert (heard, cell.outputs) == ([(1, 2, "part")], [])


def test_names_of_files_and_layers_are_text_in_the_bar(cell):
    with show_progress(None, "<script>") as progress:
        progress(1, 2, "<b>")
    assert "&lt;script&gt;: &lt;b&gt; 1 of 2" in cell.outputs[0][0]["text/html"]


def test_work_of_unknown_length_has_a_bar_without_a_share(cell):
    with show_progress(None, "work") as progress:
        progress(7, 0, "step")
    assert cell.texts[0][0] == "work: step 7"
    assert cell.outputs[0][0]["text/html"].startswith('<div><progress max="1"></progress>')


def test_every_long_call_shows_one_bar(cell, tmp_path):
    models = [TinyModel(), TinyModel(seed=1)]
    crosslens.method("integrated_gradients", steps=4)(models[0], IMAGES, 1)
    crosslens.method("mean_activation")(models[0], IMAGES)
    crosslens.compare(models, crosslens.method("integrated_gradients", steps=4), IMAGES, 1)
    crosslens.align(*models, images=IMAGES)
    crosslens.diverge(*models, images=IMAGES)
    crosslens.search("activation_maximisation", models[0], None, 1, trials=2, vary={"steps": (1, 2)})
    names = [re.sub(r"^\d+ % ", "", texts[-1]).partition(":")[0] for texts in cell.texts]
    assert names == ["integrated_gradients", "mean_activation", "compare", "align", "diverge", "search"]
    assert all(", done after" in texts[-1] for texts in cell.texts)


def test_a_batch_after_the_other_is_one_way_from_0_to_1():
    model = TinyModel()
    model.batch_size = 1
    heard = []
    method = crosslens.method("integrated_gradients", steps=2)
    method(model, IMAGES, 1, progress=lambda done, total, what: heard.append(done / total))
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


def test_a_decorated_function_keeps_its_name_and_the_callback_it_is_given():
    @shows_progress
    def work(number, *, progress=silent):
        progress(number, number, "counting")
        return number

    heard = []
    assert work(3, progress=lambda *told: heard.append(told)) == 3
    assert (work.__name__, heard, work(4)) == ("work", [(3, 3, "counting")], 4)


def test_a_notebook_is_known_by_its_kernel(monkeypatch):
    def ipython(shell):
        module, display = ModuleType("IPython"), ModuleType("IPython.display")
        module.get_ipython, display.display = lambda: shell, "display"
        monkeypatch.setitem(sys.modules, "IPython", module)
        monkeypatch.setitem(sys.modules, "IPython.display", display)

    ipython(None)
    assert notebook_display() is None
    ipython(SimpleNamespace())  # IPython in a terminal
    assert notebook_display() is None
    ipython(SimpleNamespace(kernel=object()))
    assert notebook_display() == "display"
    monkeypatch.delitem(sys.modules, "IPython")
    assert notebook_display() is None
