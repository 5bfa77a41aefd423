"""The main paths through PyPy's own C-API; the whole suite runs on CPython."""

import gc
import math
import platform
import sys

import pytest

import nvm
from nvm.pmemobj import PersistentDict, PersistentList, PersistentObject

VALUES = [
    None,
    True,
    False,
    ...,
    0,
    -1,
    2**47,
    -(2**63),
    10**100,
    -(10**100),
    0.0,
    -0.0,
    math.inf,
    1.5,
    1j,
    "",
    "text",
    "naïve",
    "ő" * 100,
    "a𝒳" * 50,
    "low \udc80 surrogate",
    "x" * 100_000,
    b"",
    b"bytes",
    bytes(range(256)),
    (),
    (1, ("two", (3.0, None))),
    frozenset({1, "two", (3,)}),
]


class Account(PersistentObject):
    kind = "account"

    def __init__(self, owner, balance=0):
        self.owner = owner
        self.balance = balance

    def deposit(self, amount):
        self.balance += amount


def test_runs_on_pypy():
    assert platform.python_implementation() == "PyPy"
    assert nvm.__version__
    assert set(nvm.libraries()) == {"libpmem", "libpmemobj"}


def test_values_come_out_as_they_went_in(pool, reopen):
    pool["values"] = VALUES
    pool = reopen(pool)
    for stored, value in zip(pool["values"], VALUES):
        assert type(stored) is type(value)
        assert stored == value
        assert repr(stored) == repr(value) or isinstance(value, frozenset)


def test_containers_write_through_and_keep_identity(pool, reopen):
    pool["users"] = {"ada": [1, 2]}
    users = pool["users"]
    assert type(users) is PersistentDict
    assert type(users["ada"]) is PersistentList
    assert pool["users"] is users
    users["ada"].append({"three": 3})
    users["grace"] = users["ada"]
    assert users["grace"] is users["ada"]
    assert users["ada"][1:] == [2, {"three": 3}]
    assert sorted(users) == ["ada", "grace"]
    assert reopen(pool)["users"] == {"ada": [1, 2, {"three": 3}], "grace": [1, 2, {"three": 3}]}


def test_objects_keep_their_attributes(pool, reopen):
    pool["account"] = pool.new(Account, "ada")
    pool["account"].deposit(100)
    pool = reopen(pool)
    account = pool["account"]
    assert type(account) is Account
    assert (account.owner, account.balance, account.kind) == ("ada", 100, "account")
    with pytest.raises(AttributeError):
        account.absent


def test_transactions_commit_and_abort(pool):
    with pool.transaction():
        pool.root = [1]
    with pytest.raises(LookupError):
        with pool.transaction():
            pool.root.append(2)
            pool["a"] = 1
            raise LookupError
    assert pool.root == [1]
    assert "a" not in pool


def test_dropped_proxies_come_back(pool):
    pool.root = [[i] for i in range(1000)]
    for _ in range(5):
        assert [item[0] for item in pool.root] == list(range(1000))
        gc.collect()
    made = [pool.new(PersistentList, [i]) for i in range(100)]
    del made
    for _ in range(5):
        gc.collect()
    assert pool.check() == []


def test_what_cannot_be_stored_is_refused(pool):
    for value in (object(), {"a": [object()]}, sys, {1, 2}):
        with pytest.raises(TypeError, match="Don't know how to persist"):
            pool.root = value


def test_a_closed_pool_refuses_everything(pool):
    pool.root = [1]
    held = pool.root
    pool.close()
    with pytest.raises(nvm.PoolClosedError):
        held.append(2)
    with pytest.raises(nvm.PoolClosedError):
        pool.root
    del held


def test_errors_have_their_builtin_bases(path):
    assert issubclass(nvm.TransactionTimeoutError, TimeoutError)
    with pytest.raises(FileNotFoundError) as caught:
        nvm.open(path, "w")
    assert caught.value.filename == str(path)
