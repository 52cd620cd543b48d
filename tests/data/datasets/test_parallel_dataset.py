import numpy as np
import pytest

from kiwi.data.datasets.parallel_dataset import ParallelDataset, PartConfig
from kiwi.data.sampling import ShuffledBatches, longest_first
from kiwi.exceptions import ConfigError, DataError


@pytest.fixture
def part(tmp_path):
    (tmp_path / "source").write_text("".join(f"s{i} {'x ' * (i % 7)}\n" for i in range(50)), encoding="utf-8")
    (tmp_path / "target").write_text("".join(f"t{i}\n" for i in range(50)), encoding="utf-8")
    return {"input": {"source": str(tmp_path / "source"), "target": str(tmp_path / "target")}}


def test_rows_belong_together(part):
    dataset = ParallelDataset.read(PartConfig.from_dict(part))
    assert len(dataset) == 50
    assert dataset[3] == {"source": "s3 x x x ", "target": "t3"}
    assert [row["target"] for row in dataset] == [f"t{i}" for i in range(50)]


def test_lengths_are_looked_up(part):
    lengths = ParallelDataset.read(PartConfig.from_dict(part)).lengths
    assert lengths[np.array([3, 0])].tolist() == [10 + 3, 4 + 3]
    batches = list(ShuffledBatches(lengths, 4, buffer_size=20))
    assert sorted(i for batch in batches for i in batch) == list(range(50))
    sizes = lengths[np.arange(50)].tolist()
    assert longest_first(sizes, 4)[0][0] == sizes.index(max(sizes))


def test_a_split_is_seeded_and_complete(part):
    config = ParallelDataset.Config.from_dict({"train": part, "split": 0.8})
    train, valid = ParallelDataset.train_and_valid(config, 1)
    again, _ = ParallelDataset.train_and_valid(config, 1)
    other, _ = ParallelDataset.train_and_valid(config, 2)
    names = [[row["target"] for row in dataset] for dataset in (train, valid, again, other)]
    assert sorted(names[0] + names[1]) == sorted(f"t{i}" for i in range(50))
    assert len(names[0]) == 40
    assert names[0] == names[2] != names[3]
    assert all(row["source"].split()[0][1:] == row["target"][1:] for row in valid)
    assert train.lengths[np.array([0])].tolist() == [len(train[0]["source"]) + len(train[0]["target"]) + 2]


def test_a_split_leaves_nothing_empty(part):
    config = ParallelDataset.Config.from_dict({"train": part, "split": 0.999})
    with pytest.raises(DataError, match="found 50 segments; expected enough"):
        ParallelDataset.train_and_valid(config, 1)


def test_files_of_different_length_are_refused(part, tmp_path):
    (tmp_path / "target").write_text("t\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"Files of different length: .*source has 50, .*target has 1 lines"):
        ParallelDataset.read(PartConfig.from_dict(part))


def test_other_keys_are_refused(part):
    with pytest.raises(ConfigError, match=r"train\.outputs: unknown key"):
        ParallelDataset.Config.from_dict({"train": part | {"outputs": {}}})


def test_files_of_quality_estimation_data_are_not_read(part):
    more = {"alignments": "not there", "post_edit": "nor there", "source_pos": None, "target_pos": None}
    labels = {"target_tags": "x", "source_tags": "y", "sentence_scores": "z"}
    config = ParallelDataset.Config.from_dict({"train": {"input": part["input"] | more, "output": labels}})
    assert config == ParallelDataset.Config.from_dict({"train": part})
    with pytest.raises(ConfigError, match=r"train\.output.*unknown key"):
        ParallelDataset.Config.from_dict({"train": part | {"output": labels | {"target_tag": "x"}}})
