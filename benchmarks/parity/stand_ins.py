"""Empty modules for what a peer imports and these comparisons do not use.

torchvision has no build for torch without CUDA here; zennit and pytorch-grad-cam name some of its classes
when they are imported. foolbox's zoo clones repositories by git. xplique imports TensorFlow Probability for an
estimator that is not compared, lxt Transformers for language models. One of the peers installs its own tests as a
package `tests`, which would hide the networks of this project's.
"""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

NAMES = {
    "torchvision": (),
    "torchvision.ops": ("FrozenBatchNorm2d",),
    "torchvision.transforms": ("Compose", "Normalize", "ToTensor"),
    "torchvision.transforms.functional": ("resize",),
    "torchvision.models": (),
    "torchvision.models.resnet": ("Bottleneck", "BasicBlock"),
    "torchvision.models.vgg": ("VGG",),
    "tensorflow_probability": (),
    "git": ("Repo",),
    "lxt.efficient.models": ("get_default_map",),
}


def install() -> None:
    """Put the stand-ins where an import finds them."""
    for name, classes in NAMES.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        for each in classes:
            setattr(module, each, type(each, (), {}))
        parent, _, child = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], child, module)
        sys.modules[name] = module
    ours = ModuleType("tests")
    ours.__path__ = [str(Path(__file__).parents[2] / "tests")]
    sys.modules["tests"] = ours
