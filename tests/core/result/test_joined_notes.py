"""Notes of batches become one where they say the same of other images."""

import numpy as np
from crosslens.picture_run.outcomes import merged_notes
from crosslens.result import Attribution

MISSES = "the values of {} of {} images miss the score's difference (at most by {}): raise steps, now 4"


def part(count, *notes):
    values = np.zeros((count, 2, 2), np.float32)
    return Attribution(values, method="ig", images=np.zeros((count, 3, 2, 2), np.float32), notes=notes)


def test_counts_of_images_add_up_over_all_batches_and_the_largest_error_stays():
    whole = part(5, MISSES.format(3, 5, "7.52"), "slow").joined(
        [part(4, MISSES.format(4, 4, "1.2e+01"), "slow"), part(2)]
    )
    assert whole.notes == (MISSES.format(7, 11, "1.2e+01"), "slow")


def test_counts_of_other_things_than_the_images_of_a_batch_stay():
    notes = ("2 of 7 images could not be read", "an error of 3")
    assert part(5, notes[0]).joined([part(4, notes[1])]).notes == notes


def test_many_pictures_with_one_kind_of_note_have_one_line():
    records = [{"notes": [MISSES.format(1, 1, error), "slow"]} for error in (0.2, 3.1, 1.5)] + [{"error": "unreadable"}]
    assert merged_notes(records) == {MISSES.format(3, 3, 3.1): 3, "slow": 3}
