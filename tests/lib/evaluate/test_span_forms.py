"""Error spans of ``kiwi evaluate`` in all their forms: which translation a row is of, and what does not match."""

import json

import pytest

from kiwi.exceptions import DataError
from kiwi.lib.evaluate import evaluate_from_configuration

TEXT = "Das Haus ist rot"
PLACES = "doc_id segment_id source_lang target_lang set_id system_id"
WMT25 = f"{PLACES} hypothesis_segment start_indices end_indices error_types"
KEYED = "system doc seg target starts ends severities"
NO_ERROR = ("-1", "-1", "no-error")


def table(path, names, *rows):
    lines = [names.split(), *(list(map(str, row)) for row in rows)]
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


def evaluate(gold, predicted, **options):
    given = {"gold_files": {"spans": gold}, "predicted_files": [{"span_submission": predicted}], "bootstrap": 0}
    return {row.output: row for row in evaluate_from_configuration({**given, **options}).rows}


def f1(gold, predicted, **options):
    return evaluate(gold, predicted, **options)["spans"].metrics["F1"]


def test_language_pairs_and_sets_of_wmt25(tmp_path):
    def row(segment, target_lang, set_id, *marked):
        return ["d", segment, "en", target_lang, set_id, "A", TEXT, *marked]

    mark = (0, 3, "major")
    gold = table(
        tmp_path / "gold.tsv",
        WMT25,
        row(1, "cs_CZ", "official", *mark),
        row(1, "ja_JP", "official", 5, 9, "minor"),
        row(2, "cs_CZ", "challenge", 0, 9, "major"),
    )
    ours = table(
        tmp_path / "ours.tsv",
        WMT25,
        row(2, "cs_CZ", "challenge", *NO_ERROR),
        row(1, "ja_JP", "official", *NO_ERROR),
        row(1, "cs_CZ", "official", *mark),
    )
    assert f1(gold, ours, language_pair="en-cs_CZ") == 1.0
    assert "|segments:1|" in evaluate(gold, ours, language_pair="en-cs_CZ")["spans"].signature
    assert f1(gold, ours, language_pair="en-ja_JP") == 0.0
    with pytest.raises(DataError, match="several language pairs: en-cs_CZ, en-ja_JP"):
        evaluate(gold, ours)


def test_pairs_of_lines_are_spelled_like_those_of_wmt25(tmp_path):
    """Lines and the option say ``en-cs_CZ``, which is ``en-cs-CZ`` elsewhere."""
    spans = table(tmp_path / "g.tsv", WMT25, *(["d", n, "en", "cs_CZ", "official", "A", TEXT, *NO_ERROR] for n in "12"))
    (tmp_path / "lp").write_text("en-cs_CZ\nen-cs_CZ \n")
    given = {"gold_files": {"spans": spans, "lp": str(tmp_path / "lp")}, "bootstrap": 0}
    for options in ({}, {"language_pair": "en-cs_CZ"}):
        found = evaluate_from_configuration(given | options | {"predicted_files": [{"span_submission": spans}]})
        assert {row.output: row.metrics["F1"] for row in found.rows}


def test_spans_of_wmt25_beside_scores_of_several_pairs(tmp_path):
    """Both pairs have a translation of the same name, so that only the file of spans says which one it is of."""
    columns = {"sentence_scores": "score", **{name: name for name in ("lp", "system", "doc", "seg")}}
    rows = [("en-ja", "A", "d", 1, 20), ("en-cs", "A", "d", 1, 90)]
    scores = {"table": {"path": table(tmp_path / "s.tsv", "lp system doc seg score", *rows), "columns": columns}}
    spans = table(tmp_path / "g.tsv", WMT25, ["d", 1, "en", "cs", "official", "A", TEXT, 0, 3, "major"])
    given = {
        "gold_files": {**scores, "spans": spans},
        "predicted_files": [{**scores, "span_submission": spans}],
        "bootstrap": 0,
    }
    assert evaluate_from_configuration(given).metric("en-cs spans", "F1") == 1.0


@pytest.mark.parametrize("form", ["tsv", "jsonl", "json"])
def test_rows_with_numbers_of_segments(tmp_path, form):
    gold = table(
        tmp_path / "gold.tsv", "seg target starts ends severities", (0, TEXT, 4, 8, "major"), (1, TEXT, *NO_ERROR)
    )
    ours = tmp_path / f"ours.{form}"
    if form == "tsv":
        table(ours, "seg starts ends severities", (1, *NO_ERROR), (0, 4, 8, "major"))
    else:
        span = {"start": 4, "end": 8, "severity": "major"}
        rows = [{"seg": 1, "error_spans": []}, {"seg": 0, "error_spans": [span]}]
        ours.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert f1(gold, str(ours)) == 1.0
    # Numbers that are not those of all segments from 0 on change no order.
    gold = table(
        tmp_path / "of_one.tsv", "seg target starts ends severities", (1, TEXT, 4, 8, "major"), (2, TEXT, *NO_ERROR)
    )
    assert f1(gold, gold) == 1.0


