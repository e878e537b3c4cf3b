"""Threads that share one call's work, in the form that `translate` reads.

In: the memory of a team (`codegen.team`), and a `job`, a function of parts that every thread runs.  Out: it is done.
Always holds: the work is a sequence of sections, each of a fixed number of parts, that all threads count alike; parts
are taken one by one by whoever is there, so that one thread alone can do them all and the numbers never depend on who
did; nobody waits for a part that nobody has begun, and nobody waits by spinning for longer than `SPIN`.

The memory is of 64-bit words: `STATE` = (job, whether it is open, threads that are arriving), `DONE` counts parts from
the beginning of the team's life, as the numbers of sections do; each thread has a `WISH` (what it sleeps for) and a lock
it sleeps on.  The names without a definition here are those of `atomic`; `and` evaluates both sides.
"""

# ruff: noqa: F821, SIM102
# mypy: ignore-errors

from __future__ import annotations

from typing import Any

MOST = 64  # threads of a team
APART = 128  # elements between the memory of two threads or parts: they never share a line of the cache
LINE = 16  # words between what different threads write: two cache lines, which processors load in pairs
STATE, CLAIMED, DONE, JOB, MANNERS, THREADS = (LINE * k for k in range(6))
FIRST, ADDRESS, CLOSURE = JOB, JOB + 1, JOB + 2  # of the job: its first part's number, its function, its arguments
ALONE, CREDIT, SEEN, LAST = (MANNERS + k for k in range(4))
TURNS, TURNS_BEFORE, STEPS, START, ALONE_STEP, SLOWER = (MANNERS + k for k in range(4, 10))  # of `pace`
TAKEN = LINE * 6  # of the first part: the end of the last section in which it was claimed; the next parts follow
WISH, LOCK = TAKEN + MOST, TAKEN + MOST + 1  # of the first thread; the next ones follow a LINE apart
IDLE, ASIDE = -1, -2  # wishes besides a number of parts: a job; the end of the first thread's working alone
OPEN, ARRIVING, NUMBER = 1 << 16, (1 << 16) - 1, 1 << 17  # of STATE

SLICE = 4096  # points of a part, whole pages of every array: a number of vectors, so that no slice has a remainder
SPIN = 50_000  # ns: some of a thread's wake-ups, so that a sleep at worst doubles a wait
PATIENCE = 6  # the first thread spends at most this part of its time waiting for others, else it works alone
SOME_CREDIT = 250_000  # ns: several wake-ups
LARGEST_CREDIT = 2_000_000  # ns of waiting that a quiet time earns: less than a scheduler's slice
WINDOW, SETTLING = 1_000_000, 4  # ns in which a step's time is taken; first steps together, which do not count
OFTEN = 4  # windows in a row in which steps together are slower than alone: one may be any disturbance
LONG = 1 << 50  # ns of waiting: a debt that lasts until it is known what a step takes alone
PENALTY = 5_000_000  # ns of waiting that are due where others only hinder: `PATIENCE` times that alone
DEAR = 4  # the same, in times of what the windows together have lost: that loss is a 24th of the time alone


# --- sections and parts ----------------------------------------------------------------------------------------------


def claim(team: Any, thread: int, first: int, parts: int) -> int:
    """A part, at most `MOST`, of the section of the numbers first ... first + parts - 1, counted from 0; -1 where none is
    left.  A thread takes the part of its own number first: what that part works on is in its core's cache.

    All sections before are complete when it returns a part.
    """
    end, k = first + parts, 0
    while k < parts:
        part = (thread + k) % parts
        before = load(team, TAKEN + part)
        if before >= end:
            k += 1
        elif may_go_on(team, thread, first):
            if swap(team, TAKEN + part, before, end):
                return part
    if thread == 0:
        store(team, LAST, end)
    return -1


def claim_next(team: Any, thread: int, first: int, parts: int) -> int:
    """The same where there are many parts, in their order; a job has one such section."""
    end = first + parts
    taken = load(team, CLAIMED)
    while taken < end:
        if may_go_on(team, thread, first):
            if swap(team, CLAIMED, taken, taken + 1):
                return taken - first
        taken = load(team, CLAIMED)
    if thread == 0:
        store(team, LAST, end)
    return -1


def may_go_on(team: Any, thread: int, first: int) -> bool:
    """True once all parts before number `first` are done; False after a sleep, when things may have changed."""
    if load(team, ALONE) != 0:
        if thread > 0:
            rest(team, thread, ASIDE, 0)
            return False
        earn(team)
    if load(team, DONE) < first:
        complete(team, thread, first)
        return False
    return True


def done(team: Any, end: int) -> None:
    """A part is finished; `end`: the number after the section's last part."""
    if add(team, DONE, 1) + 1 == end:
        for k in range(load(team, THREADS)):
            wish = load(team, WISH + LINE * k)
            if 0 < wish <= end:
                wake(team, k, wish)


def complete(team: Any, thread: int, end: int) -> None:
    """Wait for all parts before number `end`."""
    start = now()
    while load(team, DONE) < end:
        if now() - start > SPIN:
            rest(team, thread, end, 0)
    if thread == 0:
        spend(team, start)


def spend(team: Any, start: int) -> None:
    """Time waited since `start` is taken off what working has earned; who is in debt works alone."""
    end = now()
    earned = load(team, CREDIT) + (start - load(team, SEEN)) // PATIENCE
    left = min(earned, LARGEST_CREDIT) - (end - start)
    owe(team, left, end)


