"""Approximate nearest neighbours by usearch, with an index on the disk and its recall measured (HNSW: Malkov and
Yashunin, 2018).
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ParameterError
from ..execution.progress import Progress, silent
from ..files.cached_file import cache_folder
from ..files.whole_file import whole_file, writable_folder
from .exact import exact_neighbours
from .nearest_so_far import NearestSoFar
from .space import Space, squared_distances

__all__ = ["approximate_neighbours"]

Numbers = np.ndarray[Any, Any]
CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 16, 128, 256
"""Of the graph: neighbours of a node, and candidates looked at when it is built and searched."""
SPARE = 16
"""Candidates beyond the neighbours asked for, sorted by exact distances."""
SAMPLE = 200
"""Points of which the recall is measured."""
AT_ONCE = 1 << 14
"""Points that are added or searched at once."""


def approximate_neighbours(
    space: Space,
    count: int,
    asked: Space | None = None,
    own: Numbers | None = None,
    progress: Progress = silent,
    *,
    folder: str | None = None,
) -> tuple[Numbers, Numbers, str]:
    """Places and distances as of `exact_neighbours`, some of them perhaps missed, and a note on how many.

    Distances are exact, and equal ones in the order of the points; which points are found is the library's choice. An
    index is kept under a digest of the points, and used again.

    Args:
        space: where neighbours are looked for; all numbers are finite.
        count: neighbours of each.
        asked: points whose neighbours are wanted; all of `space` if not given.
        own: the place of each asked point in `space`, which is left out; -1 for none.
        progress: called with (points done, all of them, what).
        folder: of indexes; a part of crosslens's cache if not given. Where that is turned off, none is kept.

    Raises:
        ParameterError: usearch is not installed, or the folder cannot be written to.
    """
    if asked is None:
        asked, own = space, np.arange(len(space))
    own = np.full(len(asked), -1) if own is None else own
    with _index(space, folder, progress) as (index, where):
        places, squared = _searched(index, space, count, asked, own, progress)
    short = np.flatnonzero(np.isinf(squared[:, -1]))
    distances = space.distances(squared)
    if len(short):
        some = Space(asked.rows, asked.index[short], asked.metric)
        places[short], distances[short] = exact_neighbours(space, count, some, own[short])
    recall, judged = _recall(space, count, asked, own, distances)
    return (
        places,
        distances,
        f"approximate search by usearch: {recall:.2%} of the true neighbours found, measured at {judged} of "
        f"{len(asked)} images; {where}; an index made anew may find others; search=exact misses none",
    )


def _recall(space: Space, count: int, asked: Space, own: Numbers, distances: Numbers) -> tuple[float, int]:
    """The share of neighbours found that are no farther than the true last one, of a few asked points."""
    sample = np.unique(np.linspace(0, len(asked) - 1, min(SAMPLE, len(asked))).astype(int))
    _, exact = exact_neighbours(space, count, Space(asked.rows, asked.index[sample], asked.metric), own[sample])
    return float((distances[sample] <= exact[:, -1:]).mean()), len(sample)


def _searched(
    index: Any, space: Space, count: int, asked: Space, own: Numbers, progress: Progress
) -> tuple[Numbers, Numbers]:
    nearest = NearestSoFar(len(asked), count)
    wanted = min(len(space), count + 1 + SPARE)
    for start in range(0, len(asked), AT_ONCE):
        part = np.arange(start, min(start + AT_ONCE, len(asked)))
        found = index.search(asked.points(part).astype(np.float32), wanted)
        keys, counts = np.atleast_2d(found.keys).astype(np.int64), np.atleast_1d(getattr(found, "counts", wanted))
        known = (np.arange(keys.shape[1]) < np.broadcast_to(counts, len(part))[:, None]) & (keys != own[part, None])
        which, column = np.nonzero(known)
        places = keys[which, column]
        nearest.add(which + start, places, squared_distances(asked, which + start, space, places))
        progress(int(part[-1]) + 1, len(asked), "neighbours")
    return nearest.places, nearest.squared


@contextmanager
def _index(space: Space, folder: str | None, progress: Progress) -> Iterator[tuple[Any, str]]:
    """The index of these points, mapped from its file, and where it is kept, in words."""
    try:
        from usearch.index import Index
    except ImportError as error:
        raise ParameterError(
            "approximate search takes usearch: pip install 'crosslens[data]'; or search=exact, at any size"
        ) from error
    cache = cache_folder()
    kept = Path(folder) if folder else cache and cache / "neighbours"
    place = kept or Path(tempfile.mkdtemp())
    writable_folder(place, ParameterError)
    path = place / f"{_digest(space)}.usearch"
    try:
        if not (again := path.exists()):
            _build(Index, space, path, progress)
        index = Index.restore(str(path), view=True)
        index.expansion_search = EXPANSION_SEARCH
        yield index, f"index {'from' if again else 'kept in'} '{path}'" if kept else "its index was not kept"
        index.reset()
    finally:
        if not kept:
            shutil.rmtree(place, ignore_errors=True)


def _build(kind: Any, space: Space, path: Path, progress: Progress) -> None:
    index = kind(ndim=space.width, metric="l2sq", dtype="f32", connectivity=CONNECTIVITY, expansion_add=EXPANSION_ADD)
    for start in range(0, len(space), AT_ONCE):
        part = np.arange(start, min(start + AT_ONCE, len(space)))
        index.add(part, space.points(part).astype(np.float32))
        progress(int(part[-1]) + 1, len(space), "index")
    with whole_file(path, ParameterError) as temporary:
        index.save(str(temporary))


def _digest(space: Space) -> str:
    """Of the points, the metric, the library and how the graph is built."""
    from importlib.metadata import version

    text = f"usearch {version('usearch')} {space.metric} {len(space)} {space.width} {CONNECTIVITY} {EXPANSION_ADD}"
    digest = blake2b(text.encode(errors="surrogateescape"), digest_size=16)
    for part in space.parts():
        digest.update(np.ascontiguousarray(space.rows[space.index[part]]).tobytes())
    return digest.hexdigest()
