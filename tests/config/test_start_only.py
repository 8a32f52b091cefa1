"""Keys that only a start can follow: marked once, on their models."""

from __future__ import annotations

from crisp_status.config.strict import start_only_changes
from tests import house


def test_changes_are_found_by_their_marks(config) -> None:
    """Each marked key by its name; of [tls] only whether it is there; what a reload follows is not named."""
    old = config('[server]\nlisten = ["127.0.0.1:1"]\n')
    new = config(
        '[server]\nlisten = ["127.0.0.1:2", "127.0.0.1:443"]\nstate = "x"\ntrusted_proxies = []\nwatch = true\n'
        'manager_token = "a-long-manager-token"\nreporter_token = "a-long-reporter-token"\n'
        "[script]\nparallel = 3\ninterval = 7\n[metrics]\nenabled = true\n[tls]\n[poll]\ninterval = 5\n"
    )
    expected = ["server.listen", "server.state", "server.trusted_proxies", "server.manager_token"]

    assert set(start_only_changes(old, new)) == {*expected, "script.parallel", "metrics", "tls"}
    assert start_only_changes(new, new) == []
    other = config('[server]\nlisten = ["127.0.0.1:443"]\n[tls]\nhsts = true\n')
    assert start_only_changes(config('[server]\nlisten = ["127.0.0.1:443"]\n[tls]\n'), other) == []


def test_the_documentation_names_them() -> None:
    """Who reads how to reload learns which keys wait for the next start."""
    text = house.texts()["docs/operating.md"]

    for name in ("listen", "state", "trusted_proxies", "manager_token", "[metrics]", "script.parallel", "[tls]"):
        assert f"`{name}`" in text, name
