"""What `crosslens.method` gives for each name. Written by `python -m tests.meta.method_stub`; not to be edited."""

from collections.abc import Sequence
from typing import Any, Literal, overload

from crosslens.methods.adversarial.adversarial_patch import AdversarialPatch
from crosslens.methods.adversarial.apgd import APGD
from crosslens.methods.adversarial.boundary import Boundary
from crosslens.methods.adversarial.carlini_wagner import CarliniWagner
from crosslens.methods.adversarial.deep_fool import DeepFool
from crosslens.methods.adversarial.fgsm import FGSM
from crosslens.methods.adversarial.fmn import FMN
from crosslens.methods.adversarial.fooling_image import FoolingImage
from crosslens.methods.adversarial.one_pixel import OnePixel
from crosslens.methods.adversarial.pgd import PGD
from crosslens.methods.adversarial.robustness_curve import RobustnessCurveMethod
from crosslens.methods.adversarial.square import Square
from crosslens.methods.adversarial.universal_perturbation import UniversalPerturbation
from crosslens.methods.attention.attention_relevance import AttentionRelevance
from crosslens.methods.attention.attention_rollout import AttentionRollout
from crosslens.methods.cam.ablation_cam import AblationCAM
from crosslens.methods.cam.cam import CAM
from crosslens.methods.cam.eigen_cam import EigenCAM
from crosslens.methods.cam.grad_cam import GradCAM
from crosslens.methods.cam.grad_cam_plus_plus import GradCAMPlusPlus
from crosslens.methods.cam.guided_grad_cam import GuidedGradCAM
from crosslens.methods.cam.hires_cam import HiResCAM
from crosslens.methods.cam.layer_cam import LayerCAM
from crosslens.methods.cam.recipro_cam import ReciproCAM
from crosslens.methods.cam.score_cam import ScoreCAM
from crosslens.methods.cam.x_grad_cam import XGradCAM
from crosslens.methods.concepts.concept_groups import ConceptGroups
from crosslens.methods.concepts.facets import FacetsMethod
from crosslens.methods.concepts.semantic_dictionary import SemanticDictionary
from crosslens.methods.dataset.colour_statistics import ColourStatistics
from crosslens.methods.dataset.empirical_receptive_field import EmpiricalReceptiveField
from crosslens.methods.dataset.mean_activation import MeanActivation
from crosslens.methods.dataset.mean_attribution import MeanAttribution
from crosslens.methods.dataset.patch_mixture import PatchMixtureMethod
from crosslens.methods.dataset.top_examples import TopExamples
from crosslens.methods.dataset.unit_statistics import UnitStatistics
from crosslens.methods.dissection.dissect import Dissect
from crosslens.methods.embedding.activation_atlas import ActivationAtlas
from crosslens.methods.embedding.class_statistics import ClassStatisticsMethod
from crosslens.methods.embedding.embedding import EmbeddingMethod
from crosslens.methods.embedding.nearest_neighbours import NearestNeighbours
from crosslens.methods.evaluation.average_drop import AverageDrop
from crosslens.methods.evaluation.deletion import Deletion
from crosslens.methods.evaluation.infidelity import Infidelity
from crosslens.methods.evaluation.insertion import Insertion
from crosslens.methods.evaluation.localise import Localise
from crosslens.methods.evaluation.sanity_check import SanityCheck
from crosslens.methods.evaluation.sensitivity_max import SensitivityMax
from crosslens.methods.gradient.deconvnet import Deconvnet
from crosslens.methods.gradient.expected_gradients import ExpectedGradients
from crosslens.methods.gradient.full_grad import FullGrad
from crosslens.methods.gradient.gradient import Gradient
from crosslens.methods.gradient.gradient_x_input import GradientXInput
from crosslens.methods.gradient.guided_backprop import GuidedBackprop
from crosslens.methods.gradient.integrated_gradients import IntegratedGradients
from crosslens.methods.gradient.sensitivity import Sensitivity
from crosslens.methods.gradient.smooth_grad import SmoothGrad
from crosslens.methods.layers.activation_maps import ActivationMaps
from crosslens.methods.layers.filters import Filters
from crosslens.methods.perturbation.extremal import Extremal
from crosslens.methods.perturbation.kernel_shap import KernelSHAP
from crosslens.methods.perturbation.lime import LIME
from crosslens.methods.perturbation.meaningful_perturbation import MeaningfulPerturbation
from crosslens.methods.perturbation.occlusion import Occlusion
from crosslens.methods.perturbation.rise import RISE
from crosslens.methods.receptive.receptive_field import ReceptiveField
from crosslens.methods.relevance.attn_lrp import AttnLRP
from crosslens.methods.relevance.deep_lift import DeepLIFT
from crosslens.methods.relevance.deep_lift_shap import DeepLIFTSHAP
from crosslens.methods.relevance.excitation_backprop import ExcitationBackprop
from crosslens.methods.relevance.internal_influence import InternalInfluence
from crosslens.methods.relevance.layer_conductance import LayerConductance
from crosslens.methods.relevance.lrp import LRP
from crosslens.methods.style.restyle import Restyle
from crosslens.methods.style.style_transfer import StyleTransfer
from crosslens.methods.style.texture_synthesis import TextureSynthesis
from crosslens.methods.synthesis.accentuation import Accentuation
from crosslens.methods.synthesis.activation_maximisation import ActivationMaximisation
from crosslens.methods.synthesis.caricature import Caricature
from crosslens.methods.synthesis.channel_grid import ChannelGrid
from crosslens.methods.synthesis.class_maximisation import ClassMaximisation
from crosslens.methods.synthesis.deep_dream import DeepDream
from crosslens.methods.synthesis.diversity import Diversity
from crosslens.methods.synthesis.feature_inversion import FeatureInversion
from crosslens.methods.synthesis.interpolation import Interpolation
from crosslens.methods.synthesis.maco import MaCo
from crosslens.model.layer import LayerLike