MARKS = [(0, 2, "major"), (2, 4, "minor"), NO_ERROR]


def rows_of(path, names, rows, with_text):
    """Write rows of names and marks as TSV or, by the suffix, as JSON Lines."""
    columns = [*names.split(), *(["target"] if with_text else []), "starts", "ends", "severities"]
    cells = [[*own, *([TEXT] if with_text else []), *marks] for own, marks in rows]
    if path.suffix != ".jsonl":
        return table(path, " ".join(columns), *cells)
    path.write_text(
        "".join(json.dumps(dict(zip(columns, map(str, row), strict=True))) + "\n" for row in cells), encoding="utf-8"
    )
    return str(path)


@pytest.mark.parametrize("suffix", ["tsv", "jsonl"])
@pytest.mark.parametrize(
    ("names", "keys"),
    [
        ("system_id segment_id", [("A", 0), ("B", 0), ("A", 1)]),
        ("seg", [(1,), (2,), (3,)]),
        ("lp seg", [("en-de", 1), ("en-de", 2), ("en-de", 3)]),
        ("doc seg", [("d", 0), ("e", 0), ("d", 1)]),
        ("system doc", [("A", "d"), ("B", "d"), ("B", "e")]),
        ("doc", [("d",), ("e",), ("f",)]),
    ],
)
def test_rows_are_compared_by_whatever_names_them(tmp_path, names, keys, suffix, caplog):
    rows = list(zip(keys, MARKS, strict=True))
    gold = rows_of(tmp_path / f"gold.{suffix}", names, rows, with_text=True)
    ours = rows_of(tmp_path / f"ours.{suffix}", names, rows[::-1], with_text=False)
    assert f1(gold, ours) == 1.0
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_several_rows_of_a_document_stay_in_their_order(tmp_path):
    rows = [(("d",), MARKS[0]), (("e",), MARKS[1]), (("e",), MARKS[2])]
    gold = rows_of(tmp_path / "gold.tsv", "doc", rows, with_text=True)
    assert f1(gold, rows_of(tmp_path / "ours.tsv", "doc", [*rows[1:], rows[0]], with_text=False)) == 1.0
    with pytest.raises(DataError, match=r"few\.tsv: found 2 lines; expected 3, as .*gold\.tsv has"):
        evaluate(gold, rows_of(tmp_path / "few.tsv", "doc", rows[:2], with_text=False))


@pytest.mark.parametrize(
    ("gold_names", "gold_keys", "names", "keys"),
    [
        ("", [(), (), ()], "seg", [(1,), (2,), (3,)]),
        ("seg", [(0,), (1,), (2,)], "doc seg", [("d", 0), ("d", 1), ("d", 2)]),
        ("system seg", [("A", 0), ("A", 1), ("B", 0)], "seg", [(0,), (1,), (2,)]),
        ("doc seg", [("d", 0), ("d", 1), ("d", 2)], "seg", [(0,), (1,), (2,)]),
    ],
)
def test_names_that_are_ignored_are_warned_of(tmp_path, gold_names, gold_keys, names, keys, caplog):
    gold = rows_of(tmp_path / "gold.tsv", gold_names, zip(gold_keys, MARKS, strict=True), with_text=True)
    ours = rows_of(tmp_path / "ours.tsv", names, zip(keys, MARKS, strict=True), with_text=False)
    assert f1(gold, ours) == 1.0
    assert f"{gold} has other columns than {', '.join(sorted(names.split()))} to tell what each row is" in caplog.text


def test_numbers_of_all_segments_need_no_names_in_the_gold_file(tmp_path, caplog):
    gold = rows_of(tmp_path / "gold.tsv", "", [((), marks) for marks in MARKS], with_text=True)
    rows = list(zip([(0,), (1,), (2,)], MARKS, strict=True))
    assert f1(gold, rows_of(tmp_path / "ours.tsv", "seg", rows[::-1], with_text=False)) == 1.0
    assert "has other columns" not in caplog.text


