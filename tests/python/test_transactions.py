import errno
import threading

import pytest

import nvm
from nvm.pmemobj import PersistentList

# ---- Blocks


def test_a_block_commits_at_its_end(pool, reopen):
    with pool.transaction():
        pool.root = [1]
        pool.root.append(2)
        pool["a"] = pool.root
    assert pool.root == [1, 2]
    pool = reopen(pool)
    assert pool.root == [1, 2]
    assert pool["a"] is pool.root


def test_an_exception_undoes_the_block(pool, reopen):
    pool.root = [1, 2, 3]
    pool["d"] = {"k": "v" * 100}
    with pytest.raises(LookupError):
        with pool.transaction():
            pool.root.clear()
            pool.root.extend(range(1000))
            pool["d"]["k"] = "w" * 100
            del pool["d"]
            pool["new"] = {}
            raise LookupError
    assert pool.root == [1, 2, 3]
    assert dict(pool) == {"d": {"k": "v" * 100}}
    assert pool.check() == []
    assert reopen(pool).root == [1, 2, 3]


def test_abort_restores_length_and_proxies(pool):
    pool.root = [[1], [2]]
    first, second = pool.root
    with pytest.raises(LookupError):
        with pool.transaction():
            del pool.root[0]
            first.append(3)
            second.clear()
            raise LookupError
    assert len(pool.root) == 2
    assert pool.root[0] is first
    assert pool.root[1] is second
    assert first == [1]
    assert second == [2]


def test_what_is_born_in_an_undone_transaction_is_stale(pool):
    with pytest.raises(LookupError):
        with pool.transaction():
            born = pool.new(PersistentList, [1])
            pool.root = {"a": []}
            inner = pool.root["a"]
            raise LookupError
    for stale in (born, inner):
        with pytest.raises(nvm.StaleObjectError):
            len(stale)
        with pytest.raises(nvm.StaleObjectError):
            pool.root = stale
        with pytest.raises(nvm.StaleObjectError):
            pool.root = [1, [stale]]
    assert pool.root is None


def test_enter_gives_the_transaction(pool):
    transaction = pool.transaction()
    with transaction as given:
        assert given is transaction
        assert given.pool is pool


def test_a_transaction_object_can_be_used_again_and_nested(pool):
    transaction = pool.transaction()
    for number in range(3):
        with transaction:
            with transaction:
                pool.root = number
    assert pool.root == 2


