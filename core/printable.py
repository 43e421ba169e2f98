"""Text from outside (names in files, what was typed, what libraries say) in the form in which it is printed."""

__all__ = ["printable", "shown"]

LONGEST = 1200
"""Characters of a message, or of a cell of a table."""
_JOINERS = "\u200c\u200d"
"""What has no width and still belongs to a text: within words of Persian and Indic languages, and within emoji."""


def printable(text: str, longest: int = LONGEST) -> str:
    r"""A text as one line that moves no cursor, changes no colour and turns no direction, and is not too long.

    Characters that cannot be printed are escaped as in Python; of a text that is too long the middle is left out.

    >>> printable("\x1b[31mcat\n")
    '\\x1b[31mcat\\n'
    >>> printable("x" * 1000, 60)
    'xxxxxxxxxxxxxxxxx ... (972 characters left out) ... xxxxxxxxxxx'
    """
    kept = text
    if len(text) > longest:
        left = max(longest - 32, 20)
        start, end = left - left * 2 // 5, left * 2 // 5
        kept = f"{text[:start]} ... ({len(text) - left} characters left out) ... {text[-end:]}"
    return kept if kept.isprintable() else "".join(map(_escaped, kept))


def _escaped(character: str) -> str:
    return character if character.isprintable() or character in _JOINERS else repr(character)[1:-1]


def shown(value: object) -> str:
    """A value that was given, as Python writes it and `printable`; its type where Python cannot write it.

    >>> shown(10**5000)
    'a number of more than 4300 digits'
    """
    try:
        return printable(repr(value))
    except ValueError:
        return "a number of more than 4300 digits" if isinstance(value, int) else f"a {type(value).__name__}"
