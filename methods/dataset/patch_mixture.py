"""Patch mixture: Gaussians of image patches (Zoran and Weiss, 2011), a prior for pictures that are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.data import Source, State, Statistic
from crosslens.data.image_marks import ImageLabels
from crosslens.data.sampling.sampled_patches import SampledPatches, folded
from crosslens.errors import ImageError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import DatasetMethod, param
from crosslens.method.texts import as_texts
from crosslens.model import Model
from crosslens.objective.patch_density import mean_free_basis
from crosslens.plugins import hookimpl
from crosslens.sheets.patch_components import PatchMixture

from ._mixture_fit import check_sklearn, fit_mixture

__all__ = ["PatchMixtureMethod"]

LISTED = 20
"""Labels that an error names."""


@dataclass(frozen=True, kw_only=True)
class PatchMixtureMethod(DatasetMethod):
    """What small patches of a data set look like.

    A mixture of Gaussians of the patches of the images, or of those of some classes: `scikit-learn`'s
    GaussianMixture(components, reg_covar=noise**2, random_state=seed), fitted to a random sample of all overlapping
    patches (Zoran and Weiss, 2011, "From learning models of natural image patches to whole image restoration").

    Its log-likelihood is a prior for pictures that are made, as Mordvintsev, Olah and Tyka (2015, "Inceptionism") ask
    for neighbouring pixels that go together as in photographs: the target "281 + 0.1 * patch_mixture:FILE.npz", or
    `crosslens.objective.patch_mixture`, which says what weights do. Pixels are taken in [0, 1], at the size and with
    the channels of the model, which is not run.
    """

    name = "patch_mixture"
    aliases: ClassVar[Mapping[str, str]] = {"gmm": "", "epll": ""}
    example: ClassVar[Mapping[str, Any]] = {"patch": 3, "components": 2, "count": 300}
    classes: tuple[str, ...] = param((), "labels, or the network's classes, whose images are taken; all if empty")
    patch: int = param(8, "pixels of a patch in height and width", minimum=2)
    components: int = param(20, "Gaussians", minimum=1)
    count: int = param(20_000, "patches that they are fitted to, at most", minimum=2)
    mean: str = param(
        "removed",
        "removed: patches less their mean over pixels and channels, so any brightness is as likely",
        choices=("removed", "kept"),
    )
    noise: float = param(0.02, "least deviation of patches in any direction, of pixels in [0, 1]", above=0)
    seed: int = param(0, "of the sample of patches, and of the fit", minimum=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", as_texts(self.classes))

    def check_parameters(self) -> None:
        super().check_parameters()
        check_sklearn()
        if any(not each.strip() for each in self.classes):
            raise ParameterError(f"classes is {self.classes!r}; give labels, 3 or 3,5 for example")
        if self.components > self.count:
            raise ParameterError(
                f"components is {self.components} and count {self.count}: give at least as many patches, better 100 "
                "times as many"
            )

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        if model.input.is_volume:
            raise ImageError("patch_mixture is for pictures (C, H, W), and this model takes volumes (C, D, H, W)")
        size = model.input.example_shape[-2:]
        if self.patch > min(size):
            raise ParameterError(f"patch is {self.patch}; the pictures are {size[0]} x {size[1]} pixels")
        if self.classes and (known := source.known_labels) is not None:
            self._refuse_unknown(model, source, known)
        return [self._sample(model), *([ImageLabels()] if self.classes else [])]

    def finish(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State], progress: Progress
    ) -> PatchMixture:
        if self.classes:
            self._refuse_unknown(model, source, gathered[ImageLabels()]["label"].tolist())
        state = gathered[self._sample(model)]
        patches = state["patch"].astype(np.float64)
        if len(patches) < self.components:
            raise ParameterError(
                f"components is {self.components}, and there are {len(patches)} patches to fit them to: give fewer, or "
                "more images"
            )
        rows = patches if self.mean == "kept" else patches @ mean_free_basis(patches.shape[1])
        fitted = fit_mixture(rows, self.components, self.noise, self.seed, progress)
        size = model.input.example_shape[-2:]
        return PatchMixture(
            fitted.weights,
            fitted.means,
            fitted.cholesky,
            np.array([patches.shape[1] // self.patch**2, self.patch, self.patch], np.int64),
            np.array(size, np.int64),
            fitted.log_likelihood,
            len(patches),
            int(state["images"]),
            notes=() if fitted.converged else ("the fit had not converged after 100 iterations",),
        )

    def _sample(self, model: Model) -> SampledPatches:
        labels = tuple(sorted(wanted_labels(model, self.classes)))
        return SampledPatches(self.patch, self.count, self.seed, model.input.bounds or (0.0, 1.0), labels)

    def _refuse_unknown(self, model: Model, source: Source, labels: Sequence[str]) -> None:
        """Refuse a class of which the data have no image.

        Raises:
            ParameterError: with the labels that there are.
        """
        known = {part for label in set(labels) for part in (folded(label), *map(folded, label.split(", ")))}
        for each in self.classes:
            if known.isdisjoint(wanted_labels(model, (each,))):
                some = sorted({label for label in labels if label})
                there = f"the labels are {', '.join(map(repr, some[:LISTED]))}" + ", ..." * (len(some) > LISTED)
                raise ParameterError(
                    f"classes: {source} holds no image of {each!r}; {there if some else 'its images have no label'}"
                )


def wanted_labels(model: Model, classes: Sequence[str]) -> frozenset[str]:
    """The labels, as they are compared, that classes may have in the data: by name, and by number where known."""
    names = model.output.names(model.labels) if classes and model.output.is_vector else ()
    found = {folded(each) for each in classes}
    for number, name in enumerate(names):
        called = {folded(each) for each in (name, *name.split(", "), str(number))}
        if not called.isdisjoint(map(folded, classes)):
            found |= called
    return frozenset(found)


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [PatchMixtureMethod]
