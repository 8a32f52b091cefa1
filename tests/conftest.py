"""What all tests share: a skip is a failure where nothing may be skipped, and the browser of this machine."""

import os
import shutil

import pytest

from crisp_status import log

NOBODY = 65534

NO_SKIP = os.environ.get("CRISP_STATUS_NO_SKIP") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With CRISP_STATUS_NO_SKIP=1 (CI) a skipped test is a failed one: what is missing must be installed."""
    report = yield
    if NO_SKIP and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CRISP_STATUS_NO_SKIP=1 forbids: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """The same for a module that skips itself as a whole."""
    report = yield
    if NO_SKIP and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped, which CRISP_STATUS_NO_SKIP=1 forbids: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _quiet_logs():
    """Logs as JSON on the stderr of the running test: shown when it fails. Secrets of other tests are none here."""
    log.redactor.forget()
    log.configure(level="debug", style="json")


@pytest.fixture
def unprivileged(tmp_path):
    """Be nobody for one test when we are root, who may read everything: a refusal of the system can be tested anywhere."""
    if os.geteuid() != 0:
        yield
        return
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o011)
    os.seteuid(NOBODY)
    yield
    os.seteuid(0)


@pytest.fixture(scope="session")
def chromium():
    """The path of the system's Chromium, for Playwright's `executable_path` (with `--no-sandbox`)."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on this machine: apt install chromium")
    return found
