"""What each statistic that a method over a data set asks for promises of its states, checked on `TinyModel`."""

import pickle
from dataclasses import replace
from io import BytesIO

import numpy as np

from ...data import Rows, Shard, State, Statistic, run_shard, shards
from ...execution.progress import silent
from ...method.dataset import DatasetMethod
from ..assertions import same
from ..gathering import (
    BAD,
    IMAGES,
    as_before,
    batch_of,
    rounds,
    same_state,
    source,
    state_of,
    statistics_of,
)  # fmt: skip
from ..promise import Unsuited, dataset_method_promise
from ..tiny import TinyModel

__all__: list[str] = []


@dataset_method_promise
def states_are_arrays(tried: DatasetMethod) -> None:
    """A state is a mapping of names to arrays and numbers of NumPy; floats are float64 unless `any_grouping`."""
    for statistic in statistics_of(tried):
        for name, values in state_of(statistic, 0, 5).items():
            assert isinstance(values, np.ndarray | np.generic), f"{statistic}: {name} is a {type(values).__name__}"
            assert values.dtype != object, f"{statistic}: {name} holds Python objects"
            coarse = values.dtype.kind == "f" and values.dtype != np.float64 and not statistic.any_grouping
            assert not coarse, f"{statistic}: {name} is {values.dtype}; sums are float64"


@dataset_method_promise
def statistics_are_values(tried: DatasetMethod) -> None:
    """The same configuration asks for equal statistics, so that a sweep gathers them once."""
    first, again = statistics_of(tried), statistics_of(replace(tried))
    assert first == again, f"asked again it asks for {again}, not {first}"
    assert [hash(each) for each in first] == [hash(each) for each in again], "equal statistics have other hashes"


@dataset_method_promise
def empty_state_is_neutral(tried: DatasetMethod) -> None:
    """Merging the empty state from either side gives the other one, bit by bit."""
    for statistic in statistics_of(tried):
        state = state_of(statistic, 0, 5)
        same_state(statistic.merge(statistic.empty(), state), state, "after the empty one", exact=True)
        same_state(statistic.merge(state, statistic.empty()), state, "before the empty one", exact=True)


@dataset_method_promise
def merged_states_are_one_pass(tried: DatasetMethod) -> None:
    """However the images are cut, merged states equal one pass: bit by bit where `any_grouping`, else to rounding."""
    for statistic in statistics_of(tried):
        whole, exact = state_of(statistic, 0, IMAGES), statistic.any_grouping
        for cut in (1, 5, IMAGES - 1):
            merged = statistic.merge(state_of(statistic, 0, cut), state_of(statistic, cut, IMAGES))
            same_state(merged, whole, f"of {statistic} cut at image {cut}", exact=exact)
        a, b, c = (state_of(statistic, start, start + 4) for start in (0, 4, 8))
        left, right = statistic.merge(statistic.merge(a, b), c), statistic.merge(a, statistic.merge(b, c))
        same_state(left, right, f"of {statistic} in another grouping", exact=exact)


@dataset_method_promise
def states_are_not_changed(tried: DatasetMethod) -> None:
    """`add` and `merge` leave the states that they are given as they are, and the same call gives the same bits."""
    for statistic in statistics_of(tried):
        state, batch = state_of(statistic, 0, 5), batch_of(statistic, 5, 8)
        before = {name: values.copy() for name, values in state.items()}
        once, again = statistic.add(state, batch), statistic.add(state, batch)
        merged = statistic.merge(state, once)
        same_state(state, before, "after add and merge", exact=True)
        same_state(again, once, "added again", exact=True)
        same_state(statistic.merge(state, once), merged, "merged again", exact=True)


@dataset_method_promise
def shards_run_in_any_order(tried: DatasetMethod) -> None:
    """Shards that ran in another order, merged in theirs, give the same bits: workers finish when they do."""
    model, of = TinyModel(), source()
    for asked, _ in rounds(tried):
        cut = shards(IMAGES, 5)
        forward, backward = (
            {shard.number: run_shard(model, of, asked, shard).states for shard in order} for order in (cut, cut[::-1])
        )
        for statistic in asked:
            for number in forward:
                what = f"of {statistic} in shard {number}, run in another order,"
                same_state(backward[number][statistic], forward[number][statistic], what, exact=True)


