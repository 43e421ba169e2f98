"""Contact sheets of what the methods show: `make gallery` writes them into benchmarks/pictures.

`python -m benchmarks.gallery cat espresso dog` writes an attribution sheet for each, methods down, frameworks across;
`python -m benchmarks.gallery.demo` the picture at the top of the README;
`make synthesis-gallery` what methods make.
"""

from .photographs import photograph

__all__ = ["photograph"]
