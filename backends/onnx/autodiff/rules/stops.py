"""Operators that gradients do not flow through: what they give is constant, counts, compares or chooses places."""

from ..registry import stops

stops(
    "Shape", "Size", "Constant", "ConstantOfShape", "ArgMax", "ArgMin", "NonZero", "Equal", "Greater", "GreaterOrEqual",
    "Less", "LessOrEqual", "And", "Or", "Not", "Xor", "IsNaN", "IsInf", "Sign", "Floor", "Ceil", "Round", "OneHot",
    "EyeLike", "NonMaxSuppression", "Hardmax", "RandomNormal", "RandomUniform", "RandomNormalLike",
    "RandomUniformLike", "Bernoulli", "Multinomial", "Unique", "BitShift",
    "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "BlackmanWindow", "HammingWindow", "HannWindow",
    "ImageDecoder", "MelWeightMatrix", "OptionalHasElement", "RegexFullMatch", "SequenceEmpty", "SequenceLength",
    "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer",
)  # fmt: skip
