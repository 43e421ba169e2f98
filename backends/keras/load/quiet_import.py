"""Importing TensorFlow without its messages on stderr, where the user asks for errors alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile

from crosslens.execution.native_log import is_filtered

__all__ = ["quiet_import"]

_STDERR = 2


@contextmanager
def quiet_import() -> Iterator[None]:
    """Heed TF_CPP_MIN_LOG_LEVEL of 2 and more, which TensorFlow 2.21 does not while it is imported.

    It writes from C++, so the file descriptor is turned away; what was written is given out if the import fails. The
    command line filters such lines itself.
    """
    if is_filtered() or os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0") not in {"2", "3"}:
        yield
        return
    kept_back = os.dup(_STDERR)
    with TemporaryFile() as written:
        os.dup2(written.fileno(), _STDERR)
        try:
            yield
        except BaseException:
            written.seek(0)
            os.write(kept_back, written.read())
            raise
        finally:
            os.dup2(kept_back, _STDERR)
            os.close(kept_back)
