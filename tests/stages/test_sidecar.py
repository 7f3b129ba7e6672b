"""Sidecars and logs: found, read, matched with takes; what is wrong with them is told and stops nothing."""

from __future__ import annotations

import codecs
import json
import re
import unicodedata
from fractions import Fraction
from pathlib import Path

import pytest

from postpipe.errors import SettingsError
from postpipe.model import Clip
from postpipe.sidecar import Cost, Sidecar, TakeLog
from postpipe.stages.select import NameTakes
from postpipe.stages.sidecar import ReadLogs, ReadSidecar
from tests.stages.test_quality import _clip_of

PAGE = Path(__file__).parents[2] / "docs" / "sidecars.md"


def clip(path: Path) -> Clip:
    found = _clip_of(1)
    found.path = found.file = path
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("scene01_take01.mp4", "scene01_take02.mp4", "scene02_take01.mov"):
        (tmp_path / name).touch()
    return tmp_path


def logs(folder: Path, log: str | None = None, only: str = "*.m*") -> TakeLog:
    clips = {path: clip(path) for path in sorted(folder.glob(only))}
    return ReadLogs(log).run(clips, {path: NameTakes().run(one) for path, one in clips.items()})


def said(folder: Path, log: str | None = None) -> dict[str, Sidecar]:
    return {Path(path).name: sidecar for path, sidecar in logs(folder, log).takes.items()}


def beside(folder: Path, text: str | bytes, name: str = "scene01_take01.json", log: TakeLog | None = None) -> Sidecar:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return ReadSidecar().run(clip(folder / "scene01_take01.mp4"), log or TakeLog({}, ()))


# Beside a take


@pytest.mark.parametrize("name", ["scene01_take01.json", "scene01_take01.mp4.json"])
def test_a_sidecar_is_found(folder: Path, name: str) -> None:
    sidecar = beside(folder, '{"prompt": "a red kite", "cost": 0.35, "steps": 30}', name)
    assert sidecar == Sidecar((name,), "a red kite", cost=Cost(Fraction(7, 20)), extra={"steps": 30})
    assert sidecar.summary()["cost"] == {"amount": 0.35, "currency": None}


def test_the_full_name_wins(folder: Path) -> None:
    (folder / "scene01_take01.mp4.json").write_text('{"seed": 1}')
    assert beside(folder, '{"seed": 2}').seed == 1


def test_none_is_none(folder: Path) -> None:
    sidecar = ReadSidecar().run(clip(folder / "scene01_take02.mp4"), TakeLog({}, ()))
    assert sidecar == Sidecar()
    assert sidecar.summary() is None


@pytest.mark.parametrize("name", ["x" * 250 + ".mp4", ".mp4", "-a", "a. ", "ü.mp4"])
def test_no_name_of_a_take_is_a_problem(folder: Path, name: str) -> None:
    assert ReadSidecar().run(clip(folder / name), TakeLog({}, ())) == Sidecar()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"prompt": "x",}', "scene01_take01.json, line 1, column 16: not valid JSON: expected another entry"),
        ("", "scene01_take01.json, line 1, column 1: not valid JSON: the text ends too early"),
        ('\n["x"]', "scene01_take01.json, line 1: expected one table of keys"),
        (b'{"notes": "caf\xe9"}', "scene01_take01.json, line 1: expected UTF-8, found the byte 0xE9"),
        ('{"seed": 1}'.encode("utf-16-le"), "expected text in UTF-8, found a zero byte"),
        ('{"a": ' * 40 + "1" + "}" * 40, "scene01_take01.json: is nested too deeply"),
    ],
)
def test_a_broken_sidecar_is_a_warning(folder: Path, text: str | bytes, words: str) -> None:
    log = TakeLog({str(folder / "scene01_take01.mp4"): Sidecar(("takes.csv, line 2",), seed=5)}, ())
    sidecar = beside(folder, text, log=log)
    assert words in sidecar.warnings[0]
    assert sidecar.warnings[0].endswith("; it is not used")
    assert sidecar.seed == 5  # the log goes on


