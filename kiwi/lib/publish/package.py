"""The Python package in which a trained system is distributed: ``kiwi publish --package``."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from kiwi.exceptions import ConfigError
from kiwi.systems.manifest.locations import GROUP, MODEL_NAME
from kiwi.utils.io import write_text

PREFIX = "kiwi-qe-"
"""The beginning of a package's name that is not part of the name of its model."""

VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?")
"""The form of versions of Python packages (PEP 440)."""

DEFAULT_VERSION = "0.1.0"
"""The version of packages for which none is given."""

OWN = "kiwi-qe"
"""The name of kiwi's own distribution."""

BUILT = ("build/lib/*", "build/bdist.*/*")
"""What ``pip install`` leaves in the directory of a distribution, beside ``*.egg-info``."""

SYSTEM = "system"
"""The directory of the system within the package."""


@dataclass(frozen=True)
class PackageOptions:
    """The names of a package with a trained system."""

    package: str
    """The name of the distribution, such as ``kiwi-qe-medical``."""

    version: str = DEFAULT_VERSION

    licence: str | None = None
    """The licence as an SPDX expression, such as ``Apache-2.0 AND MIT``."""

    def __post_init__(self) -> None:
        if MODEL_NAME.fullmatch(self.package) is None or not self.package[-1].isalnum():
            raise ConfigError(
                f"--package: found '{self.package}'; expected the name of a Python package: letters, digits, '-', '_' "
                "and '.', such as kiwi-qe-medical."
            )
        taken = {"kiwi", OWN.replace("-", "_"), *sys.stdlib_module_names, *keyword.kwlist}
        if self.module in taken:
            raise ConfigError(
                f"--package: found '{self.package}', which would take the place of the module {self.module}. Choose "
                f"another name, such as {PREFIX}medical."
            )
        try:
            licence = None if self.licence is None else str(canonicalize_license_expression(self.licence))
        except InvalidLicenseExpression as error:
            raise ConfigError(
                f"--license: found '{self.licence}'; a Python package names its licence as an SPDX expression, such as "
                "Apache-2.0, 'Apache-2.0 AND MIT', or LicenseRef-NAME for one that SPDX does not list."
            ) from error
        object.__setattr__(self, "licence", licence)
        if VERSION.fullmatch(self.version) is None:
            raise ConfigError(f"--package-version: found '{self.version}'; expected a version such as 1.0.0.")

    @property
    def model(self) -> str:
        """The name of the model: that of the package, without :data:`PREFIX`."""
        is_prefixed = self.package.lower().startswith(PREFIX)
        return self.package[len(PREFIX) :] if is_prefixed else self.package

    @property
    def module(self) -> str:
        """The name of the importable package."""
        name = re.sub(r"[-_.]+", "_", self.package).lower()
        return f"_{name}" if name[0].isdigit() else name

    def system_directory(self, directory: Path) -> Path:
        """Return the directory of the system within the directory of the distribution."""
        return directory / self.module / SYSTEM

    @property
    def files(self) -> list[str]:
        """Patterns of the files of a distribution beside those of its system, and of what ``pip`` leaves there."""
        return [
            "README.md",
            "pyproject.toml",
            f"{self.module}/__init__.py",
            f"{self.module}/__pycache__/*",
            *BUILT,
            f"{self.module}.egg-info/*",
        ]

    def write(self, directory: Path) -> None:
        """Write what makes a directory with a system and a ``README.md`` a Python distribution.

        Args:
            directory: the directory of the distribution.
        """
        write_text(
            directory / self.module / "__init__.py",
            f'"""The model {self.model} of kiwi, for quality estimation of machine translation."""\n\n'
            "from pathlib import Path\n\n"
            f'SYSTEM = Path(__file__).parent / "{SYSTEM}"\n',
        )
        licence_line = [f'license = "{self.licence}"'] if self.licence else []
        lines = [
            "[build-system]",
            'requires = ["setuptools>=77"]',
            'build-backend = "setuptools.build_meta"',
            "",
            "[project]",
            f'name = "{self.package}"',
            f'version = "{self.version}"',
            f'description = "The model {self.model} of kiwi, for quality estimation of machine translation"',
            'readme = "README.md"',
            *licence_line,
            'requires-python = ">=3.11"',
            'dependencies = ["kiwi-qe"]',
            "",
            f'[project.entry-points."{GROUP}"]',
            f'"{self.model}" = "{self.module}:SYSTEM"',
            "",
            # Directories of data are packages, too, for setuptools.
            "[tool.setuptools.packages.find]",
            f'include = ["{self.module}", "{self.module}.*"]',
            "",
            "[tool.setuptools.package-data]",
            '"*" = ["*"]',
        ]
        write_text(directory / "pyproject.toml", "\n".join(lines) + "\n")
