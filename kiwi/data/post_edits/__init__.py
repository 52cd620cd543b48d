"""Post-edited translations, and the machine translations they were made from, in the files of translators."""
