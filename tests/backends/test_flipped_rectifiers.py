"""The comparison of gradients that forgives a flipped rectifier forgives nothing else."""

import pytest

FLIP, ROUNDING, FAULT = 3e-2, 1e-6, 1e-3


def test_pictures_with_a_flipped_rectifier_are_passed_over(somewhere_close):
    somewhere_close([FLIP, FLIP, ROUNDING].__getitem__, 1e-5)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (lambda seed: FAULT, r"none of 8 pictures agrees to 1e-05: \['1.0e-03', "),
        (lambda seed: FLIP if seed % 2 else FAULT, "none of 8 pictures agrees"),
        (lambda seed: ROUNDING if seed else 1.4, "picture 0: no flipped rectifier changes that much: 1.4e"),
        (lambda seed: ROUNDING if seed else float("nan"), "picture 0: no flipped rectifier changes that much: nan"),
    ],
)
def test_a_fault_of_all_pictures_or_a_large_one_of_one_is_an_error(somewhere_close, error, message):
    with pytest.raises((AssertionError, pytest.fail.Exception), match=message):
        somewhere_close(error, 1e-5)
