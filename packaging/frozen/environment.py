"""Runs before a frozen crisp-status: makes the environment what it would be without PyInstaller."""

import os
import ssl
from pathlib import Path

AUTHORITIES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/ca-bundle.pem"),
    Path("/etc/ssl/cert.pem"),
)
"""Where systems keep the certificates of authorities: Debian and its like, Fedora and its like, SUSE, Alpine and Arch."""


def main() -> None:
    """Put each thing right."""
    programs_find_their_own_libraries()
    programs_that_are_crisp_status_unpack_for_themselves()
    systemd_means_this_process()
    authorities_of_this_system()


def programs_find_their_own_libraries() -> None:
    """Scripts and commands that we start would load our libraries instead of the system's."""
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    os.environ.pop("LD_LIBRARY_PATH", None)
    if before is not None:
        os.environ["LD_LIBRARY_PATH"] = before


def programs_that_are_crisp_status_unpack_for_themselves() -> None:
    """`crisp-status report` in a script would use our unpacked files, which go when we end."""
    os.environ["PYINSTALLER_RESET_ENVIRONMENT"] = "1"


def systemd_means_this_process() -> None:
    """One file is two processes: systemd started the other one, and its watchdog is for us."""
    if os.environ.get("WATCHDOG_PID") == str(os.getppid()):
        os.environ["WATCHDOG_PID"] = str(os.getpid())


def authorities_of_this_system() -> None:
    """The OpenSSL that we bring looks where the machine that built us has its authorities."""
    paths = ssl.get_default_verify_paths()
    if os.environ.get(paths.openssl_cafile_env) or os.environ.get(paths.openssl_capath_env):
        return
    folder = Path(paths.openssl_capath)
    if Path(paths.openssl_cafile).exists() or (folder.is_dir() and any(folder.iterdir())):
        return
    found = next((path for path in AUTHORITIES if path.exists()), None)
    if found is not None:
        os.environ[paths.openssl_cafile_env] = str(found)


main()
