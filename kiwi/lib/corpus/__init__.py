"""Corpora for training, from source, translation and post-edit: ``kiwi corpus``."""

from kiwi.lib.corpus.options import CorpusOptions as CorpusOptions, Input as Input
from kiwi.lib.corpus.pipeline import CorpusInfo as CorpusInfo, make_corpus as make_corpus
