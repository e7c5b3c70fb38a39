"""What the two programs say to whoever calls them by hand."""

import re
import subprocess

import pytest

from harness import pairs
from harness.certificates import HOST, openssl
from harness.pairs import parse_line, write_ini


OWN = {"client": "yes", "server": "no"}


@pytest.fixture(params=["client", "server"])
def role(request):
    return request.param


@pytest.fixture
def call(role):
    def call(*words):
        return subprocess.run(
            [pairs.routeport(role), *map(str, words)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )

    return call


@pytest.fixture
def good_file(role, place):
    options = {"client": pairs.client_options, "server": pairs.server_options}[role](place, 6379)
    return write_ini(place.folder / "good.ini", {}, {"accept": "127.0.0.1:1", **options})


def test_version_names_the_libraries(call, role):
    result = call("--version")
    assert result.returncode == 0
    for word in (f"routeport-{role}", "OpenSSL", "nghttp2", "libev", "c-ares", "inih"):
        assert word in result.stdout
    assert result.stderr == ""


def test_help_names_every_way_to_call(call):
    result = call("--help")
    assert result.returncode == 0
    for word in ("--check", "--options", "--help", "--version"):
        assert word in result.stdout


def test_options_are_all_there(call):
    result = call("--options")
    assert result.returncode == 0
    for name in ("accept", "connect", "cert", "CAfile", "verifyChain", "TIMEOUTidle", "TIMEOUTdrain", "workers"):
        assert name in result.stdout


def test_check_of_a_good_file(call, good_file):
    result = call("--check", good_file)
    assert result.returncode == 0, result.stderr


def test_check_binds_nothing_and_looks_up_nothing(call, role, place):
    """The port is privileged, or not of this machine, and the name does not exist."""
    options = {"client": pairs.client_options, "server": pairs.server_options}[role](place, 6379)
    options |= {"accept": "192.0.2.1:443", "connect": "nowhere.invalid:443"}
    assert call("--check", write_ini(place.folder / "good.ini", {}, options)).returncode == 0


def expect_error(result, *words):
    assert result.returncode == 2
    assert result.stdout == ""
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize(
    "words, why",
    [
        ([], "the FILE is missing"),
        (["one", "two"], "what is two?"),
        (["--no-such-option"], "there is no --no-such-option"),
        (["--no-such-option", "x"], "there is no --no-such-option"),
        (["--version", "x"], "what is x?"),
        (["--check"], "what --check is about is missing"),
        (["--check", "one", "two"], "what is two?"),
    ],
)
def test_wrong_call_says_what_is_wrong_and_how_to_call(call, role, words, why):
    result = call(*words)
    expect_error(result, "--help")
    assert result.stderr.splitlines()[0].startswith(f"routeport-{role}: ")
    assert why in result.stderr.splitlines()[0]


@pytest.mark.parametrize("check", [[], ["--check"]], ids=["run", "check"])
def test_file_that_is_not_there(call, place, check):
    expect_error(call(*check, place.folder / "nowhere.ini"), "nowhere.ini", "No such file")


@pytest.mark.parametrize("check", [[], ["--check"]], ids=["run", "check"])
@pytest.mark.parametrize(
    "line, why",
    [
        ("conect = 1.2.3.4:5", "connect"),  # the nearest option is named
        ("exec = /bin/sh", "exec"),
        ("verifyChain = maybe", "yes"),
        ("TIMEOUTidle = -1", "TIMEOUTidle"),
        ("no equals sign", "="),
    ],
)
def test_wrong_line_is_named_with_file_and_number(call, good_file, check, line, why):
    text = good_file.read_text(encoding="utf-8") + line + "\n"
    good_file.write_text(text, encoding="utf-8")
    number = len(text.splitlines())
    result = call(*check, good_file)
    if not check:
        assert f'{good_file}:{number}: "{line}": ' in parse_line(result.stderr)["detail"]
    expect_error(result, f"{good_file}:{number}: ", line, why)


@pytest.mark.parametrize("form", ["binary", "utf-16", "utf-16-le", "utf-16-be"])
def test_file_of_another_form_is_told_in_one_line(call, good_file, role, form):
    if form == "binary":
        good_file.write_bytes(pairs.routeport(role).read_bytes())
    else:
        good_file.write_bytes(good_file.read_text(encoding="utf-8").encode(form))
    result = call("--check", good_file)
    expect_error(result, f"{good_file}: the file is ", "binary" if form == "binary" else "UTF-16")
    assert len(result.stderr.splitlines()) == 1


def test_file_without_a_service_of_this_role(call, good_file, role):
    other = {"client": "no", "server": "yes"}[role]
    good_file.write_text(f"client = {other}\n" + good_file.read_text(encoding="utf-8"), encoding="utf-8")
    expect_error(call("--check", good_file), str(good_file))


def test_server_that_would_let_anyone_in_does_not_start(place):
    options = pairs.server_options(place, 6379) | {"accept": "127.0.0.1:1", "CAfile": None}
    path = write_ini(place.folder / "open.ini", {}, options)
    result = subprocess.run(
        [pairs.routeport("server"), "--check", path], capture_output=True, text=True, timeout=10, check=False
    )
    expect_error(result, "CAfile")


def faults(result):
    """What is wrong, without what is only worth a note."""
    return [line for line in result.stderr.splitlines() if not line.startswith("note: ")]


def test_check_tells_all_that_is_wrong_and_running_the_first(place, call, role):
    other = {"client": "no", "server": "yes"}[role]
    path = place.folder / "wrong.ini"
    path.write_text(
        f"conect = 1\n[one]\naccept = 127.0.0.1:1\nconnect = 2\ncert = /nowhere/a.crt\nCAfile = /nowhere/ca.crt\n"
        f"[two]\nno equals sign\nverifyChain = maybe\n[three]\nclient = {other}\nexec = sh\n"
    )
    checked = call("--check", path)
    expect_error(checked, "/nowhere/a.crt")
    numbers = [int(number) for number in re.findall(rf"^{path}:(\d+): ", checked.stderr, re.MULTILINE)]
    # [two] lacks accept, and in the server a certificate too.
    assert numbers == [1, 5, 6, *([7] if role == "client" else [7, 7]), 8, 9, 12], checked.stderr
    ran = call(path)
    expect_error(ran, f"{path}:8: ")
    assert f"{path}:1: " not in ran.stderr and f"{path}:9: " not in ran.stderr


def test_check_tells_each_file_and_list_that_is_wrong_and_each_once(place, call, role):
    options = {"client": pairs.client_options, "server": pairs.server_options}[role](place, 6379)
    wrong = {
        "cert": "/nowhere/cert",
        "key": "/nowhere/key",
        "CAfile": "/nowhere/ca",
        "CRLfile": "/nowhere/crl",
        "ciphers": "FOO",
        "curves": "bar",
        "ciphersuites": "BAZ",
        "options": "NO_X",
        "config": "Fantasy:1",
    }
    path = write_ini(place.folder / "wrong.ini", {}, {"accept": "127.0.0.1:1", "verifyChain": "yes", **options, **wrong})
    path.write_text(path.read_text(encoding="utf-8") + "options = NO_Y\n", encoding="utf-8")
    result = call("--check", path)
    expect_error(result, *(f"{name} {value}: No such file" for name, value in wrong.items() if "nowhere" in value))
    expect_error(result, *(f"{name} = {value}" for name, value in wrong.items() if "nowhere" not in value), "options = NO_Y", f'{len(path.read_text(encoding="utf-8").splitlines())}: "options = NO_Y": ')
    assert len(faults(result)) == len(wrong) + 1, result.stderr


def test_check_tells_a_wrong_file_once_at_its_own_line(place, call, role):
    """Those of sections with another fault too, and what holds for all sections once."""
    options = {"client": pairs.client_options, "server": pairs.server_options}[role](place, 6379)
    parts = place.folder / "conf.d"
    parts.mkdir()
    write_ini(parts / "one.ini", {}, {"accept": "127.0.0.1:1", **options, "cert": "/nowhere/cert", "key": "/nowhere/key"})
    path = place.folder / "wrong.ini"
    path.write_text(
        f"CRLfile = /nowhere/crl\nverifyChain = yes\n[two]\naccept = 127.0.0.1:2\nconnect = db:3\nCAfile = /nowhere/ca\n"
        f"cert = {options['cert']}\nkey = /nowhere/key2\nfailover = maybe\ninclude = {parts}\n"
    )
    lines = (parts / "one.ini").read_text(encoding="utf-8").splitlines()
    own = {f"{option} = /nowhere/{option}": lines.index(f"{option} = /nowhere/{option}") + 1 for option in ("cert", "key")}
    told = faults(call("--check", path))
    expected = [
        f'{path}:1: "CRLfile = /nowhere/crl": ',
        f'{path}:6: "CAfile = /nowhere/ca": ',
        f'{path}:8: "key = /nowhere/key2": ',
        f'{path}:9: "failover = maybe": ',
        *(f'{parts}/one.ini:{number}: "{line}": ' for line, number in sorted(own.items(), key=lambda item: item[1])),
    ]
    assert len(told) == len(expected), told
    for line, begin in zip(told, expected):
        assert line.startswith(begin), told


def test_check_tells_that_a_key_is_of_another_certificate_beside_what_else_is_wrong(place, call, role):
    options = {"client": pairs.client_options, "server": pairs.server_options}[role](place, 6379)
    wrong = {"key": place.certificates.wildcard.key, "ciphers": "FOO"}
    result = call("--check", write_ini(place.folder / "wrong.ini", {"verifyChain": "yes"}, {"accept": "127.0.0.1:1", **options, **wrong}))
    expect_error(result, "does not match the certificate", "ciphers = FOO: ")
    assert len(faults(result)) == 2, result.stderr


def test_check_names_the_form_of_files_that_are_no_pem_at_their_own_lines(place, call, role):
    """A certificate whose line ends a shell has eaten, and a key in DER."""
    options = {"client": pairs.client_options, "server": pairs.server_options}[role](place, 6379)
    cert, key = place.folder / "one-line.crt", place.folder / "binary.key"
    cert.write_text(options["cert"].read_text(encoding="ascii").replace("\n", " "), encoding="ascii")
    openssl("pkey", "-in", options["key"], "-outform", "der", "-out", key)
    files = {"cert": cert, "key": key}
    path = write_ini(place.folder / "forms.ini", {}, {"accept": "127.0.0.1:1", **options, **files})
    lines = path.read_text(encoding="utf-8").splitlines()
    told = dict(zip(["cert", "key"], faults(call("--check", path))))
    for name, words in (("cert", "is PEM on one line"), ("key", "openssl pkey -inform der")):
        line = f"{name} = {files[name]}"
        assert told[name].startswith(f'{path}:{lines.index(line) + 1}: "{line}": ') and words in told[name], told


@pytest.mark.parametrize(
    "dates, why",
    [
        ({"end": "20210101000000Z"}, "CN=dated expired on 2021-01-01"),
        ({"start": "20480101000000Z"}, "CN=dated is valid only from 2048-01-01"),
    ],
)
def test_check_calls_no_certificate_good_that_is_out_of_date(place, call, role, dates, why):
    """The program would start, so it is no fault."""
    options = {"client": pairs.client_options, "server": pairs.server_options}[role](place, 6379)
    dated = place.certificates.issue("dated", HOST, **dates)
    files = {"cert": dated.certificate, "key": dated.key}
    path = write_ini(place.folder / "dated.ini", {}, {"accept": "127.0.0.1:1", **options, **files})
    result = call("--check", path)
    assert result.returncode == 0 and "good" not in result.stdout, result.stdout
    assert "no peer takes our certificate today" in result.stdout
    line = f"cert = {dated.certificate}"
    number = path.read_text(encoding="utf-8").splitlines().index(line) + 1
    assert f'note: {path}:{number}: "{line}": cert {dated.certificate}: {why}' in result.stderr


def test_check_tells_of_ciphers_that_fit_nothing(place, call, role):
    """The server's key is ECDSA; the client has no pre-shared key."""
    options = {"client": pairs.client_options, "server": pairs.server_options}[role](place, 6379)
    ciphers = {"server": "DHE-RSA-AES256-GCM-SHA384:AES128-GCM-SHA256", "client": "DHE-PSK-AES256-GCM-SHA384"}[role]
    service = {"accept": "127.0.0.1:1", **options, "ciphers": ciphers}
    expect_error(call("--check", write_ini(place.folder / "wrong.ini", {}, service)), f"ciphers = {ciphers}: none of them fits")
    good = call("--check", write_ini(place.folder / "good.ini", {}, service | {"sslVersionMin": "TLSv1.3"}))
    assert good.returncode == 0, good.stderr


def test_files_that_cannot_be_written_are_told(place, call, good_file):
    text = good_file.read_text(encoding="utf-8")
    good_file.write_text(f"pid = /nowhere/x.pid\noutput = /nowhere/x.log\n{text}", encoding="utf-8")
    expect_error(call("--check", good_file), f"{good_file}: pid: /nowhere/x.pid: there is no folder /nowhere")
    expect_error(call("--check", good_file), f"{good_file}: output: /nowhere/x.log: there is no folder /nowhere")
    good_file.write_text(f"output = {place.folder}\n{text}", encoding="utf-8")
    expect_error(call("--check", good_file), f"output: {place.folder} is a folder")
    written = (place.folder / "x.pid", place.folder / "x.log")
    good_file.write_text("pid = {}\noutput = {}\n{}".format(*written, text), encoding="utf-8")
    assert call("--check", good_file).returncode == 0
    assert not any(path.exists() for path in written)


def test_parts_of_a_file_may_be_in_a_folder(place, call, good_file):
    parts = place.folder / "conf.d"
    parts.mkdir()
    text = good_file.read_text(encoding="utf-8")
    (parts / "10-service.conf").write_text(text, encoding="utf-8")
    (parts / "00-global.conf").write_text("debug = 6\n", encoding="utf-8")
    good_file.write_text(f"include = {parts}\n", encoding="utf-8")
    assert call("--check", good_file).returncode == 0
    (parts / "20-wrong.conf").write_text("\nconect = 1\n", encoding="utf-8")
    expect_error(call("--check", good_file), f'{parts}/20-wrong.conf:2: "conect = 1": ', "nearest one is connect")


def test_check_notes_what_stunnel_would_not_verify(call, good_file, role):
    either = call("--check", good_file).stderr
    assert f'note: {good_file}:1: "[svc]": no line says client' in either and f"like one for routeport-{role}: " in either
    good_file.write_text(good_file.read_text(encoding="utf-8") + f"client = {OWN[role]}\n", encoding="utf-8")
    result = call("--check", good_file)
    assert result.returncode == 0
    assert f"note: {good_file}:1: \"[svc]\": stunnel would " in result.stderr
    assert "verifyChain = yes" in result.stderr
    good_file.write_text("verifyChain = yes\n" + good_file.read_text(encoding="utf-8"), encoding="utf-8")
    after = call("--check", good_file).stderr
    if role == "client":
        assert "routeport also checks the name: add \"checkHost = " in after
        good_file.write_text(good_file.read_text(encoding="utf-8") + f"checkHost = {HOST}\n", encoding="utf-8")
        after = call("--check", good_file).stderr
    assert "note: " not in after