def test_what_is_no_file_is_a_warning(folder: Path) -> None:
    (folder / "scene01_take01.json").mkdir()
    sidecar = ReadSidecar().run(clip(folder / "scene01_take01.mp4"), TakeLog({}, ()))
    assert sidecar.warnings == ("scene01_take01.json: is no file; expected a text; it is not used",)


def test_keys_are_told_with_their_line(folder: Path) -> None:
    text = '{\n "settings": {"seed": "deep"},\n\n "seed": "1x",\n "promt": "y",\n "cost": NaN\n}'
    sidecar = beside(folder, text)
    assert sidecar.settings == {"seed": "deep"}
    assert sidecar.extra == {"seed": "1x", "promt": "y"}
    assert sidecar.warnings == (
        "scene01_take01.json, line 6: 'cost': expected a number, found NaN; read as null",
        "scene01_take01.json, line 4: 'seed': expected a whole number of at most 64 bits, found '1x'; kept under extra",
        "scene01_take01.json, line 5: 'promt': expected a known key, did you mean 'prompt'? Kept under extra",
    )


def test_a_sidecar_wins_over_the_log_key_by_key(folder: Path) -> None:
    entry = Sidecar(("takes.csv, line 2",), prompt="from the log", seed=5, extra={"a": 1}, warnings=("w",))
    sidecar = beside(folder, '{"seed": 0, "b": 2}', log=TakeLog({str(folder / "scene01_take01.mp4"): entry}, ()))
    assert (sidecar.prompt, sidecar.seed, sidecar.extra) == ("from the log", 0, {"a": 1, "b": 2})
    assert sidecar.sources == ("scene01_take01.json", "takes.csv, line 2")
    assert sidecar.warnings == ("w",)


