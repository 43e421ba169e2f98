"""Many images: where they come from, what is gathered over them, and the sweep that reads each of them once a round.

A `Source` is a finite list of images. A `Statistic` is what is gathered over them, its state a few arrays. A sweep cuts
the source into shards, gathers each shard's states and merges them in shard order.
"""

from .concepts import Concepts, HasConcepts, concepts_of
from .keeper import Gathered
from .rows import Rows
from .shard import SHARD, Shard, ShardJob, ShardResult, run_shard, shards
from .source import Failure, Samples, Source
from .sources.adapters import data
from .sources.array_source import ArraySource
from .sources.concepts.concept_data import concept_data
from .sources.picture_folder import PictureFolder
from .statistic import Batch, Quantity, State, Statistic
from .sweep import replay, sweep
from .top_positions import TopPositions

__all__ = [
    "SHARD",
    "ArraySource",
    "Batch",
    "Concepts",
    "Failure",
    "Gathered",
    "HasConcepts",
    "PictureFolder",
    "Quantity",
    "Rows",
    "Samples",
    "Shard",
    "ShardJob",
    "ShardResult",
    "Source",
    "State",
    "Statistic",
    "TopPositions",
    "concept_data",
    "concepts_of",
    "data",
    "replay",
    "run_shard",
    "shards",
    "sweep",
]
