"""certs/make-certs.sh makes what certs/README.md says, and never harms what is there."""

import os
import pathlib
import stat
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOST = "orders.apps.example.com"
FILES = {f"{role}/{name}" for role in ("server", "client") for name in ("tls.crt", "tls.key", "ca.crt")}
FILES |= {"ca.crt", "ca.key", ".gitignore"}


def make(*args, **environment):
    return subprocess.run(["sh", str(ROOT / "certs" / "make-certs.sh"), *map(str, args)], capture_output=True,
                          text=True, timeout=60, check=False, env={**os.environ, **environment})


def openssl(*args):
    return subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True, timeout=60, check=False)


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def made(tmp_path):
    folder = tmp_path / "a folder"
    result = make(HOST, folder)
    assert result.returncode == 0, result.stderr
    return folder


def test_makes_a_ca_and_a_certificate_for_each_end(made):
    assert set(contents(made)) == FILES
    for role, purpose in (("server", "sslserver"), ("client", "sslclient")):
        leaf = made / role / "tls.crt"
        verified = openssl("verify", "-x509_strict", "-purpose", purpose, "-CAfile", made / role / "ca.crt", leaf)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        other = "sslclient" if role == "server" else "sslserver"
        assert openssl("verify", "-purpose", other, "-CAfile", made / "ca.crt", leaf).returncode != 0
        public = openssl("pkey", "-in", made / role / "tls.key", "-pubout").stdout
        assert public and public == openssl("x509", "-in", leaf, "-noout", "-pubkey").stdout


def test_the_names_are_those_that_were_asked_for(tmp_path):
    assert make(HOST, tmp_path, CLIENT_NAME="billing-host", DAYS="30").returncode == 0
    for role, name in (("server", HOST), ("client", "billing-host")):
        leaf = tmp_path / role / "tls.crt"
        assert "does match" in openssl("x509", "-in", leaf, "-noout", "-checkhost", name).stdout
        assert openssl("x509", "-in", leaf, "-noout", "-checkend", 29 * 86400).returncode == 0
        assert openssl("x509", "-in", leaf, "-noout", "-checkend", 31 * 86400).returncode != 0


def test_a_host_longer_than_a_common_name_may_be(tmp_path):
    host = ".".join(["a" * 60] * 4)
    assert make(host, tmp_path).returncode == 0
    named = openssl("x509", "-in", tmp_path / "server" / "tls.crt", "-noout", "-checkhost", host)
    assert "does match" in named.stdout


def test_keys_are_for_their_owner_alone(made):
    for path in made.rglob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for path in made.rglob("*.crt"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o644, path


def test_a_second_run_changes_nothing(made):
    before = contents(made)
    result = make(HOST, made)
    assert result.returncode == 0
    assert contents(made) == before
    assert "made" not in result.stdout


def test_what_is_missing_is_made_by_the_same_ca(made):
    before = contents(made)
    (made / "client").rename(made / "old")
    assert make(HOST, made).returncode == 0
    after = contents(made)
    assert after["ca.crt"] == after["client/ca.crt"] == before["ca.crt"]
    assert after["server/tls.crt"] == before["server/tls.crt"]
    assert after["client/tls.crt"] != before["client/tls.crt"]


@pytest.mark.parametrize("missing", ["ca.key", "ca.crt", "server/tls.key"])
def test_what_is_half_there_is_left_and_told(made, missing):
    (made / missing).unlink()
    before = contents(made)
    result = make(HOST, made)
    assert result.returncode == 1
    assert pathlib.Path(missing).name in result.stderr
    assert contents(made) == before


def test_a_certificate_for_another_host_is_left_and_told(made):
    before = contents(made)
    result = make("other.apps.example.com", made)
    assert result.returncode == 1
    assert "does not name other.apps.example.com" in result.stderr
    assert contents(made) == before


@pytest.mark.parametrize("host", [
    "", "Orders.apps.example.com", "*.apps.example.com", "a..b", ".a", "a.", "-a.b", "a-.b", "a b", "192.0.2.1",
    "https://a.b", "a.b:443", "a\nb", "a;b", "$(id)", "a" * 64 + ".b", ".".join(["a" * 60] * 5),
])
def test_a_host_that_no_route_can_have_is_refused(tmp_path, host):
    result = make(host, tmp_path / "out")
    assert result.returncode == 1
    assert result.stderr.startswith("make-certs: the route's host")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("environment", [{"DAYS": "0"}, {"DAYS": "x"}, {"DAYS": "3650"}, {"CLIENT_NAME": "a,DNS:b"}])
def test_bad_wishes_are_refused(tmp_path, environment):
    result = make(HOST, tmp_path / "out", **environment)
    assert result.returncode == 1
    assert next(iter(environment)) in result.stderr
    assert not (tmp_path / "out").exists()


def test_without_a_host_the_usage_is_told(tmp_path):
    result = make()
    assert result.returncode == 2
    assert "usage" in result.stderr