# Logs


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("start", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tables_of_any_make_are_read(folder: Path, delimiter: str, start: bytes, end: str) -> None:
    rows = [
        ["Clip", "Prompt", "Seed", "Cost (USD)", "mood"],
        ["scene01_take01.mp4", '"a kite,; |\t""red"", on\ntwo lines"', "7", "0.5", "calm"],
        [""] * 5,
        ["SCENE01_TAKE02", "", "8", "", ""],
        ["C:\\out\\scene02_take01.mov", "x", "", '"$1,250.00"', ""],
    ]
    (folder / "takes.csv").write_bytes(start + "".join(delimiter.join(row) + end for row in rows).encode())
    takes = said(folder)
    first = takes["scene01_take01.mp4"]
    assert first.prompt == 'a kite,; |\t"red", on\ntwo lines'
    assert (first.seed, first.cost, first.extra) == (7, Cost(Fraction(1, 2), "USD"), {"mood": "calm"})
    assert takes["scene01_take02.mp4"].sources == ("takes.csv, line 5",)
    assert takes["scene02_take01.mov"].cost == Cost(Fraction(1250), "USD")
    assert logs(folder).warnings == ()


def test_what_a_spreadsheet_writes_is_read(folder: Path) -> None:
    (folder / "takes.csv").write_text("sep=;\r\nScene;Take;Cost\r\n1;2;0,35 €\r\nScene 2;;0,40\r\n", encoding="utf-16")
    takes = said(folder)
    assert takes["scene01_take02.mp4"].cost == Cost(Fraction(7, 20), "EUR")
    assert takes["scene02_take01.mov"].cost == Cost(Fraction(2, 5))


@pytest.mark.parametrize(
    "text",
    [
        '[{"file": "scene01_take01.mp4", "seed": 7}, {"scene": 1, "take": "02", "seed": 8}]',
        '{"takes": [{"file": "scene01_take01.mp4", "seed": 7}, {"file": "scene01_take02", "seed": 8}]}',
        '{"scene01_take01.mp4": {"seed": 7}, "out/scene01_take02.mp4": {"seed": 8}}',
        '{"project": "x", "clips": {"scene01_take01": {"seed": 7}, "scene01_take02": {"seed": 8}}}',
        '{"file": "scene01_take01.mp4", "seed": 7}\n\n{"file": "scene01_take02.mp4", "seed": 8}\n',
    ],
)
def test_json_of_any_shape_is_read(folder: Path, text: str) -> None:
    (folder / "takes.json").write_text(text)
    assert {name: sidecar.seed for name, sidecar in said(folder).items()} == {
        "scene01_take01.mp4": 7,
        "scene01_take02.mp4": 8,
    }
    assert logs(folder).warnings == ()


def test_one_entry_is_a_log_too(folder: Path) -> None:
    (folder / "takes.json").write_text('{"file": "scene01_take01.mp4", "seed": 7}')
    assert said(folder)["scene01_take01.mp4"].seed == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prompt,seed\nx,1\n", "takes.csv, line 1: expected the names of columns, among them file (or scene and take)"),
        ("", "takes.csv, line 1: expected the names of columns"),
        ("file,promt\nscene01_take01.mp4,x\n", "takes.csv, line 1: 'promt': expected a known key, did you mean"),
        ("file,seed,seed\nscene01_take01.mp4,1,2\n", "takes.csv, line 1: the column 'seed' stands twice"),
        ('file,seed\nscene01_take01.mp4,1\n"scene', "takes.csv, line 3: expected cells in closed double quotes"),
        ("file,seed\nscene09.mp4,1\n,2\n", "takes.csv: no take for line 2 ('scene09.mp4'), line 3 (names no file)"),
        ("scene,take\n1,\n", "takes.csv, line 2: scene 1 fits several takes, expected one: scene01_take01.mp4"),
        ("scene,take\n7,1\n", "takes.csv: no take for line 2 (scene 7, take 1)"),
        ('[{"file": "scene01_take01.mp4"},\n 5]', "takes.csv, line 2: expected a table of keys for each take, found 5"),
        ('[{"file": "scene01_take01.mp4"},\n', "takes.csv, line 2, column 1: not valid JSON"),
        ('{"file": "scene01_take01.mp4"}\n{"file": }', "takes.csv, line 2, column 10: not valid JSON: expected a"),
        ('[{"file": "scene01_take01.mp4",\n"seed": NaN}]', "takes.csv, line 2: '0.seed': expected a number, found NaN"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_log_is_told(folder: Path, text: str, words: str) -> None:
    (folder / "takes.csv").write_text(text)
    assert any(warning.startswith(words) for warning in logs(folder).warnings), logs(folder).warnings


def test_what_is_wrong_with_an_entry_is_told_of_its_take(folder: Path) -> None:
    text = "file,seed\nscene01_take01.mp4,x\nscene01_take02.mp4,1,2,3\nscene01_take02.mp4,9\n"
    (folder / "takes.csv").write_text(text)
    takes = said(folder)
    assert takes["scene01_take01.mp4"].warnings == (
        "takes.csv, line 2: 'seed': expected a whole number of at most 64 bits, found 'x'; kept under extra",
    )
    assert takes["scene01_take02.mp4"].seed == 9
    assert takes["scene01_take02.mp4"].warnings == (
        "takes.csv, line 4: is about the same take as line 3; the last one counts",
    )


def test_cells_that_no_column_names_are_told(folder: Path) -> None:
    (folder / "takes.csv").write_text("file,prompt\nscene01_take01.mp4,a kite, red\n")
    assert said(folder)["scene01_take01.mp4"].warnings == (
        "takes.csv, line 2: expected 2 cells, found 3; put texts that hold the delimiter in double quotes",
    )


def test_many_lost_entries_are_one_sentence(folder: Path) -> None:
    (folder / "takes.csv").write_text("file\n" + "".join(f"other{n}.mp4\n" for n in range(30)))
    (warning,) = logs(folder).warnings
    assert warning.endswith("line 9 ('other7.mp4') and 22 more")


def test_entries_about_takes_that_are_there_but_not_asked_for_are_no_fault(folder: Path) -> None:
    (folder / "takes.csv").write_text("file,scene,take\nscene01_take02.mp4,,\n,2,1\nscene07.mp4,,\n")
    (folder / "scene02_take02.mp4").touch()
    assert logs(folder, only="scene01_take01*").warnings == ("takes.csv: no take for line 4 ('scene07.mp4')",)


def test_names_are_compared_as_people_read_them(folder: Path) -> None:
    (folder / unicodedata.normalize("NFD", "Vögel.MP4")).touch()
    (folder / "takes.csv").write_text(
        "file,seed\n" + unicodedata.normalize("NFC", "vögel.mp4") + ",3\n", encoding="utf-8"
    )
    assert [sidecar.seed for sidecar in logs(folder, only="V*").takes.values()] == [3]


def test_a_log_is_found_or_named(folder: Path) -> None:
    (folder / "shots.csv").write_text("file,seed\nscene01_take01.mp4,1\n")
    assert said(folder) == {}
    assert said(folder, "shots.csv")["scene01_take01.mp4"].seed == 1
    (folder / "takes.csv").write_text("file,seed\nscene01_take01.mp4,2\n")
    (folder / "takes.json").write_text('{"scene01_take01.mp4": {"seed": 3}}')
    assert said(folder)["scene01_take01.mp4"].seed == 2
    assert said(folder, "shots.csv")["scene01_take01.mp4"].seed == 1
    assert said(folder, "") == {}
    with pytest.raises(SettingsError, match=r"\[project\] log = 'none.csv': expected a file in the folder of takes"):
        logs(folder, "none.csv")


def test_an_account_is_no_log(folder: Path) -> None:
    (folder / "takes.json").write_text('{"schema": "postpipe.takes.1", "takes": [{"file": "scene01_take01.mp4"}]}')
    assert logs(folder) == TakeLog({}, ())
    assert logs(folder, "takes.json").warnings == ("takes.json: expected an entry for each take, found none",)


def test_the_sidecar_of_a_take_called_takes_is_no_log(folder: Path) -> None:
    (folder / "takes.mp4").touch()
    (folder / "takes.json").write_text('{"seed": 1}')
    assert logs(folder) == TakeLog({}, ())
    assert ReadSidecar().run(clip(folder / "takes.mp4"), TakeLog({}, ())).seed == 1


def test_each_folder_has_its_own_log(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "scene01_take01.mp4").touch()
        (tmp_path / str(number) / "takes.csv").write_text(f"file,seed\nscene01_take01.mp4,{number}\n")
    takes = logs(tmp_path, only="*/*.mp4").takes
    assert [sidecar.seed for sidecar in takes.values()] == [1, 2]


# The page


def test_the_examples_of_the_page_are_read_without_a_warning(folder: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (sidecar,) = re.findall(r"```json\n(\{\n.*?)```", page, re.DOTALL)
    found = beside(folder, sidecar)
    assert found.warnings == ()
    assert set(json.loads(sidecar)) - {field for field, value in vars(found).items() if value} == {"lens"}
    assert found.extra == {"lens": "35 mm"}
    tables = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    lists = re.findall(r"```json\n(\[.*?|\{\".*?)```", page, re.DOTALL)
    assert len(tables) == 1
    assert len(lists) == 3
    for text in (*tables, *lists):
        (folder / "log").write_text(text, encoding="utf-8")
        log = logs(folder, "log")
        assert log.warnings == ()
        assert {Path(path).name for path in log.takes} >= {"scene01_take01.mp4", "scene01_take02.mp4"}
        assert all(sidecar.warnings == () and sidecar.prompt for sidecar in log.takes.values())