def owe(team: Any, left: int, time: int) -> None:
    """The first thread's credit at a time; with a debt it works alone."""
    store(team, CREDIT, left)
    store(team, SEEN, time)
    if left < 0:
        store(team, ALONE, 1)
        add(team, TURNS, 1)


def earn(team: Any) -> None:
    """Working alone pays a debt; with some credit beyond, which pays for waking them, the others are called back."""
    time = now()
    left = load(team, CREDIT) + (time - load(team, SEEN)) // PATIENCE
    if left >= SOME_CREDIT:
        store(team, CREDIT, left)
        store(team, SEEN, time)
        store(team, ALONE, 0)
        add(team, TURNS, 1)
        rouse(team, ASIDE)
        rouse(team, IDLE)


def pace(team: Any, thread: int) -> None:
    """Before each step of training: the first thread takes the time of steps alone and together, and works alone for a
    while where that is faster, because the cores are far apart or busy."""
    if thread == 0:
        time, turns, steps = now(), load(team, TURNS), load(team, STEPS) + 1
        if turns == 0:
            owe(team, -LONG, time)  # a team begins alone, until it knows what that takes
        if turns != load(team, TURNS_BEFORE):
            store(team, TURNS_BEFORE, turns)
            steps = 0 if load(team, ALONE) != 0 else -SETTLING
        taken = time - load(team, START)
        if steps >= 2 and taken >= WINDOW:
            each, counted, steps = taken // steps, steps, 0
            if load(team, ALONE) != 0:
                if load(team, ALONE_STEP) == 0:
                    store(team, CREDIT, SOME_CREDIT)
                store(team, ALONE_STEP, each)
            slower = load(team, SLOWER) + 1 if 0 < load(team, ALONE_STEP) < each else 0
            if slower >= OFTEN:
                lost = (each - load(team, ALONE_STEP)) * (OFTEN * counted + SETTLING)
                owe(team, -max(PENALTY, DEAR * lost), time)
                slower = 0
            store(team, SLOWER, slower)
        if steps == 0:
            store(team, START, time)
        store(team, STEPS, steps)


def rouse(team: Any, wish: int) -> None:
    """Wake the threads that sleep for this."""
    for k in range(load(team, THREADS)):
        if load(team, WISH + LINE * k) == wish:
            wake(team, k, wish)


def wake(team: Any, thread: int, wish: int) -> None:
    """Wake a thread, unless somebody else does."""
    if swap(team, WISH + LINE * thread, wish, 0):
        release(load(team, LOCK + LINE * thread))


def rest(team: Any, thread: int, wish: int, seen: int) -> None:
    """Sleep until a wish comes true (or not quite: the caller looks again); `seen`: the last job of this thread."""
    store(team, WISH + LINE * thread, wish)
    if wish == IDLE:
        true = is_new(load(team, STATE), seen)
    elif wish == ASIDE:
        true = load(team, ALONE) == 0
    else:
        true = load(team, DONE) >= wish
    sleeping = True
    if true:
        if swap(team, WISH + LINE * thread, wish, 0):
            sleeping = False
    if sleeping:
        acquire(load(team, LOCK + LINE * thread))


def is_new(state: int, seen: int) -> bool:
    return state & OPEN != 0 and state // NUMBER != seen


# --- jobs ------------------------------------------------------------------------------------------------------------


def together(team: Any, address: int, closure: int) -> None:
    """Run a `job` on this thread and on all that come while it lasts; it is complete when this returns."""
    first = load(team, DONE)
    store(team, FIRST, first)
    store(team, CLAIMED, first)
    store(team, ADDRESS, address)
    store(team, CLOSURE, closure)
    store(team, SEEN, now())
    store(team, STEPS, -1)
    store(team, STATE, (load(team, STATE) // NUMBER + 1) * NUMBER + OPEN)
    if load(team, ALONE) == 0:
        rouse(team, IDLE)
    run(address, team, 0, first, closure)
    complete(team, 0, load(team, LAST))
    add(team, STATE, -OPEN)
    while load(team, STATE) & ARRIVING != 0:
        now()


def serve(team: Any, thread: int) -> None:
    """Take part in one job after the other, asleep in between, until there is one without a function."""
    seen, start, here = 0, now(), True
    while here:
        state = load(team, STATE)
        if is_new(state, seen):
            if swap(team, STATE, state, state + 1):
                seen, address = state // NUMBER, load(team, ADDRESS)
                if address == 0:
                    add(team, STATE, -1)
                    here = False
                else:
                    run(address, team, thread, load(team, FIRST), load(team, CLOSURE))
                    start = now()
        elif now() - start > SPIN:
            rest(team, thread, IDLE, seen)


def dismiss(team: Any) -> None:
    """The last job: who takes part in it goes."""
    store(team, ADDRESS, 0)
    store(team, ALONE, 0)
    store(team, STATE, (load(team, STATE) // NUMBER + 1) * NUMBER + OPEN)
    rouse(team, ASIDE)
    rouse(team, IDLE)


# --- points ----------------------------------------------------------------------------------------------------------


def slices(team: Any, thread: int, begun: int, count: int, address: int, arrays: int) -> None:
    """The function at an address for so many points, slice by slice."""
    parts = (count + SLICE - 1) // SLICE
    part = claim_next(team, thread, begun, parts)
    while part >= 0:
        start = part * SLICE
        run(address, start, min(count - start, SLICE), thread, arrays)
        done(team, begun + parts)
        part = claim_next(team, thread, begun, parts)
