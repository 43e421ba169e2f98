"""The signatures that editors complete are those of the methods."""

from .method_stub import PATH, stub


def test_the_stub_of_method_is_what_the_methods_say():
    """If it fails: `python -m tests.meta.method_stub` writes it anew."""
    assert PATH.read_text() == stub()
