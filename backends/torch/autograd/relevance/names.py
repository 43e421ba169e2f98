"""Names of functions as `function_name` gives them, by what the backward rules do with them."""

__all__ = ["ACTIVATIONS", "COMPARISONS", "ELEMENTWISE", "LINEAR", "PIECES", "RECTIFIERS", "SIDES", "SMOOTH", "STEPPED"]


def _names(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


RECTIFIERS = _names("relu leaky_relu prelu prelu_kernel rrelu")
"""Activation functions that are x times a constant on either side of 0: their ratio is their derivative."""
ACTIVATIONS = RECTIFIERS | _names(
    "relu6 hardtanh clamp clip clamp_min clamp_max threshold sigmoid expit special_expit hardsigmoid tanh gelu silu",
    "hardswish elu selu celu mish softplus softsign logsigmoid log_sigmoid erf special_erf tanhshrink hardshrink",
    "softshrink",
)
ELEMENTWISE = ACTIVATIONS | _names(
    "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal abs absolute square pow float_power sin cos tan sinh",
    "cosh asinh acosh asin acos atan arctan arcsin arccos erfc erfinv lgamma digamma logit sinc xlogy",
)
SMOOTH = _names(
    "sigmoid expit special_expit tanh gelu silu mish softplus logsigmoid log_sigmoid erf special_erf tanhshrink",
    "exp exp2 expm1",
)
"""Functions whose secant between close values is the mean of the derivatives there."""
SIDES = dict.fromkeys(_names("elu selu celu softsign"), 0.0) | {"hardswish": 3.0}
"""Functions of which that holds on either side of a number, and of minus that number."""
PIECES = RECTIFIERS - {"relu"} | {"hardsigmoid", "softshrink"}
"""Functions of linear pieces with rounded values: the secant within a piece is the derivative."""
STEPPED = _names("floor ceil round trunc fix frac sign sgn heaviside")
"""Elementwise functions whose derivative is 0, or that of x, and whose secant is not."""
COMPARISONS = _names("gt lt ge le greater less greater_equal less_equal")
LINEAR = _names("add sub rsub neg negative mul multiply div divide true_divide subtract")
"""Elementwise functions that are linear in each argument, a divisor excepted."""
