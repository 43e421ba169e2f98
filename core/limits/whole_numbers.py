"""How large whole numbers may be: counts, sizes, indices, seeds."""

__all__ = ["LARGEST", "is_whole_number"]

LARGEST = 2**32 - 1
"""The largest, where nothing else is stated: every count of something that is made or done lies far below."""
_MOST_DIGITS = 18


def is_whole_number(text: str) -> bool:
    """Whether a text is a whole number from 0 on, in digits only, that fits into 64 bits.

    >>> is_whole_number("42"), is_whole_number("-1"), is_whole_number("9" * 5000)
    (True, False, False)
    """
    return text.isdecimal() and len(text) <= _MOST_DIGITS
