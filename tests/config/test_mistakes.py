"""One file for each sort of mistake, with the exact lines that the operator reads beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crisp_status import kinds
from crisp_status.config.load import load
from crisp_status.config.problems import ConfigError

MISTAKES = Path(__file__).parent / "mistakes"
ENVIRON = {
    "REPORTER_TOKEN": "x" * 20,
    "POLL_INTERVAL": "fast",
    "ESCAPED": "very-secret-\x1b-and-long",
    "GARBLED": "not UTF-8: \udcff",
}


@pytest.mark.parametrize("name", sorted(p.stem for p in MISTAKES.glob("*.toml")))
def test_each_mistake_is_told_in_exactly_these_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All problems of the file at once, each with file, line, column, path, and a sentence that helps."""
    monkeypatch.chdir(MISTAKES)
    expected = (MISTAKES / f"{name}.txt").read_text(encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load(f"{name}.toml", kinds.rooms(), ENVIRON)

    assert f"{caught.value}\n" == expected
    assert "very-secret" not in expected
    assert "jane:secret" not in expected


def test_no_expected_words_are_left_over() -> None:
    """Each text file belongs to a mistake."""
    assert {p.stem for p in MISTAKES.glob("*.txt")} == {p.stem for p in MISTAKES.glob("*.toml")}