def test_a_segment_that_is_not_there(tmp_path):
    rows = list(zip([(1,), (2,), (3,)], MARKS, strict=True))
    gold = rows_of(tmp_path / "gold.tsv", "seg", rows, with_text=True)
    ours = rows_of(tmp_path / "ours.tsv", "seg", [((9,), MARKS[0]), *rows[1:]], with_text=False)
    with pytest.raises(DataError, match=r"ours\.tsv: found no line for segment 1; expected one, as row 1 of"):
        evaluate(gold, ours)


def test_annotations_are_compared_by_their_raters(tmp_path):
    rows = [(("A", 0, "r1"), MARKS[0]), (("A", 0, "r2"), NO_ERROR), (("A", 1, "r1"), MARKS[1])]
    gold = rows_of(tmp_path / "gold.tsv", "system seg rater", rows, with_text=True)
    assert f1(gold, rows_of(tmp_path / "ours.tsv", "system seg rater", rows[::-1], with_text=False)) == 1.0
    # Raters of other names, or without any, are in the order of the gold ones.
    others = [((*names[:2], {"r1": "z", "r2": "a"}[names[2]]), marks) for names, marks in rows]
    assert f1(gold, rows_of(tmp_path / "ours.tsv", "system seg rater", others, with_text=False)) == 1.0
    unnamed = [(names[:2], marks) for names, marks in rows]
    assert f1(gold, rows_of(tmp_path / "ours.tsv", "system seg", unnamed, with_text=False)) == 1.0


def test_rows_of_other_texts(tmp_path):
    marked = (4, 8, "major")
    gold = table(tmp_path / "gold.tsv", KEYED, ("A", "d", 1, TEXT, *marked))
    ours = table(tmp_path / "ours.tsv", KEYED, ("A", "d", 1, "Ganz anders hier", *marked))
    message = (
        r"ours\.tsv: found the translation 'Ganz anders hier' in the place of segment 1 of .*gold\.tsv; expected 'Das"
    )
    with pytest.raises(DataError, match=message):
        evaluate(gold, ours)
    (tmp_path / "src").write_text("The house is red\n")
    (tmp_path / "mt").write_text("Ganz anders hier\n")
    texts = {"source": str(tmp_path / "src"), "target": str(tmp_path / "mt")}
    with pytest.raises(
        DataError, match=r"gold\.tsv: found the translation 'Das Haus ist rot' in the place of segment 1"
    ):
        evaluate(gold, gold, texts=texts)


def test_quotes_around_every_text_are_not_of_the_text(tmp_path):
    rows = "en-de\t{}\t0\t{}\t4\t8\tmajor\nen-de\t{}\t1\t{}\t-1\t-1\tno-error\n"
    (tmp_path / "gold.tsv").write_text(rows.format("gold", TEXT, "gold", "Gut ."))
    (tmp_path / "ours.tsv").write_text("100\n200\n1\n" + rows.format("ours", f'"{TEXT}"', "ours", '"Gut ."'))
    found = evaluate(str(tmp_path / "gold.tsv"), str(tmp_path / "ours.tsv"))
    assert [row.metrics["F1"] for row in found.values()] == [1.0] * 3


def test_two_translations_under_one_name(tmp_path):
    """Their texts tell them apart, in whichever order they are."""
    rows = [("A", "d", 1, TEXT, 4, 8, "major"), ("A", "d", 1, "Das rote Haus", *NO_ERROR)]
    gold, ours = (table(tmp_path / name, KEYED, *own) for name, own in (("gold", rows), ("ours", rows[::-1])))
    assert f1(gold, ours) == 1.0


def test_names_that_do_not_match(tmp_path):
    marked = (4, 8, "major")
    gold = table(tmp_path / "gold.tsv", KEYED, ("A", "d", 1, TEXT, *marked))
    twice = table(tmp_path / "twice.tsv", KEYED, ("A", "d", 1, TEXT, *marked), ("A", "d", 1, TEXT, *NO_ERROR))
    with pytest.raises(
        DataError, match=r"twice\.tsv: found 2 lines of the MT system 'A' for segment d 1; expected 1\."
    ):
        evaluate(gold, twice)
    other = table(tmp_path / "other.tsv", KEYED, ("B", "d", 1, TEXT, *marked))
    with pytest.raises(
        DataError, match=r"found no line of the MT system 'A' .*; expected one, as row 1 of .*gold\.tsv"
    ):
        evaluate(gold, other)
    lines = table(tmp_path / "lines.tsv", "target starts ends severities", (TEXT, *marked))
    with pytest.raises(DataError, match=r"gold\.tsv: found spans of several MT systems; expected one row per line"):
        evaluate(lines, gold)


