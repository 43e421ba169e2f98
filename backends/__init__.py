"""The backends: one package per framework, each registered by the names of what it wraps."""

import os
import sys

from crosslens.plugins import Listing

sys.modules[__name__].__class__ = Listing

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # what onnxruntime heeds as it is imported, here and in workers
