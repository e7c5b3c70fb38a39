"""What is made of the program's own tables: manual pages, completion, OPTIONS.md and the
comments of examples; and that none of it can go its own way unseen."""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time

import pytest

from harness import pairs, waiting

ROOT = pairs.ROOT
KEPT = ("client", "common", "man", "completion", "examples", "tools")


def generate(mode, root=ROOT):
    return subprocess.run(
        ["/usr/bin/python3", root / "tools/generated.py", mode, pairs.BUILD],
        capture_output=True, text=True, timeout=30, check=False,
    )


def test_nothing_is_old():
    result = generate("--check")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    "file, old, new",
    [
        ("common/config/OPTIONS.md", "| `failover` | prio, rr |", "| `failover` | prio, random |"),
        ("man/routeport.ini.5", ".It Ic failover", ".It Ic failOver"),
        ("man/routeport-client.8", "Fl Fl check Ar FILE\nTell", "Fl Fl check Ar FILE\nSay"),
        ("man/routeport-server.8", ".It Sy no-pod", ".It Sy no-pods"),
        ("completion/routeport.bash", "failover", "failOver"),
        ("completion/_routeport", "--check", "--chck"),
        ("examples/server.ini", "#: Forward", "#: Send"),
        ("examples/client.ini", "#: Forward", "# Forward"),
    ],
)
def test_what_was_changed_by_hand_is_found_and_put_right(tmp_path, file, old, new):
    for name in KEPT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    before = (tmp_path / file).read_text()
    assert old in before
    (tmp_path / file).write_text(before.replace(old, new, 1))
    result = generate("--check", tmp_path)
    assert result.returncode == 1
    assert f"--- {file}" in result.stdout
    assert generate("--write", tmp_path).returncode == 0
    assert generate("--check", tmp_path).returncode == 0
    if new != "# Forward":  # a comment of one's own stays
        assert (tmp_path / file).read_text() == before


@pytest.fixture(scope="module")
def manual(tmp_path_factory):
    """The pages as installed, where they see each other."""
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not there")
    prefix = tmp_path_factory.mktemp("installed")
    for page in (ROOT / "man").glob("*.[58]"):
        there = prefix / f"man{page.suffix[1:]}"
        there.mkdir(exist_ok=True)
        shutil.copy(page, there)
    return prefix


def test_manual_pages_are_clean(manual):
    pages = sorted(manual.rglob("*.[58]"))
    assert len(pages) == 3
    result = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "style", *pages],
        env={**os.environ, "MANPATH": str(manual)}, capture_output=True, text=True, check=False,
    )
    assert result.returncode == 0, result.stdout


def test_manual_page_has_every_option(manual):
    page = manual / "man5/routeport.ini.5"
    text = subprocess.run(
        ["mandoc", "-T", "utf8", page], capture_output=True, text=True, check=True
    ).stdout
    text = re.sub(".\b", "", text)
    for role in ("client", "server"):
        options = subprocess.run(
            [pairs.routeport(role), "--options"], capture_output=True, text=True, check=True
        ).stdout
        names = re.findall(r"^([a-zA-Z]+)(?: \(\w+\))?  ", options, re.MULTILINE)
        assert len(names) > 40
        for name in set(names) - {"NAME"}:
            assert re.search(rf"^     {name} = ", text, re.MULTILINE), name


def test_each_log_word_has_its_row():
    """That of a line of the log; a probe has none."""
    words = re.findall(r'^\tROW\(\w+, "([^"]+)"', (ROOT / "common/base/reason.h").read_text(), re.MULTILINE)
    table = (ROOT / "client/README.md").read_text().split("<!-- reasons -->")[1].split("<!-- /reasons -->")[0]
    rows = [word for row in table.splitlines()[3:] for word in row.split(" | ")[0].removeprefix("| ").split(", ")]
    assert len(words) > 30
    assert sorted(rows) == sorted(set(words) - {"none", "probe"})


def test_one_option_is_told_by_its_name():
    def ask(name):
        return subprocess.run(
            [pairs.routeport("client"), "--options", name], capture_output=True, text=True, check=False
        )

    assert ask("CURVE").stdout.startswith("curves (curve) = ")
    assert "Default in the server: none" in ask("sni").stdout
    assert ask("snj").returncode == 2
    assert "nearest one is sni" in ask("snj").stderr
    assert "starts no programs" in ask("exec").stderr


# Shells, at a terminal of their own


class Shell:
    """An interactive shell in which both programs only say how they were called."""

    def __init__(self, folder, argv, setup):
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.environ.update(TERM="dumb", PS1="", HOME=str(folder), ZDOTDIR=str(folder))
            os.execvp(argv[0], argv)
        self._text = ""
        self.type("stty -echo\n")
        self.type(setup + "\necho re''ady\n")
        self.wait_for(r"ready\r?\n")

    def type(self, keys):
        os.write(self._fd, keys.encode())

    def wait_for(self, pattern):
        deadline = time.monotonic() + waiting.LIMIT
        while not (found := re.search(pattern, self._text)):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self._text!r}"
            if select.select([self._fd], [], [], 0.1)[0]:
                self._text += os.read(self._fd, 65536).decode(errors="replace")
        self._text = self._text[found.end() :]
        return found

    def complete(self, words):
        """What a command line is that was typed in part, and ended by the tabulator."""
        self.type(f"{words}\tZ\n")
        return self.wait_for(r"called:(.*?):end").group(1).removesuffix("Z")

    def close(self):
        os.close(self._fd)
        os.waitpid(self._pid, 0)


def says(name):
    return f'{name}() {{ printf "%s" "cal" "led:$*:" "end"; echo; }}\n'


@pytest.fixture(params=["bash", "zsh"])
def shell(request, tmp_path):
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not there")
    (tmp_path / "orders.ini").touch()
    (tmp_path / "stock.conf").touch()
    (tmp_path / "orders.crt").touch()
    programs = says("routeport-client") + says("routeport-server")
    if request.param == "bash":
        argv = ["bash", "--norc", "--noprofile", "-i"]
        setup = f"bind 'set enable-bracketed-paste off'\n{programs}source {ROOT}/completion/routeport.bash"
    else:
        argv = ["zsh", "-f", "-i"]
        setup = (
            f"unsetopt zle_bracketed_paste 2>/dev/null; unset zle_bracketed_paste\n{programs}"
            f"fpath=({ROOT}/completion $fpath); autoload -Uz compinit; compinit -u -D"
        )
    shell = Shell(tmp_path, argv, setup)
    yield shell
    shell.close()


@pytest.mark.parametrize(
    "typed, completed",
    [
        ("routeport-client --ch", "--check "),
        ("routeport-server --ver", "--version "),
        ("routeport-client --check or", "--check orders.ini "),
        ("routeport-server st", "stock.conf "),
        ("routeport-client --options fail", "--options failover "),
        ("routeport-client --options sslVersionMi", "--options sslVersionMin "),
    ],
)
def test_a_shell_completes(shell, typed, completed):
    assert shell.complete(typed) == completed