def test_base_exceptions_undo_as_well(pool):
    for kind in (KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(kind):
            with pool.transaction():
                pool.root = 1
                raise kind
        assert pool.root is None


def test_leaving_by_return_break_and_continue_commits(pool):
    def leave():
        with pool.transaction():
            pool["return"] = 1
            return

    leave()
    for _ in range(2):
        with pool.transaction():
            pool["continue"] = 1
            continue
    for _ in range(2):
        with pool.transaction():
            pool["break"] = 1
            break
    assert list(pool) == ["return", "continue", "break"]


def test_an_operation_that_fails_inside_undoes_only_itself(pool):
    with pool.transaction():
        pool.root = [1, 2]
        with pytest.raises(TypeError):
            pool.root.extend([3, object()])
        with pytest.raises(IndexError):
            pool.root[7] = 1
        pool.root.append(3)
    assert pool.root == [1, 2, 3]


def test_large_transactions(pool):
    with pool.transaction():
        pool.root = []
        for i in range(20_000):
            pool.root.append(i)
            pool[str(i)] = {"number": i}
    assert len(pool.root) == len(pool) == 20_000
    with pytest.raises(LookupError):
        with pool.transaction():
            for i in range(20_000):
                pool.root[i] = "text " * 10
                del pool[str(i)]
            raise LookupError
    assert pool.root == list(range(20_000))
    assert pool["19999"] == {"number": 19_999}


def test_undoing_changes_of_what_the_transaction_has_moved(pool):
    pool.root = [0]
    for _ in range(3):
        with pytest.raises(LookupError):
            with pool.transaction():
                for _ in range(30_000):  # the list outgrows a chunk of the heap
                    pool.root[0] += 1
                    pool.root.append(1)
                raise LookupError
        assert pool.root == [0]
        assert pool.check() == []


def test_a_full_pool_undoes_the_operation_not_the_transaction(pool):
    with pool.transaction():
        pool.root = [1]
        with pytest.raises(nvm.PoolFullError):
            pool.root.extend([b"x" * (1 << 20)] * 100)
        assert pool.root == [1]
        pool.root.append(2)
    assert pool.root == [1, 2]
    assert pool.check() == []


# ---- Nesting


def test_nested_blocks_join_the_outer_one(pool):
    with pytest.raises(LookupError):
        with pool.transaction():
            pool.root = 1
            with pool.transaction():
                pool["inner"] = 2
            assert pool["inner"] == 2
            raise LookupError
    assert pool.root is None
    assert "inner" not in pool


def test_an_exception_that_leaves_all_blocks_undoes_all(pool):
    with pytest.raises(LookupError):
        with pool.transaction():
            pool.root = 1
            with pool.transaction():
                pool.root = 2
                with pool.transaction():
                    pool.root = 3
                    raise LookupError
    assert pool.root is None
    with pool.transaction():
        pool.root = 10
    assert pool.root == 10


def test_a_caught_exception_leaves_nothing_to_commit(pool):
    pool.root = [0]
    with pytest.raises(nvm.TransactionError, match="nothing is committed"):
        with pool.transaction():
            pool.root.append(1)
            with pytest.raises(LookupError):
                with pool.transaction():
                    pool.root.append(2)
                    raise LookupError
            for use in (
                lambda: pool.root,
                lambda: setattr(pool, "root", 1),
                lambda: pool["a"],
                lambda: pool.__setitem__("a", 1),
                lambda: pool.new(PersistentList),
                lambda: pool.transaction().begin(),
                lambda: pool.transaction().__enter__(),
                len_of(pool),
            ):
                with pytest.raises(nvm.TransactionError):
                    use()
    assert pool.root == [0]
    pool.root.append(1)


def len_of(pool):
    return lambda: len(pool)


def test_another_exception_after_a_caught_one_is_the_one_raised(pool):
    with pytest.raises(ZeroDivisionError):
        with pool.transaction():
            pool.root = 1
            try:
                with pool.transaction():
                    raise LookupError
            except LookupError:
                1 / 0
    assert pool.root is None


# ---- begin, commit, abort


def test_begin_and_commit(pool, reopen):
    transaction = pool.transaction()
    transaction.begin()
    pool.root = 10
    transaction.commit()
    assert pool.root == 10
    assert reopen(pool).root == 10


def test_begin_and_commit_nest(pool):
    transaction = pool.transaction()
    transaction.begin()
    transaction.begin()
    pool.root = 1
    transaction.commit()
    pool["a"] = 1
    with pytest.raises(OSError):
        transaction.abort()
    assert pool.root is None
    assert "a" not in pool
    with pytest.raises(nvm.TransactionError, match=r"commit.*outside of a transaction"):
        transaction.commit()


def test_abort_undoes_and_raises_its_errno(pool):
    transaction = pool.transaction()
    transaction.begin()
    pool.root = 10
    with pytest.raises(OSError, match="canceled") as caught:
        transaction.abort()
    assert caught.value.errno == errno.ECANCELED
    assert pool.root is None
    transaction.begin()
    with pytest.raises(PermissionError):
        transaction.abort(errno.EPERM)
    transaction.begin()
    with pytest.raises(FileExistsError):
        transaction.abort(errno=errno.EEXIST)


def test_abort_leaves_all_levels(pool):
    transaction = pool.transaction()
    for _ in range(3):
        transaction.begin()
    pool.root = 10
    with pytest.raises(OSError):
        transaction.abort()
    assert pool.root is None
    with pytest.raises(nvm.TransactionError, match=r"abort.*outside of a transaction"):
        transaction.abort()
    pool.root = 1


def test_abort_in_a_block(pool):
    with pytest.raises(OSError, match="canceled"):
        with pool.transaction() as transaction:
            pool.root = 10
            transaction.abort(errno.ECANCELED)
    assert pool.root is None
    with pool.transaction():
        pool.root = 10


def test_abort_in_nested_blocks_leaves_them_all(pool):
    reached = []
    with pytest.raises(OSError):
        with pool.transaction():
            pool.root = 10
            with pool.transaction():
                pool.root = 20
                with pool.transaction() as transaction:
                    pool.root = 30
                    transaction.abort()
                reached.append(1)
            reached.append(2)
    assert reached == []
    assert pool.root is None


def test_a_caught_abort_commits_nothing(pool):
    with pytest.raises(nvm.TransactionError):
        with pool.transaction() as transaction:
            pool.root = 1
            with pytest.raises(OSError):
                transaction.abort()
            with pytest.raises(nvm.TransactionError):
                pool.root = 2
    assert pool.root is None


def test_commit_in_a_block_aborts(pool):
    with pytest.raises(RuntimeError, match=r"commit.*inside a with block"):
        with pool.transaction() as transaction:
            pool.root = 10
            transaction.commit()
    assert pool.root is None
    with pytest.raises(RuntimeError):
        with pool.transaction():
            pool.root = 10
            with pool.transaction() as transaction:
                transaction.commit()
    assert pool.root is None
    with pool.transaction():
        pool.root = 10


def test_begin_without_commit_in_a_block_aborts(pool):
    with pytest.raises(RuntimeError, match="begin"):
        with pool.transaction() as transaction:
            pool.root = 10
            transaction.begin()
    assert pool.root is None
    with pytest.raises(LookupError):
        with pool.transaction() as transaction:
            transaction.begin()
            pool.root = 10
            raise LookupError
    pool.root = 1
    with pytest.raises(RuntimeError, match="outside"):
        transaction.commit()


def test_begin_and_commit_inside_a_block(pool):
    with pool.transaction() as transaction:
        transaction.begin()
        pool.root = 1
        transaction.commit()
        pool["a"] = 1
    assert pool.root == 1


def test_commit_and_abort_outside_undo_nothing(pool):
    transaction = pool.transaction()
    pool.root = 10
    with pytest.raises(RuntimeError, match=r"abort.*outside of a transaction"):
        transaction.abort()
    with pytest.raises(RuntimeError, match=r"commit.*outside of a transaction"):
        transaction.commit()
    assert pool.root == 10


def test_the_end_of_a_block_that_was_not_begun(pool):
    transaction = pool.transaction()
    with pytest.raises(nvm.TransactionError):
        transaction.__exit__(None, None, None)
    assert transaction.__exit__(LookupError, LookupError(), None) is None


# ---- As a decorator


def test_a_decorated_function_runs_in_a_transaction(pool):
    @pool.transaction()
    def move(amount, *, fail=False):
        """Move it."""
        pool["from"] -= amount
        if fail:
            raise LookupError
        pool["to"] += amount
        return pool["to"]

    pool.update({"from": 10, "to": 0})
    assert move(3) == 3
    with pytest.raises(LookupError):
        move(3, fail=True)
    assert dict(pool) == {"from": 7, "to": 3}
    assert move.__name__ == "move"
    assert move.__doc__ == "Move it."


def test_a_decorated_function_can_call_itself(pool):
    @pool.transaction()
    def count(number):
        pool[number] = number
        if number:
            count(number - 1)

    count(5)
    assert len(pool) == 6


def test_what_is_suspended_cannot_be_decorated(pool):
    async def coroutine():
        pass

    def generator():
        yield

    async def both():
        yield

    for function in (coroutine, generator, both):
        with pytest.raises(TypeError, match="suspended"):
            pool.transaction()(function)
    with pytest.raises(TypeError):
        pool.transaction()(3)


# ---- on_commit, on_abort


def test_on_commit_is_called_after_the_outermost_commit(pool):
    calls = []
    with pool.transaction() as outer:
        pool.root = 1
        outer.on_commit(lambda: calls.append(("first", pool.root)))
        outer.on_abort(lambda: calls.append("abort"))
        with pool.transaction() as inner:
            inner.on_commit(lambda: calls.append("second"))
        assert calls == []
        pool.root = 2
    assert calls == [("first", 2), "second"]
    with pool.transaction():
        pass
    assert len(calls) == 2


def test_on_abort_is_called_after_the_roll_back(pool):
    calls = []
    with pytest.raises(LookupError):
        with pool.transaction() as transaction:
            pool.root = 1
            transaction.on_commit(lambda: calls.append("commit"))
            transaction.on_abort(lambda: calls.append(pool.root))
            raise LookupError
    assert calls == [None]


def test_callbacks_of_begin_commit_and_abort(pool):
    calls = []
    transaction = pool.transaction()
    transaction.begin()
    transaction.on_commit(lambda: calls.append("commit"))
    transaction.commit()
    transaction.begin()
    transaction.on_abort(lambda: calls.append("abort"))
    with pytest.raises(OSError):
        transaction.abort()
    assert calls == ["commit", "abort"]


def test_callbacks_can_use_the_pool_and_begin_anew(pool):
    def again():
        with pool.transaction():
            pool["again"] = 1

    with pool.transaction() as transaction:
        transaction.on_commit(again)
    assert pool["again"] == 1


def test_on_commit_works_as_a_decorator(pool):
    calls = []
    with pool.transaction() as transaction:

        @transaction.on_commit
        def report():
            calls.append(1)

    assert callable(report)
    assert calls == [1]


def test_an_exception_in_on_commit_is_raised_and_the_transaction_stays_committed(pool):
    calls = []

    def fail():
        raise LookupError

    with pytest.raises(LookupError):
        with pool.transaction() as transaction:
            pool.root = 1
            transaction.on_commit(fail)
            transaction.on_commit(lambda: calls.append(1))
    assert calls == [1]
    assert pool.root == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_exception_in_on_abort_does_not_hide_the_cause(pool):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(LookupError):
        with pool.transaction() as transaction:
            transaction.on_abort(fail)
            raise LookupError


def test_callbacks_are_functions_and_need_a_transaction(pool):
    transaction = pool.transaction()
    for register in (transaction.on_commit, transaction.on_abort):
        with pytest.raises(nvm.TransactionError, match="outside of a transaction"):
            register(print)
        with pytest.raises(TypeError):
            register(3)


def test_closing_the_pool_in_a_transaction_undoes_it(pool, open_pool):
    calls = []
    with pytest.raises(nvm.PoolClosedError):
        with pool.transaction() as transaction:
            pool.root = 1
            transaction.on_abort(lambda: calls.append("abort"))
            pool.close()
    assert calls == ["abort"]
    assert open_pool("w").root is None


def test_an_exception_after_closing_is_the_one_raised(pool):
    with pytest.raises(LookupError):
        with pool.transaction():
            pool.close()
            raise LookupError


# ---- Two pools


def test_transactions_of_two_pools_are_apart(pool, folder):
    with nvm.open(folder / "other", size="64 MiB") as other:
        with pytest.raises(LookupError):
            with pool.transaction():
                pool.root = 1
                with other.transaction():
                    other.root = 1
                raise LookupError
        assert pool.root is None
        assert other.root == 1


# ---- Arguments


@pytest.mark.parametrize("timeout", [-1, float("nan")])
def test_odd_timeouts_are_refused(pool, timeout):
    with pytest.raises(ValueError, match="timeout"):
        pool.transaction(timeout=timeout)
    with pytest.raises(TypeError):
        pool.transaction(timeout="soon")
    with pytest.raises(TypeError):
        pool.transaction(1)


def test_transactions_are_made_by_pools_only(pool):
    with pytest.raises(TypeError):
        type(pool.transaction())()
    with pytest.raises(TypeError):
        type(pool.reading())()


# ---- reading


def test_reading_refuses_changes(pool):
    pool.root = [1]
    with pool.reading():
        assert pool.root == [1]
        for change in (
            lambda: pool.root.append(2),
            lambda: setattr(pool, "root", 2),
            lambda: pool.transaction().begin(),
            lambda: pool.new(PersistentList),
        ):
            with pytest.raises(nvm.TransactionError, match="reading"):
                change()
        with pool.reading():
            assert pool.root == [1]
        with pytest.raises(nvm.TransactionError):
            pool.root.append(2)
    pool.root.append(2)
    assert pool.root == [1, 2]


def test_reading_in_a_transaction_sees_its_changes(pool):
    with pool.transaction():
        pool.root = 1
        with pool.reading():
            assert pool.root == 1
        pool.root = 2
    assert pool.root == 2


def test_other_threads_change_nothing_while_one_reads(pool):
    pool.root = [0]
    started = threading.Event()

    def change():
        started.set()
        pool.root[0] = 1

    thread = threading.Thread(target=change)
    with pool.reading():
        thread.start()
        started.wait()
        thread.join(0.2)
        assert thread.is_alive()
        assert pool.root[0] == 0
    thread.join()
    assert pool.root[0] == 1
