"""`manifest.json`: what a store is a survey of, so that nothing else is ever added to it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..data.shard import SHARD
from ..data.source import Source
from ..errors import ParameterError
from ..execution.batching import forward_limit
from ..files.whole_file import write_text
from ..method.provenance import json_value, provenance
from ..model.base import Model
from ..reading.text_file import parse_json
from ..result.strict_json import dumps
from .code_digest import code_digests

__all__ = ["MANIFEST", "identity", "read_manifest", "refuse_others", "write_manifest"]

MANIFEST = "manifest.json"
FORM = 1
"""The number of the manifest's form; a reader refuses larger ones."""
_WORDS = {
    "model": "the model",
    "source": "the data",
    "code": "the code",
    "versions": "the packages",
    "threads": "the number of threads",
    "batches": "the size of shards or batches",
}


def identity(model: Model, source: Source, methods: Any, threads: int | None) -> dict[str, Any]:
    """What decides every bit of a survey's states.

    Args:
        model: the network.
        source: the images.
        methods: those asked for, whose code counts.
        threads: of each worker.
    """
    facts = dict(provenance(model, None, 0.0))
    recipe = model.recipe
    return {
        "form": FORM,
        "model": {
            "digest": facts["model"],
            "made_of": str(recipe.network) if recipe and isinstance(recipe.network, str | Path) else repr(model),
            "changes": [json_value(each) for each in recipe.changes] if recipe else [],
            "output": str(model.output),
            **{name: json_value(facts[name]) for name in ("backend", "preprocess", "inputs", "bounds")},
        },
        "source": {"words": repr(source), "digest": source.digest, "images": len(source)},
        "code": {"crosslens": facts["crosslens"], **code_digests([model, source, *methods])},
        "versions": {**facts["versions"], "numpy": np.__version__},
        "threads": threads,
        "batches": {"shard": SHARD, "micro_batch": forward_limit(model)},
    }


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder; None where there is none.

    Raises:
        ParameterError: it cannot be read, or is of a newer crosslens.
    """
    path = folder / MANIFEST
    if not path.exists():
        return None
    try:
        manifest = parse_json(path.read_bytes())
        form = int(manifest["form"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(f"'{path}' is not the manifest of a survey: name another folder") from error
    if form > FORM:
        raise ParameterError(f"'{folder}' was written by a newer crosslens: upgrade it, or name another folder")
    return dict(manifest)


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write it whole or not at all."""
    write_text(folder / MANIFEST, dumps(manifest) + "\n", ParameterError)


def refuse_others(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to add to a survey of other things.

    Raises:
        ParameterError: what differs, and what to type.
    """
    read = json.loads(dumps(now))
    for part, words in _WORDS.items():
        old, new = before.get(part, {}), read[part]
        if part == "code":
            old = {name: old.get(name, value) for name, value in new.items()}
        if part in {"model", "source"} and old.get("digest") == new["digest"]:
            old = {**old, "made_of": new.get("made_of"), "words": new.get("words")}
        if differences := list(_differences(old, new)):
            raise ParameterError(
                f"'{folder}' is a survey in which {words} differs ({'; '.join(differences)}): again=True begins anew, "
                "or name another folder"
            )


def _differences(old: Any, new: Any, name: str = "") -> Iterator[str]:
    """What differs, "images: 50 there, 100 now"; of mappings the inner ones."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _differences(old.get(key), new.get(key), key)
    elif old != new:
        yield f"{name}{': ' * bool(name)}{_short(old)} there, {_short(new)} now"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
