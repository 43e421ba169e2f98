"""The digest follows the weights of any model, at little cost; what cannot change is not looked at."""

import crosslens
import numpy as np
from crosslens.model.digest import content_mark
from crosslens.testing import TinyModel

X = np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32)


def test_a_backend_without_a_way_of_its_own_follows_its_weights_too():
    model = TinyModel()
    before = crosslens.method("gradient")(model, X, 1)
    model._parameters["conv2"]["kernel"][1, 2, 0, 1] += 1.0
    after = crosslens.method("gradient")(model, X, 1)
    assert model.digest == after.provenance["model"] != before.provenance["model"]
    assert [note for note in after.notes if "the weights changed since this model's first result" in note]
    assert not [note for note in crosslens.method("gradient")(TinyModel(), X, 1).notes if "weights" in note]


def test_the_layers_are_hashed_only_where_the_mark_changed(monkeypatch):
    from crosslens.model import digest as module

    hashed = []
    monkeypatch.setattr(module, "digest", lambda model, real=module.digest: hashed.append(1) or real(model))
    model = TinyModel()
    for _ in range(3):
        crosslens.method("gradient")(model, X, 1)
    assert len(hashed) == 1
    model._parameters["fc"]["bias"] += 1
    crosslens.method("gradient")(model, X, 1)
    assert len(hashed) == 2


def test_any_one_value_that_changes_changes_the_mark():
    rng = np.random.default_rng(0)
    for dtype, shape in ((np.float32, (7, 5, 3)), (np.float16, (11,)), (np.float64, (2, 9)), (np.uint8, (1001,))):
        values = (100 * rng.random(shape)).astype(dtype)
        mark = content_mark(values)
        assert mark == content_mark(values.copy()) == content_mark(np.asfortranarray(values))
        for place in rng.integers(0, values.size, 20):
            other = values.copy()
            other.flat[place] += 1
            assert content_mark(other) != mark


def test_a_data_set_method_says_that_the_weights_changed():
    model = TinyModel()
    method = crosslens.method("mean_activation")
    before = method(model, X)
    model._parameters["fc"]["bias"] += 1
    after = method(model, X)
    assert before.provenance["model"] != after.provenance["model"]
    assert [note for note in after.notes if "the weights changed since" in note]
