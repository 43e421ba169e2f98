"""plugins.md, "A model as a loss": its two examples run, one after the other."""

import re

from .tree import ROOT

PAGE = (ROOT / "plugins.md").read_text().partition("\n## A model as a loss\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_networks_are_trained_through_an_onnx_file_as_the_page_says(capsys):
    namespace = {"__name__": "page"}
    in_torch, in_keras = BLOCKS
    exec(compile(in_torch, "plugins.md, torch", "exec"), namespace)
    first, *_, last = (float(line.split("[")[1].rstrip("]")) for line in capsys.readouterr().out.splitlines())
    assert last < first
    exec(compile(in_keras, "plugins.md, Keras", "exec"), namespace)
