"""Methods by the names that people bring: other spellings, other libraries' names, and names of what is not here."""

import logging
from dataclasses import dataclass
from typing import ClassVar

import crosslens
import numpy as np
import pytest
from crosslens.errors import PluginError
from crosslens.execution.notices import forget_notices
from crosslens.plugins import method_class, methods
from crosslens.plugins.familiar_names import declared, familiar, spelling
from crosslens.testing import TinyModel

OURS = {
    "GradCAM": "grad_cam", "Grad-CAM": "grad_cam", "grad cam": "grad_cam", "gradcam++": "grad_cam_plus_plus",
    "Grad-CAM++": "grad_cam_plus_plus", "GradCAMPlusPlus": "grad_cam_plus_plus", "XGradCAM": "x_grad_cam",
    "HiResCAM": "hires_cam", "eigencam": "eigen_cam", "ScoreCAM": "score_cam", "LayerCAM": "layer_cam",
    "FullGrad": "full_grad", "SmoothGrad": "smooth_grad", "IntegratedGradients": "integrated_gradients",
    "ig": "integrated_gradients", "IG": "integrated_gradients", "GuidedBackprop": "guided_backprop",
    "guided_backpropagation": "guided_backprop", "Deconvolution": "deconvnet", "InputXGradient": "gradient_x_input",
    "input x gradient": "gradient_x_input", "Gradient * Input": "gradient_x_input", "vanilla gradients": "gradient",
    "KernelSHAP": "kernel_shap", "DeepDream": "deep_dream", "feature_visualization": "activation_maximisation",
    "RISE": "rise", "LIME": "lime", "neural style": "style_transfer", "AttentionRollout": "attention_rollout",
    "MeanActivation": "mean_activation", "occlusion sensitivity": "occlusion", "LRP": "lrp", "DeepLIFT": "deep_lift",
    "deeplift": "deep_lift", "DeepLiftShap": "deep_lift_shap",
}  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_a_familiar_name_means_our_method(name):
    assert method_class(name).name == OURS[name]


def test_a_result_records_our_name():
    model = TinyModel()
    image = np.full((1, 3, 8, 8), 0.5, np.float32)
    assert crosslens.method("IG", steps=2)(model, image).method == "integrated_gradients"
    assert crosslens.compare([model, model], ["GradCAM"], image).methods == ("grad_cam",)


@pytest.mark.parametrize(
    ("name", "own", "text"),
    [
        ("saliency", "gradient", "Saliency elsewhere is its magnitude, which preset='captum' gives"),
        ("GradientShap", "expected_gradients", "captum's GradientShap takes 5 samples"),
        ("shap", "kernel_shap", "Kernel SHAP over superpixels; expected_gradients"),
        ("LayerGradCam", "grad_cam", "captum's LayerGradCam keeps the sign: preset='captum'"),
    ],
)
def test_where_others_mean_something_else_it_is_said_once(name, own, text, caplog):
    forget_notices()
    with caplog.at_level(logging.WARNING, "crosslens"):
        assert crosslens.method(name).name == crosslens.method(name).name == own
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{name!r} is {own} here: ")
    assert text in record.getMessage()


def test_a_name_with_our_meaning_says_nothing(caplog):
    forget_notices()
    with caplog.at_level(logging.WARNING, "crosslens"):
        crosslens.method("GradCAM")
        crosslens.method("vanilla_gradients")
    assert not caplog.records


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("EigenGradCAM", "eigen_cam"),
    ],
)
def test_what_is_not_here_yet_is_said_with_the_nearest(name, near):
    with pytest.raises(PluginError, match=rf"crosslens has no method '{name}' yet; the nearest is {near}"):
        crosslens.method(name)


def test_nonsense_is_no_method():
    for name in ("no_such_method", "++", ""):
        with pytest.raises(PluginError, match="no plugin named"):
            crosslens.method(name)


def classes():
    return [method_class(name) for name in methods()]


def test_no_two_methods_share_a_spelling_an_alias_or_a_nearest_name_with_a_method():
    claims = [spelling(kind.name) for kind in classes()]
    claims += [spelling(alias) for kind in classes() for alias in declared(kind, "aliases")]
    missing = {spelling(name) for kind in classes() for name in declared(kind, "nearest_to")}
    assert len(set(claims)) == len(claims)
    assert not missing & set(claims)


@dataclass(frozen=True, kw_only=True)
class Other(crosslens.Method):
    """A plugin's method."""

    name = "other"
    aliases: ClassVar = {"ig": ""}

    def run(self, model, images, objective, progress):
        raise NotImplementedError


def test_twins_among_aliases_are_refused():
    both = [method_class("integrated_gradients"), Other]
    with pytest.raises(PluginError, match="'IG' is another name of integrated_gradients and of other; give one of"):
        familiar("IG", [kind.name for kind in both], lambda: both)


def test_an_alias_never_hides_a_methods_own_name():
    found = familiar("Other", ["other", "integrated_gradients"], lambda: pytest.fail("aliases are not needed"))
    assert found == ("other", "")
