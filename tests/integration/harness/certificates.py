"""Certificates, made with the openssl command: an authority of the test's own, and whom it
vouches for."""

import dataclasses
import itertools
import pathlib
import subprocess

# The same for every certificate; `openssl ca` alone can date one into the past.
SETTINGS = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[ca]
default_ca = authority
[authority]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
email_in_dn = no
[any]
commonName = supplied
[authority_extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, {usage}
extendedKeyUsage = {purpose}
subjectAltName = DNS:{host}
{more}
"""
USUAL = {"usage": "digitalSignature", "purpose": "serverAuth, clientAuth", "more": ""}


# Kinds of keys, as genpkey names them.
ECDSA = ("EC", "-pkeyopt", "ec_paramgen_curve:P-256")
RSA = ("RSA", "-pkeyopt", "rsa_keygen_bits:2048")
ED25519 = ("ED25519",)


@dataclasses.dataclass(frozen=True)
class Identity:
    certificate: pathlib.Path
    key: pathlib.Path

    @property
    def both(self):
        """Certificate and key in one file, as haproxy wants them."""
        path = self.certificate.with_suffix(".both.pem")
        path.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())
        return path


def openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, text=True).stdout


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder, name):
        self._folder = folder
        self._numbers = itertools.count()
        folder.mkdir()
        (folder / "index.txt").touch()
        self._own = self._new_key("authority")
        self.certificate = self._own.certificate
        openssl(
            *("req", "-x509", "-new", "-key", self._own.key, "-out", self.certificate, "-days", "3650"),
            *("-config", self._settings(name, name), "-extensions", "authority_extensions"),
        )

    def _new_key(self, name, kind=ECDSA):
        identity = Identity(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        openssl("genpkey", "-algorithm", *kind, "-out", identity.key)
        return identity

    def _settings(self, name, host, **more):
        path = self._folder / "openssl.cnf"
        path.write_text(SETTINGS.format(**USUAL | more, name=name, host=host, folder=self._folder), encoding="ascii")
        return path

    def issue(self, name, host=None, start="20200101000000Z", end="20491231235959Z", kind=ECDSA, **more):
        """A key and a certificate for `host`, in files called `name`; `more`: another usage (keyUsage) or purpose
        (extendedKeyUsage), and lines of extensions."""
        identity = self._new_key(name, kind)
        settings = self._settings(name, host or name, **more)
        request = self._folder / f"{name}.csr"
        openssl("req", "-new", "-key", identity.key, "-out", request, "-config", settings)
        openssl(
            *("ca", "-batch", "-notext", "-config", settings, "-extensions", "extensions"),
            *("-cert", self.certificate, "-keyfile", self._own.key),
            *("-in", request, "-out", identity.certificate, "-startdate", start, "-enddate", end),
        )
        return identity

    def revocations(self, *revoked, days=3650):
        """A revocation list with these identities, and no other, in a new file; good for so many days."""
        folder = self._folder / f"revocations-{next(self._numbers)}"
        folder.mkdir()
        serials = [openssl("x509", "-in", one.certificate, "-noout", "-serial").split("=")[1].strip() for one in revoked]
        rows = [f"R\t491231235959Z\t200101000000Z\t{serial}\tunknown\t/CN=x\n" for serial in serials]
        (folder / "index.txt").write_text("".join(rows), encoding="ascii")
        settings = folder / "openssl.cnf"
        settings.write_text(SETTINGS.format(**USUAL, name="x", host="x", folder=folder), encoding="ascii")
        openssl(
            *("ca", "-gencrl", "-config", settings, "-crldays", str(days), "-out", folder / "crl.pem"),
            *("-cert", self.certificate, "-keyfile", self._own.key),
        )
        return folder / "crl.pem"

    def _register(self, about, revoked):
        """A folder with what a responder knows about an identity."""
        folder = self._folder / f"answer-{next(self._numbers)}"
        folder.mkdir()
        serial = openssl("x509", "-in", about.certificate, "-noout", "-serial").split("=")[1].strip()
        state = "R\t491231235959Z\t200101000000Z" if revoked else "V\t491231235959Z\t"
        (folder / "index.txt").write_text(f"{state}\t{serial}\tunknown\t/CN=x\n", encoding="ascii")
        words = ["ocsp", "-index", folder / "index.txt", "-CA", self.certificate, "-ndays", "3650"]
        return folder, [*words, "-rsigner", self.certificate, "-rkey", self._own.key]

    def answer(self, about, revoked=False):
        """An OCSP answer about an identity, in a new file."""
        folder, words = self._register(about, revoked)
        openssl(
            *(*words, "-issuer", self.certificate, "-cert", about.certificate),
            *("-no_nonce", "-respout", folder / "answer.der"),
        )
        return folder / "answer.der"

    def responder(self, port, about, revoked=False, bare=False):
        """The words that start an OCSP responder which knows this identity alone; bare: its answers bring no
        certificate, not even that of the CA which signs them."""
        more = ["-resp_no_certs"] if bare else []
        return ["openssl", *self._register(about, revoked)[1], *more, "-port", str(port)]


HOST = "app.apps.test"
WILDCARD = "*.apps.test"
SPIFFE = "spiffe://legacy.test/ns/orders/sa/billing"


class Certificates:
    """All that the tests need, made once."""

    def __init__(self, folder):
        ours = Authority(folder / "ours", "routeport test CA")
        theirs = Authority(folder / "theirs", "another CA")
        past = {"start": "20200101000000Z", "end": "20210101000000Z"}
        self._ours = ours
        self.authority = ours.certificate
        self.revocations = ours.revocations
        self.answer = ours.answer
        self.responder = ours.responder
        self.issue = ours.issue
        self.demanding_server = ours.issue("demanding-server", HOST, more="tlsfeature = status_request")
        self.other_authority = theirs.certificate
        self.server = ours.issue("server", HOST)
        self.renewed_server = ours.issue("renewed-server", f"{HOST},DNS:renewed.test")
        self.rsa_server = ours.issue("rsa-server", HOST, kind=RSA)
        self.ed25519_server = ours.issue("ed25519-server", HOST, kind=ED25519)
        self.elsewhere = ours.issue("elsewhere", "elsewhere.test")
        self.wildcard = ours.issue("wildcard", WILDCARD)
        self.expired_server = ours.issue("expired-server", HOST, **past)
        self.stranger_server = theirs.issue("stranger-server", HOST)
        self.client = ours.issue("client", "legacy.test")
        self.visitor = ours.issue("visitor", f"legacy.test,IP:192.0.2.7,email:ops@legacy.test,URI:{SPIFFE}")
        self.renewed_client = ours.issue("renewed-client", "legacy.test,DNS:renewed.test")
        self.expired_client = ours.issue("expired-client", "legacy.test", **past)
        self.stranger_client = theirs.issue("stranger-client", "legacy.test")

    def issue_server(self, **dates):
        """One more for the server, with other dates."""
        return self._ours.issue("dated-server", HOST, **dates)
