"""Arithmetic on sizes is bounded: nothing that sympy would compute for long is given to it."""

import pytest
from crosslens.backends.torch.load.size_expressions import is_size_expression

S = "Symbol('s0', positive=True, integer=True)"


@pytest.mark.parametrize(
    "text",
    [
        S,
        f"Add({S}, Integer(-2))",
        f"FloorDiv(Add({S}, Integer(-1)), Integer(2))",
        f"Mul(Integer(4), Max(Integer(1), {S}), {S})",
        f"Pow({S}, Integer(2))",
        f"Pow({S}, Integer(-1))",
        f"Pow({S}, Rational(1, 2))",
        "s0*s1**2 // 4 + 3 - 2*(s1 % 5)",
        "Float('2.5', precision=53)",
    ],
)
def test_what_torch_writes_is_taken(text):
    assert is_size_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9**9",
        "Pow(Integer(9), Integer(1000000000))",
        "Pow(Pow(Integer(9), Integer(60)), Integer(60))",
        "((9**60)**60)**60",
        "s0**s1",
        "1 << 1000000000",
        "LShift(1, 1000000000)",
        "Float('1e999999999')",
        "Float('1', precision=1000000000)",
        "Symbol('s0', integer=s0)",
        "1e999",
        "9" * 5000,
        "(" * 1000 + "s0" + ")" * 1000,
        "Add(" * 5000 + "1" + ")" * 5000,
        f"Max({','.join([f'Min({S}, {S})'] * 100)})",
        "s0" + " + s0" * 10**5,
        "__import__('os')",
        "f'{s0}'",
        "lambda: 0",
    ],
)
def test_what_is_code_or_would_be_computed_for_long_is_refused_unevaluated(text):
    assert not is_size_expression(text)
