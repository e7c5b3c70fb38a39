"""The examples are what they say: each .ini passes --check, with its commented lines too,
and the manifests parse and ask for no more than restricted-v2 gives."""

import os
import pathlib
import re
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
BUILD = pathlib.Path(os.environ.get("ROUTEPORT_BUILD", ROOT / "build"))
INIS = sorted(EXAMPLES.rglob("*.ini"))
MANIFESTS = sorted((EXAMPLES / "openshift").glob("*.yaml"))


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples") / "certs"
    subprocess.run(["sh", str(ROOT / "certs/make-certs.sh"), "orders.apps.example.com", str(folder)],
                   check=True, capture_output=True)
    return folder


def check(text, role, certs, folder):
    """--check of an .ini whose files stand in the test's folders."""
    text = re.sub(r"^(;?(?:cert|key|CAfile) = ).*/", rf"\g<1>{certs}/{role}/", text, flags=re.MULTILINE)
    text = re.sub(r"^(;?output = ).*/", rf"\g<1>{folder}/", text, flags=re.MULTILINE)
    ini = folder / f"{role}.ini"
    ini.write_text(text)
    result = subprocess.run([str(BUILD / f"routeport-{role}"), "--check", str(ini)],
                            capture_output=True, text=True, timeout=10, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def manifests():
    for path in MANIFESTS:
        yield from yaml.safe_load_all(path.read_text())


def manifest(kind):
    (found,) = [m for m in manifests() if m["kind"] == kind]
    return found


@pytest.mark.parametrize("path", INIS, ids=lambda p: str(p.relative_to(EXAMPLES)))
@pytest.mark.parametrize("commented", [False, True], ids=["as it is", "with its commented lines"])
def test_ini_passes_check(path, commented, certs, tmp_path):
    text = path.read_text()
    if commented:
        text = re.sub(r"^;", "", text, flags=re.MULTILINE)
    check(text, path.stem, certs, tmp_path)


def test_configmap_passes_check(certs, tmp_path):
    check(manifest("ConfigMap")["data"]["server.ini"], "server", certs, tmp_path)


def test_every_client_listens_on_the_loopback_alone():
    for path in INIS:
        if path.stem == "client":
            for accept in re.findall(r"^;?accept = (.*)$", path.read_text(), re.MULTILINE):
                assert accept.startswith("127.0.0.1:"), path


def test_pod_fits_restricted_v2_and_a_read_only_root():
    pod = manifest("Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]
    for volume in pod["volumes"]:
        assert volume.keys() - {"name"} <= {"configMap", "secret", "emptyDir"}


def seconds_of(option, settings):
    """As the server's file has it, or by default."""
    written = re.search(rf"^{option} = (\d+)$", settings, re.MULTILINE)
    told = subprocess.run([str(BUILD / "routeport-server"), "--options", option],
                          capture_output=True, text=True, timeout=10, check=True).stdout
    return int((written or re.search(r"^Default in the server: (\d+)$", told, re.MULTILINE))[1])


def test_app_outlives_its_sidecar_and_the_grace_outlives_both():
    """A rollout costs no stream: a new pod is there first, and the app stays while it may be dialled."""
    deployment = manifest("Deployment")["spec"]
    assert deployment["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}}
    pod = deployment["template"]["spec"]
    settings = manifest("ConfigMap")["data"]["server.ini"]
    stops = seconds_of("TIMEOUTlinger", settings) + seconds_of("TIMEOUTdrain", settings)
    (app,) = [c for c in pod["containers"] if c["name"] != "routeport"]
    command, stays = app["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    assert int(stays) >= stops
    # A native sidecar is told to stop once the app has ended.
    assert pod["terminationGracePeriodSeconds"] > int(stays) + stops
    text = (EXAMPLES / "openshift/deployment.yaml").read_text()
    assert re.findall(r"# sleep: \{seconds: (\d+)\}", text) == [stays]


def test_manifests_lead_from_the_route_to_the_container():
    route, service = manifest("Route"), manifest("Service")
    pod = manifest("Deployment")["spec"]["template"]
    assert route["spec"]["tls"] == {"termination": "passthrough"}
    assert route["spec"]["to"]["name"] == service["metadata"]["name"]
    (port,) = service["spec"]["ports"]
    assert route["spec"]["port"]["targetPort"] == port["name"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    ports = {p["name"]: p["containerPort"] for c in pod["spec"]["containers"] for p in c.get("ports", [])}
    settings = manifest("ConfigMap")["data"]["server.ini"]
    assert f"accept = {ports[port['targetPort']]}\n" in settings
    assert f"status = {ports['status']}\n" in settings
    (sidecar,) = [c for c in pod["spec"]["containers"] if c["name"] == "routeport"]
    for probe, path in (("readinessProbe", "/readyz"), ("livenessProbe", "/livez")):
        assert sidecar[probe]["httpGet"] == {"path": path, "port": "status"}
    volumes = {v["name"]: v for v in pod["spec"]["volumes"]}
    assert volumes["config"]["configMap"]["name"] == manifest("ConfigMap")["metadata"]["name"]
    allowed = manifest("NetworkPolicy")["spec"]
    assert allowed["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert [p["port"] for p in allowed["ingress"][0]["ports"]] == [ports["tls"]]


def test_systemd_opens_the_address_that_the_client_accepts_at():
    unit = (EXAMPLES / "systemd/routeport-client.socket").read_text()
    accept = re.findall(r"^accept = (.*)$", (EXAMPLES / "client.ini").read_text(), re.MULTILINE)
    assert re.findall(r"^ListenStream=(.*)$", unit, re.MULTILINE) == accept
