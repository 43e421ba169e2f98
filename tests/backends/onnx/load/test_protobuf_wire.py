"""The wire format: fields as protobuf itself writes them."""

import mmap

import pytest
from crosslens.backends.onnx.load.protobuf_wire import encode_field, fields
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto


def mapped(path, content):
    path.write_bytes(content)
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def test_fields_are_those_that_protobuf_wrote(tmp_path):
    name, nodes = "n" * 300, [NodeProto(op_type="Relu"), NodeProto(op_type="Neg")]
    data = mapped(tmp_path / "graph", GraphProto(name=name, node=nodes).SerializeToString())
    contents = [(field.number, data[field.content : field.end]) for field in fields(data, 0, len(data))]
    number = GraphProto.DESCRIPTOR.fields_by_name
    assert contents == [
        *((number["node"].number, node.SerializeToString()) for node in nodes), (number["name"].number, name.encode()),
    ]  # fmt: skip


@pytest.mark.parametrize("length", [0, 127, 128, 20_000])
def test_an_encoded_field_is_parsed_by_protobuf(length):
    number = ModelProto.DESCRIPTOR.fields_by_name["producer_name"].number
    assert ModelProto.FromString(encode_field(number, b"a" * length)).producer_name == "a" * length


def test_a_truncated_message_is_refused(tmp_path):
    data = mapped(tmp_path / "graph", GraphProto(name="n" * 300).SerializeToString()[:-1])
    with pytest.raises(DecodeError, match="goes beyond the end"):
        list(fields(data, 0, len(data)))
