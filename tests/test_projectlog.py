"""The log of a project: appended to, read back, by two writers at once and after a crash."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postpipe import projectlog
from postpipe.errors import DeliveryError
from postpipe.projectlog import COLUMNS, Logbook
from postpipe.stages.takelog import read_log

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20) | st.text("'=+-@1a ", max_size=5)
rows_ = st.lists(st.dictionaries(st.sampled_from(COLUMNS[2:]), texts.filter(str.strip)), max_size=4)


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv"])
def test_rows_come_back_in_order_and_say_each_thing_once(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    rows = [{"when": "1", "who": "A", "file": "a.mp4", "prompt": 'say "hi", then; go\nhome', "seed": "7"}]
    assert projectlog.append(path, rows) == 1
    assert projectlog.append(path, [rows[0] | {"when": "2"}]) == 0
    changed = rows[0] | {"when": "3", "decision": "delivered"}
    assert projectlog.append(path, [changed, {"when": "3", "who": "A", "file": "b.mp4"}]) == 2
    found = projectlog.read(path)
    assert [(row["when"], row["file"]) for row in found] == [("1", "a.mp4"), ("3", "a.mp4"), ("3", "b.mp4")]
    assert found[1]["seed"] == "7"


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv"])
@given(rows=rows_)
def test_whatever_is_said_comes_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, rows: list[dict[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("log") / name
    rows = [row | {"file": f"{number}.mp4"} for number, row in enumerate(rows)]
    projectlog.append(path, rows)
    assert [{key: value for key, value in row.items() if value} for row in projectlog.read(path)] == rows


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv"])
def test_a_line_that_a_crash_cut_off_costs_that_line_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    projectlog.append(path, [{"file": "a.mp4"}, {"file": "b.mp4", "prompt": "kite"}])
    path.write_bytes(path.read_bytes()[:-5])
    assert [row["file"] for row in projectlog.read(path)] == ["a.mp4"]
    projectlog.append(path, [{"file": "c.mp4"}])
    assert [row["file"] for row in projectlog.read(path)][-1] == "c.mp4"
    assert "a.mp4" in {row["file"] for row in projectlog.read(path)}


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|'/C calc'!A0", "-2+3", "@SUM(A1)", "=5", " =1+1", "'=1", "''-take", "-take.mp4"]
)
def test_no_cell_is_a_formula_and_all_come_back(tmp_path: Path, text: str) -> None:
    path = tmp_path / "takes.csv"
    projectlog.append(path, [{"file": text, "prompt": text}])
    for line in path.read_text(encoding="utf-8").splitlines():
        assert not any(cell.strip()[:1] in tuple("=+-@") for cell in next(csv.reader([line])))
    (row,) = projectlog.read(path)
    assert (row["file"], row["prompt"]) == (text, text)
    (entry,), _ = read_log(path)
    assert entry.record["prompt"] == text


@pytest.mark.parametrize("text", ["-1", "+0.5", "'quoted'", "a=b", "it's"])
def test_numbers_and_words_stand_as_they_are(tmp_path: Path, text: str) -> None:
    projectlog.append(tmp_path / "log.csv", [{"file": "a.mp4", "seed": text}])
    assert text in next(csv.reader([(tmp_path / "log.csv").read_text(encoding="utf-8").splitlines()[1]]))


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from postpipe import projectlog\n"
        "path, name = Path(sys.argv[1]), sys.argv[2]\n"
        "for n in range(40): projectlog.append(path, [{'file': f'{name}{n}.mp4', 'prompt': 'x' * 9000}])"
    )
    path = tmp_path / "log.csv"
    writers = [subprocess.Popen([sys.executable, "-c", code, path, name]) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    found = [row["file"] for row in projectlog.read(path)]
    assert sorted(found) == sorted(f"{name}{number}.mp4" for name in "ab" for number in range(40))


@pytest.mark.parametrize("name", ["takes.jsonl", "takes.csv"])
def test_the_log_can_be_read_like_any_other_log_of_takes(tmp_path: Path, name: str) -> None:
    projectlog.append(tmp_path / name, [{"when": "1", "who": "A", "file": "a.mp4", "prompt": "a kite", "seed": "7"}])
    rows, faults = read_log(tmp_path / name)
    assert faults == []
    assert [(row.record["file"], row.record["prompt"]) for row in rows] == [("a.mp4", "a kite")]


@pytest.mark.parametrize("name", ["log.jsonl", "log.csv"])
@given(prompt=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_whatever_breaks_lines_is_said_once(tmp_path_factory: pytest.TempPathFactory, name: str, prompt: str) -> None:
    path = tmp_path_factory.mktemp("log") / name
    row = {"file": "a.mp4", "prompt": f"a kite\r\n{prompt}\rover the sea"}
    assert [projectlog.append(path, [row]) for _ in range(2)] == [1, 0]


def test_what_no_reader_of_tables_takes_costs_its_line_alone(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    projectlog.append(path, [{"file": "a.mp4", "prompt": "x" * 200_000}, {"file": "b.mp4"}])
    assert [row["file"] for row in projectlog.read(path)] == ["b.mp4"]


def test_an_account_without_a_name_is_not_given_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", unknown)
    take = dict.fromkeys(("file", "scene", "take", "sidecar", "skipped", "selected", "rank"))
    take |= {"file": "a.mp4", "facts": {}, "fixes": []}
    Logbook("log.jsonl", None).keep(tmp_path, {"takes": [take]})
    (row,) = projectlog.read(tmp_path / "log.jsonl")
    assert "who" not in row


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DeliveryError, match="the log cannot be written"):
        Logbook("file/log.csv", "A").keep(tmp_path, {"takes": []})
