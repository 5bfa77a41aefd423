"""Creation, return, identity and end of PersistentObject instances; copies; callbacks."""

from __future__ import annotations

import copy
import pickle
import weakref
from typing import Any, Callable

import pytest

import nvm
from interpreter import collect
from nvm.pmemobj import PersistentDict, PersistentList, PersistentObject, PersistentObjectPool
from outcome import undone

Pool = PersistentObjectPool
Reopen = Callable[[Pool], Pool]


class Node(PersistentObject):
    def __init__(self, name: str, *children: Any) -> None:
        self.name = name
        self.children = list(children)


class Empty(PersistentObject):
    pass


class Logged(PersistentObject):
    calls: list[str] = []

    def _v__init__(self) -> None:
        Logged.calls.append("_v__init__")
        self._v_ready = True

    def __init__(self) -> None:
        Logged.calls.append("__init__")
        assert self._v_ready
        self.x = 1


class Reducible(PersistentObject):
    def __reduce__(self) -> Any:
        return dict, ([("x", self.x)],)


class Calls(PersistentObject):
    """Its __init__ stores something, and then calls."""

    def __init__(self, pool: Any, call: Callable[[], Any]) -> None:
        self.x = [1]
        pool["from init"] = self
        call()


class Stop(Exception):
    pass


def stop() -> None:
    raise Stop


def number_of_objects(pool: Pool) -> int:
    collect()
    pool.root = pool.root  # any operation frees what was let go before
    assert pool.check() == []
    return int(pool.stats()["objects"])


def test_init_runs_once_and_v_init_each_time(pool: Pool, reopen: Reopen) -> None:
    Logged.calls.clear()
    pool.root = pool.new(Logged)
    assert Logged.calls == ["_v__init__", "__init__"]
    pool = reopen(pool)
    one = pool.root
    assert (one.x, one._v_ready, pool.root is one) == (1, True, True)
    assert Logged.calls == ["_v__init__", "__init__", "_v__init__"]
    del one
    collect()
    assert pool.root._v_ready
    assert Logged.calls.count("_v__init__") == 3


def test_one_object_is_one_proxy(pool: Pool, reopen: Reopen) -> None:
    shared = pool.new(Node, "shared")
    pool.root = [shared, pool.new(Node, "parent", shared), {"k": shared}]
    pool = reopen(pool)
    items = pool.root
    assert items[0] is items[1].children[0] is items[2]["k"]
    assert items[0] == items[0]
    assert items[0] != items[1]
    assert len({items[0], items[1].children[0], items[1]}) == 2


def test_calling_the_class_makes_one_in_the_innermost_transaction_s_pool(
    pool: Pool, path: Any
) -> None:
    with pytest.raises(TypeError, match=r"pool\.new\(Node"):
        Node("outside")
    with nvm.open(f"{path}-2", size="64 MiB", backend="memory") as other:
        with pool.transaction():
            with other.transaction():
                assert Node("inner")._p_pool is other
            assert Node("outer", Node("child"))._p_pool is pool
            pool.root = Node("kept", Node("child"))
    assert pool.root.children[0].name == "child"


def test_init_makes_its_parts_by_calling_classes(pool: Pool, reopen: Reopen) -> None:
    class Tree(PersistentObject):
        def __init__(self, depth: int) -> None:
            self.depth = depth
            self.children = [Tree(depth - 1) for _ in range(2)] if depth else []

    pool.root = pool.new(Tree, 4)
    pool = reopen(pool)

    def count(tree: Any) -> int:
        return 1 + sum(count(child) for child in tree.children)

    assert count(pool.root) == 31


def test_arguments_are_checked_as_usual(pool: Pool) -> None:
    with pytest.raises(TypeError, match="takes no arguments"):
        pool.new(Empty, 1)
    with pytest.raises(TypeError, match="takes no arguments"):
        pool.new(Empty, x=1)
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'name'"):
        pool.new(Node)
    with pytest.raises(TypeError):
        object.__new__(Node).name  # PyPy refuses its use only
    assert type(pool.new(PersistentObject)) is PersistentObject


def test_an_init_that_raises_leaves_nothing(pool: Pool) -> None:
    before = number_of_objects(pool)
    with pytest.raises(Stop):
        pool.new(Calls, pool, stop)
    assert dict(pool) == {}
    assert number_of_objects(pool) == before

    def in_a_block() -> None:
        with pool.transaction():
            pool["block"] = 1
            with pytest.raises(Stop):
                pool.new(Calls, pool, stop)

    with pytest.raises(nvm.TransactionError):
        in_a_block()
    assert dict(pool) == {}


def test_an_init_that_closes_the_pool(pool: Pool, reopen: Reopen) -> None:
    with pytest.raises(nvm.PoolClosedError):
        pool.new(Calls, pool, pool.close)
    assert pool.closed
    assert dict(reopen(pool)) == {}


def test_an_init_that_commits_or_aborts(pool: Pool) -> None:
    transaction = pool.transaction()
    for misuse in (transaction.commit, transaction.abort):
        with pytest.raises((RuntimeError, OSError)):
            pool.new(Calls, pool, misuse)
        assert dict(pool) == {}
    pool.new(Calls, pool, int)
    assert pool["from init"].x == [1]


def test_a_v_init_that_raises(pool: Pool, reopen: Reopen) -> None:
    class Shy(PersistentObject):
        fail = False

        def _v__init__(self) -> None:
            if Shy.fail:
                raise Stop

    pool.root = pool.new(Shy)
    pool.root.x = 1
    Shy.fail = True
    with pytest.raises(Stop):
        pool.new(Shy)
    pool = reopen(pool)
    with pytest.raises(Stop):
        pool.root
    Shy.fail = False
    assert pool.root.x == 1


