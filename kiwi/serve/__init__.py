"""``kiwi serve``: a server that scores segments and files of translations over HTTP."""
