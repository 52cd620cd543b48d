import subprocess
import sys
from pathlib import Path

import pytest
import sacrebleu

import kiwi
from kiwi.data.datasets.parts import TrainingConfig
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.data.labels.edits import INSERTED, SUBSTITUTED, edit_path
from kiwi.data.readers import parse_alignment
from kiwi.lib.corpus.tokenizers import Tokenizer

ROOT = Path(__file__).parents[1]
SAMPLE = Path(kiwi.__file__).parent / "assets" / "sample"
COUNTS = {"train": 320, "valid": 60, "test": 60}
SUFFIXES = ["src", "mt", "pe", "hter", "tags", "target_tags", "source_tags", "alignments"]


def lines(split, suffix):
    return (SAMPLE / f"{split}.{suffix}").read_text(encoding="utf-8").removesuffix("\n").split("\n")


def edits(mt, pe):
    row = list(range(len(pe) + 1))
    for i, word in enumerate(mt, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(pe, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


@pytest.mark.parametrize(
    ("mt", "pe", "expected"), [("a b c", "a c", 1), ("a b", "b a", 2), ("", "a", 1), ("a", "a", 0)]
)
def test_edits(mt, pe, expected):
    assert edits(mt.split(), pe.split()) == expected


@pytest.mark.parametrize("split", COUNTS)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_counts(split, suffix):
    assert len(lines(split, suffix)) == COUNTS[split]


def test_every_file_is_one_that_the_readme_lists():
    names = {path.name for path in SAMPLE.iterdir()}
    raw = {f"raw.{suffix}" for suffix in ("src", "mt", "pe")}
    assert names == {"README.md"} | raw | {f"{split}.{suffix}" for split in COUNTS for suffix in SUFFIXES}


@pytest.mark.parametrize(("suffix", "language"), [("src", "en"), ("mt", "de"), ("pe", "de")])
def test_raw_text_is_tokenized_into_the_same_words(suffix, language):
    tokenize = Tokenizer("moses", language).load()
    tokenized = [line for split in COUNTS for line in lines(split, suffix)]
    found = [" ".join(tokenize(line)) for line in lines("raw", suffix)]
    assert [line for line, own in zip(tokenized, found, strict=True) if line != own and "o'clock" not in line] == []


def test_the_sample_is_large_and_mixed_enough():
    scores = [float(line) for split in COUNTS for line in lines(split, "hter")]
    assert len(scores) >= 300
    assert len(scores) / 3 <= scores.count(0.0) <= len(scores) / 2
    assert max(scores) <= 1.0
    assert len(set(scores)) > 20


def test_no_source_stands_twice():
    sources = [line for split in COUNTS for line in lines(split, "src")]
    assert len(sources) == len(set(sources))


@pytest.mark.parametrize("split", COUNTS)
def test_tokens_are_separated_by_one_space(split):
    for suffix in SUFFIXES:
        for line in lines(split, suffix):
            assert line == " ".join(line.split())


@pytest.mark.parametrize("split", COUNTS)
def test_hter(split):
    ter = sacrebleu.metrics.TER()
    for mt, pe, hter in zip(*(lines(split, suffix) for suffix in ("mt", "pe", "hter")), strict=True):
        assert float(hter) == pytest.approx(min(1.0, ter.sentence_score(mt, [pe]).score / 100), abs=1e-6)


@pytest.mark.parametrize("split", COUNTS)
def test_tags(split):
    columns = [lines(split, suffix) for suffix in ("src", "mt", "pe", "tags", "target_tags", "source_tags")]
    for src, mt, pe, both, target, source in zip(*columns, strict=True):
        tags = both.split()
        assert {*tags, *source.split()} <= {"OK", "BAD"}
        assert tags[1::2] == target.split()
        assert len(tags) == 2 * len(mt.split()) + 1
        assert len(source.split()) == len(src.split())
        assert ("BAD" in tags) == (mt != pe)
        # Every BAD word is one edit; a BAD gap stands for one or more.
        assert tags.count("BAD") <= edits(mt.split(), pe.split())
        assert tags[1::2].count("OK") <= len(pe.split())


@pytest.mark.parametrize("split", COUNTS)
def test_source_tags_follow_the_alignments(split):
    columns = [lines(split, suffix) for suffix in ("mt", "pe", "source_tags", "alignments")]
    for mt, pe, source, alignment in zip(*columns, strict=True):
        pairs = parse_alignment(alignment)
        assert pairs == sorted(set(pairs))
        steps = [step for step in edit_path(mt.split(), pe.split()) if step != INSERTED]
        for index, tag in enumerate(source.split()):
            aligned = [steps[j] for i, j in pairs if i == index]
            if aligned:
                assert tag == ("BAD" if SUBSTITUTED in aligned else "OK")


@pytest.mark.parametrize("split", COUNTS)
@pytest.mark.parametrize("tags", ["tags", "target_tags"])
def test_kiwi_reads_it(split, tags):
    def files(**suffixes):
        return {field: str(SAMPLE / f"{split}.{suffix}") for field, suffix in suffixes.items()}

    part = {
        "input": files(source="src", target="mt", post_edit="pe", alignments="alignments"),
        "output": files(target_tags=tags, source_tags="source_tags", sentence_scores="hter"),
    }
    dataset = WMTQEDataset.read(TrainingConfig.from_dict(part))
    assert len(dataset) == COUNTS[split]
    assert dataset.columns["target_tags"] == lines(split, "target_tags")
    assert ("gap_tags" in dataset.columns) == (tags == "tags")


def test_the_build_writes_what_is_there():
    command = [sys.executable, str(ROOT / "tools" / "sample" / "build.py"), "--check"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    counts = {row.split("|")[1].strip(): row.split("|")[2].strip() for row in done.stdout.splitlines()}
    assert {split: counts[split] for split in COUNTS} == {split: str(n) for split, n in COUNTS.items()}
