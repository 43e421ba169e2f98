"""`crosslens.load` gives back what `save` wrote, whole; a file that is damaged or is no result is one clear line."""

import json
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pickle import dumps
from zipfile import ZipFile

import crosslens
import numpy as np
import pytest
from crosslens import Attribution, Search, Table
from crosslens.errors import ImageError, ParameterError, PluginError
from crosslens.method.dataset import DatasetMethod
from crosslens.plugins.registry import method_class, methods
from crosslens.result import Result
from crosslens.testing import TinyModel

IMAGES = np.random.default_rng(0).random((2, 3, 16, 16), np.float32)
QUICK = {"score_cam": {}, "sanity_check": {}, "maco": {"steps": 2}, "lime": {"samples": 10}}


def made(name):
    """The result of a method with its example's settings; of two images with two targets where it takes these."""
    kind, model = method_class(name), TinyModel(size=16)
    configured = crosslens.method(name, **{**kind.example, **QUICK.get(name, {})})
    if issubclass(kind, DatasetMethod):
        masks = np.arange(256).reshape(16, 16)[None] % [[[2]], [[3]]]
        return configured(model, crosslens.concept_data(((IMAGES, ["a", "b"]), masks, ["odd", "second"])))
    target = None if not kind.needs_target else [2, 1] if kind.needs_images else 2
    return configured(model, IMAGES if kind.needs_images else None, target)


def assert_same(got, wanted, where="result"):
    """Both of one type, all that they hold too: arrays bit by bit, order and types of keys."""
    assert type(got) is type(wanted), f"{where} is a {type(got).__name__}, not a {type(wanted).__name__}"
    if isinstance(wanted, np.ndarray):
        assert got.dtype == wanted.dtype, where
        np.testing.assert_array_equal(got, wanted, err_msg=where)
    elif isinstance(wanted, list | tuple):
        assert len(got) == len(wanted), where
        for n, (one, other) in enumerate(zip(got, wanted, strict=True)):
            assert_same(one, other, f"{where}[{n}]")
    elif isinstance(wanted, dict):
        assert list(got) == list(wanted), where
        for key, value in wanted.items():
            assert_same(got[key], value, f"{where}[{key!r}]")
    elif hasattr(wanted, "__dataclass_fields__"):
        assert_same(vars(got), vars(wanted), where)
    else:
        assert got == wanted or (got != got and wanted != wanted), f"{where} is {got}, not {wanted}"


OTHER_NETWORKS = {"attention_relevance", "attention_rollout", "deconvnet", "full_grad", "guided_backprop", "restyle"}
SUITED = sorted(set(methods()) - OTHER_NETWORKS - {"guided_grad_cam", "fade", "peak"})
"""Methods that run on the tiny network; the results of the others are plain attributions."""


@pytest.mark.parametrize("name", SUITED)
def test_what_is_loaded_is_what_was_saved(name, tmp_path):
    result = made(name)
    assert_same(crosslens.load(result.save(tmp_path / "x.npz")), result)


def test_a_search_comes_back_with_all_its_trials(tmp_path):
    found = crosslens.search("activation_maximisation", TinyModel(size=16), target=1, trials=2)
    back = crosslens.load(found.save(tmp_path / "x.npz"))
    assert isinstance(back, Search)
    assert_same(back, found)


def test_snapshots_and_the_state_come_back_and_the_run_goes_on_from_what_was_loaded(tmp_path):
    model = TinyModel(size=16)
    result = crosslens.method("activation_maximisation", steps=4, every=2)(model, target=1)
    back = crosslens.load(result.save(tmp_path / "x.npz"))
    assert list(back.snapshots) == [2, 4]
    again = back.save(tmp_path / "again.npz")
    assert_same(crosslens.load(again), result)
    more = crosslens.method("activation_maximisation", steps=6, resume=str(again))(model, target=1)
    whole = crosslens.method("activation_maximisation", steps=6)(model, target=1)
    np.testing.assert_array_equal(more.images, whole.images)


def test_a_preset_s_record_and_bands_come_back(tmp_path):
    result = replace(
        crosslens.method("gradient", preset="xplique")(TinyModel(), IMAGES[..., :8, :8], 2), bands=(3, 2, 1)
    )
    back = crosslens.load(result.save(tmp_path / "x.npz"))
    assert_same(back, result)
    assert back.provenance["preset"] == "xplique"
    np.testing.assert_array_equal(back.picture(), result.picture())


