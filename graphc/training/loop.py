"""Training: slices of jitted epochs until it is done, stopped or interrupted.

In: an artifact of a training loop, data, and how long to go on.  Out: `Run`.
Always holds: the same seed gives the same bits, whatever the slices; NumPy's global generator is untouched; Ctrl-C
ends with what was learned; a loss that is no number is an error that names the epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from graphc.codegen.artifact import Artifact, Leaf
from graphc.codegen.cache import native
from graphc.codegen.placement import placed
from graphc.codegen.team import Team
from graphc.codegen.threads import APART
from graphc.errors import DataError, GraphcError, TrainingError
from graphc.graph.types import Type, shape_text, size_value
from graphc.language.names import by_plain_name
from graphc.run.function import array_types, check_sizes
from graphc.run.initial import draw, known_shape
from graphc.training.data import as_array, as_arrays, bind_sizes, check_ranges, holdout, plain_array

SLICE_SECONDS = 0.2  # how long the jitted loop runs before progress can be shown
GRAIN = 20e-6  # seconds of a step that are worth a thread: some of its wake-ups, a hundred hand-overs when it is awake
Callback = Callable[[int, dict[str, list[float]]], Any]


@dataclass(frozen=True)
class Settings:
    """How to train."""

    batch_size: int | None = None
    epochs: int = 1
    seed: int = 0
    shuffle: bool = True
    order: Any = None
    stop_loss: float | None = None
    stop_change: float | None = None
    threads: int = 1


@dataclass
class Run:
    """What training left: parameters, states, history; `predict` computes anything the program names."""

    params: dict[str, Any]
    history: dict[str, list[float]]
    states: dict[str, Any] = field(default_factory=dict)
    predictor: Callable[[str, Mapping[str, Any]], Any] | None = field(default=None, repr=False)
    stopped: str = "epochs"

    def predict(self, name: str, data: Mapping[str, Any]) -> Any:
        """Value of an equation of the program for data; names that it does not need may be left out."""
        assert self.predictor is not None
        return self.predictor(name, {**self.params, **self.states, **by_plain_name(data)})

    def save(self, path: str | Path) -> None:
        """Parameters and states as .npz, by name; DataError where the file cannot be written."""
        try:
            np.savez(Path(path), **self.params, **self.states)
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror}") from None


class Trainer:
    """One training run over an artifact."""

    def __init__(
        self, artifact: Artifact, data: Mapping[str, Any], settings: Settings, params: Mapping[str, Any] | None,
        validation: Any, complete: Callable[[tuple[Leaf, ...], dict[str, int]], tuple[Leaf, ...]],
        share: Callable[[], Artifact],
    ) -> None:  # fmt: skip
        """`complete` finds first values that only sizes tell, `share` makes the loop for several threads."""
        assert artifact.layout is not None
        self.share = share
        self.artifact, self.layout, self.settings = artifact, artifact.layout, settings
        self.dtype = np.dtype(artifact.dtype)
        self.leaves = {leaf.name: leaf for leaf in artifact.leaves}
        self.types = {n: Type(leaf.shape, leaf.kind) for n, leaf in self.leaves.items() if leaf.role == "input"}
        arrays, self.sizes = self._arrays(data)
        self.count = self._examples(arrays)
        self.arrays, self.held = self._split(arrays, validation)
        self.count = self._examples(self.arrays)
        self.values, self.places = self._initial(by_plain_name(params or {}), complete)
        self.history: dict[str, list[float]] = {name: [] for name in self._names()}
        self._check_settings()

    # --- data --------------------------------------------------------------------------------------------------

    def _arrays(self, data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, int]]:
        """Inputs, converted; and the program's sizes."""
        data = by_plain_name(data)
        unknown = [n for n in data if n not in self.types and n not in self.leaves]
        if unknown and not set(self.types) <= set(data):
            names = ", ".join(self.types)
            raise DataError(f"{unknown[0]} is no input of the program", hint=f"its inputs are {names}")
        sizes: dict[str, int] = {}
        if self.layout.batch is None:
            arrays = self._rows(data)
        else:
            arrays = as_arrays(data, self.types, self.dtype)
            sizes = bind_sizes(arrays, self.types)
            check_sizes(self.artifact, sizes)
        check_ranges(arrays, self.artifact.ranges, sizes)
        return arrays, sizes

    def _rows(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Inputs of a program of one example: an axis of examples is allowed in front."""
        missing = [n for n in self.types if n not in data]
        if missing:
            raise DataError(f"there are no data for {missing[0]}")
        arrays = {}
        for name, type_ in self.types.items():
            given = plain_array(name, data[name])
            one = given.ndim == len(type_.shape)
            whole = Type((given.shape[0], *type_.shape), type_.kind) if not one else type_
            array = as_array(name, data[name], whole, self.dtype)
            arrays[name] = array[None] if one else array
        return arrays

    def _examples(self, arrays: Mapping[str, Any]) -> int:
        counts = {n: len(arrays[n]) for n in self.layout.batched}
        if len(set(counts.values())) > 1:
            shown = ", ".join(f"{n} {c}" for n, c in counts.items())
            raise DataError(f"the inputs have different numbers of examples: {shown}")
        return next(iter(counts.values()), 1)

    def _split(self, arrays: dict[str, Any], validation: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
        if validation is None or (not isinstance(validation, Mapping) and validation == 0):
            return arrays, None
        if isinstance(validation, Mapping):
            held, _ = self._arrays(validation)
            return arrays, held
        rest, kept = holdout(self.count, real_number("validation", validation), self.settings.seed)
        parts = []
        for index in (rest, kept):
            parts.append(
                {n: np.ascontiguousarray(a[index]) if n in self.layout.batched else a for n, a in arrays.items()}
            )
        return parts[0], parts[1]

    def _check_settings(self) -> None:
        s = self.settings
        if self.layout.batch is None and s.batch_size not in (None, 1):
            raise DataError(
                "the program is about one example, so batch_size is 1", hint="input x[n, 3] makes it one about batches"
            )
        if self.layout.batch is None and self.count > 1 and s.batch_size != 1:
            raise DataError(
                "the program is about one example, the data have several",
                hint="batch_size=1 takes them one at a time; input x[n, 3] makes it a program about batches",
            )

    # --- parameters --------------------------------------------------------------------------------------------

    def _initial(
        self, params: Mapping[str, Any], complete: Any
    ) -> tuple[dict[str, Any], dict[str, tuple[str, int, tuple[int, ...]]]]:
        """Parameters and states in one flat array a kind, and where each of them is."""
        kept = tuple(leaf for leaf in self.artifact.leaves if leaf.role != "input")
        if any(leaf.initial is None and leaf.name not in params for leaf in kept):
            kept = complete(kept, self.sizes)
        for name in params:
            if name not in {leaf.name for leaf in kept}:
                raise DataError(
                    f"{name} is no parameter", hint=f"the parameters are {', '.join(leaf.name for leaf in kept)}"
                )
        generator = np.random.default_rng(self.settings.seed)
        flat: dict[str, list[Any]] = {"real": [], "int": [], "bool": []}
        places: dict[str, tuple[str, int, tuple[int, ...]]] = {}
        for leaf in kept:
            shape = known_shape(leaf, self.sizes)
            if leaf.name in params:
                value = as_array(leaf.name, params[leaf.name], Type(shape, leaf.kind), self.dtype)
            elif leaf.initial is not None:
                value = draw(leaf, generator, shape, self.dtype)
            else:
                raise GraphcError(
                    f"parameter {leaf.name} has no first value",
                    hint=f"param {leaf.name} ~ glorot, or params={{'{leaf.name}': ...}}",
                )
            places[leaf.name] = (leaf.kind, sum(a.size for a in flat[leaf.kind]), shape)
            flat[leaf.kind].append(np.asarray(value).reshape(-1))
        types = array_types(self.dtype)
        values = {k: np.concatenate(v) if v else np.empty(0, types[k]) for k, v in flat.items()}
        return {k: np.ascontiguousarray(v, types[k]) for k, v in values.items()}, places

    def _named_values(self, role: str) -> dict[str, Any]:
        return {
            name: self.values[kind][start : start + math.prod(shape)].reshape(shape).copy()
            for name, (kind, start, shape) in self.places.items()
            if self.leaves[name].role == role
        }

    # --- the loop ----------------------------------------------------------------------------------------------

    def _names(self) -> list[str]:
        names = ["loss", *self.layout.metrics]
        return names + ([f"validation_{n}" for n in names] if self.held is not None else [])

    def _call(self, arrays: Mapping[str, Any], order: Any, given: bool, state: Any, epochs: int, learning: bool) -> Any:
        """Run epochs; means over the examples, a row an epoch."""
        count = self._examples(arrays)
        batch = min(self.settings.batch_size or max(count, 1), count) if self.layout.batch is not None else 1
        totals = np.zeros((epochs, 1 + len(self.layout.metrics)))
        sizes = [self.sizes[n] for n in self._entry.sizes]
        arenas, places, own = self._arenas(batch)
        data = [np.ascontiguousarray(arrays[n]).reshape(-1) for n in (*self.layout.batched, *self.layout.whole)]
        shuffled = learning and self.settings.shuffle and not given and batch < count
        self._train(
            *sizes, self.values["real"], self.values["int"], self.values["bool"], *arenas, *data, places, order, given, state, epochs,
            count, batch, shuffled, learning, totals, *own,
        )  # fmt: skip
        return totals / count

    def _arenas(self, batch: int) -> tuple[list[Any], Any, list[Any]]:
        """Working memory for batches of this size, where each array stands in it, and what only several threads take:
        memory of each part, how far apart that is, the team, the number of parts."""
        if batch not in self._working:
            offsets, lengths = placed(self._entry.pieces, {**self.sizes, str(self.layout.batch): batch})
            types, own = array_types(self.dtype), list[Any]()
            arenas = [np.empty(lengths.get(kind, 0), type_) for kind, type_ in types.items()]
            if self.team is not None:
                parts = self.team.threads
                apart = {kind: lengths.get(f"own {kind}", 0) + APART for kind in types}
                own = [np.empty(parts * apart[kind], type_) for kind, type_ in types.items()]
                own += [*apart.values(), self.team.memory, parts]
            self._working[batch] = arenas, np.array(offsets, np.int64), own
        return self._working[batch]

    def _threads(self) -> int:
        """As many threads as are asked for, unless a step is too short: each has `GRAIN` to do in a step."""
        if self.layout.batch is None or self.count == 0:
            return 1
        batch = min(self.settings.batch_size or self.count, self.count)
        work = size_value(self.layout.work, {**self.sizes, self.layout.batch: batch}) / 1e12
        return max(1, min(self.settings.threads, int(work / GRAIN), batch))

    @contextmanager
    def _loop(self) -> Iterator[None]:
        """The compiled loop, and the threads that share its work where there are several."""
        threads = self._threads()
        artifact = self.artifact if threads == 1 else self.share()
        self._entry, self._working = artifact.entry("train"), dict[int, tuple[list[Any], Any, list[Any]]]()
        self._train = native(artifact.source, self._entry, artifact.dtype).call
        with _one_blas_thread("blas_gemm(" in artifact.source):
            if threads == 1:
                self.team: Team | None = None
                yield
                return
            with Team(threads) as self.team:
                yield

    def run(self, callback: Callback | None) -> Run:
        """Train."""
        order, given = self._order()
        state = np.array([np.random.SeedSequence(self.settings.seed).generate_state(1, np.uint64)[0]], np.uint64)
        done, length, reason = 0, 1, "epochs"
        step_by_step = callback is not None or self.held is not None or self._stops()
        try:
            with self._loop():
                while done < self.settings.epochs:
                    length = 1 if step_by_step else min(length, self.settings.epochs - done)
                    part = order[done * self.count : (done + length) * self.count] if given else order
                    start = time.perf_counter()
                    rows = self._call(self.arrays, part, given, state, length, True)
                    seconds = time.perf_counter() - start
                    self._note(rows, done)
                    if self.held is not None:
                        self._measure(self.held)
                    done += length
                    reason = self._reason_to_stop(callback, done) or reason
                    if reason != "epochs":
                        break
                    length = max(1, int(length * min(8.0, SLICE_SECONDS / max(seconds, 1e-6))))
        except KeyboardInterrupt:
            reason = "interrupted"
        return Run(self._named_values("param"), self.history, self._named_values("state"), stopped=reason)

    def _order(self) -> tuple[Any, bool]:
        if self.settings.order is None:
            return np.arange(self.count, dtype=np.int64), False
        order = plain_array("order", self.settings.order)
        want = (self.settings.epochs, self.count)
        if order.ndim != 2 or order.shape[0] < want[0] or order.shape[1] != want[1]:
            raise DataError(f"order has shape {shape_text(order.shape)}, not {shape_text(want)} (epochs, examples)")
        if order.dtype.kind == "f" or order.min(initial=0) < 0 or order.max(initial=0) >= self.count:
            raise DataError(f"order holds indices from 0 to {self.count - 1}")
        return np.ascontiguousarray(order, np.int64).reshape(-1), True

    def _stops(self) -> bool:
        return self.settings.stop_loss is not None or self.settings.stop_change is not None

    def _note(self, rows: Any, done: int) -> None:
        bad = np.flatnonzero(~np.isfinite(rows[:, 0]))
        last = int(bad[0]) if bad.size else len(rows)
        for name, column in zip(("loss", *self.layout.metrics), rows[: last + 1].T, strict=True):
            self.history[name] += column.tolist()
        if bad.size:
            hint = "a smaller step (lr), scaled inputs, or a spelling that cannot overflow"
            left = self.count % (self.settings.batch_size or self.count) if self.layout.batch is not None else 0
            if left and np.isnan(rows[last, 0]):
                hint += f"; if it needs more than the {left} of the last batch (a mean over none is NaN), another batch_size"
            raise TrainingError(f"the loss is {rows[last, 0]} in epoch {done + last + 1}", hint=hint)

    def _measure(self, held: Mapping[str, Any]) -> None:
        order = np.arange(self._examples(held), dtype=np.int64)
        row = self._call(held, order, False, np.zeros(1, np.uint64), 1, False)[0]
        for name, value in zip(("loss", *self.layout.metrics), row, strict=True):
            self.history[f"validation_{name}"].append(float(value))

    def _reason_to_stop(self, callback: Callback | None, done: int) -> str | None:
        losses, s = self.history["loss"], self.settings
        if callback is not None and callback(done, self.history) is True:
            return "callback"
        if s.stop_loss is not None and losses[-1] <= s.stop_loss:
            return "loss"
        if s.stop_change is not None and len(losses) > 1 and abs(losses[-1] - losses[-2]) <= s.stop_change:
            return "change"
        return None


@contextmanager
def _one_blas_thread(needed: bool) -> Iterator[None]:
    """BLAS on one thread while a run lasts."""
    if not needed:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def read_stop(stop: Any) -> tuple[float | None, float | None]:
    """`stop=`: a loss, or {"loss": ..., "change": ...}."""
    if stop is None:
        return None, None
    if isinstance(stop, Mapping):
        extra = set(stop) - {"loss", "change"}
        if extra:
            raise DataError(f"stop has no {min(extra)}", hint='stop={"loss": 0.01, "change": 1e-6}')
        loss, change = (None if stop.get(k) is None else real_number("stop", stop[k]) for k in ("loss", "change"))
        return loss, change
    return real_number("stop", stop), None


def real_number(name: str, value: Any) -> float:
    """A setting that is a number; DataError where it is none."""
    if isinstance(value, (str, bytes)) or not hasattr(value, "__float__"):
        raise DataError(f"{name} is a number, not {value!r}")
    return float(value)
