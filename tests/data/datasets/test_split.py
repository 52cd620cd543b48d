import pytest

from kiwi.data.datasets.parallel_dataset import ParallelDataset
from kiwi.data.datasets.wmt_qe_dataset import WMTQEDataset
from kiwi.data.languages import is_same_language
from kiwi.exceptions import ConfigError

CONFIGS = pytest.mark.parametrize("config", [WMTQEDataset.Config, ParallelDataset.Config])


@CONFIGS
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ((), ())),
        ({"source_language": "en"}, (("en",), ())),
        ({"source_language": "en", "target_language": ["de", "zh-Hant"]}, (("en",), ("de", "zh-Hant"))),
        ({"target_language": "sr-Latn-RS"}, ((), ("sr-Latn-RS",))),
        ({"target_language": "es-419"}, ((), ("es-419",))),
        ({"target_language": "sl-rozaj-x-own"}, ((), ("sl-rozaj-x-own",))),
        ({"target_language": "gsw"}, ((), ("gsw",))),
    ],
)
def test_languages(config, options, expected):
    assert config.from_dict(options).languages == expected


@CONFIGS
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("pt_BR", "did you mean 'pt-BR'?"),
        ("English", "expected a BCP 47 tag"),
        ("", "expected a BCP 47 tag"),
        (["en", "e"], "found 'e'; expected a BCP 47 tag"),
        ([], "at least 1 item"),
        (3, "data.source_language"),
    ],
)
def test_what_is_no_language(config, value, message):
    with pytest.raises(ConfigError) as caught:
        config.from_dict({"source_language": value}, place="data")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("en", "en", True),
        ("en-GB", "en-US", True),
        ("EN", "en", True),
        ("en", "eng", True),
        ("en", "enm", False),
        ("zh-Hant", "zh", True),
    ],
)
def test_same_language(one, other, same):
    assert is_same_language(one, other) == same
