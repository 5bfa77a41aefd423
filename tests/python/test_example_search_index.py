"""examples/search_index.py: what it indexes, finds and forgets, and its demo."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rich")
EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

import search_index  # noqa: E402
from search_index import Refresh, open_index, word_positions  # noqa: E402

PROGRAM = EXAMPLES / "search_index.py"


@pytest.fixture
def texts(folder):
    texts = folder / "texts"
    (texts / "sub").mkdir(parents=True)
    (texts / "one.txt").write_text("The quick brown fox jumps over the lazy dog.")
    (texts / "two.txt").write_text("A quick dog. The fox, the dog and the quick brown cat.")
    (texts / "sub" / "three.txt").write_text("Nothing of that kind is HERE; os.path is.")
    return texts


@pytest.fixture
def refresh(path, texts):
    """Bring the index up to date; gives the paths that were read."""

    def refresh():
        pool, index = open_index(path, texts)
        with pool:
            return sorted(Refresh(pool, index, texts).run())

    return refresh


@pytest.fixture
def search(path):
    def search(query):
        pool, index = open_index(path)
        with pool:
            return dict(index.search(query))

    return search


def touch(path, seconds):
    status = path.stat()
    os.utime(path, (status.st_atime, status.st_mtime + seconds))


def test_words_alternatives_and_phrases_are_found(refresh, search):
    assert refresh() == ["one.txt", "sub/three.txt", "two.txt"]
    assert search("fox") == {"one.txt": 1, "two.txt": 1}
    assert search("quick dog") == {"one.txt": 2, "two.txt": 4}
    assert search('"quick brown"') == {"one.txt": 1, "two.txt": 1}
    assert search('"quick brown fox"') == {"one.txt": 1}
    assert search('"the fox" lazy OR here') == {"sub/three.txt": 1}
    assert search("lazy OR cat OR kind") == {"one.txt": 1, "two.txt": 1, "sub/three.txt": 1}
    assert search("os.path") == {"sub/three.txt": 1}
    assert search("missing") == search("fox missing") == search("") == search('""') == {}


def test_hits_with_more_occurrences_come_first(refresh, path):
    refresh()
    pool, index = open_index(path)
    with pool:
        assert index.search("the") == [("two.txt", 3), ("one.txt", 2)]


def test_only_changed_files_are_read_again(refresh, search, texts):
    refresh()
    assert refresh() == []
    (texts / "one.txt").write_text("Something else about the fox, fox, fox.")
    touch(texts / "one.txt", 5)
    assert refresh() == ["one.txt"]
    assert search("fox") == {"one.txt": 3, "two.txt": 1}
    assert search("lazy") == {}


def test_a_touched_file_is_the_same_document(refresh, search, texts):
    refresh()
    touch(texts / "one.txt", 5)
    assert refresh() == ["one.txt"]
    assert refresh() == []
    assert search("fox") == {"one.txt": 1, "two.txt": 1}


def test_removed_files_are_forgotten(refresh, search, texts, path):
    refresh()
    (texts / "one.txt").unlink()
    assert refresh() == []
    assert search("fox") == {"two.txt": 1}
    pool, index = open_index(path)
    with pool:
        assert "lazy" not in index.words
        assert index.postings == sum(len(postings) for postings in index.words.values())


def test_files_that_are_no_text_and_odd_names(refresh, search, texts):
    (texts / "binary").write_bytes(b"\0\1\2 fox")
    (texts / "latin1.txt").write_bytes(b"caf\xe9 fox")
    (texts / "empty.txt").touch()
    Path(os.fsdecode(os.fsencode(texts) + b"/caf\xe9.txt")).write_text("unusual")
    assert len(refresh()) == 7
    assert refresh() == []
    assert set(search("fox")) == {"one.txt", "two.txt", "latin1.txt"}
    assert list(search("unusual")) == ["caf\udce9.txt"]


def test_an_index_equals_one_made_at_once_after_many_changes(refresh, texts, path):
    rng = random.Random(3)
    words = [f"w{number}" for number in range(40)]
    for step in range(25):
        file = texts / f"file{rng.randrange(6)}.txt"
        if file.exists() and rng.random() < 0.3:
            file.unlink()
        else:
            file.write_text(" ".join(rng.choices(words, k=rng.randrange(60))))
            touch(file, step + 1)
        refresh()

    pool, index = open_index(path)
    with pool:
        expected = {}
        for name, file in index.files.items():
            for word, places in word_positions((texts / name).read_bytes()).items():
                expected.setdefault(word, {})[file.number] = places.tobytes()
        assert index.words == expected
        assert index.postings == sum(map(len, expected.values()))
        on_disk = (file.relative_to(texts).as_posix() for file in texts.rglob("*.txt"))
        assert set(index.files) == set(on_disk)
        assert pool.check() == []


def test_a_failing_file_leaves_the_index_as_it_was(texts, path, monkeypatch):
    pool, index = open_index(path, texts)
    with pool:
        list(Refresh(pool, index, texts).run())
        before = index.words.to_python()
        (texts / "one.txt").write_text("something new")
        touch(texts / "one.txt", 5)

        class BrokenArray(search_index.array):
            def tobytes(self):
                raise RuntimeError("broken")

        monkeypatch.setattr(search_index, "array", BrokenArray)
        with pytest.raises(RuntimeError, match="broken"):
            list(Refresh(pool, index, texts).run())
        assert index.words.to_python() == before
        assert len(index.files) == 3


def run_program(*arguments):
    command = [sys.executable, str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_commands(texts, path):
    indexed = run_program("--pool", path, "index", texts)
    assert indexed.returncode == 0, indexed.stderr
    assert "3 files: 3 read, 0 removed" in indexed.stdout
    again = run_program("--pool", path, "index", texts)
    assert "3 files: 0 read, 0 removed" in again.stdout
    found = run_program("--pool", path, "query", "quick", "dog")
    assert found.stdout.splitlines()[0].split() == ["4", "two.txt"]
    assert "opened in" in found.stdout
    stats = run_program("--pool", path, "stats")
    assert "files                     3" in stats.stdout


def test_errors_are_told_in_a_line(texts, path, folder):
    for arguments in (
        ["--pool", path, "query", "word"],
        ["--pool", path, "index", folder / "missing"],
    ):
        result = run_program(*arguments)
        assert result.returncode == 1
        assert "Traceback" not in result.stderr
        assert len(result.stderr.splitlines()) == 1
    run_program("--pool", path, "index", texts)
    other = run_program("--pool", path, "index", folder)
    assert other.returncode == 1
    assert "holds the index of" in other.stderr


def test_the_demo_is_killed_and_goes_on(folder, path):
    rng = random.Random(7)
    words = ["import", "os", "while", "true", *(f"word{number}" for number in range(300))]
    many = folder / "many"
    many.mkdir()
    for number in range(60):
        text = " ".join(rng.choices(words, k=rng.randrange(2000)))
        (many / f"{number}.txt").write_text(text)
    result = run_program("--pool", path, "demo", many)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "then SIGKILL" in result.stdout
    assert "Every check passed" in result.stdout
    refused = run_program("--pool", path, "demo", many)
    assert refused.returncode == 1
    assert "wants a fresh pool" in refused.stdout