@dataclass(frozen=True)
class Own(Attribution):
    """A plugin's result with fields of every kind that a file holds."""

    more: object = field(default=None, kw_only=True)


@pytest.mark.parametrize(
    "more",
    [
        (1, "two", 3.5, None, True),
        [(), [[1], (2,)]],
        {"a": (1, [2]), "b": {"c": np.arange(3)}},
        {1: "one", (2, 3): np.float32(0.5), None: [np.int64(4)]},
        float("inf"),
        float("nan"),
        (np.zeros((2, 0), np.uint8), np.asarray("text"), np.asarray(["a", "bcd"]), np.float64(1.5), np.True_),
        {"tuple": [1, 2], "array": "values"},
        "\N{SNOWMAN} \ud800",
    ],
)
def test_fields_of_a_plugin_s_result_come_back_as_they_were(more, tmp_path):
    result = Own(np.zeros((1, 2, 2)), method="own", more=more)
    assert_same(crosslens.load(result.save(tmp_path / "x.npz")), result)


def test_a_field_that_a_file_cannot_hold_is_refused_by_name_when_it_is_saved(tmp_path):
    for more, text in ((object(), "cannot save 'more', a object: a file holds numbers"), ({1, 2}, "'more', a set")):
        with pytest.raises(ImageError, match=text):
            Own(np.zeros((1, 2, 2)), more=more).save(tmp_path / "x.npz")
    with pytest.raises(ImageError, match="'more': it is an array of Python objects; make it one of numbers or of "):
        Own(np.zeros((1, 2, 2)), more=np.array([{}, 1], object)).save(tmp_path / "x.npz")
    assert not list(tmp_path.iterdir())


def test_columns_may_have_any_name(tmp_path):
    table = Table(
        {"file": np.asarray(["a.png"]), "record": np.arange(1), "allow_pickle": np.ones(1), "a/b": np.ones(1)}
    )
    assert_same(crosslens.load(table.save(tmp_path / "x.npz")), table)
    both = replace(table, columns={"images": np.arange(1)}, images=IMAGES[:1])
    assert_same(crosslens.load(both.save(tmp_path / "x.npz")), both)


def test_the_class_is_found_in_a_new_process_by_the_method_that_made_it(tmp_path):
    path = made("localise").save(tmp_path / "x.npz")
    code = f"import crosslens; r = crosslens.load({str(path)!r}); print(type(r).__name__, r.boxes[0][0].left >= 0)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["Localisation", "True"]


def rewritten(path, change):
    """The file with another record."""
    with np.load(path) as stored:
        arrays = dict(stored)
    record = json.loads(str(arrays.pop("record")))
    np.savez(path, record=np.asarray(json.dumps(change(record))), **arrays)
    return path


@pytest.fixture
def saved(tmp_path):
    return made("grad_cam").save(tmp_path / "x.npz")


def earlier(record):
    """The record as crosslens wrote it before there was `load`."""
    return {name: value for name, value in record.items() if name not in {"format", "module", "fields"}}


@pytest.mark.parametrize("name", ["grad_cam", "integrated_gradients", "deletion", "sanity_check", "lime", "localise"])
def test_files_of_earlier_versions_are_read_too(name, tmp_path):
    result = made(name)
    back = crosslens.load(rewritten(result.save(tmp_path / "x.npz"), earlier))
    provenance = json.loads(json.dumps(result.provenance))
    assert_same(replace(back, provenance={}, parameters={}), replace(result, provenance={}, parameters={}))
    assert back.provenance == provenance


