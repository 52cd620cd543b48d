import pytest

from kiwi.data.datasets.parts import TestConfig, TrainingConfig
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.exceptions import ConfigError, DataError

TEXT = {"source": "a b\nc\nd e f\n", "target": "x\ny z\nw\n"}
LABELS = {
    "target_tags": "OK BAD OK\nOK OK BAD BAD OK\nOK OK OK\n",
    "source_tags": "OK BAD\nOK\nOK OK OK\n",
    "sentence_scores": "0.5\n1\n0\n",
}


def written(directory, contents):
    for name, content in contents.items():
        (directory / name).write_text(content, encoding="utf-8")
    return {name: str(directory / name) for name in contents}


def training(directory, inputs=TEXT, outputs=LABELS):
    return {"input": written(directory, inputs), "output": written(directory, outputs)}


def test_rows(tmp_path):
    alignments = {"alignments": "0-0\n\n2-0 1-0\n"}
    dataset = WMTQEDataset.read(TrainingConfig.from_dict(training(tmp_path, TEXT | alignments)))
    assert len(dataset) == 3
    assert dataset[1] == {
        "source": "c",
        "target": "y z",
        "alignments": "",
        "target_tags": "OK BAD",
        "gap_tags": "OK BAD OK",
        "source_tags": "OK",
        "sentence_scores": "1",
    }


def test_select(tmp_path):
    part = WMTQEDataset.read(TrainingConfig.from_dict(training(tmp_path))).select([2, 0])
    assert [part[i]["source"] for i in range(len(part))] == ["d e f", "a b"]
    assert [part[i]["sentence_scores"] for i in range(len(part))] == ["0", "0.5"]


def test_a_part_to_predict_on_may_have_labels(tmp_path):
    dataset = WMTQEDataset.read(TestConfig.from_dict(training(tmp_path)))
    assert dataset[2]["sentence_scores"] == "0"
    assert dataset[0]["gap_tags"] == "OK OK"


def test_a_part_without_labels_may_have_empty_segments(tmp_path):
    files = written(tmp_path, {"source": "a\n\nb\n\n", "target": "x\n\ny\n\n"})
    dataset = WMTQEDataset.read(TestConfig.from_dict({"input": files}))
    assert [dataset[i] for i in range(len(dataset))] == [
        {"source": "a", "target": "x"},
        {"source": "", "target": ""},
        {"source": "b", "target": "y"},
        {"source": "", "target": ""},
    ]


@pytest.mark.parametrize(
    ("changes", "file", "place", "found", "expected"),
    [
        ({"target": "x\ny z\n"}, "target", "", "has 2", "one line per segment"),
        ({"source": "a b\n\nd e f\n"}, "source", ", line 2", "an empty source", "at least one word"),
        ({"source": "a b\nc\nd\n\n", "target": "x\ny\nz\n\n"}, "source", ", line 4", "an empty", "at least one word"),
        ({"alignments": "0-0\n0-2\n0-0\n"}, "alignments", ", line 2", "target index 2", "less than 2"),
        ({"alignments": "0-0\n0-0\nx\n"}, "alignments", ", line 3", "'x'", "pairs like 0-0"),
        ({"source_pos": "N\nN\nN N N\n"}, "source_pos", ", line 1", "1 part-of-speech tags", "expected 2"),
        ({"target_pos": "N\nN V\nN V\n"}, "target_pos", ", line 3", "2 part-of-speech tags", "expected 1"),
        ({"target_tags": "OK\nOK OK\nOK OK\n"}, "target_tags", ", line 3", "2 tags", "expected 1"),
        ({"target_tags": "OK\nOK OK OK OK OK\nOK\n"}, "target_tags", ", line 2", "5 tags", "expected 2"),
        ({"source_tags": "OK ?\nOK\nOK OK OK\n"}, "source_tags", ", line 1", "'?'", "OK or BAD"),
        ({"sentence_scores": "0\n1\ninf\n"}, "sentence_scores", ", line 3", "'inf'", "a finite number"),
        ({"sentence_scores": ""}, "sentence_scores", "", "no line", "one segment per line"),
    ],
)
def test_wrong_files_are_refused(tmp_path, changes, file, place, found, expected):
    contents = TEXT | LABELS | changes
    if len(contents["source"].split("\n")) > 4:
        contents |= {name: content + "\n" for name, content in LABELS.items()}
    inputs = {name: content for name, content in contents.items() if name not in LABELS}
    config = training(tmp_path, inputs, {name: contents[name] for name in LABELS})
    with pytest.raises(DataError) as caught:
        WMTQEDataset.read(TrainingConfig.from_dict(config))
    parts = [f"{tmp_path / file}{place}", found, expected]
    assert [part for part in parts if part not in str(caught.value)] == []