def test_positions_beyond_the_text(tmp_path, caplog):
    """As in the official scorer of WMT23, in all forms: a span is cut, at the end it is an omission, beyond nothing."""
    size = len(TEXT)
    gold = table(
        tmp_path / "gold.tsv", "target starts ends severities", (TEXT, f"4 {size}", f"8 {size}", "major minor")
    )
    cells = (f"4 {size} {size + 9}", f"8 {size + 60} 99", "major minor minor")
    with_text = table(tmp_path / "with.tsv", "target starts ends severities", (TEXT, *cells))
    without = table(tmp_path / "without.tsv", "starts ends severities", cells)
    assert f1(gold, with_text) == f1(gold, without) == 1.0
    (tmp_path / "text").write_text(f"{TEXT}\n")
    caplog.clear()
    beyond = table(tmp_path / "beyond.tsv", "starts ends severities", (0, 300, "major"))
    texts = {"source": str(tmp_path / "text"), "target": str(tmp_path / "text")}
    rows = evaluate(beyond, beyond, texts=texts)
    assert [row.metrics["F1"] for row in rows.values()] == [1.0, 1.0, 1.0]
    assert f"{beyond}: 1 span(s) lie beyond the end of their text, where they are cut." in caplog.text
    far = tmp_path / "far.jsonl"
    far.write_text('{"error_spans": [{"start": 4, "end": 10000000000000000000000, "severity": "major"}]}\n')
    assert f1(gold, str(far)) > 0


WMT23 = "LP METHOD SEG TARGET STARTS ENDS TYPES"


def submission(path, *texts_and_spans, method="us"):
    return table(path, WMT23, *(("en-de", method, number, *row) for number, row in enumerate(texts_and_spans)))


def test_white_space_behind_a_text_does_not_count(tmp_path, caplog):
    """The official scorer of WMT23 removes it before it cuts spans at the end of the text."""
    gold = submission(tmp_path / "gold.tsv", ("abc ", 0, 4, "major"), ("abc", 0, 1, "minor"), method="gold")
    ours = submission(tmp_path / "ours.tsv", ("abc ", 0, 3, "major"), ("abc", 0, 1, "minor"))
    assert f1(gold, ours) == 1.0
    assert f"{gold}: 1 span(s) lie beyond the end of their text, where they are cut." in caplog.text
    # A span of the white space alone begins at the end: an omission there. One that begins beyond it marks nothing.
    gold = submission(tmp_path / "gold.tsv", ("abc  ", "3 4", "4 5", "major major"), method="gold")
    ours = submission(tmp_path / "ours.tsv", ("abc", 3, 3, "major"))
    assert f1(gold, ours) == 1.0


@pytest.mark.parametrize("gold_form", ["table", "submission"])
def test_positions_of_texts_with_white_space_before_them(tmp_path, gold_form):
    """Positions count it where it is there: in a table of raw texts, not in what ``kiwi predict`` submits."""
    names = "target starts ends severities"
    marked = {"raw": ("2 6 0 1", "5 6 1 4", "major minor minor minor"), "bare": ("0 4 0", "3 4 2", "major minor minor")}
    raw = table(tmp_path / "raw.tsv", names, (f"  {TEXT} ", *marked["raw"]))
    bare = submission(tmp_path / "bare.tsv", (TEXT, *marked["bare"]))
    no_text = table(tmp_path / "no_text", "starts ends severities", marked["raw"])
    (tmp_path / "text").write_text(f"  {TEXT} \n")
    texts = {"source": str(tmp_path / "text"), "target": str(tmp_path / "text")}
    if gold_form == "table":
        # The submission lacks the white space that two gold spans mark.
        assert evaluate(raw, bare)["spans"].metrics["precision"] == 1.0
        assert evaluate(raw, bare)["spans"].metrics["recall"] == pytest.approx(4 / 6)
        assert f1(raw, no_text) == f1(raw, no_text, texts=texts) == 1.0
    else:
        assert f1(bare, raw) == f1(bare, no_text, texts=texts) == 1.0
    # The official scorer compares the positions of two submissions, whatever white space their texts begin with.
    assert f1(bare, submission(tmp_path / "other.tsv", (f"  {TEXT}", *marked["bare"]))) == 1.0


def test_an_omission_without_a_position_is_one_at_the_end(tmp_path):
    gold = table(tmp_path / "gold.tsv", "target starts ends severities", (TEXT, len(TEXT), len(TEXT), "major"))
    ours = table(tmp_path / "ours.tsv", "starts ends severities", ("missing", "missing", "major"))
    assert f1(gold, ours) == 1.0


