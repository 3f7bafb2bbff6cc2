"""A line stays one line, and nothing in it steers the terminal."""

import pytest

from sam_offline.console import say


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße, 🐳 und \\n", "Grüße, 🐳 und \\n"),
        ("GET /x\nlocal: ready", "GET /x\\nlocal: ready"),
        ("a\r\x1b[2J\x07\x00b\x7f", "a\\r\\x1b[2J\\x07\\x00b\\x7f"),
        ("\u2028\u202e\x9b", "\\u2028\\u202e\\x9b"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_could_forge_a_line_is_written_out(
    text: str, shown: str, capfd: pytest.CaptureFixture[str]
) -> None:
    say(text)
    assert capfd.readouterr().out == shown + "\n"
