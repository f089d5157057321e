"""Tables of agents: what is read of them, and what is left out."""

from __future__ import annotations

from workflow.view.report import sheets


def test_rows_and_names_are_read_and_short_rows_filled() -> None:
    found = sheets.read('name,"a, b",\n1,2\n\n3,4,5,6\n', "x.csv")
    assert found is not None
    assert found.names == ["name", "a, b", "column 3", "column 4"]
    assert found.rows == [["1", "2", "", ""], ["3", "4", "5", "6"]]
    assert not found.is_cut


def test_tabs_separate_in_a_tsv() -> None:
    found = sheets.read("a\tb,c\n1\t2\n", "x.tsv")
    assert found is not None
    assert found.names == ["a", "b,c"]


def test_large_tables_are_cut_and_say_so() -> None:
    found = sheets.read("\n".join([",".join(["n"] * 50)] * 1000), "x.csv")
    assert found is not None
    assert (len(found.rows), found.rows_in_all) == (sheets.MOST_ROWS, 999)
    assert (len(found.names), found.columns_in_all) == (sheets.MOST_COLUMNS, 50)
    assert found.is_cut
    long = sheets.read(f"a\n{'x' * 2000}\n", "x.csv")
    assert long is not None
    assert len(long.rows[0][0]) == sheets.MOST_CHARACTERS + 1


def test_what_is_no_table_is_none() -> None:
    assert sheets.read("only a line", "x.csv") is None
    assert sheets.read("a\n" + "x" * 200_000, "x.csv") is None
    assert sheets.read("", "x.csv") is None