def test_syntheses_tables_and_searches_of_earlier_versions_are_read_too(tmp_path):
    climbed = crosslens.method("activation_maximisation", steps=4, every=2)(TinyModel(size=16), target=1)
    back = crosslens.load(rewritten(climbed.save(tmp_path / "x.npz"), earlier))
    assert_same((back.snapshots, back.state, back.history), (climbed.snapshots, climbed.state, climbed.history))
    table = made("mean_activation")
    assert_same(crosslens.load(rewritten(table.save(tmp_path / "x.npz"), earlier)).columns, table.columns)
    found = crosslens.search("activation_maximisation", TinyModel(size=16), target=1, trials=2)
    assert_same(crosslens.load(rewritten(found.save(tmp_path / "x.npz"), earlier)).trials, found.trials)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "was written by crosslens .*, in a form that this one cannot read: upgrade it"),
        ({"kind": "Strange"}, "holds a Strange of grad_cam, and no plugin that is installed brings that class"),
        ({"kind": "Path", "module": "pathlib", "method": "os"}, "holds a Path of os, and no plugin"),
        ({"fields": {"values": {"array": "missing"}}}, "does not hold what a Attribution has"),
        ({"fields": {"values": {"code": "print(1)"}}}, "no value is written as an object of 'code'"),
        ({"fields": {"strange": 1, "values": 2}}, "unexpected keyword argument 'strange'"),
        ({"fields": 3}, "does not hold what a Attribution has"),
    ],
)
def test_records_that_do_not_fit_are_refused_in_one_line(saved, change, message):
    with pytest.raises(ParameterError, match=message) as refused:
        crosslens.load(rewritten(saved, lambda record: record | change))
    assert "\n" not in str(refused.value)


class Boom:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of the file ran')",)


def npy_of_objects(path):
    np.savez(path, record=np.asarray("{}"), values=np.array([Boom()], object))


def array_alone(path):
    with path.open("wb") as file:
        np.save(file, np.arange(3))


def truncated(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def with_a_flipped_byte(path):
    whole = bytearray(path.read_bytes())
    whole[200] ^= 255
    path.write_bytes(bytes(whole))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"hello"), "is not a saved result: it is no file of NumPy's; give"),
        (lambda path: path.write_bytes(dumps(Boom())), "is not a saved result"),
        (truncated, "is not a saved result"),
        (with_a_flipped_byte, "is not a saved result"),
        (npy_of_objects, "is not a saved result: it holds Python objects"),
        (lambda path: np.savez(path, a=np.arange(3)), "it holds arrays and no record of a result"),
        (lambda path: np.savez(path, record=np.asarray("[" * 9999)), "no record of a result"),
        (lambda path: np.savez(path, record=np.asarray('{"kind": 1}')), "no record of a result"),
        (array_alone, "it is a single array"),
        (lambda path: ZipFile(path, "w").close(), "no record of a result"),
    ],
)
def test_a_file_that_is_no_result_is_refused_in_one_line(saved, spoil, message):
    spoil(saved)
    with pytest.raises(ParameterError, match=message) as refused:
        crosslens.load(saved)
    assert "\n" not in str(refused.value)
    assert str(saved) in str(refused.value)


def test_what_is_no_npz_is_refused_with_what_reads_it(tmp_path):
    with pytest.raises(ParameterError, match=r"no saved result at '.*none.npz': the file does not exist"):
        crosslens.load(tmp_path / "none.npz")
    made("gradient").save(tmp_path / "x.PNG")
    with pytest.raises(ParameterError, match=r"holds no whole result, only \.npz does: crosslens.load_image reads"):
        crosslens.load(tmp_path / "x.PNG")
    (tmp_path / "c.json").write_text("{}")
    with pytest.raises(ParameterError, match=r"only .npz does: json.load reads the figures of a comparison"):
        crosslens.load(str(tmp_path / "c.json"))
    with pytest.raises(ParameterError, match="holds no survey: give the folder that a sweep was written into"):
        crosslens.load(tmp_path)


def test_a_class_named_twice_is_told_apart_by_its_module(tmp_path):
    @dataclass(frozen=True)
    class Synthesis(Result):  # the name of one of ours
        note: str = ""

    result = Synthesis(note="mine")
    assert type(crosslens.load(result.save(tmp_path / "x.npz"))) is Synthesis
    climbed = crosslens.Synthesis(images=IMAGES)
    assert type(crosslens.load(climbed.save(tmp_path / "x.npz"))) is crosslens.Synthesis


def test_a_broken_plugin_is_told_as_such(saved, monkeypatch):
    def broken(name):
        raise PluginError("plugin 'own' of pkg 1 is broken")

    monkeypatch.setattr("crosslens.plugins.saved_result.method_class", broken)
    with pytest.raises(ParameterError, match="no plugin that is installed brings that class"):
        crosslens.load(rewritten(saved, lambda record: record | {"kind": "Lost"}))
