"""The files in which translations live: segments are read from them, and scores are written into a copy of them.

Everything but the scores stays as it was. Each family of formats has a module;
:mod:`kiwi.data.documents.formats` lists them.
"""