def test_one_side_empty_is_refused_without_labels_too(tmp_path):
    files = written(tmp_path, {"source": "a\n\n", "target": "x\ny\n"})
    with pytest.raises(DataError, match="source, line 2: found an empty source"):
        WMTQEDataset.read(TestConfig.from_dict({"input": files}))


def test_configuration_errors_come_together(tmp_path):
    files = written(tmp_path, TEXT)
    options = {
        "train": {"input": {"source": files["source"]}, "ouput": {}},
        "valid": {"input": files | {"alignments": str(tmp_path / "missing")}},
        "test": {"input": files, "outputs": {}},
        "split": 1.0,
        "buffer_size": 0,
    }
    with pytest.raises(ConfigError) as caught:
        WMTQEDataset.Config.from_dict(options)
    message = str(caught.value)
    for part in (
        "6 mistakes",
        "train.input.target: required",
        "train.ouput: unknown key; did you mean 'output'?",
        "valid.input.alignments:",
        str(tmp_path / "missing"),
        "test.outputs: unknown key; did you mean 'output'?",
        "split: Input should be less than 1",
        "buffer_size: Input should be greater than 0",
    ):
        assert part in message


@pytest.mark.parametrize("split", [0.0, 1.0, -0.5, 2])
def test_split_is_a_share(split):
    with pytest.raises(ConfigError, match="split"):
        WMTQEDataset.Config.from_dict({"split": split})


def config(directory, n, **options):
    contents = {name: "".join(f"{name}{i}\n" for i in range(n)) for name in ("source", "target")}
    scores = {"sentence_scores": "".join(f"{i}\n" for i in range(n))}
    return WMTQEDataset.Config.from_dict({"train": training(directory, contents, scores), **options})


def numbers(dataset):
    rows = [dataset[i] for i in range(len(dataset))]
    for row in rows:
        assert row["source"].removeprefix("source") == row["target"].removeprefix("target") == row["sentence_scores"]
    return [int(row["sentence_scores"]) for row in rows]


@pytest.mark.parametrize(("split", "size"), [(0.8, 16), (0.5, 10), (0.07, 1), (0.93, 19)])
def test_split_is_disjoint_and_complete(tmp_path, split, size):
    train, valid = WMTQEDataset.train_and_valid(config(tmp_path, 20, split=split), seed=1)
    assert len(train) == size
    assert sorted(numbers(train) + numbers(valid)) == list(range(20))


