"""The list as CSV: what a spreadsheet would compute is text in it."""

import csv
import io

import pytest

from tests.fixtures.page import track_id
from tfmir.serving.page.table import cell

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_text(text):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Nina Simone", "1=1", "a-b", "été"])
def test_a_name_stays_as_it_is(text):
    assert cell(text) == text


def test_the_table_holds_the_hits(page):
    words = {"like": track_id(0), "weights": "genre=1", "top": 39}
    answer = page.get("/api/search.csv", params=words)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="similar.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    hits = page.get("/api/search", params=words).json()["hits"]
    assert [row["track_id"].removeprefix("'") for row in rows] == [hit["track_id"] for hit in hits]
    assert {row["track_id"]: row["artist"] for row in rows}[track_id(5)] == "'@home"
    assert track_id(7) in [row["track_id"] for row in rows]  # of two lines
    first = rows[0]
    assert (first["rank"], first["tags"], first["seconds"]) == ("1", "genre/rock", "1.0")
    assert float(first["score"]) == pytest.approx(float(first["similarity_genre"]), abs=1e-5)
    assert rows[2]["predicted"] == "mood/wild 0.80"
