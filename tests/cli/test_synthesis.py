"""`crosslens run` of methods that make pictures: targets and rules as text, and ctrl-C."""

import json

import numpy as np


def test_ctrl_c_on_the_command_line_saves_the_best_so_far(command, tmp_path, module):
    name = module(
        "from crosslens.testing import TinyModel\n"
        "class Stopping(TinyModel):\n"
        "    calls = 0\n"
        "    def _linearize(self, *given):\n"
        "        Stopping.calls += 1\n"
        "        if Stopping.calls == 4:\n"
        "            raise KeyboardInterrupt\n"
        "        return super()._linearize(*given)\n"
    )
    done = command("run", "activation_maximisation", f"{name}:Stopping", "--target", "1", "-o", tmp_path / "a.png")
    assert done.exit_code == 0, done.output
    assert "Note: interrupted after 3 of 192 steps: this is the best so far" in done.stderr
    assert (tmp_path / "a.png").exists()


def test_the_command_line_reaches_rules_and_sums(command, tiny, tmp_path):
    done = command(
        *("run", "activation_maximisation", tiny, "--target", "channel:conv1:2 - 0.1 * norm:6 | 3", "--steps", "3"),
        *("--rules", "blur:0.5:2,decay:0.1", "-o", tmp_path / "two.npz"),
    )
    assert done.exit_code == 0, done.output
    with np.load(tmp_path / "two.npz") as saved:
        assert saved["images"].shape == (2, 3, 8, 8)
        assert json.loads(str(saved["record"]))["parameters"]["rules"] == ["blur:0.5:2", "decay:0.1"]
