"""Archives and arrays that grow, lie about sizes, leave their folder, or hold code; a SavedModel that writes."""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from .actions import explain_model, read_array
from .frame.case import Case
from .frame.family import case_folder, in_child
from .sound_files import sound

__all__ = ["containers"]

PAYLOAD = b"cos\nsystem\n(S'echo run > \"$CANARY\"'\ntR."
_ZEROS = bytes(1_000_000)
_SUFFIXES = (".pt2", ".pt", ".pth", ".keras", ".npz")


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def _bomb(name: str, megabytes: int) -> bytes:
    made = io.BytesIO()
    with (
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(name, "w", force_zip64=True) as member,
    ):
        for _ in range(megabytes):
            member.write(_ZEROS)
    return made.getvalue()


def _grown(whole: bytes, part: str, megabytes: int) -> bytes:
    """A sound archive of which one member holds zeros."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(whole)) as source,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for info in source.infolist():
            with archive.open(info.filename, "w", force_zip64=True) as member:
                if part in info.filename:
                    for _ in range(megabytes):
                        member.write(_ZEROS)
                else:
                    member.write(source.read(info))
    return made.getvalue()


def _replaced(whole: bytes, part: str, content: bytes) -> bytes:
    """A sound archive of which a member, or all if `part` is empty, holds something else."""
    with zipfile.ZipFile(io.BytesIO(whole)) as source:
        return _zip({each: content if part in each else source.read(each) for each in source.namelist()}, 0)


def _npy(shape: tuple[int, ...] | str, kind: str = "<f4", order: str = "False", data: bytes = b"") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    text += b" " * (63 - (len(text) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text + data


def _arrays() -> Iterator[tuple[str, bytes]]:
    """By file name."""
    headers = {
        "large": _npy((2**50,)),
        "larger": _npy((2**62, 2**62)),
        "negative": _npy((-1, 3, 8, 8)),
        "large second": _npy((1, 3, 60_000, 60_000)),
        "no axes": _npy((), data=bytes(4)),
        "many axes": _npy((1,) * 60, data=bytes(4)),
        "zero": _npy((0, 3, 8, 8)),
        "object": _npy((1,), "|O", data=PAYLOAD),
        "record": _npy((1,), "|V9", data=bytes(9)),
        "text": _npy((1,), "<U8", data=bytes(32)),
        "complex": _npy((3, 20, 24), "<c8", data=bytes(8 * 1440)),
        "dates": _npy((3, 20, 24), "<M8[s]", data=bytes(8 * 1440)),
        "header code": _npy("__import__('os').system('echo run > $CANARY')"),
        "header power": _npy("(9**9**9,)"),
        "header deep": _npy("(" * 5000 + ")" * 5000),
        "short": _npy((3, 20, 24), data=bytes(100)),
        "nan": _npy((3, 20, 24), data=np.full(1440, np.nan, "<f4").tobytes()),
        "infinite": _npy((3, 20, 24), data=np.full(1440, np.inf, "<f4").tobytes()),
        "huge values": _npy((3, 20, 24), data=np.full(1440, 3e38, "<f4").tobytes()),
        "version": b"\x93NUMPY\x09\0" + bytes(100),
        "long header": b"\x93NUMPY\x02\0" + struct.pack("<I", 2**31) + b"{",
    }
    for name, content in headers.items():
        yield f"{name}.npy", content
        yield f"{name}.npz", _zip({"images.npy": content})
    yield "bomb.npz", _bomb("images.npy", 6000)
    yield "no members.npz", _zip({})
    yield "many members.npz", _zip({f"{n}.npy": _npy((1,), data=bytes(4)) for n in range(70_000)}, 0)
    yield "pickle.npz", _zip({"images.npy": PAYLOAD})
    yield "climbing.npz", _zip({"../../out.npy": _npy((3, 20, 24), data=bytes(5760))})
    yield "nested.npz", _zip({"images.npy": _zip({"images.npy": _ZEROS})})
    yield "pickle.npy", pickle.dumps([1, 2, 3])
    yield "code.npy", PAYLOAD


def _models() -> Iterator[tuple[str, bytes]]:
    for suffix in _SUFFIXES[:4]:
        yield f"bomb{suffix}", _bomb("data.pkl", 6000)
        yield f"pickle{suffix}", PAYLOAD
        yield (
            f"pickled member{suffix}",
            _zip({f"archive/{name}": PAYLOAD for name in ("data.pkl", "version", "constants.pkl")}, 0),
        )
        yield f"climbing{suffix}", _zip({"../../../out": b"x", "/abs": b"x", "c:\\x": b"x", "a/../../../../out2": b"x"})
        yield f"many members{suffix}", _zip({f"a/{n}": b"" for n in range(70_000)}, 0)
        yield f"no members{suffix}", _zip({})
    for name in ("net.pt2", "net.keras"):
        with zipfile.ZipFile(io.BytesIO(sound(name))) as archive:
            members = archive.namelist()
        for each in members:
            yield f"{each.replace('/', '-')} grown.{name[4:]}", _grown(sound(name), each, 6000)
            yield f"{each.replace('/', '-')} empty.{name[4:]}", _replaced(sound(name), each, b"")
            yield f"{each.replace('/', '-')} pickled.{name[4:]}", _replaced(sound(name), each, PAYLOAD)
            yield f"{each.replace('/', '-')} deep.{name[4:]}", _replaced(sound(name), each, b"[" * 200_000)
            yield f"{each.replace('/', '-')} list.{name[4:]}", _replaced(sound(name), each, b"[[[]]]")
            yield f"{each.replace('/', '-')} null.{name[4:]}", _replaced(sound(name), each, b"null")
    yield "zeros.onnx", bytes(40_000_000)
    yield "zeros.h5", b"\x89HDF\r\n\x1a\n" + bytes(40_000_000)


def _saved_model(folder: Path, what: str) -> None:
    """A SavedModel that writes or reads a file when it is loaded or run."""
    import tensorflow as tf

    class Net(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(tf.ones((3, 4)))

        @tf.function(input_signature=[tf.TensorSpec((None, 32, 32, 3))])
        def __call__(self, x):  # type: ignore[no-untyped-def]
            return _act(tf, what, x) + tf.reduce_mean(x, [1, 2]) @ self.w

    net = Net()
    tf.saved_model.save(net, str(folder / "model"), signatures=net.__call__)


def _act(tf, what, x):  # type: ignore[no-untyped-def]
    if what == "WriteFile":
        tf.raw_ops.WriteFile(filename="code-was-run", contents="run")
    elif what == "ReadFile":
        return tf.cast(tf.strings.length(tf.raw_ops.ReadFile(filename="/etc/passwd")), tf.float32)
    elif what == "Save":
        tf.raw_ops.Save(filename="code-was-run", tensor_names=["x"], data=[x])
    elif what == "PrintV2":
        tf.print("run", output_stream="file://code-was-run")
    elif what == "huge":
        return tf.reduce_sum(tf.zeros((40_000, 40_000))) * 0.0
    return 0.0


def _keras_lambda(folder: Path) -> None:
    import keras

    layers = [keras.Input((8, 8, 3)), keras.layers.Lambda(_writes), keras.layers.GlobalAveragePooling2D()]
    net = keras.Sequential(layers)
    for name in ("net.keras", "net.h5"):
        net.save(folder / name)


def _writes(x):  # type: ignore[no-untyped-def]
    import os

    if os.environ.get("CANARY"):
        os.system('echo run > "$CANARY"')
    return x


def containers(folder: Path) -> Iterator[Case]:
    """All of them, each opened as a model or an array."""
    acts: list[tuple[Iterator[tuple[str, bytes]], Callable[[Path], None]]] = [
        (_arrays(), read_array),
        (_models(), explain_model),
    ]
    for made, act in acts:
        for name, content in made:
            inside = case_folder(folder, name)
            path = inside / f"file{Path(name).suffix}"
            path.write_bytes(content)
            yield Case(name=name, folder=inside, call=partial(act, path), intact=(path,))
    for what in ("WriteFile", "ReadFile", "Save", "PrintV2", "huge"):
        for words in (
            ["layers", "model"],
            ["doctor", "model"],
            ["run", "gradient", "model", "cat.png", "-o", "out.npz"],
        ):
            inside = case_folder(folder, f"saved model {what} {words[0]}")
            in_child(partial(_saved_model, inside, what))
            (inside / "code-was-run").unlink(missing_ok=True)
            (inside / "cat.png").write_bytes(sound("cat.png"))
            refused = what in {"WriteFile", "ReadFile", "Save", "PrintV2"}
            yield Case(name=f"SavedModel with {what}: {words[0]}", folder=inside, words=words, refused=refused)
    source = case_folder(folder, "lambda")
    in_child(partial(_keras_lambda, source))
    for name in ("net.keras", "net.h5"):
        inside = case_folder(folder, f"lambda in {name}")
        path = inside / name
        path.write_bytes((source / name).read_bytes())
        yield Case(
            name=f"Lambda in {name}", folder=inside, call=partial(explain_model, path), intact=(path,), refused=True
        )
