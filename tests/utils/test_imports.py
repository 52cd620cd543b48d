import importlib

import pytest

from kiwi.exceptions import MissingExtraError
from kiwi.utils.imports import needs_extra


def load(name):
    with needs_extra("train", "kiwi train"):
        return importlib.import_module(name)


def test_a_library_that_is_there_is_imported():
    assert load("json").loads("1") == 1


@pytest.mark.parametrize("name", ["no_such_library", "no_such_library.inner"])
def test_a_missing_library_names_purpose_library_and_extra(name):
    with pytest.raises(MissingExtraError) as caught:
        load(name)
    message = str(caught.value)
    assert message.startswith("kiwi train needs 'no_such_library',")
    assert message.endswith("pip install '.[train]'")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_missing_module_of_kiwi_itself_is_no_missing_extra():
    with pytest.raises(ModuleNotFoundError, match=r"kiwi\.no_such_module"):
        load("kiwi.no_such_module")


def test_an_import_that_fails_otherwise_is_no_missing_extra():
    with pytest.raises(ImportError, match="broken"), needs_extra("train", "kiwi train"):
        raise ImportError("broken")
