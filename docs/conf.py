"""How the site is built: `make docs`."""

import kiwi

project = "kiwi"
author = "The kiwi developers"
release = kiwi.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"kiwi {release}"
myst_enable_extensions = ["colon_fence"]
autodoc_default_options = {"members": True, "member-order": "bysource", "exclude-members": "model_config"}
autodoc_typehints = "description"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
nitpicky = False
