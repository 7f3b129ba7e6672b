"""What a command may name, and what its outcome depends on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from postpipe.errors import ProgramError
from postpipe.programs import command


def test_the_program_is_the_same_for_all_takes() -> None:
    command.check_places(["{python}", "{input}", "{output}"], ("input", "output"), ())
    with pytest.raises(ValueError, match="the program has to be the same for all takes"):
        command.check_places(["{take}.sh", "{input}", "{output}"], ("input", "output"), ())


def test_arguments_are_filled_in_and_never_taken_apart() -> None:
    argv = command.fill(["{python}", "--in={input}", "{take}"], {"input": Path("a 'b\n"), "take": "-{output} $x"})
    assert argv == [sys.executable, "--in=a 'b\n", "-{output} $x"]


def test_files_that_arguments_name_count_by_their_content(tmp_path: Path) -> None:
    model, folder = tmp_path / "model.bin", tmp_path / "models"
    folder.mkdir()
    for path in (model, folder / "one.bin"):
        path.write_bytes(b"one")
    argv = ["{python}", f"--model={model}", str(folder), "{input}"]
    digests = {command.identity("it", argv, ())}
    assert digests == {command.identity("it", argv, ())}
    model.write_bytes(b"three")
    digests.add(command.identity("it", argv, ()))
    (folder / "one.bin").write_bytes(b"three")
    digests.add(command.identity("it", argv, ()))
    assert len(digests) == 3


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.bin").touch()

    def refused(*_: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(command, "_digest", refused)
    with pytest.raises(ProgramError, match=r"which its command names, cannot be read \(Permission denied\)"):
        command.identity("it", ["{python}", str(tmp_path / "model.bin")], ())
