"""What relevance costs over the plain gradient, and beside zennit, captum and autoLRP, paired in one run.

The first table has our methods on torch and ONNX, as a multiple of crosslens' gradient on the same framework and batch;
in brackets what each may cost at most. The second has each library on torch, on networks prepared for it beforehand, as
its users call it, and the same here on torch and ONNX; a ratio above 1: crosslens is faster. In the environment of
`make parity`: `python -m benchmarks.relevance_cost lite0 vgg resnet --batch 1 --rounds 15`; --write fills RESULTS.md.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import partial
from typing import Any

import crosslens
import numpy as np
import torch

from .networks import exported, resnet50, vgg16
from .paired import in_turns
from .parity import stand_ins

stand_ins.install()

from .parity.canonised import canonised  # noqa: E402 - after the stand-ins
from .parity.relevance_peers import ZENNIT, of_class  # noqa: E402
from .results import machine, put  # noqa: E402

TARGET = 3
LIMITS = {"epsilon": 1.2, "z_plus": 1.8, "gamma": 1.8, "alpha_beta": 2.5, "deep_lift": 2.5}
"""By rule, how often the cost of the plain gradient."""
FASTER = {"torch": 1.0, "onnx": 1.3}
"""How many times as fast as a library on torch ours is to be."""
COST = ["| network | batch | framework | gradient, ms | " + " | ".join(f"{k} ({v})" for k, v in LIMITS.items()) + " |"]
PEERS = ["| library | what | network | batch | library, ms | torch, ms | x | ONNX, ms | x |"]
Call = Callable[[], Any]


def network(name: str, size: int) -> torch.nn.Module:
    """Made for pictures of `size` pixels, nothing in place."""
    from crosslens.backends.zoo import torch_nets

    makers: Mapping[str, Callable[[], torch.nn.Module]] = {
        "lite0": torch_nets.lite0,
        "vgg": lambda: vgg16(1000, size=size),
        "resnet": lambda: resnet50(1000, width=0.5, depth=0.4, size=size),
    }
    net = makers[name]()
    for module in net.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return net


def ours(model: Any, x: Any, method: str, **settings: Any) -> Call:
    made = crosslens.method(method, **settings)
    return lambda: made(model, x, target=TARGET)


def of_rules(model: Any, x: Any) -> dict[str, Call]:
    """Our methods by the rule whose cost they show."""
    rules = {name: (f"*={name}",) for name in LIMITS if name != "deep_lift"}
    calls = {name: ours(model, x, "lrp", composite="epsilon", rules=rule) for name, rule in rules.items()}
    return {"gradient": ours(model, x, "gradient"), **calls, "deep_lift": ours(model, x, "deep_lift")}


def cost_row(name: str, models: Mapping[str, Any], x: Any, rounds: int) -> Iterator[tuple[str, list[str]]]:
    """A line for each framework, and the rules that cost more there than they may."""
    for framework, model in models.items():
        timing = in_turns(of_rules(model, x), rounds=rounds, warmup=1)
        ratios = {rule: timing.ratio(rule, "gradient") for rule in LIMITS}
        cells = [name, str(len(x)), framework, f"{1e3 * timing.median('gradient'):.0f}"]
        dear = [f"{name} {framework} {rule} {ratio:.2f}" for rule, ratio in ratios.items() if ratio > LIMITS[rule]]
        yield f"| {' | '.join([*cells, *(f'{ratio:.2f}' for ratio in ratios.values())])} |", dear


def zennit_calls(net: torch.nn.Module, x: torch.Tensor) -> Iterator[tuple[str, str, dict[str, Any], Call]]:
    import zennit.composites
    from zennit.attribution import Gradient
    from zennit.canonizers import SequentialMergeBatchNorm

    copy = canonised(net)
    for composite, name in ZENNIT.items():
        box = {"low": torch.zeros_like(x[:1]), "high": torch.ones_like(x[:1])} if "box" in composite else {}

        def call(name: str = name, box: Mapping[str, Any] = box) -> Any:
            rules = getattr(zennit.composites, name)(canonizers=[SequentialMergeBatchNorm()], **box)
            with Gradient(copy, composite=rules) as attributor:
                return attributor(x.clone().requires_grad_(), of_class(TARGET))

        yield "zennit", name, {"method": "lrp", "composite": composite}, call


def other_calls(net: torch.nn.Module, x: torch.Tensor) -> Iterator[tuple[str, str, dict[str, Any], Call]]:
    """captum and autoLRP, where they run: a library's message stands in place of its time."""
    import autolrp
    from captum import attr

    copy = deepcopy(net)
    yield "captum", "LRP", {"method": "lrp", "composite": "epsilon"}, lambda: attr.LRP(copy).attribute(x, TARGET)
    lift = lambda: attr.DeepLift(copy).attribute(x, torch.zeros_like(x), target=TARGET)  # noqa: E731
    yield "captum", "DeepLift", {"method": "deep_lift"}, lift

    def graph(config: Any) -> None:
        for image in x:
            copy(autolrp.tensor(image[None].clone()))[0, TARGET].lrp(config=config)

    base, plus = autolrp.LRPConfig(eps=1e-6), autolrp.LRPConfig.composite(eps=1e-6)
    yield "autoLRP", "epsilon", {"method": "lrp", "composite": "epsilon"}, partial(graph, base)
    yield "autoLRP", "composite", {"method": "lrp", "composite": "epsilon_plus"}, partial(graph, plus)


