"""Words that negate, by language."""

from __future__ import annotations

NEGATIONS: dict[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "cs": "ne není nikdy bez",
        "da": "ikke ingen aldrig",
        "de": "nicht kein keine keinen keinem keiner nie niemals ohne",
        "en": "not no never cannot without don't doesn't didn't isn't wasn't won't can't",
        "es": "no nunca sin",
        "et": "ei mitte pole ära",
        "fi": "ei en et emme ette eivät ilman",
        "fr": "pas jamais sans aucun aucune",
        "hi": "नहीं न मत बिना",
        "it": "non mai senza",
        "ja": "ない ません なかっ ず",
        "ko": "안 못 않",
        "nb": "ikke ingen aldri",
        "ne": "छैन छैनन् होइन बिना",
        "nl": "niet geen nooit zonder",
        "pl": "nie nigdy bez",
        "pt": "não nunca sem",
        "ro": "nu niciodată fără",
        "ru": "не нет ни никогда без нельзя",
        "si": "නැත නොවේ නෑ",
        "sv": "inte ingen aldrig utan",
        "tr": "değil yok",
        "uk": "не ні ніколи без",
        "zh": "不 没 沒 没有 未 非 无",
    }.items()
}
"""Words whose loss reverses the meaning of a sentence, by language."""
