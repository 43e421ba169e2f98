"""The layers and the graph of a made-up residual network: stages of blocks, each block with a branch that is added."""

HOSTILE_NAME = "<script>alert(1)</script>"
HOSTILE_KIND = '"><img src=x onerror=alert(1)>'
BLOCK = ("Conv2d", "BatchNorm2d", "ReLU", "Conv2d", "BatchNorm2d", "Add", "ReLU")


class Builder:
    def __init__(self, rng):
        self.rng, self.layers, self.reads, self.group_of, self.groups = rng, [], [], [], []

    def group(self, title, parent, alike):
        self.groups.append(
            {"title": title, "parent": parent, "alike": alike, "parameters": 0, "flops": 0, "dead": 0},
        )
        return len(self.groups) - 1

    def layer(self, name, kind, shape, reads, group=None, units=True):
        """Args: name, kind, shape of one image, ids that it reads, its group, whether it has pages."""
        count = shape[0] if units else 0
        parameters = 9 * count * count if kind in {"Conv2d", "Linear"} else 0
        flops = 2 * parameters * (shape[1] * shape[2] if len(shape) == 3 else 1)
        dead = int(self.rng.integers(0, count // 3)) if units and kind == "ReLU" else None
        line = {"id": len(self.layers), "name": name, "kind": kind, "shape": shape, "units": count}
        line |= {"parameters": parameters, "flops": flops, "dead": dead, "page": units}
        line |= {"pictured": list(range(min(4, count))), "attributed": list(range(min(2, count)))}
        self.layers.append(line)
        self.reads.append(reads)
        self.group_of.append(group)
        while group is not None:
            held = self.groups[group]
            held["parameters"] += parameters
            held["flops"] += flops
            held["dead"] += dead or 0
            group = held["parent"]
        return line["id"]


def layers_and_graph(blocks, units, rng):
    """Args: number of blocks, units of a layer, a generator. Returns `Site.layers` and "network"."""
    at = Builder(rng)
    top = at.layer("input", "Input", [3, 64, 64], [], units=False)
    top = at.layer("stem.conv", "Conv2d", [units, 32, 32], [top])
    top = at.layer("stem.norm", "BatchNorm2d", [units, 32, 32], [top])
    top = at.layer("stem.relu", "ReLU", [units, 32, 32], [top])
    top = at.layer(HOSTILE_NAME, HOSTILE_KIND, [units, 16, 16], [top])
    for stage in range(2):
        outer = at.group(f"stage{stage + 1}", None, 100 + stage)
        for block in range(stage * blocks // 2, (stage + 1) * blocks // 2):
            inner = at.group(f"stage{stage + 1}.block{block}", outer, stage)
            entry = top
            for place, kind in enumerate(BLOCK):
                name = f"stage{stage + 1}.block{block}.{kind.lower()}_{place}"
                top = at.layer(name, kind, [units, 16 // (stage + 1), 16 // (stage + 1)], [top], inner)
                if kind == "Add":
                    at.reads[top].append(entry)
    top = at.layer("pool", "GlobalAveragePool", [units], [top])
    top = at.layer("fc", "Linear", [12], [top])
    at.layer("softmax", "Softmax", [12], [top], units=False)
    return at.layers, {"reads": at.reads, "group_of": at.group_of, "groups": at.groups}


def dense_layers_and_graph(count, rng):
    """Layers without groups, each of which reads all before it, as in a DenseNet; as `layers_and_graph`."""
    at = Builder(rng)
    for place in range(count):
        at.layer(f"layer{place}", "Concat", [8, 4, 4], list(range(place)), units=False)
    return at.layers, {"reads": at.reads, "group_of": at.group_of, "groups": at.groups}