@overload
def method(
    name: Literal["ablation_cam"],
    *,
    preset: Literal["pytorch-grad-cam"] | None = None,
    layer: LayerLike | None = ...,
    ablated: str = ...,
    share_of: str = ...,
    counterfactual: bool = ...,
) -> AblationCAM: ...
@overload
def method(
    name: Literal["accentuation"],
    *,
    preset: None = None,
    steps: int = ...,
    seed: int = ...,
    every: int | None = ...,
    resume: Any = ...,
    crops: int = ...,
    crop: Sequence[float] = ...,
    noise: float = ...,
    layer: LayerLike | None = ...,
    weight: float = ...,
    learning_rate: float = ...,
) -> Accentuation: ...
@overload
def method(
    name: Literal["activation_atlas"],
    *,
    preset: None = None,
    count: int | None = ...,
    per_image: int | None = ...,
    edge: int | None = ...,
    sample: Any = ...,
    steps: int = ...,
    learning_rate: float = ...,
    size: int | None = ...,
    colour: Any = ...,
    seed: int = ...,
    layer: LayerLike | None = ...,
    cells: int = ...,
    minimum: int = ...,
    layout: str = ...,
    classes: int = ...,
    target: Any = ...,
    ridge: float = ...,
) -> ActivationAtlas: ...
@overload
def method(
    name: Literal["activation_maps", "feature_maps", "activations"],
    *,
    preset: None = None,
    layers: LayerLike | Sequence[LayerLike] | None = ...,
    by: str = ...,
    count: int = ...,
    scale: str = ...,
) -> ActivationMaps: ...
@overload
def method(
    name: Literal[
        "activation_maximisation", "activation_maximization", "feature_visualization", "feature_visualisation", "optvis"
    ],
    *,
    preset: None = None,
    steps: int = ...,
    seed: int = ...,
    every: int | None = ...,
    resume: Any = ...,
    learning_rate: float | None = ...,
    optimiser: str | None = ...,
    shift: float = ...,
    zoom: float = ...,
    turn: float = ...,
    noise: float = ...,
    rules: Sequence[str] | None = ...,
    generator: Any = ...,
    code_bound: float = ...,
    code_range: Any = ...,
    code_decay: float | None = ...,
    encoder: Any = ...,
    code_layer: str | None = ...,
    prior: Any = ...,
    denoiser: Any = ...,
    sigma: float | None = ...,
    epsilon1: float | None = ...,
    epsilon2: float | None = ...,
    epsilon3: float | None = ...,
    parameterisation: str = ...,
    colour: Any = ...,
    bound: str = ...,
    shared: int = ...,
    start: str = ...,
    examples: int | None = ...,
    size: int | None = ...,
) -> ActivationMaximisation: ...
@overload
def method(
    name: Literal["adversarial_patch"],
    *,
    preset: None = None,
    steps: int = ...,
    batch: int = ...,
    learning_rate: float = ...,
    start: str = ...,
    printable: float = ...,
    smooth: float = ...,
    seed: int = ...,
    shape: str = ...,
    area: float = ...,
    scale: Sequence[float] = ...,
    rotation: float = ...,
    location: Sequence[float] | None = ...,
    towards: int | str,
    held_out: float = ...,
    placements: int = ...,
) -> AdversarialPatch: ...
@overload
def method(
    name: Literal["apgd", "auto_pgd", "auto_projected_gradient_descent", "apgd_ce", "apgd_dlr"],
    *,
    preset: Literal["autoattack", "art", "torchattacks"] | None = None,
    towards: int | str | Sequence[int] | None = ...,
    views: int = ...,
    shift: float = ...,
    zoom: float = ...,
    turn: float = ...,
    noise: float = ...,
    eps: float = ...,
    norm: str = ...,
    steps: int = ...,
    rho: float = ...,
    larger_first: bool | None = ...,
    restarts: int = ...,
    random_start: bool = ...,
    loss: str = ...,
    seed: int = ...,
) -> APGD: ...
@overload
def method(name: Literal["attention_relevance"], *, preset: None = None) -> AttentionRelevance: ...
@overload
def method(
    name: Literal["attention_rollout", "rollout", "vit_rollout"], *, preset: None = None, heads: str = ...
) -> AttentionRollout: ...
@overload
def method(
    name: Literal["attn_lrp", "attention_lrp", "attention_aware_lrp", "lxt"],
    *,
    preset: Literal["lxt"] | None = None,
    gamma_convolution: float = ...,
    gamma_dense: float = ...,
    epsilon: float = ...,
    layer: LayerLike = ...,
    through: Sequence[str] = ...,
    per_channel: bool = ...,
) -> AttnLRP: ...
@overload
def method(
    name: Literal["average_drop"],
    *,
    preset: Literal["torchcam", "pytorch-grad-cam", "xplique"] | None = None,
    method: Any = ...,
    mask: str = ...,
    unit: str = ...,
    scale: str = ...,
) -> AverageDrop: ...
@overload
def method(
    name: Literal["boundary", "boundary_attack", "decision_based_attack"],
    *,
    preset: Literal["foolbox", "art"] | None = None,
    towards: int | str | Sequence[int] | None = ...,
    steps: int = ...,
    spherical_step: float = ...,
    source_step: float = ...,
    step_adaptation: float = ...,
    convergence: float = ...,
    start: Any = ...,
    tries: int = ...,
    seed: int = ...,
) -> Boundary: ...
@overload
def method(
    name: Literal["cam", "class_activation_map", "class_activation_mapping"],
    *,
    preset: Literal["torchcam"] | None = None,
    layer: LayerLike | None = ...,
) -> CAM: ...
@overload
def method(
    name: Literal["caricature"],
    *,
    preset: None = None,
    steps: int = ...,
    seed: int = ...,
    every: int | None = ...,
    resume: Any = ...,
    layer: LayerLike | None = ...,
    power: float = ...,
    learning_rate: float = ...,
    parameterisation: str = ...,
    colour: Any = ...,
    shift: float = ...,
    zoom: float = ...,
) -> Caricature: ...
@overload
def method(
    name: Literal["carlini_wagner", "cw", "carlini_l2", "l2_carlini_wagner"],
    *,
    preset: Literal["foolbox", "art"] | None = None,
    towards: int | str | Sequence[int] | None = ...,
    searches: int = ...,
    steps: int = ...,
    rate: float = ...,
    last_rate: float | None = ...,
    constant: float = ...,
    confidence: float = ...,
    abort_early: bool = ...,
) -> CarliniWagner: ...
@overload
def method(
    name: Literal["channel_grid"],
    *,
    preset: None = None,
    steps: int = ...,
    seed: int = ...,
    every: int | None = ...,
    resume: Any = ...,
    learning_rate: float | None = ...,
    optimiser: str | None = ...,
    shift: float = ...,
    zoom: float = ...,
    turn: float = ...,
    noise: float = ...,
    rules: Sequence[str] | None = ...,
    generator: Any = ...,
    code_bound: float = ...,
    code_range: Any = ...,
    code_decay: float | None = ...,
    encoder: Any = ...,
    code_layer: str | None = ...,
    prior: Any = ...,
    denoiser: Any = ...,
    sigma: float | None = ...,
    epsilon1: float | None = ...,
    epsilon2: float | None = ...,
    epsilon3: float | None = ...,
    parameterisation: str = ...,
    colour: Any = ...,
    bound: str = ...,
    shared: int = ...,
    start: str = ...,
    examples: int | None = ...,
    size: int | None = ...,
    layer: LayerLike | None = ...,
    channels: Sequence[int] | None = ...,
    count: int = ...,
) -> ChannelGrid: ...
@overload
def method(
    name: Literal["class_maximisation", "class_maximization", "class_visualization", "class_visualisation"],
    *,
    preset: None = None,
    steps: int = ...,
    seed: int = ...,
    every: int | None = ...,
    resume: Any = ...,
    learning_rate: float | None = ...,
    optimiser: str | None = ...,
    shift: float = ...,
    zoom: float = ...,
    turn: float = ...,
    noise: float = ...,
    rules: Sequence[str] | None = ...,
    generator: Any = ...,
    code_bound: float = ...,
    code_range: Any = ...,
    code_decay: float | None = ...,
    encoder: Any = ...,
    code_layer: str | None = ...,
    prior: Any = ...,
    denoiser: Any = ...,
    sigma: float | None = ...,
    epsilon1: float | None = ...,
    epsilon2: float | None = ...,
    epsilon3: float | None = ...,
    parameterisation: str = ...,
    colour: Any = ...,
    bound: str = ...,
    shared: int = ...,
    start: str = ...,
    examples: int | None = ...,
    size: int | None = ...,
    decay: float = ...,
) -> ClassMaximisation: ...
@overload
def method(
    name: Literal["class_statistics", "confusion_matrix", "class_similarity"],
    *,
    preset: None = None,
    layer: LayerLike | None = ...,
    pooling: str = ...,
    similarity: str = ...,
    pair: Sequence[str] = ...,
    count: int = ...,
) -> ClassStatisticsMethod: ...
@overload
def method(name: Literal["colour_statistics"], *, preset: None = None) -> ColourStatistics: ...
@overload
def method(
    name: Literal["concept_groups", "neuron_groups"],
    *,
    preset: None = None,
    steps: int = ...,
    learning_rate: float = ...,
    size: int | None = ...,
    colour: Any = ...,
    seed: int = ...,
    layer: LayerLike | None = ...,
    target: Any = ...,
    groups: int = ...,
    iterations: int = ...,
    positions: int = ...,
    pictures: int = ...,
    visualise: bool = ...,
    power: float = ...,
) -> ConceptGroups: ...
@overload
def method(
    name: Literal["deconvnet", "deconvolution", "deconv", "deconvolutional_network"],
    *,
    preset: Literal["captum", "xplique", "zennit"] | None = None,
    layer: LayerLike = ...,
    switches: bool = ...,
) -> Deconvnet: ...
@overload
def method(
    name: Literal["deep_dream", "dream", "inceptionism"],
    *,
    preset: None = None,
    steps: int = ...,
    seed: int = ...,
    every: int | None = ...,
    resume: Any = ...,
    size: int = ...,
    octaves: int = ...,
    octave_scale: float = ...,
    tile: int = ...,
    learning_rate: float = ...,
    jitter: int = ...,
    normalise: str = ...,
    zoom_frames: int = ...,
    zoom: float = ...,
    layer: LayerLike | None = ...,
    guide: Any = ...,
) -> DeepDream: ...
@overload
def method(
    name: Literal["deep_fool", "l2_deep_fool", "linf_deep_fool"],
    *,
    preset: Literal["foolbox", "art"] | None = None,
    towards: int | str | Sequence[int] | None = ...,
    norm: str = ...,
    steps: int = ...,
    overshoot: float = ...,
    candidates: int = ...,
    within_bounds: bool = ...,
) -> DeepFool: ...
@overload
def method(
    name: Literal["deep_lift", "rescale_rule", "deep_lift_rescale"],
    *,
    preset: Literal["captum"] | None = None,
    baseline: Any = ...,
    rule: str = ...,
    layer: LayerLike = ...,
    seed: int = ...,
) -> DeepLIFT: ...
@overload
def method(
    name: Literal["deep_lift_shap", "deep_shap", "deep_explainer"],
    *,
    preset: Literal["captum"] | None = None,
    background: Any = ...,
    samples: int = ...,
    layer: LayerLike = ...,
    seed: int = ...,
) -> DeepLIFTSHAP: ...
@overload
def method(
    name: Literal["deletion", "deletion_curve"],
    *,
    preset: Literal["xplique", "torchcam"] | None = None,
    method: Any = ...,
    fill: Any = ...,
    steps: int = ...,
    magnitude: bool = ...,
    unit: str = ...,
    portions: str = ...,
    seed: int = ...,
) -> Deletion: ...
@overload
def method(
    name: Literal["dissect", "network_dissection", "netdissect"],
    *,
    preset: Literal["netdissect", "netdissect-lite", "dissect"] | None = None,
    layers: LayerLike | Sequence[LayerLike] = ...,
    basis: str = ...,
    minimum_iou: float = ...,
    null: bool = ...,
    seed: int = ...,
    quantile: float = ...,
    quantile_rule: str = ...,
    quantile_of: str = ...,
    enlarge: str = ...,
    counted: str = ...,
    units: Sequence[int] = ...,
    examples: int = ...,
) -> Dissect: ...
@overload
def method(
    name: Literal["diversity"],
    *,
    preset: None = None,
    steps: int = ...,
    seed: int = ...,
    every: int | None = ...,
    resume: Any = ...,
    learning_rate: float | None = ...,
    optimiser: str | None = ...,
    shift: float = ...,
    zoom: float = ...,
    turn: float = ...,
    noise: float = ...,
    rules: Sequence[str] | None = ...,
    generator: Any = ...,
    code_bound: float = ...,
    code_range: Any = ...,
    code_decay: float | None = ...,
    encoder: Any = ...,
    code_layer: str | None = ...,
    prior: Any = ...,
    denoiser: Any = ...,
    sigma: float | None = ...,
    epsilon1: float | None = ...,
    epsilon2: float | None = ...,
    epsilon3: float | None = ...,
    parameterisation: str = ...,
    colour: Any = ...,
    bound: str = ...,
    shared: int = ...,
    start: str = ...,
    examples: int | None = ...,
    size: int | None = ...,
    count: int = ...,
    layer: LayerLike | None = ...,
    weight: float = ...,
) -> Diversity: ...
@overload
def method(
    name: Literal["eigen_cam"],
    *,
    preset: Literal["pytorch-grad-cam"] | None = None,
    layer: LayerLike | None = ...,
    centred: bool = ...,
) -> EigenCAM: ...
@overload
def method(
    name: Literal["embedding"],
    *,
    preset: None = None,
    layer: LayerLike | None = ...,
    pooling: str = ...,
    layout: str | None = ...,
    dimensions: int | None = ...,
    perplexity: float | None = ...,
    neighbours: int | None = ...,
    metric: str | None = ...,
    seed: int = ...,
    onto: Any = ...,
    draw: str = ...,
    thumbnail: int = ...,
) -> EmbeddingMethod: ...
@overload
def method(
    name: Literal["empirical_receptive_field"],
    *,
    preset: None = None,
    layers: LayerLike | Sequence[LayerLike] = ...,
    units: Sequence[int] = ...,
    count: int = ...,
    window: int = ...,
    stride: int | None = ...,
    threshold: float = ...,
    seed: int = ...,
) -> EmpiricalReceptiveField: ...
@overload
def method(
    name: Literal[
        "excitation_backprop", "excitation_bp", "contrastive_excitation_backprop", "marginal_winning_probability"
    ],
    *,
    preset: None = None,
    layer: LayerLike | None = ...,
    contrast: bool = ...,
) -> ExcitationBackprop: ...
@overload
def method(
    name: Literal["expected_gradients", "gradient_shap"],
    *,
    preset: Literal["captum"] | None = None,
    background: Any = ...,
    samples: int = ...,
    layer: LayerLike = ...,
    seed: int = ...,
) -> ExpectedGradients: ...
@overload
def method(
    name: Literal["extremal", "extremal_perturbation", "extremal_perturbations"],
    *,
    preset: None = None,
    steps: int = ...,
    learning_rate: float = ...,
    fill: Any = ...,
    seed: int = ...,
    areas: float | Sequence[float] = ...,
    variant: str = ...,
    smooth: float = ...,
    blur: float = ...,
    weight: float = ...,
) -> Extremal: ...
@overload
def method(
    name: Literal["facets", "multifaceted_feature_visualization", "mfv"],
    *,
    preset: None = None,
    steps: int = ...,
    learning_rate: float = ...,
    size: int | None = ...,
    colour: Any = ...,
    seed: int = ...,
    layer: LayerLike | None = ...,
    units: Sequence[int] = ...,
    count: int = ...,
    facets: int = ...,
    space: str | None = ...,
    reduction: str = ...,
    nearest: int = ...,
) -> FacetsMethod: ...
@overload
def method(
    name: Literal["feature_inversion", "image_inversion", "deep_image_representation_inversion"],
    *,
    preset: None = None,
    steps: int = ...,
    seed: int = ...,
    every: int | None = ...,
    resume: Any = ...,
    alpha: float = ...,
    alpha_weight: float = ...,
    beta: float = ...,
    tv_weight: float = ...,
    layer: LayerLike | Sequence[LayerLike] | None = ...,
    sheet: bool = ...,
    parameterisation: str = ...,
    optimiser: str = ...,
    learning_rate: float = ...,
) -> FeatureInversion: ...
@overload
def method(
    name: Literal["fgsm", "fast_gradient_sign_method", "fast_gradient_method", "linf_fast_gradient_attack"],
    *,
    preset: Literal["foolbox", "art"] | None = None,
    towards: int | str | Sequence[int] | None = ...,
    views: int = ...,
    shift: float = ...,
    zoom: float = ...,
    turn: float = ...,
    noise: float = ...,
    eps: float = ...,
    norm: str = ...,
    loss: str = ...,
    seed: int = ...,
) -> FGSM: ...
@overload
def method(
    name: Literal["filters", "kernels", "visualize_filters"],
    *,
    preset: None = None,
    layer: LayerLike | None = ...,
    units: Sequence[int] | None = ...,
    count: int | None = ...,
    sort: str = ...,
    scale: str = ...,
    inputs: int = ...,
    kernel: str = ...,
) -> Filters: ...
@overload
def method(
    name: Literal["fmn", "fast_minimum_norm", "l2_fmn", "linf_fmn", "l1_fmn", "l0_fmn"],
    *,
    preset: Literal["foolbox"] | None = None,
    towards: int | str | Sequence[int] | None = ...,
    norm: str = ...,
    steps: int = ...,
    step_size: float = ...,
    last_step_size: float | None = ...,
    gamma: float = ...,
) -> FMN: ...
@overload
def method(
    name: Literal["fooling_image", "fooling_images"],
    *,
    preset: None = None,
    steps: int = ...,
    seed: int = ...,
    every: int | None = ...,
    resume: Any = ...,
    start: str = ...,
    learning_rate: float = ...,
    decay: float = ...,
    population: int = ...,
    colour: str | None = ...,
    encoding: str = ...,
    confidence: float = ...,
    size: int | None = ...,
) -> FoolingImage: ...
@overload
def method(
    name: Literal["full_grad", "full_gradient", "full_gradients"],
    *,
    preset: Literal["pytorch-grad-cam"] | None = None,
    scaled: str = ...,
    epsilon: float = ...,
    ceilings: bool = ...,
) -> FullGrad: ...
@overload
def method(
    name: Literal["grad_cam", "gradient_weighted_class_activation_mapping", "layer_grad_cam"],
    *,
    preset: Literal["captum", "tf-keras-vis", "xplique", "pair", "pytorch-grad-cam", "torchcam", "tf-explain"]
    | None = None,
    layer: LayerLike | Sequence[LayerLike] | None = ...,
    counterfactual: bool = ...,
    rectified: bool = ...,
    guided: bool = ...,
) -> GradCAM: ...
@overload
def method(
    name: Literal["grad_cam_plus_plus", "grad_cam_pp"],
    *,
    preset: Literal["pytorch-grad-cam", "tf-keras-vis", "xplique", "torchcam"] | None = None,
    layer: LayerLike | Sequence[LayerLike] | None = ...,
    counterfactual: bool = ...,
    alpha: str = ...,
    epsilon: float = ...,
    exponential: bool = ...,
) -> GradCAMPlusPlus: ...
@overload
def method(
    name: Literal["gradient", "saliency", "saliency_map", "vanilla_gradient", "vanilla_gradients", "input_gradient"],
    *,
    preset: Literal["captum", "tf-keras-vis", "xplique", "tf-explain", "pair", "zennit"] | None = None,
    layer: LayerLike = ...,
) -> Gradient: ...
@overload
def method(
    name: Literal[
        "gradient_x_input", "input_x_gradient", "input_times_gradient", "gradient_times_input", "gradient_input"
    ],
    *,
    preset: Literal["captum", "xplique", "tf-explain"] | None = None,
    layer: LayerLike = ...,
) -> GradientXInput: ...
@overload
def method(
    name: Literal["guided_backprop", "guided_backpropagation", "guided_bp", "gbp"],
    *,
    preset: Literal["captum", "xplique", "zennit", "pytorch-grad-cam", "tf-keras-vis"] | None = None,
    layer: LayerLike = ...,
) -> GuidedBackprop: ...
@overload
def method(
    name: Literal["guided_grad_cam"],
    *,
    preset: Literal["captum"] | None = None,
    layer: LayerLike | Sequence[LayerLike] | None = ...,
    enlargement: str = ...,
) -> GuidedGradCAM: ...
@overload
def method(
    name: Literal["hires_cam", "high_resolution_cam"],
    *,
    preset: Literal["pytorch-grad-cam"] | None = None,
    layer: LayerLike | Sequence[LayerLike] | None = ...,
    counterfactual: bool = ...,
) -> HiResCAM: ...
@overload
def method(
    name: Literal["infidelity"],
    *,
    preset: Literal["captum"] | None = None,
    method: Any = ...,
    change: str = ...,
    window: int | None = ...,
    noise: float = ...,
    fill: Any = ...,
    samples: int = ...,
    seed: int = ...,
) -> Infidelity: ...
@overload
def method(
    name: Literal["insertion", "insertion_curve"],
    *,
    preset: Literal["xplique", "torchcam"] | None = None,
    method: Any = ...,
    fill: Any = ...,
    steps: int = ...,
    magnitude: bool = ...,
    unit: str = ...,
    portions: str = ...,
    seed: int = ...,
) -> Insertion: ...
@overload
def method(
    name: Literal["integrated_gradients", "ig", "integrated_gradient"],
    *,
    preset: Literal["captum", "xplique", "pair", "tf-explain", "zennit"] | None = None,
    baseline: Any = ...,
    steps: int = ...,
    rule: str = ...,
    times_way: bool = ...,
    layer: LayerLike = ...,
    seed: int = ...,
) -> IntegratedGradients: ...
@overload
def method(
    name: Literal["internal_influence"],
    *,
    preset: Literal["captum"] | None = None,
    baseline: Any = ...,
    layer: LayerLike | None = ...,
    seed: int = ...,
    steps: int = ...,
    rule: str = ...,
) -> InternalInfluence: ...
@overload
def method(
    name: Literal["interpolation"],
    *,
    preset: None = None,
    steps: int = ...,
    seed: int = ...,
    every: int | None = ...,
    resume: Any = ...,
    learning_rate: float | None = ...,
    optimiser: str | None = ...,
    shift: float = ...,
    zoom: float = ...,
    turn: float = ...,
    noise: float = ...,
    rules: Sequence[str] | None = ...,
    generator: Any = ...,
    code_bound: float = ...,
    code_range: Any = ...,
    code_decay: float | None = ...,
    encoder: Any = ...,
    code_layer: str | None = ...,
    prior: Any = ...,
    denoiser: Any = ...,
    sigma: float | None = ...,
    epsilon1: float | None = ...,
    epsilon2: float | None = ...,
    epsilon3: float | None = ...,
    parameterisation: str = ...,
    colour: Any = ...,
    bound: str = ...,
    shared: int = ...,
    start: str = ...,
    examples: int | None = ...,
    size: int | None = ...,
    layer: LayerLike | None = ...,
    first: int = ...,
    second: int = ...,
    count: int = ...,
) -> Interpolation: ...
@overload
def method(
    name: Literal["kernel_shap", "shap"],
    *,
    preset: Literal["captum", "xplique"] | None = None,
    superpixels: Any = ...,
    segments: int = ...,
    samples: int = ...,
    fill: Any = ...,
    seed: int = ...,
    ends: str = ...,
) -> KernelSHAP: ...
@overload
def method(
    name: Literal["layer_cam"],
    *,
    preset: Literal["tf-keras-vis", "pytorch-grad-cam", "torchcam"] | None = None,
    layer: LayerLike | Sequence[LayerLike] | None = ...,
    counterfactual: bool = ...,
) -> LayerCAM: ...
@overload
def method(
    name: Literal["layer_conductance", "conductance", "neuron_conductance"],
    *,
    preset: Literal["captum"] | None = None,
    baseline: Any = ...,
    layer: LayerLike | None = ...,
    seed: int = ...,
    steps: int = ...,
    rule: str = ...,
    points: str = ...,
) -> LayerConductance: ...
@overload
def method(
    name: Literal["lime"],
    *,
    preset: Literal["captum", "xplique"] | None = None,
    superpixels: Any = ...,
    segments: int = ...,
    samples: int = ...,
    fill: Any = ...,
    seed: int = ...,
    draws: str = ...,
    distance: str = ...,
    width: float = ...,
    regression: str = ...,
    penalty: float = ...,
    penalty_as: str = ...,
) -> LIME: ...
@overload
def method(
    name: Literal["localise", "localize", "localization", "localisation"],
    *,
    preset: None = None,
    method: Any = ...,
    threshold: float | str = ...,
    components: str = ...,
    truth: Any = ...,
    tolerance: int = ...,
) -> Localise: ...
@overload
def method(
    name: Literal["lrp", "layer_wise_relevance_propagation"],
    *,
    preset: Literal["zennit", "captum", "innvestigate"] | None = None,
    composite: str = ...,
    rules: Sequence[str] = ...,
    epsilon: float = ...,
    biases: str = ...,
    layer: LayerLike = ...,
    through: Sequence[str] = ...,
    per_channel: bool = ...,
) -> LRP: ...
@overload
def method(
    name: Literal["maco", "magnitude_constrained_optimization"],
    *,
    preset: None = None,
    steps: int = ...,
    seed: int = ...,
    every: int | None = ...,
    resume: Any = ...,
    learning_rate: float = ...,
    crops: int = ...,
    crop: Sequence[float] = ...,
    noise: float = ...,
    size: int | None = ...,
    colour: Any = ...,
) -> MaCo: ...
@overload
def method(
    name: Literal["mean_activation"], *, preset: None = None, layer: LayerLike | None = ...
) -> MeanActivation: ...
@overload
def method(
    name: Literal["mean_attribution"],
    *,
    preset: None = None,
    attribution: Any = ...,
    target: Any = ...,
    by_class: bool = ...,
    normalise: str = ...,
) -> MeanAttribution: ...
@overload
def method(
    name: Literal["meaningful_perturbation"],
    *,
    preset: None = None,
    steps: int = ...,
    learning_rate: float = ...,
    fill: Any = ...,
    seed: int = ...,
    cell: int = ...,
    smooth: float = ...,
    area: float = ...,
    variation: float = ...,
    beta: float = ...,
    jitter: int = ...,
) -> MeaningfulPerturbation: ...
@overload
def method(
    name: Literal["nearest_neighbours", "knn"],
    *,
    preset: None = None,
    layer: LayerLike | None = ...,
    pooling: str = ...,
    metric: str = ...,
    count: int = ...,
    query: Sequence[str] = ...,
    duplicate: float | None = ...,
    share: float = ...,
    search: str = ...,
    indexes: str | None = ...,
    show: str = ...,
    shown: int = ...,
    thumbnail: int = ...,
    keep: bool = ...,
) -> NearestNeighbours: ...
@overload
def method(
    name: Literal["occlusion", "occlusion_sensitivity", "occlusion_map"],
    *,
    preset: Literal["captum", "xplique", "pair"] | None = None,
    window: int | Sequence[int] | None = ...,
    stride: int | Sequence[int] | None = ...,
    fill: Any = ...,
    border: str = ...,
    overlap: str = ...,
    show: str = ...,
    layer: LayerLike = ...,
    seed: int = ...,
) -> Occlusion: ...
@overload
def method(
    name: Literal["one_pixel", "pixel_attack", "one_pixel_attack"],
    *,
    preset: Literal["art"] | None = None,
    towards: int | str | Sequence[int] | None = ...,
    pixels: int = ...,
    population: int = ...,
    generations: int = ...,
    mutation: float | Sequence[float] = ...,
    strategy: str = ...,
    seed: int = ...,
) -> OnePixel: ...
@overload
def method(
    name: Literal["patch_mixture", "gmm", "epll"],
    *,
    preset: None = None,
    classes: Sequence[str] = ...,
    patch: int = ...,
    components: int = ...,
    count: int = ...,
    mean: str = ...,
    noise: float = ...,
    seed: int = ...,
) -> PatchMixtureMethod: ...
@overload
def method(
    name: Literal[
        "pgd", "projected_gradient_descent", "basic_iterative_method", "momentum_iterative_method", "linf_pgd", "l2_pgd"
    ],
    *,
    preset: Literal["foolbox", "art"] | None = None,
    towards: int | str | Sequence[int] | None = ...,
    views: int = ...,
    shift: float = ...,
    zoom: float = ...,
    turn: float = ...,
    noise: float = ...,
    eps: float = ...,
    norm: str = ...,
    steps: int = ...,
    step_size: float | None = ...,
    momentum: float = ...,
    restarts: int = ...,
    random_start: bool = ...,
    loss: str = ...,
    seed: int = ...,
) -> PGD: ...
@overload
def method(
    name: Literal["receptive_field"],
    *,
    preset: None = None,
    layers: LayerLike | Sequence[LayerLike] = ...,
    positions: Sequence[str] = ...,
    unit: int | None = ...,
    gradients: int | None = ...,
) -> ReceptiveField: ...
@overload
def method(
    name: Literal["recipro_cam"],
    *,
    preset: None = None,
    layer: LayerLike | None = ...,
    mask: str = ...,
    counterfactual: bool = ...,
) -> ReciproCAM: ...
@overload
def method(
    name: Literal["restyle", "fast_neural_style", "fast_style_transfer", "adain"],
    *,
    preset: None = None,
    styles: str | None = ...,
    strength: float = ...,
    colours: str = ...,
    decoder: Any = ...,
    features: str | None = ...,
    style: Any = ...,
    blend: Sequence[float] | None = ...,
    tile: int | None = ...,
    output_range: Sequence[float] | None = ...,
) -> Restyle: ...
@overload
def method(
    name: Literal["rise", "randomized_input_sampling", "randomised_input_sampling"],
    *,
    preset: Literal["xplique"] | None = None,
    samples: int = ...,
    cells: int | None = ...,
    p: float = ...,
    over: str = ...,
    margin: str = ...,
    fill: Any = ...,
    centred: bool = ...,
    seed: int = ...,
) -> RISE: ...
@overload
def method(
    name: Literal["robustness_curve", "robust_accuracy", "security_curve", "adversarial_accuracy"],
    *,
    preset: None = None,
    attacks: Sequence[str] | Sequence[Any] = ...,
    eps: Sequence[float],
    norm: str = ...,
    against: str = ...,
) -> RobustnessCurveMethod: ...
@overload
def method(
    name: Literal["sanity_check", "sanity_checks", "model_parameter_randomization", "model_parameter_randomisation"],
    *,
    preset: None = None,
    method: Any = ...,
    stages: int | None = ...,
    independent: bool = ...,
    seed: int = ...,
) -> SanityCheck: ...
@overload
def method(
    name: Literal["score_cam"],
    *,
    preset: Literal["torchcam", "pytorch-grad-cam", "tf-keras-vis"] | None = None,
    layer: LayerLike | None = ...,
    fill: Any = ...,
    enlargement: str = ...,
    scaled: str = ...,
    epsilon: float = ...,
    weights: str = ...,
    counterfactual: bool = ...,
) -> ScoreCAM: ...
@overload
def method(
    name: Literal["semantic_dictionary"],
    *,
    preset: None = None,
    steps: int = ...,
    learning_rate: float = ...,
    size: int | None = ...,
    colour: Any = ...,
    seed: int = ...,
    layer: LayerLike | None = ...,
    positions: Any = ...,
    positions_shown: int = ...,
    count: int = ...,
    icons: Any = ...,
    whole: bool = ...,
) -> SemanticDictionary: ...
@overload
def method(
    name: Literal["sensitivity", "finite_differences"],
    *,
    preset: None = None,
    block: int | None = ...,
    step: float = ...,
    directions: int | None = ...,
    layer: LayerLike = ...,
    seed: int = ...,
) -> Sensitivity: ...
@overload
def method(
    name: Literal["sensitivity_max", "max_sensitivity"],
    *,
    preset: Literal["captum"] | None = None,
    method: Any = ...,
    radius: float = ...,
    samples: int = ...,
    seed: int = ...,
) -> SensitivityMax: ...
@overload
def method(
    name: Literal[
        "smooth_grad",
        "smooth_gradient",
        "smooth_gradients",
        "noise_tunnel",
        "var_grad",
        "square_grad",
        "smooth_grad_squared",
    ],
    *,
    preset: Literal[
        "captum",
        "captum-smoothgrad_sq",
        "captum-vargrad",
        "tf-keras-vis",
        "xplique",
        "xplique-squaregrad",
        "xplique-vargrad",
        "pair",
        "zennit",
    ]
    | None = None,
    samples: int = ...,
    noise: float = ...,
    relative: bool = ...,
    statistic: str = ...,
    clean_last: bool = ...,
    layer: LayerLike = ...,
    seed: int = ...,
) -> SmoothGrad: ...
@overload
def method(
    name: Literal["square", "square_attack", "random_search_attack"],
    *,
    preset: Literal["art"] | None = None,
    towards: int | str | Sequence[int] | None = ...,
    eps: float = ...,
    norm: str = ...,
    queries: int = ...,
    p: float = ...,
    restarts: int = ...,
    seed: int = ...,
) -> Square: ...
@overload
def method(
    name: Literal["style_transfer", "neural_style", "neural_style_transfer"],
    *,
    preset: None = None,
    steps: int = ...,
    seed: int = ...,
    every: int | None = ...,
    resume: Any = ...,
    content_layer: LayerLike | None = ...,
    content_weight: float = ...,
    colours: str = ...,
    start: str = ...,
    style: Any = ...,
    blend: Sequence[float] | None = ...,
    style_layers: LayerLike | Sequence[LayerLike] | None = ...,
    layer_weights: Sequence[float] | None = ...,
    style_weight: float | None = ...,
    strength: float = ...,
    parameterisation: str | None = ...,
    size: int | None = ...,
    tile: int = ...,
    scales: int = ...,
    optimiser: str = ...,
    learning_rate: float = ...,
) -> StyleTransfer: ...
@overload
def method(
    name: Literal["texture_synthesis", "neural_texture_synthesis"],
    *,
    preset: None = None,
    steps: int = ...,
    seed: int = ...,
    every: int | None = ...,
    resume: Any = ...,
    texture_layers: LayerLike | Sequence[LayerLike] | None = ...,
    sheet: bool = ...,
    parameterisation: str | None = ...,
) -> TextureSynthesis: ...
@overload
def method(
    name: Literal["top_examples", "dataset_examples", "max_activating_images", "top_k"],
    *,
    preset: None = None,
    layers: LayerLike | Sequence[LayerLike] = ...,
    count: int = ...,
    by: str = ...,
    kinds: Sequence[str] = ...,
    one_per_image: bool = ...,
    before_rectifier: str = ...,
    units: Sequence[int] = ...,
    shown: int = ...,
    attribution: Any = ...,
) -> TopExamples: ...
@overload
def method(
    name: Literal["unit_statistics"],
    *,
    preset: None = None,
    layers: LayerLike | Sequence[LayerLike] = ...,
    quantiles: Sequence[float] = ...,
    bins: int = ...,
    nearly_dead: float = ...,
) -> UnitStatistics: ...
@overload
def method(
    name: Literal["universal_perturbation", "universal_adversarial_perturbation", "uap", "universal_perturbations"],
    *,
    preset: None = None,
    eps: float = ...,
    norm: str = ...,
    towards: int | str | None = ...,
    passes: int = ...,
    batch: int = ...,
    step_size: float | None = ...,
    held_out: float = ...,
    seed: int = ...,
) -> UniversalPerturbation: ...
@overload
def method(
    name: Literal["x_grad_cam", "axiom_based_grad_cam"],
    *,
    preset: Literal["pytorch-grad-cam", "torchcam"] | None = None,
    layer: LayerLike | Sequence[LayerLike] | None = ...,
    counterfactual: bool = ...,
) -> XGradCAM: ...
@overload
def method(name: str, *, preset: str | None = None, **values: Any) -> Any: ...
