"""`[tls]` and what must fit together with it, each mistake with a sentence and its place."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from crisp_status import kinds
from crisp_status.config.certificates import domains
from crisp_status.config.load import load
from crisp_status.config.problems import ConfigError
from crisp_status.tls import keypair
from tests.process import ROOT

HTTPS = 'listen = ["0.0.0.0:80", "0.0.0.0:443"]'


def written(folder, tls="[tls]", server=HTTPS, url="https://status.acme.example/"):
    file = folder / "config.toml"
    file.write_text(f'[page]\nname = "Acme"\nurl = "{url}"\n[server]\n{server}\n{tls}\n')
    return file


def problems(file):
    with pytest.raises(ConfigError) as caught:
        load(file, kinds.rooms(), {})
    return [f"{p.path}: {p.text}" for p in caught.value.problems]


def test_the_domain_is_the_host_of_the_page(tmp_path):
    """Unless others are named; they are compared in lower case and ASCII, and none is there twice."""
    config = load(written(tmp_path), kinds.rooms(), {})
    assert domains(config.tls, config.page.url) == ("status.acme.example",)
    assert config.tls.directories == ("https://acme-v02.api.letsencrypt.org/directory",)

    tls = '[tls]\ndomains = ["Status.Acme.example", "status.acme.example.", "état.example.fr"]\ndirectory = ["zerossl", "https://ca.internal/acme"]\neab_kid = "a"\neab_hmac = "b"'
    config = load(written(tmp_path, tls), kinds.rooms(), {})
    assert domains(config.tls, config.page.url) == ("status.acme.example", "xn--tat-9la.example.fr")
    assert config.tls.directories == ("https://acme.zerossl.com/v2/DV90", "https://ca.internal/acme")


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ('domains = ["https://status.acme.example/"]', "expected a domain alone"),
        ('domains = ["*.acme.example"]', "name each domain"),
        ('domains = ["192.0.2.5"]', "not an address or port"),
        ('domains = ["status.acme.example:443"]', "not an address or port"),
        ('domains = ["status"]', "is not a domain; expected one"),
        ('domains = ["-a.example"]', "is not a domain; expected one"),
        ('directory = "letsencript"', 'did you mean "letsencrypt"?'),
        ('directory = "http://ca.internal/"', "https:// address of an ACME directory"),
        ('directory = ["letsencrypt", "nobody"]', "is not an authority that is known here"),
        ('email = "ops"', "is not an e-mail address"),
        ('challenge = "dns-01"', "expected 'auto', 'http-01' or"),
        ('certificate = "a.pem"', "tls.key: is missing: certificate needs it"),
        ('eab_kid = "a"', "tls.eab_hmac: is missing: eab_kid needs it"),
        ("redirct = true", 'did you mean "redirect"?'),
    ],
)
def test_wrong_keys(tmp_path, tls, said):
    """One sentence, at its place."""
    found = problems(written(tmp_path, f"[tls]\n{tls}"))
    assert len(found) == 1, found
    assert said in found[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tls": ""}, '"0.0.0.0:443" speaks TLS, which needs a [tls] table'),
        ({"server": ""}, "nothing listens for HTTPS"),
        ({"tls": '[metrics]\nlisten = "tls:127.0.0.1:9443"', "server": ""}, "needs a [tls] table"),
        ({"url": "http://status.acme.example/"}, "page.url: with [tls] the page is at https://"),
        ({"url": "https://localhost/"}, "its host cannot have a certificate"),
        ({"server": 'listen = ["tls:unix:/run/x.sock"]'}, "TLS is spoken on addresses with a port"),
        (
            {"server": 'listen = ["tls:0.0.0.0:8443"]', "tls": '[tls]\nchallenge = "http-01"'},
            "http-01 needs plain HTTP",
        ),
    ],
)
def test_what_does_not_fit(tmp_path, change, said):
    """Tables that are right alone and wrong together."""
    assert any(said in text for text in problems(written(tmp_path, **change)))


@pytest.mark.parametrize(
    "case", ["missing", "key of another", "no certificate", "with a passphrase", "ended", "not ours"]
)
def test_own_files_that_cannot_be_used(tmp_path, case):
    """`check` says which file and why, and ends with 2."""
    names = ["www.acme.example"] if case == "not ours" else ["status.acme.example"]
    pair = keypair.self_signed(names, time.time() - (90 * 86400 if case == "ended" else 0))
    other = keypair.self_signed(names, time.time())
    key = (other if case == "key of another" else pair).pem.partition(b"-----BEGIN CERTIFICATE")[0]
    if case == "with a passphrase":
        key = subprocess.run(
            ["openssl", "pkey", "-aes128", "-passout", "pass:secret"], input=key, capture_output=True, check=True
        ).stdout
    if case != "missing":
        (tmp_path / "a.pem").write_bytes(b"hello" if case == "no certificate" else pair.chain)
    (tmp_path / "a.key").write_bytes(key)
    file = written(tmp_path, '[tls]\ncertificate = "a.pem"\nkey = "a.key"')
    said = {
        "missing": f"{tmp_path}/a.pem cannot be read: No such file or directory",
        "key of another": f"{tmp_path}/a.key: the key does not fit the certificate",
        "no certificate": f"{tmp_path}/a.pem: it holds no readable PEM certificate",
        "with a passphrase": f"{tmp_path}/a.key: the key is encrypted; take its passphrase off",
        "ended": "a.pem has ended on ",
        "not ours": "a.pem is not for status.acme.example, only for www.acme.example",
    }[case]

    done = subprocess.run(
        [sys.executable, "-m", "crisp_status", "check", "-c", str(file)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert said in done.stderr