@dataset_method_promise
def states_are_resumed(tried: DatasetMethod) -> None:
    """A state saved by `numpy.savez` and read again, without pickle, goes on and ends as the one in memory."""
    for statistic in statistics_of(tried):
        state = state_of(statistic, 0, 5)
        again, batch = _saved_and_read(state), batch_of(statistic, 5, 8)
        same_state(again, state, f"of {statistic}, read again,", exact=True)
        same_state(statistic.add(again, batch), statistic.add(state, batch), f"of {statistic}, resumed,", exact=True)
        empty = _saved_and_read(statistic.empty())
        same_state(statistic.merge(again, again), statistic.merge(state, state), "merged, read again,", exact=True)
        same_state(statistic.merge(empty, again), state, "after the empty one, read again,", exact=True)


@dataset_method_promise
def results_come_from_saved_states(tried: DatasetMethod) -> None:
    """`finish` and later rounds give the same with states that were saved and read again."""
    model, of = TinyModel(), source()
    settled = tried.with_network_defaults(model)
    gathered: dict[Statistic, State] = {}
    for asked, known in rounds(tried):
        gathered = {**known, **run_shard(model, of, asked, Shard(0, 0, IMAGES)).states}
    read = {statistic: _saved_and_read(state) for statistic, state in gathered.items()}
    asked_of_both = [settled.statistics(model, of, states or None) for states in (gathered, read)]
    assert asked_of_both[0] == asked_of_both[1], "with states that were read again it asks for other statistics"
    expected, got = (settled.finish(model, of, states, silent) for states in (gathered, read))
    as_before(got, expected, "of states that were read again", exact=True)


@dataset_method_promise
def method_and_statistics_can_be_pickled(tried: DatasetMethod) -> None:
    """A worker that unpickles the method or a statistic has an equal one, which gathers the same."""
    assert pickle.loads(pickle.dumps(tried)) == tried, f"{tried.name} pickled is another method"
    for statistic in statistics_of(tried):
        again = pickle.loads(pickle.dumps(statistic))
        assert again == statistic, f"{statistic} pickled is {again}"
        assert hash(again) == hash(statistic), f"{statistic} pickled has another hash"
        same_state(state_of(again, 0, 5), state_of(statistic, 0, 5), f"of {statistic}, pickled,", exact=True)


@dataset_method_promise
def rows_have_places(tried: DatasetMethod) -> None:
    """`Rows` hold one row for each image that was read, of the shape and type it says, with its place in the source."""
    kept = [each for each in statistics_of(tried) if isinstance(each, Rows)]
    if not kept:
        raise Unsuited("it keeps no row for each image")
    read = [n for n in range(IMAGES) if n != BAD]
    for statistic in kept:
        state = run_shard(TinyModel(), source(bad=True), [statistic], Shard(0, 0, IMAGES)).states[statistic]
        assert state["index"].tolist() == read, f"{statistic}: the places are {state['index'].tolist()}, not {read}"
        shape, dtype = (len(read), *statistic.shape), np.dtype(statistic.dtype)
        assert state["rows"].shape == shape, f"{statistic}: the rows are {state['rows'].shape}, not {shape}"
        assert state["rows"].dtype == dtype, f"{statistic}: the rows are {state['rows'].dtype}, not {dtype}"
        for place, row in zip(read, state["rows"], strict=True):
            alone = run_shard(TinyModel(), source(), [statistic], Shard(0, place, place + 1)).states[statistic]
            same(row[None], alone["rows"], exact=dtype.kind != "f", what=f"the row of image {place} of {statistic}")


@dataset_method_promise
def failures_change_nothing_else(tried: DatasetMethod) -> None:
    """What the others add to a state does not depend on an image that could not be read."""
    for statistic in statistics_of(tried):
        with_failure = run_shard(TinyModel(), source(bad=True), [statistic], Shard(0, 0, IMAGES)).states[statistic]
        before, after = state_of(statistic, 0, BAD), state_of(statistic, BAD + 1, IMAGES)
        expected = statistic.merge(before, after)
        same_state(with_failure, expected, f"of {statistic} beside a failure", exact=False, rtol=1e-5)


def _saved_and_read(state: State) -> State:
    file = BytesIO()
    np.savez(file, allow_pickle=False, **state)
    with np.load(BytesIO(file.getvalue()), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
