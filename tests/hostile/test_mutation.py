"""Damage to bytes: the same seed gives the same, and a damaged member's checksum is right."""

import zipfile
from io import BytesIO
from random import Random

from tests.hostile.frame.mutation import mutated, mutated_member

WHOLE = bytes(range(256)) * 4


def test_the_same_seed_gives_the_same_damage():
    assert [mutated(WHOLE, Random(n), WHOLE) for n in range(50)] == [
        mutated(WHOLE, Random(n), WHOLE) for n in range(50)
    ]


def test_most_damage_changes_something():
    assert sum(mutated(WHOLE, Random(n), WHOLE)[0] != WHOLE for n in range(200)) > 150


def test_a_damaged_member_can_be_read():
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a", WHOLE)
        archive.writestr("b", WHOLE)
    for n in range(100):
        content, _ = mutated_member(made.getvalue(), Random(n), WHOLE)
        with zipfile.ZipFile(BytesIO(content)) as archive:
            assert archive.testzip() is None
