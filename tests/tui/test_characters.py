"""Characters for terminals that show less: ASCII where the locale is not UTF-8, the console's own on TERM=linux."""

from __future__ import annotations

from wtui.tui.characters import table_for

DRAWN = "╭─╮│▸▾◉•∙✗⚠…×›▁▂▃▄▅▆▇█▘▝▛⠿▀░·┤└"


def test_other_locales_get_ascii_of_the_same_width() -> None:
    for environment in ({"LC_ALL": "C"}, {"LANG": "de_DE.ISO-8859-1"}, {"LC_CTYPE": "POSIX", "LANG": "en_US.UTF-8"}):
        table = table_for(environment)
        assert table is not None
        shown = DRAWN.translate(table)
        assert shown.isascii()
        assert len(shown) == len(DRAWN)


def test_utf8_and_unset_locales_show_everything() -> None:
    assert table_for({"LANG": "en_US.UTF-8"}) is None
    assert table_for({"LC_ALL": "C.utf8", "LANG": "C"}) is None
    assert table_for({}) is None


def test_the_linux_console_gets_glyphs_of_its_font() -> None:
    table = table_for({"TERM": "linux", "LANG": "en_US.UTF-8"})
    assert table is not None
    shown = DRAWN.translate(table)
    assert len(shown) == len(DRAWN)
    shown.encode("cp437")
