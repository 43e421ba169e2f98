"""Presets of attacks: the defaults of foolbox 3.3.4, ART 1.20, torchattacks and AutoAttack, by their signatures."""

import crosslens
import numpy as np
import pytest
from crosslens.attack import AttackMethod
from crosslens.plugins import image_methods, method_class
from crosslens.testing import TinyModel

PUBLISHED = {
    # LinfPGD(rel_stepsize=0.01 / 0.3, steps=40, random_start=True), at epsilon 0.3
    ("foolbox", "pgd"): {"norm": "linf", "eps": 0.3, "steps": 40, "step_size": 0.01, "random_start": True},
    # ProjectedGradientDescent(norm=inf, eps=0.3, eps_step=0.1, max_iter=100, num_random_init=0)
    ("art", "pgd"): {"norm": "linf", "eps": 0.3, "steps": 100, "step_size": 0.1, "random_start": False},
    ("foolbox", "fgsm"): {"norm": "linf", "eps": 0.3},
    ("art", "fgsm"): {"norm": "linf", "eps": 0.3},
    # L2DeepFoolAttack(steps=50, candidates=10, overshoot=0.02); DeepFool(max_iter=100, epsilon=1e-6, nb_grads=10)
    ("foolbox", "deep_fool"): {"steps": 50, "candidates": 10, "overshoot": 0.02},
    ("art", "deep_fool"): {"steps": 100, "candidates": 10, "overshoot": 1e-6},
    # L2CarliniWagnerAttack(binary_search_steps=9, steps=10000, stepsize=1e-2, confidence=0, initial_const=1e-3)
    ("foolbox", "carlini_wagner"): {"searches": 9, "steps": 10000, "rate": 0.01, "confidence": 0, "constant": 1e-3},
    # CarliniL2Method(confidence=0, learning_rate=0.01, binary_search_steps=10, max_iter=10, initial_const=0.01)
    ("art", "carlini_wagner"): {"searches": 10, "steps": 10, "rate": 0.01, "confidence": 0, "constant": 0.01},
    # BoundaryAttack(steps=25000, spherical_step=0.01, source_step=0.01); BoundaryAttack(delta=0.01, max_iter=5000)
    ("foolbox", "boundary"): {"steps": 25000, "spherical_step": 0.01, "source_step": 0.01},
    ("art", "boundary"): {"steps": 5000, "spherical_step": 0.01, "source_step": 0.01},
    # SquareAttack(norm=inf, eps=0.3, max_iter=100, p_init=0.8, nb_restarts=1), and one query for the stripes
    ("art", "square"): {"norm": "linf", "eps": 0.3, "queries": 101, "p": 0.8, "restarts": 1},
    # PixelAttack: scipy's differential_evolution(strategy="best1bin", mutation=(0.5, 1))
    ("art", "one_pixel"): {"mutation": (0.5, 1.0), "strategy": "best1"},
    # L2FMNAttack(steps=100)
    ("foolbox", "fmn"): {"steps": 100},
    # AutoPGD: 100 steps, rho 0.75, 5 restarts; the radius is that of AutoAttack's CIFAR-10 table, 8/255
    ("autoattack", "apgd"): {"eps": 8 / 255, "steps": 100, "rho": 0.75, "restarts": 5, "loss": "cross_entropy"},
    # AutoProjectedGradientDescent(eps=0.3, max_iter=100, nb_random_init=5)
    ("art", "apgd"): {"eps": 0.3, "steps": 100, "restarts": 5},
    # APGD(eps=8/255, steps=10, n_restarts=1, rho=0.75)
    ("torchattacks", "apgd"): {"eps": 8 / 255, "steps": 10, "restarts": 1, "rho": 0.75},
}


@pytest.mark.parametrize(("library", "name"), list(PUBLISHED), ids=" ".join)
def test_a_preset_has_the_defaults_of_its_library(library, name):
    attack = crosslens.method(name, preset=library)
    assert {key: getattr(attack, key) for key in PUBLISHED[library, name]} == PUBLISHED[library, name]


def test_every_preset_of_an_attack_stands_here():
    attacks = [name for name in image_methods() if issubclass(method_class(name), AttackMethod)]
    assert {(library, name) for name in attacks for library in method_class(name).presets} == set(PUBLISHED)


def test_a_preset_runs_and_is_recorded():
    images = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)
    result = crosslens.method("pgd", preset="art", steps=3)(TinyModel(relu=True, seed=1), images)
    assert result.provenance["preset"] == "art"
    assert result.parameters["step_size"] == 0.1
    assert (result.distance <= 0.3).all()
