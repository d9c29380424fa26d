"""Further processes of this package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from git_agent_session import own_process


@pytest.mark.parametrize("flag", ["-P", "-E", "-s", "-I"])
def test_a_helper_is_as_isolated_as_its_parent(flag: str) -> None:
    packages = str(Path(own_process.__file__).parent.parent)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from git_agent_session import own_process;"
        "print(*own_process.argv('sys', 'exit'), sep='\\n')"
    )
    said = subprocess.run([sys.executable, flag, "-c", code, packages], capture_output=True, text=True, check=True)
    flags = said.stdout.splitlines()[1:-2]
    assert flag in flags[: flags.index("-c")]
