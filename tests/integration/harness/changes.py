"""What an operator changes while our programs run: settings, certificates."""

import pathlib
import shutil
import signal


def rewrite(end, old, new):
    """Replace a line of its file; an editor writes a new one and renames it."""
    path = pathlib.Path(end.process.argv[-1])
    text = path.read_text(encoding="utf-8")
    assert old in text
    beside = path.with_suffix(".new")
    beside.write_text(text.replace(old, new), encoding="utf-8")
    beside.rename(path)


def reload(end, number=1):
    """For the `number`th time."""
    end.process.send_signal(signal.SIGHUP)
    end.process.wait_line("event=reloaded", number)


def put_certificate(identity, folder):
    """As tls.crt and tls.key, each of them renamed into its place."""
    folder.mkdir(exist_ok=True)
    for source, name in ((identity.certificate, "tls.crt"), (identity.key, "tls.key")):
        beside = folder / f"{name}.new"
        shutil.copy(source, beside)
        beside.rename(folder / name)
    return {"cert": folder / "tls.crt", "key": folder / "tls.key"}
