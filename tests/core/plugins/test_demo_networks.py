"""Demo networks of a plugin that is not ours."""

from types import ModuleType

import crosslens
import pytest
from crosslens import hookimpl
from crosslens.errors import ModelError, PluginError
from crosslens.plugins import DemoNetwork, demo_networks, registry
from crosslens.testing import TinyModel


@pytest.fixture
def offer(monkeypatch):
    """offer(plugin, names): a plugin of that name that offers these networks, beside no others."""
    modules, real = {}, registry.import_module

    def plugins(group):
        return [registry.Plugin(group, name, name, f"{name}-package", "1") for name in modules]

    def add(plugin, names):
        module = modules[plugin] = ModuleType(plugin)
        networks = [
            DemoNetwork(name, "tiny", "numpy", "demo", build=TinyModel, save=lambda folder: folder / "tiny")
            for name in names
        ]

        @hookimpl
        def crosslens_demo_networks():
            return networks

        module.crosslens_demo_networks = crosslens_demo_networks

    monkeypatch.setattr(registry, "load", registry.load.__wrapped__)
    monkeypatch.setattr(registry, "plugins", plugins)
    monkeypatch.setattr(registry, "import_module", lambda name: modules.get(name) or real(name))
    return add


def test_a_network_that_a_plugin_offers_can_be_wrapped(offer):
    offer("small", ["tiny_numpy"])
    assert isinstance(crosslens.wrap("demo:tiny_numpy"), TinyModel)


def test_an_unknown_network_is_refused_with_those_there_are(offer):
    offer("small", ["tiny_numpy", "tiny_list"])
    with pytest.raises(
        ModelError, match=r"no demo network 'tiny_numpi'; there are tiny_list, tiny_numpy\. Did you mean"
    ):
        crosslens.wrap("demo:tiny_numpi")


def test_two_plugins_that_offer_one_name_are_refused(offer):
    offer("small", ["tiny_numpy"])
    offer("other", ["tiny_numpy"])
    with pytest.raises(PluginError, match=r"'tiny_numpy' of 'other' of other-package 1 is offered by another plugin"):
        demo_networks()