def test_no_segment_is_left(tmp_path):
    gold = table(tmp_path / "gold.tsv", "target starts ends severities", (TEXT, 4, 8, "major"))
    with pytest.raises(DataError, match="exclude: found every segment; expected some to compare"):
        evaluate(gold, gold, exclude=[0])


def test_any_annotation_marks_an_error(tmp_path):
    """A translation with two annotations is free of errors if neither of them has one."""
    names = f"rater {KEYED}"
    rows = [
        ("r1", "A", "d", 1, TEXT, 0, 3, "major"),
        ("r2", "A", "d", 1, TEXT, *NO_ERROR),
        ("r1", "B", "d", 1, TEXT, *NO_ERROR),
    ]
    scores = tmp_path / "scores.tsv"
    table(scores, "system doc seg score", ("A", "d", 1, 90), ("B", "d", 1, 95))
    columns = {"system": "system", "doc": "doc", "seg": "seg", "sentence_scores": "score"}
    scored = {"path": str(scores), "columns": columns}
    found = evaluate_from_configuration(
        {
            "gold_files": {"table": scored, "spans": table(tmp_path / "spans.tsv", names, *rows)},
            "predicted_files": [{"table": scored}],
            "bootstrap": 0,
            "error_free": True,
        }
    )
    assert found.metric("error_free", "precision") == 0.5


@pytest.mark.parametrize("hypotheses", ["true", "2.5", "[]"])
def test_a_translation_that_is_no_text(tmp_path, hypotheses):
    path = tmp_path / "a.jsonl"
    path.write_text(
        f'{{"item_id": "official_###_en_###_de_###_1", "hyps": {{"A": {hypotheses}}}, '
        '"task1_pred": {"A": {"errors": [{"start": 0, "end": 9, "severity": "minor"}]}}}\n'
    )
    with pytest.raises(DataError, match=r"line 1: found the translation .* of A; expected text"):
        evaluate(str(path), str(path))


def test_wmt25_tables_with_other_columns_of_spans(tmp_path):
    """A copy of such a table with the spans of ``kiwi score`` beside it."""
    rows = [("d", 1, "en", "de", "official", "A", TEXT, "4:8:major"), ("d", 2, "en", "de", "official", "A", TEXT, "-")]
    gold, ours = (
        table(tmp_path / name, f"{PLACES} hypothesis_segment error_spans", *own)
        for name, own in (("gold.tsv", rows), ("ours.tsv", rows[::-1]))
    )
    assert f1(gold, ours) == 1.0


def test_a_rater_without_a_text(tmp_path):
    names = "rater system doc seg target starts ends severities"
    gold = table(
        tmp_path / "gold.tsv", names, ("a", "A", "d", 1, TEXT, 4, 8, "major"), ("b", "A", "d", 1, "", *NO_ERROR)
    )
    ours = table(tmp_path / "ours.tsv", KEYED, ("A", "d", 1, TEXT, 4, 8, "major"))
    assert evaluate(gold, ours)["spans"].metrics["recall"] == 1.0


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".csv.gz"])
def test_other_tables_are_refused_by_their_suffix(tmp_path, suffix):
    """As in training, before their content is taken for a submission."""
    path = tmp_path / f"spans{suffix}"
    path.write_text("target,starts,ends,severities\nabc,0,1,minor\n", encoding="utf-8")
    gold = table(tmp_path / "gold.tsv", "target starts ends severities", ("abc", 0, 1, "minor"))
    for files in ((str(path), gold), (gold, str(path))):
        with pytest.raises(DataError, match=rf"found '\.{suffix[1:].split('.')[0]}'; expected TSV .* or JSON Lines"):
            evaluate(*files)


def test_a_submission_with_tabs_may_have_any_suffix(tmp_path):
    path = tmp_path / "spans.csv"
    path.write_text("en-de\tours\t0\tabc\t0\t1\tminor\n", encoding="utf-8")
    assert evaluate(str(path), str(path))["spans"].metrics["F1"] == 1.0


def test_texts_in_another_normalization(tmp_path):
    names = "target starts ends severities"
    gold, ours, other = (
        table(tmp_path / name, names, (text, 0, 1, "minor"))
        for name, text in (("gold.tsv", "e\N{COMBINING ACUTE ACCENT}a"), ("ours.tsv", "\u00e9a"), ("other.tsv", "ea"))
    )
    with pytest.raises(
        DataError, match=r"found the translation .*The texts differ in their Unicode normalization alone"
    ):
        evaluate(gold, ours)
    with pytest.raises(DataError, match=r"found the translation .*The spans are in another order"):
        evaluate(gold, other)
