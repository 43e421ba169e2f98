"""`make bench`: every table, one after the other, each in a process of its own with two threads."""

import os
import subprocess
import sys

TABLES = ("engine_cost", "onnx_speed", "onnx_cost")
SETTINGS = {"OMP_NUM_THREADS": "2", "TF_CPP_MIN_LOG_LEVEL": "3"}
SETTINGS |= {"TF_NUM_INTRAOP_THREADS": "2", "TF_NUM_INTEROP_THREADS": "2"}

for table in sys.argv[1:] or TABLES:
    print(f"\n## {table}\n", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{table}"], env=os.environ | SETTINGS, check=True)