def test_an_object_whose_v_init_has_failed_is_made_anew(pool: Pool, reopen: Reopen) -> None:
    class Shy(PersistentObject):
        fail = False

        def _v__init__(self) -> None:
            if Shy.fail:
                raise Stop
            self._v_ready = True

    pool.root = [pool.new(Shy)]
    pool.root[0].x = 1
    pool = reopen(pool)
    items = pool.root
    Shy.fail = True
    held = []  # as a debugger holds it
    for look in (lambda: items[0], lambda: list(items), lambda: next(iter(items)), items.pop):
        with pytest.raises(Stop) as failed:
            look()
        held.append(failed.traceback[-1].frame.f_locals["self"])
        assert len(items) == 1
    Shy.fail = False
    one = items[0]
    assert one._v_ready
    assert items[0] is one
    for failed_one in held:
        assert failed_one is not one
        assert failed_one.x == 1
        assert not hasattr(failed_one, "_v_ready")
    del held, failed_one, failed
    collect()
    assert items[0] is one


def test_a_copy_whose_v_init_fails_is_none(pool: Pool) -> None:
    class Listed(PersistentObject):
        def _v__init__(self) -> None:
            if "copies" in pool:
                pool["copies"].append(self)
                raise Stop

    pool.root = pool.new(Listed)
    pool["copies"] = []
    with pytest.raises(Stop) as failed:
        copy.copy(pool.root)
    copies = pool["copies"].pop
    del pool["copies"]
    assert copies() is not failed.traceback[-1].frame.f_locals["self"]


def test_v_init_may_follow_references(pool: Pool, reopen: Reopen) -> None:
    class Linked(PersistentObject):
        def _v__init__(self) -> None:
            other = getattr(self, "other", None)
            self._v_others_other = None if other is None else other.other

    one, other = pool.new(Linked), pool.new(Linked)
    one.other, other.other = other, one
    pool.root = one
    del one, other
    collect()
    pool = reopen(pool)
    one = pool.root
    assert one._v_others_other is one
    assert one.other.other is one
    one.other.other = None


def test_unreferenced_objects_go(pool: Pool) -> None:
    before = number_of_objects(pool)
    for _ in range(50):
        one = pool.new(Node, "x" * 100, [1, {"k": "v" * 100}])
        one.more = pool.new(Node, "y")
    assert number_of_objects(pool) > before
    del one
    assert number_of_objects(pool) == before


def test_a_deleted_object_lives_as_long_as_it_is_held(pool: Pool) -> None:
    pool.root = [pool.new(Node, "n", 1)]
    node = pool.root[0]
    children = node.children
    pool.root = None
    assert (node.name, node.children) == ("n", [1])
    pool["back"] = node
    del node
    collect()
    assert pool["back"].children is children


def test_objects_of_an_undone_transaction_are_stale(pool: Pool) -> None:
    with undone(pool):
        one = pool.new(Node, "n")
        pool.root = one
        children = one.children
    assert pool.root is None
    for use in (lambda: one.name, lambda: setattr(one, "name", 1), lambda: len(children)):
        with pytest.raises(nvm.StaleObjectError):
            use()
    with pytest.raises(nvm.StaleObjectError):
        pool.root = one
    assert "undone" in repr(one)
    assert one == one


def test_weak_references_and_finalizers(pool: Pool) -> None:
    ends: list[Any] = []

    class Mortal(PersistentObject):
        def __init__(self) -> None:
            self.x = 1

        def __del__(self) -> None:
            ends.append(self.x)
            ends.append(pool.root is self)

    one = pool.new(Mortal)
    pool.root = one
    reference = weakref.ref(one, lambda _: ends.append(type(pool.root).__name__))
    assert reference() is one
    del one
    collect()
    assert reference() is None
    # The object that the callback read was another proxy, which has ended as well.
    assert sorted(map(repr, ends)) == ["'Mortal'", "1", "1", "True", "True"]
    pool.root = None
    assert pool.check() == []


def test_copies_are_new_objects_in_the_same_pool(pool: Pool) -> None:
    node = pool.new(Node, "n", [1], pool.new(Node, "child"))
    node._v_x = 1
    node.myself = node
    shallow = copy.copy(node)
    assert type(shallow) is Node
    assert shallow is not node
    assert shallow._p_pool is pool
    assert shallow.children is node.children
    assert shallow.myself is node
    assert not hasattr(shallow, "_v_x")
    node.shared = node.children
    deep = copy.deepcopy(node)
    assert deep.myself is deep
    assert deep.children is deep.shared is not node.children
    assert deep.children == [[1], deep.children[1]]
    assert deep.children[1] is not node.children[1]
    assert deep.children[1].name == "child"
    for one in (node, shallow, deep):
        del one.myself
    assert type(pool.new(PersistentList, [node]).to_python()[0]) is Node
    assert pool.new(PersistentDict, k=node).to_python()["k"] is node


def test_pickling_is_refused_unless_the_class_says_how(pool: Pool) -> None:
    with pytest.raises(TypeError, match=r"cannot pickle '.*Node' object"):
        pickle.dumps(pool.new(Node, "n"))
    one = pool.new(Reducible)
    one.x = 5
    assert pickle.loads(pickle.dumps(one)) == {"x": 5}


def test_oid_and_pool(pool: Pool, reopen: Reopen) -> None:
    pool.root = pool.new(Empty)
    oid = pool.root._p_oid
    assert pool.root._p_pool is pool
    assert reopen(pool).root._p_oid == oid