def peer_rows(
    name: str, net: torch.nn.Module, models: Mapping[str, Any], x: Any, rounds: int
) -> Iterator[tuple[str, list[str]]]:
    """A line for each library and what it computes, and where we are slower than we are to be.

    Args:
        name: of the network.
        net: the network itself, for the libraries.
        models: ours, by framework.
        x: images (N, 3, H, W).
        rounds: how often each is called.
    """
    tensor = torch.from_numpy(x.copy())
    for library, what, given, call in (*zennit_calls(net, tensor), *other_calls(net, tensor)):
        try:
            call()
        except (TypeError, RuntimeError, KeyError, ValueError, AttributeError, AssertionError) as error:
            yield f"| {library} | {what} | {name} | {len(x)} | {type(error).__name__} | - | - | - | - |", []
            continue
        candidates = {"peer": call, **{each: ours(model, x, **given) for each, model in models.items()}}
        timing = in_turns(candidates, rounds=rounds, warmup=1)
        ratios = {each: timing.ratio("peer", each) for each in models}
        cells = [library, what, name, str(len(x)), f"{1e3 * timing.median('peer'):.0f}"]
        for each, ratio in ratios.items():
            cells += [f"{1e3 * timing.median(each):.0f}", f"{ratio:.2f}"]
        slow = [f"{name} {each} {library} {what} {ratio:.2f}" for each, ratio in ratios.items() if ratio < FASTER[each]]
        yield f"| {' | '.join(cells)} |", slow


def main() -> None:
    """Print both tables for the networks that are named."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relevance_cost", description=__doc__)
    parser.add_argument("networks", nargs="*", default=["lite0", "vgg", "resnet"], help="lite0, vgg, resnet")
    parser.add_argument("--batch", type=int, default=1, help="images a call")
    parser.add_argument("--rounds", type=int, default=15, help="calls of each")
    parser.add_argument("--size", type=int, default=224, help="pixels a side, a multiple of 32")
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md")
    asked = parser.parse_args()
    print(f"{torch.get_num_threads()} threads; {machine()}", flush=True)
    x = np.random.default_rng(0).random((asked.batch, 3, asked.size, asked.size), np.float32)
    tables: dict[str, list[str]] = {"relevance cost": list(COST), "relevance speed": list(PEERS)}
    for lines in tables.values():
        lines.append("|--" * (lines[0].count("|") - 1) + "|")
    missed: list[str] = []
    for name in asked.networks:
        net = network(name, asked.size)
        options: dict[str, Any] = {"preprocess": None, "input_shape": x.shape[1:]}
        onnx = crosslens.wrap(exported(net, shape=x.shape[1:]), **options)
        models = {"torch": crosslens.wrap(net, **options), "onnx": onnx}
        costs = cost_row(name, models, x, asked.rounds)
        for table, found in (
            ("relevance cost", costs),
            ("relevance speed", peer_rows(name, net, models, x, asked.rounds)),
        ):
            for line, failed in found:
                print(line, flush=True)
                tables[table].append(line)
                missed += failed
    for table, lines in tables.items() if asked.write else ():
        put(table, lines)
    print("\n".join(["dearer or slower than it is to be:", *missed] if missed else ["all within their limits"]))


if __name__ == "__main__":
    main()