def test_split_is_drawn_by_the_seed(tmp_path):
    def drawn(seed):
        return [numbers(part) for part in WMTQEDataset.train_and_valid(config(tmp_path, 40, split=0.5), seed)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert drawn(1) != [list(range(20)), list(range(20, 40))]


@pytest.mark.parametrize(("n", "split"), [(1, 0.5), (3, 0.9), (10, 0.01)])
def test_a_split_that_leaves_a_part_empty_is_refused(tmp_path, n, split):
    with pytest.raises(DataError) as caught:
        WMTQEDataset.train_and_valid(config(tmp_path, n, split=split), seed=1)
    assert f"{tmp_path / 'source'}: found {n} segments" in str(caught.value)
    assert f"data.split={split}" in str(caught.value)


def test_valid_is_read_from_its_own_files(tmp_path):
    (tmp_path / "valid").mkdir()
    options = config(tmp_path, 5, valid=training(tmp_path / "valid"))
    train, valid = WMTQEDataset.train_and_valid(options, seed=1)
    assert numbers(train) == list(range(5))
    assert [valid[i]["source"] for i in range(3)] == ["a b", "c", "d e f"]


def test_build_has_the_arguments_of_openkiwi(tmp_path):
    for name, lines in (("s", "a\nb\nc\nd\n"), ("t", "A\nB\nC\nD\n"), ("h", "0.1\n0.2\n0.3\n0.4\n")):
        (tmp_path / name).write_text(lines, encoding="utf-8")
    files = {"input": {"source": tmp_path / "s", "target": tmp_path / "t"}}
    labelled = {**files, "output": {"sentence_scores": tmp_path / "h"}}
    config = WMTQEDataset.Config.from_dict({"train": labelled, "valid": labelled, "test": files})
    train, test = WMTQEDataset.build(config, train=True, test=True)
    assert (len(train), test[1]["source"]) == (4, "b")
    assert WMTQEDataset.build(config, directory=tmp_path, valid=True)[0]["target"] == "A"
    parts = WMTQEDataset.build(config, train=True, valid=True, split=0.5)
    assert sorted(row["source"] for part in parts for row in (part[0], part[1])) == ["a", "b", "c", "d"]
    with pytest.raises(ConfigError, match=r"data\.valid: required"):
        WMTQEDataset.build(WMTQEDataset.Config.from_dict({"test": files}), valid=True)


SPANS = """rater|seg|starts|ends|severities
a|0|0|1|minor
b|0|-1|-1|no-error
a|1|0|1|major
a|2|1|1|minor
""".replace("|", "\t")

TABLE = """source|target|lp|starts|ends|severities
a b|x|en-de|0|1|minor
c|y z|en-fr|-1|-1|no-error
""".replace("|", "\t")


def test_error_spans_beside_lines(tmp_path):
    options = training(tmp_path)
    (tmp_path / "spans.tsv").write_text(SPANS)
    options["output"] = {"error_spans": str(tmp_path / "spans.tsv")}
    config = WMTQEDataset.Config.from_dict({"train": options, "valid": options, "spans": {"as_scores": True}})
    for dataset in WMTQEDataset.train_and_valid(config, 1):
        assert dataset.columns["error_spans"] == ["0:1:minor|-", "0:1:major", "1:1:minor"]
        assert dataset.columns["sentence_scores"] == ["0.5", "5.0", "1.0"]
    assert config.train is not None
    assert config.has_labels(config.train, "sentence_scores")
    assert not config.has_labels(config.train, "binary")


def test_scores_of_several_raters(tmp_path):
    options = training(tmp_path)
    raters = tmp_path / "raters"
    raters.write_text("70 80 90\n50\n20 40\n")
    options["output"] = {"rater_scores": str(raters)}
    config = WMTQEDataset.Config.from_dict({"train": options, "valid": options})
    dataset, _ = WMTQEDataset.train_and_valid(config, 1)
    assert "rater_scores" not in dataset.columns
    assert dataset.columns["sentence_scores"] == ["80.0", "50.0", "30.0"]
    assert [float(each) for each in dataset.columns["score_deviations"]] == pytest.approx([10, 0, 200**0.5])
    assert config.train is not None
    assert config.has_labels(config.train, "sentence_scores")
    assert config.score_file(config.train) == raters
    options["output"]["sentence_scores"] = str(raters)
    with pytest.raises(ConfigError, match=r"output\.sentence_scores: given, but the mean of output\.rater_scores"):
        WMTQEDataset.Config.from_dict({"train": options, "valid": options})


def table(path):
    path.write_text(TABLE)
    return {"input": {"source": str(path), "target": str(path)}, "output": {"error_spans": str(path)}}


def test_a_table_of_texts_and_error_spans(tmp_path):
    options = table(tmp_path / "data.tsv")
    options["input"]["lp"] = options["input"]["source"]
    part = TrainingConfig.from_dict(options)
    assert part.span_table == tmp_path / "data.tsv"
    assert WMTQEDataset.read(part).columns == {
        "source": ["a b", "c"],
        "target": ["x", "y z"],
        "lp": ["en-de", "en-fr"],
        "error_spans": ["0:1:minor", "-"],
    }


def test_a_table_is_not_mixed_with_other_files(tmp_path):
    (tmp_path / "other").write_text("a\nb\n")
    options = table(tmp_path / "data.tsv")
    options["input"] |= {"target": str(tmp_path / "other"), "alignments": str(tmp_path / "other")}
    with pytest.raises(ConfigError) as caught:
        TrainingConfig.from_dict(options)
    place = tmp_path / "data.tsv"
    assert f"input.target: expected {place}, the table of texts and error spans" in str(caught.value)
    assert f"input.alignments: remove it; {place} has texts and error spans only" in str(caught.value)


def test_scores_come_from_one_place(tmp_path):
    (tmp_path / "scores").write_text("1\n1\n")
    options = table(tmp_path / "data.tsv")
    lines = training(tmp_path) | {"output": {"sentence_scores": str(tmp_path / "scores")}}
    with pytest.raises(ConfigError) as caught:
        WMTQEDataset.Config.from_dict({"train": options, "valid": lines, "spans": {"as_scores": True}})
    expected = "valid.output.sentence_scores: given, but spans.as_scores is true; remove one of the two"
    assert expected in str(caught.value)
    lines["output"] = {}
    with pytest.raises(ConfigError, match=r"valid\.output\.error_spans: required, because spans\.as_scores is true"):
        WMTQEDataset.Config.from_dict({"train": options, "valid": lines, "spans": {"as_scores": True}})
