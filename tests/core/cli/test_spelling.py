"""Where the library's messages name a keyword of Python, the command line names what to type there."""

import click
import pytest
from crosslens.cli import cli
from crosslens.cli._text.spelling import replace_keywords


@pytest.fixture
def told():
    """A message as `crosslens ARGS` would print it."""

    def write(message, *args):
        context = click.Context(cli)
        command = cli
        for name in args:
            command = command.get_command(context, name)
        return replace_keywords(message, context)

    return write


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ("has 2 outputs: a, b; choose one with output=", "has 2 outputs: a, b; choose one with --output"),
        ("choose one: wrap(folder, output=...)", "choose one: --output NAME"),
        ("choose one: wrap(net, output='boxes')", "choose one: --output boxes"),
        ("give it: wrap(model, input_shape=(3, 224, 224))", "give it: --input-shape 3,224,224"),
        ("say so: wrap(net, input_shape=(C, H, W))", "say so: --input-shape C,H,W"),
        ("give a class number, or labels=", "give a class number, or --labels"),
        ("name the layer to explain, layer=. Where", "name the layer to explain, --layer. Where"),
        ("needs a class: target=281, a label", "needs a class: --target 281, a label"),
        ("hold it: wrap(net, inputs={'mask': array})", "hold it: --hold mask=FILE.npy"),
        ("others: wrap(net, inputs={'a.1': array, 'b': array})", "others: --hold a.1=FILE.npy --hold b=FILE.npy"),
        ("inputs= names 'x'; the inputs are a, b", "--hold names 'x'; the inputs are a, b"),
        ("inputs['mask'] has shape (1, 7)", "--hold mask has shape (1, 7)"),
        ("scale them, or give bounds=(0, 255)", "scale them, or give --input-range 0,255"),
        ("output_kind is 'logits'; leave output_kind out", "--output-kind is 'logits'; leave --output-kind out"),
        ("input_shape is (32, 32), but", "--input-shape is (32, 32), but"),
        ("layer 'output_kind' and net.output_kind stay", "layer 'output_kind' and net.output_kind stay"),
        ("open it with wrap(path, trust=True)", "open it with --trust"),
        ("twice; wrap(preprocess='raw255')", "twice; --preprocess raw255"),
        ("onnxruntime computes where providers= says", "onnxruntime computes where --providers says"),
        ("it must be at least 1, or None", "it must be at least 1, or left out"),
        ("write preprocess=None, or input_shape=None", "write --preprocess none, or no --input-shape"),
        ("List them with model.layers, or `crosslens layers MODEL`.", "List them with `crosslens layers MODEL`."),
        ("where 2 * samples == 8 and a<=b", "where 2 * samples == 8 and a<=b"),
    ],
)
def test_a_keyword_becomes_the_option_of_that_name(told, message, typed):
    assert told(message, "run", "grad_cam") == typed


def test_a_methods_own_parameter_is_an_option_too(told):
    assert told("give clean_last=", "run", "smooth_grad") == "give --clean-last"
    assert told("give clean_last=", "run", "gradient") == "give clean_last="


def test_images_are_the_argument(told):
    message = "Start from images that do (images=...), or"
    assert told(message, "run", "activation_maximisation") == "Start from images that do (IMAGE), or"


def test_what_is_no_option_of_the_command_stays(told):
    assert told("choose one with output=", "plugins") == "choose one with output="


def test_an_error_of_the_library_is_printed_so(command, picture, module):
    name = module(
        "from crosslens.testing import TinyModel\n"
        "def unlabelled():\n    model = TinyModel()\n    model.labels = None\n    return model"
    )
    done = command("run", "grad_cam", f"{name}:unlabelled", picture, "--target", "cat")
    assert done.exit_code == 1
    assert "give a class number, or --labels" in done.stderr
