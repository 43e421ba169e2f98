"""Rules from outside: a plugin that fails takes only its own with it."""

import pytest
from crosslens.backends.onnx.autodiff import registry
from crosslens.plugins import BACKENDS, Plugin


def test_a_plugin_that_fails_is_named_and_the_rules_of_the_others_stay(monkeypatch):
    broken = Plugin(BACKENDS, "broken", "a_module_that_is_not_there", "broken-dist", "1.0")
    monkeypatch.setattr(registry, "plugins", lambda group: (broken,))
    registry._discover.cache_clear()
    with pytest.warns(
        UserWarning, match=r"'broken' of broken-dist 1.0 cannot be imported.*rules of this plugin are missing"
    ):
        registry._discover()
    assert ("", "Conv") in registry._RULES
