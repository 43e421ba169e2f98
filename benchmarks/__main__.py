"""`make bench`: every table, one after the other, each in a process of its own with two threads.

Tables named on the command line are printed alone: `python -m benchmarks onnx_speed`.
"""

import os
import subprocess
import sys

TABLES = {
    "engine_cost": [""],
    "onnx_speed": [""],
    "onnx_cost": [""],
    "occlusion_speed": ["onnx", "torch"],
    "sweep": [
        *(f"{what} {net}" for what in ("throughput", "workers", "decoding") for net in ("onnx", "torch")),
        "memory onnx 1000",
    ],
    "imagenet_cost": ["onnx"],
    "peers_speed": ["lite0 1", "lite0 8", "resnet50 1", "resnet50 8"],
}
"""With the arguments of each run; the last one needs the environment of `make parity`."""
SETTINGS = {"OMP_NUM_THREADS": "2", "TF_CPP_MIN_LOG_LEVEL": "3"}
SETTINGS |= {"TF_NUM_INTRAOP_THREADS": "2", "TF_NUM_INTEROP_THREADS": "2"}

for table in sys.argv[1:] or TABLES:
    for arguments in TABLES[table]:
        print(f"\n## {table} {arguments}\n", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{table}", *arguments.split()]
        subprocess.run(command, env=os.environ | SETTINGS, check=True)
