import errno
import pickle
import subprocess
import sys

import pytest

import nvm
from interpreter import cpython_only

KINDS = [
    (nvm.PoolClosedError, ValueError),
    (nvm.PoolFullError, MemoryError),
    (nvm.PoolCorruptError, OSError),
    (nvm.PoolLockedError, OSError),
    (nvm.PoolForkedError, RuntimeError),
    (nvm.LayoutError, ValueError),
    (nvm.ReadOnlyError, OSError),
    (nvm.TransactionError, RuntimeError),
    (nvm.TransactionTimeoutError, TimeoutError),
    (nvm.StaleObjectError, ReferenceError),
    (nvm.ClassNotFoundError, ImportError),
]


@pytest.mark.parametrize(("kind", "builtin"), KINDS)
def test_every_error_is_an_nvm_error_and_a_builtin(kind, builtin):
    assert issubclass(kind, nvm.Error)
    assert issubclass(kind, builtin)
    assert kind.__module__ == "nvm"
    assert kind.__doc__


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS])
def test_errors_can_be_pickled(kind):
    error = kind(1, "what", "where") if issubclass(kind, OSError) else kind("what")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert copy.args == error.args
    assert str(copy) == str(error)


def test_os_errors_have_errno_cause_and_file_name(path):
    with pytest.raises(FileNotFoundError) as caught:
        nvm.open(path, "w")
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == str(path)
    assert "No such file" in caught.value.strerror
    assert str(caught.value).count(str(path)) == 1


def test_other_errors_name_the_file(pool, path):
    pool.close()
    with pytest.raises(nvm.PoolClosedError, match="closed") as caught:
        pool.root
    assert str(path) in str(caught.value)


@cpython_only("there are no subinterpreters")
def test_subinterpreters_are_refused():
    code = """
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
import sys
inner = f"import sys; sys.path[:] = {sys.path!r}\\n" + '''
try:
    import nvm
except ImportError as error:
    assert "subinterpreter" in str(error.__cause__ or error), repr(error)
else:
    raise AssertionError("imported")
'''
result = interpreters.run_string(interpreters.create(), inner)
assert result is None, result
"""
    if sys.version_info >= (3, 13):
        code = code.replace("interpreters.create()", "interpreters.create('legacy')")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
