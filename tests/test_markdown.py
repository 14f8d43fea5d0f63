from tfmir.markdown import pictures, table


def test_a_table_by_hand():
    found = table(["tag", "train", "all"], [["rock", "1", "3"], ["jazz", "2", "2"]])
    assert found == "| tag | train | all |\n| --- | ---: | ---: |\n| rock | 1 | 3 |\n| jazz | 2 | 2 |\n"


def test_head_and_rows_may_be_read_only_once():
    rows = (iter([name, str(len(name))]) for name in ("ab", "abc"))
    assert table(iter(["", "letters"]), rows) == "|  | letters |\n| --- | ---: |\n| ab | 2 |\n| abc | 3 |\n"


def test_pictures_by_hand_and_nothing_without_any():
    found = pictures({"a.png": "What is seen", "b.png": "And here"})
    assert found == (
        "## Figures\n\n![What is seen](figures/a.png)\n\n*What is seen.*\n\n![And here](figures/b.png)\n\n*And here.*\n"
    )
    assert pictures({}) == ""


def test_a_line_in_a_name_is_no_edge_of_a_cell():
    assert table(["tag", "all"], [["soul|funk", "2"]]).endswith("| soul\\|funk | 2 |\n")


def test_words_are_left_aligned_and_figures_right():
    """An interval, a bold figure, a difference and a small p are figures; a dash and an empty cell are neither."""
    rows = [["a", "yes", "**0.1** ± 0.2", "–", "[-1, 2]", "< 0.001", "+0.1"], ["b", "–", "–", "", "–", "0.3", "none"]]
    rule = table("nwxyzpd", rows).splitlines()[1]
    assert rule == "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
