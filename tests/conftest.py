"""What all tests share: where real data and tools lie, and the rule about skipping.

* Real files and published suites are not in the repository: ``BYLAG_TEST_DATA`` and ``ODRL_SUITE``
  name their folders, and a test that needs them is skipped, with the reason, where they are unset.
* ``BYLAG_FORBID_SKIPS=1`` turns every skip into a failure: where all is at hand, nothing is left out.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

from connector.policy.rulebook import INSTALL_OPA, OPA_VERSION

# Examples are drawn anew on a developer's machine, and are the same in every run of CI. A busy
# machine is slow, not wrong: no deadline.
hypothesis.settings.register_profile("bylag", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("bylag")

# A shell starts what it runs in the background with interrupts ignored, and children inherit that.
# What the tests start is interrupted as a person's commands are.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with the real files and published vectors that tests read and never copy."""
    return _folder_named_by("BYLAG_TEST_DATA", "the folder of real files and published vectors")


@pytest.fixture(scope="session")
def odrl_suite() -> Path:
    """The SolidLab ODRL Test Suite: its index and cases."""
    return _folder_named_by("ODRL_SUITE", "the folder of the SolidLab ODRL Test Suite")


@pytest.fixture(scope="session")
def opa() -> Path:
    """The ``opa`` of the pinned version, which alone builds the same rulebook byte for byte."""
    found = shutil.which("opa")
    if found is None:
        pytest.skip(f"no opa on PATH; install it by: {INSTALL_OPA}")
    told = subprocess.run([found, "version"], capture_output=True, text=True, check=True, timeout=30).stdout
    if f"Version: {OPA_VERSION}" not in told.splitlines():
        pytest.skip(f"the opa on PATH is not {OPA_VERSION}; install that by: {INSTALL_OPA}")
    return Path(found)


def _folder_named_by(variable: str, what: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.skip(f"{variable} is unset: set it to {what}")
    folder = Path(value)
    if not folder.is_dir():
        pytest.fail(f"{variable} names {value}, which is no folder")
    return folder


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _without_skips((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _without_skips((yield))


def _without_skips(report: Report) -> Report:
    expected_failure = hasattr(report, "wasxfail")
    if report.skipped and not expected_failure and os.environ.get("BYLAG_FORBID_SKIPS") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.outcome = "failed"
        report.longrepr = f"BYLAG_FORBID_SKIPS=1 forbids skipping.\n{reason}"
    return report
