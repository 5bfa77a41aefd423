"""A pool and its model go through the same: transactions, closing, collecting, checking.

Each step is drawn by hypothesis; after each the pool must hold what the model holds. A machine for
a container derives from PoolMachine and adds what that container can do.
"""

from __future__ import annotations

import copy
import errno
import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from model import OURS, Call, Node, Pairs, Plain, agree, alike, make
from profiles import profile, soak_seconds, soak_seed

import nvm
from conftest import BACKEND
from interpreter import CPYTHON, collect

SHM = Path("/dev/shm")


class Leave(Exception):
    """What ends a block so that it is undone."""


class PoolMachine(RuleBasedStateMachine):
    """What goes for every container: `kind` is the built-in, `first` makes the root."""

    kind: type
    first: Callable[[], Any]

    def __init__(self) -> None:
        super().__init__()
        shm = SHM if SHM.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="nvm-test-", dir=shm))
        self.pool = self.open("x")
        self.model = type(self).first()
        if self.kind is Plain:
            self.pool.root = self.pool.new(Node)
        else:
            self.pool.root = self.model
        self.levels: list[Any] = []  # the open transaction's, outermost first
        self.blocks = False  # they are blocks, not begin() and commit()
        self.before: tuple[Any, list[Any]] = (None, [])  # the model at its begin, the proxies then
        self.iterators: Pairs = []
        self.ended: list[str] = []  # what on_commit and on_abort told

    def open(self, flag: str) -> Any:
        return nvm.open(self.folder / "pool", flag, size="16 MiB", backend=BACKEND)

    def teardown(self) -> None:
        try:
            if not self.pool.closed:  # a step failed that had closed it
                while self.levels:
                    self.commit()
                self.collect_and_count()
                assert self.pool.check() == []
        finally:
            self.pool.close()
            shutil.rmtree(self.folder)

    # ---- What the pool holds

    @invariant()
    def the_pool_holds_what_the_model_holds(self) -> None:
        self.pairs()

    def pairs(self) -> Pairs:
        """All containers that the root leads to."""
        return agree(self.model, self.pool.root)

    def run(self, call: Call, which: int) -> None:
        """Calls it of one container of our kind, and of its model."""
        pairs = self.pairs()
        containers = [pair for pair in pairs if isinstance(pair[0], self.kind)]
        results = []
        for side, new in enumerate((Plain, lambda **attributes: self.pool.new(Node, **attributes))):
            container = containers[which % len(containers)][side]
            arguments = make(call.arguments, [pair[side] for pair in pairs], new)
            try:
                results.append(("returned", call.function(container, *arguments)))
            except Exception as error:
                results.append(("raised", error.with_traceback(None)))
        alike(*results)

    # ---- Transactions

    @precondition(lambda self: len(self.levels) < 3)
    @rule(blocks=st.booleans())
    def begin(self, blocks: bool) -> None:
        transaction = self.pool.transaction()
        if not self.levels:
            pairs = self.pairs()
            copies: dict[int, Any] = {}
            model = copy.deepcopy(self.model, copies)
            self.before = (model, [(copies[id(theirs)], ours) for theirs, ours in pairs])
            self.blocks = blocks
            self.ended = []
        if self.blocks:
            transaction.__enter__()
        else:
            transaction.begin()
        if not self.levels:
            transaction.on_commit(lambda: self.ended.append("committed"))
            transaction.on_abort(lambda: self.ended.append("aborted"))
        self.levels.append(transaction)

    @precondition(lambda self: self.levels)
    @rule()
    def commit(self) -> None:
        transaction = self.levels.pop()
        if self.blocks:
            assert transaction.__exit__(None, None, None) in (None, False)
        else:
            transaction.commit()
        assert self.ended == ([] if self.levels else ["committed"])
        if not self.levels:
            self.before = (None, [])  # its proxies would keep what is there no more

    @precondition(lambda self: self.levels and self.blocks)
    @rule(caught=st.integers(0, 2), closing=st.booleans())
    def leave_by_an_exception(self, caught: int, closing: bool) -> None:
        """An exception leaves the blocks; the outermost `caught` of them do not see it."""
        caught = min(caught, len(self.levels) - 1)
        born = self.born()
        while len(self.levels) > caught:
            transaction = self.levels.pop()
            error = Leave()
            assert not transaction.__exit__(Leave, error, None)
        if self.levels:
            with pytest.raises(nvm.TransactionError):
                self.pool["key"] = 1
            with pytest.raises(nvm.TransactionError):
                len(self.pool)
        while self.levels:
            with pytest.raises(nvm.TransactionError):
                self.levels.pop().__exit__(None, None, None)
        self.undone(born)

    @precondition(lambda self: self.levels)
    @rule()
    def abort(self) -> None:
        born = self.born()
        with pytest.raises(OSError) as caught:
            self.levels[-1].abort(errno.EINTR)
        assert caught.value.errno == errno.EINTR
        if self.blocks:  # the error leaves them all
            for transaction in reversed(self.levels):
                assert not transaction.__exit__(OSError, caught.value, None)
        self.levels.clear()
        self.undone(born)

    def born(self) -> list[Any]:
        old = {id(ours) for _, ours in self.before[1]}
        return [ours for _, ours in self.pairs() if id(ours) not in old]

    def undone(self, born: list[Any]) -> None:
        assert self.ended == ["aborted"]
        self.iterators.clear()
        self.model, before = self.before
        self.before = (None, [])
        proxies = {id(theirs): ours for theirs, ours in before}
        for theirs, ours in self.pairs():
            assert ours is proxies[id(theirs)]
        for stale in born:
            with pytest.raises(nvm.StaleObjectError):
                stale.a if isinstance(stale, Node) else len(stale)

    # ---- Between operations

    @rule()
    def reopen(self) -> None:
        """Closing undoes what is open."""
        held = [ours for _, ours in self.pairs()]
        levels = len(self.levels)
        self.pool.close()
        for proxy in held:
            with pytest.raises(nvm.PoolClosedError):
                len(vars(proxy) if isinstance(proxy, Node) else proxy)
        self.iterators.clear()
        self.levels.clear()
        self.pool = self.open("w")
        if levels:
            assert self.ended == ["aborted"]
            self.model, _ = self.before
        self.before = (None, [])

    @precondition(lambda self: not self.levels)
    @rule()
    def check(self) -> None:
        assert self.pool.check() == []

    @rule()
    def reading_refuses_changes(self) -> None:
        with self.pool.reading():
            self.pairs()
            if not self.levels:
                with pytest.raises(nvm.TransactionError):
                    self.pool.root = 1

    @precondition(lambda self: not self.levels)
    @rule(hold=st.booleans())
    def collect_and_count(self, hold: bool = False) -> None:
        """Nothing is left but what can be reached, and what a proxy or iterator holds."""
        held = self.pairs() if hold else []
        self.iterators.clear()
        self.pool.sync()
        if not CPYTHON:
            collect()
        there, _ = self.pool.gc()
        pairs = self.pairs()
        assert all(ours is before for (_, ours), (_, before) in zip(pairs, held))
        for kind, ours in OURS.items():
            name = f"{ours.__module__}:{ours.__qualname__}" if kind is Plain else kind.__name__
            count = sum(type(theirs) is kind for theirs, _ in pairs) + (kind is dict)
            assert there.get(name, 0) == count, (name, there)


def run_machine(machine: type[PoolMachine]) -> None:
    """Runs examples of it: always the same, or, to soak, others until the time is over."""
    seconds, seed = soak_seconds(), soak_seed()
    if seed is not None:
        soak(machine, seed)
    elif seconds is None:
        run_state_machine_as_test(machine, settings=profile())
    else:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            soak(machine, random.SystemRandom().randrange(2**32))


def soak(machine: type[PoolMachine], seed: int) -> None:
    """A round of examples; the seed is told before a crash or a hang can come of it."""
    print(f"{machine.__name__}: NVM_SOAK_SEED={seed}", flush=True)
    seeded = hypothesis.seed(seed)(type(machine.__name__, (machine,), {}))
    run_state_machine_as_test(seeded, settings=profile(soak=True))
