"""Other status pages beside ours: they are told the same as we, and a wrong one is refused in plain words."""

import tomllib

import pytest

from benchmarks import configs, peers, programs
from benchmarks.programs import REPLICAS, PeerError, Program

AT = configs.address(8080)


def script(path, text):
    """A program of one line."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("program", [programs.vigil, programs.gatus, programs.uptime_kuma])
def test_a_wrong_path_is_refused(program, tmp_path):
    """A place where nothing is, before anything is started."""
    with pytest.raises(PeerError, match=str(tmp_path / "nothing")):
        program(str(tmp_path / "nothing"), tmp_path, AT)


def test_vigil_needs_its_assets(tmp_path):
    """They do not come with the program alone."""
    with pytest.raises(PeerError, match="res/assets"):
        programs.vigil(script(tmp_path / "vigil", "echo"), tmp_path, AT)


def test_what_is_no_program_is_refused(tmp_path):
    """A file that may be executed and cannot be."""
    (tmp_path / "res/assets").mkdir(parents=True)
    (tmp_path / "vigil").write_bytes(b"no program")
    (tmp_path / "vigil").chmod(0o755)

    with pytest.raises(PeerError, match=r"--vigil .* does not tell its version: .*Exec format error"):
        programs.vigil(str(tmp_path / "vigil"), tmp_path, AT)


def test_all_look_at_the_same_replicas(tmp_path):
    """Each of 90 addresses stands once in what Vigil and Gatus are told."""
    (tmp_path / "res/assets").mkdir(parents=True)
    vigil = programs.vigil(script(tmp_path / "vigil", "echo vigil 1.2.3"), tmp_path, AT)
    gatus = programs.gatus(script(tmp_path / "gatus", "true"), tmp_path, AT)
    told = tomllib.loads((tmp_path / "vigil.cfg").read_text())
    urls = [url for node in told["probe"]["service"][0]["node"] for url in node["replicas"]]
    lines = (tmp_path / "gatus.yaml").read_text().splitlines()

    assert len(set(urls)) == REPLICAS
    assert urls == [line.partition("url: ")[2] for line in lines if "url: " in line]
    assert (vigil.version, gatus.version) == ("1.2.3", "")


def test_the_last_words_of_a_program_are_told():
    """Whatever it said before it ended stands in the error."""
    program = Program("Other", "", ["/bin/sh", "-c", "echo what is -c; exit 3"], configs.free_port(), "/", lambda: 0)

    last = r"Other .* ended with 3 and did not serve its page\nwhat is -c"
    with pytest.raises(PeerError, match=last), peers._running(program, "/"):
        pass


def test_scripts_of_a_shell_are_found():
    """Those that a browser of today fetches from the same server."""
    page = (
        '<script>1</script><script type="module" crossorigin src="/a.js"></script><script defer="defer" src="/b.js">'
        '</script><script nomodule crossorigin src="/old.js"></script><script src="https://else.example/c.js"></script>'
    )

    assert peers.SCRIPT.findall(page) == ["/a.js", "/b.js"]
