#!/usr/bin/python3
"""deploy/: the systemd unit, the image and the manifests name things that exist, and the program takes the settings they give it.
Needs systemd-analyze, and fails without it: scripts/test installs it. There is no container engine and no cluster here.

Usage: test_files.py KYLIN [unittest arguments]
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
import serving  # noqa: E402
from serving import MODEL, Server  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SMALL = ["-c", "256"]


def serve_with(args):
    """Starts the program with the arguments of a deployment; only model and memory are the test's."""
    args = [str(MODEL) if a.endswith("model.gguf") else a for a in args]
    return Server(*args, "--api-key", "k", model=SMALL)


class Systemd(unittest.TestCase):
    unit = (DEPLOY / "kylin.service").read_text()

    def verify(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "kylin.service"
            path.write_text(text)
            done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, timeout=60)
            return done.returncode, done.stderr.decode()

    def test_systemd_takes_the_unit(self):
        here = self.unit.replace("/usr/local/bin/kylin", serving.kylin)
        self.assertEqual(self.verify(here), (0, ""))
        for broken in (here.replace("ProtectHome=yes", "ProtectHouse=yes"), here.replace("MemoryMax=8G", "MemoryMax=much"), self.unit):
            self.assertNotEqual(self.verify(broken), (0, ""))

    def exposure(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".service") as file:
            file.write(text)
            file.flush()
            done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=15", file.name], capture_output=True, timeout=60)
            return done.returncode

    def test_it_is_hardened(self):
        self.assertEqual(self.exposure(self.unit), 0)
        self.assertNotEqual(self.exposure(self.unit.replace("SystemCallFilter=@system-service\n", "").replace("DynamicUser=yes", "")), 0)

    def test_it_waits_for_the_drain(self):
        drain = float(re.search(r"^drain-seconds = (\S+)$", (DEPLOY / "kylin.toml").read_text(), re.M).group(1))
        self.assertGreater(float(re.search(r"^TimeoutStopSec=(\S+)$", self.unit, re.M).group(1)), drain)

    def test_the_program_takes_its_settings(self):
        command = shlex.split(re.search(r"^ExecStart=(.*)$", self.unit, re.M).group(1))
        self.assertEqual(command[1:], ["serve", "--config", "/etc/kylin/kylin.toml"])
        server = Server("-m", MODEL, "--api-key", "k", model=["--config", str(DEPLOY / "kylin.toml"), *SMALL])
        self.assertEqual(server.ask("GET", "/slots", headers={"Authorization": "Bearer k"})[0].status, 200)
        self.assertIn("http://0.0.0.0:", server.announced)
        self.assertEqual(server.stop()[0], 0)


class Image(unittest.TestCase):
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ").splitlines() if line and not line.startswith("#")]

    def all(self, word):
        return [line.split(None, 1)[1] for line in self.lines if line.startswith(word + " ")]

    def test_every_line_is_an_instruction(self):
        known = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "ENTRYPOINT", "CMD"}
        self.assertLessEqual({line.split()[0] for line in self.lines}, known)
        for command in self.all("RUN"):
            done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_it_copies_exists(self):
        for paths in self.all("COPY"):
            if not paths.startswith("--from=build"):
                for path in paths.split()[:-1]:
                    self.assertTrue((ROOT / path).exists(), path)

    def test_it_does_not_run_as_root(self):
        user = self.all("USER")[-1]
        self.assertRegex(user, r"^[1-9]\d*:[1-9]\d*$")
        pod = yaml.safe_load((DEPLOY / "kubernetes/base/deployment.yaml").read_text())["spec"]["template"]["spec"]
        self.assertEqual(pod["securityContext"]["runAsUser"], int(user.split(":")[0]))

    def test_it_has_the_libraries_of_the_program(self):
        dynamic = subprocess.run(["readelf", "-d", serving.kylin], capture_output=True, check=True).stdout.decode()
        libraries = set(re.findall(r"NEEDED.*\[(\S+)\]", dynamic))
        self.assertIn("libfmt.so.9", libraries)
        installed = self.all("RUN")[-2]
        for library in libraries:
            found = subprocess.run(["dpkg", "-S", f"*/{library}"], capture_output=True, check=True).stdout.decode()
            packages = {line.split(":")[0] for line in found.splitlines()}
            if not packages & {"libc6", "libgcc-s1"}:  # in every image of Debian
                self.assertTrue(any(re.search(rf"\s{re.escape(p)}\s", installed) for p in packages), f"{library} of {packages}")

    def test_the_program_takes_its_command(self):
        self.assertEqual(json.loads(self.all("ENTRYPOINT")[0]), ["kylin"])
        command = json.loads(self.all("CMD")[0])
        self.assertEqual(command.pop(0), "serve")
        self.assertEqual(serve_with(command).stop()[0], 0)


class Kubernetes(unittest.TestCase):
    folder = DEPLOY / "kubernetes"

    def load(self, path):
        return yaml.safe_load((self.folder / path).read_text())

    def resources(self, folder=None):
        """Everything that kustomize would apply, by kind."""
        folder = folder or self.folder
        own = yaml.safe_load((folder / "kustomization.yaml").read_text())
        found = {}
        for name in own.get("resources", []) + own.get("components", []):
            path = folder / name
            self.assertTrue(path.exists(), path)
            more = self.resources(path) if path.is_dir() else {(d := yaml.safe_load(path.read_text()))["kind"]: d}
            self.assertFalse(found.keys() & more.keys())
            found.update(more)
        return found

    def setUp(self):
        self.kinds = self.resources()
        self.pod = self.kinds["Deployment"]["spec"]["template"]
        self.container, = self.pod["spec"]["containers"]

    def test_every_manifest_is_applied_and_whole(self):
        self.assertEqual(set(self.kinds), {"Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler", "PodMonitor"})
        files = {p.name for p in self.folder.rglob("*.yaml")} - {"kustomization.yaml", "metrics-rule.yaml"}
        self.assertEqual(len(files), len(self.kinds))
        for resource in self.kinds.values():
            self.assertLessEqual({"apiVersion", "kind", "metadata", "spec"}, resource.keys())
            self.assertEqual(resource["metadata"]["name"], "kylin")

    def test_names_fit_together(self):
        labels = self.pod["metadata"]["labels"]
        for selector in (self.kinds["Deployment"]["spec"]["selector"]["matchLabels"], self.kinds["Service"]["spec"]["selector"],
                         self.kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"], self.kinds["PodMonitor"]["spec"]["selector"]["matchLabels"]):
            self.assertTrue(selector.items() <= labels.items() and selector, selector)
        ports = {p["name"]: p["containerPort"] for p in self.container["ports"]}
        self.assertEqual(ports, {"http": 8080})
        self.assertIn(self.kinds["Service"]["spec"]["ports"][0]["targetPort"], ports)
        endpoint, = self.kinds["PodMonitor"]["spec"]["podMetricsEndpoints"]
        self.assertIn(endpoint["port"], ports)
        key = self.container["env"][0]["valueFrom"]["secretKeyRef"]
        self.assertEqual(endpoint["authorization"]["credentials"], key)
        target = self.kinds["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
        self.assertEqual((target["kind"], target["name"]), ("Deployment", "kylin"))
        volumes = {v["name"] for v in self.pod["spec"]["volumes"]}
        self.assertEqual({m["name"] for m in self.container["volumeMounts"]}, volumes)
        self.assertNotIn("replicas", self.kinds["Deployment"]["spec"])  # or each apply undoes what the autoscaler did

    def test_the_program_offers_what_they_ask_for(self):
        self.assertEqual(self.container["args"][0], "serve")
        self.assertTrue(all(isinstance(a, str) for a in self.container["args"]))
        server = serve_with(self.container["args"][1:])
        # As the kubelet asks: by the address of the pod and without a key.
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            get = self.container[probe]["httpGet"]
            self.assertEqual(get["port"], "http")
            self.assertEqual(server.ask("GET", get["path"], headers={"Host": "10.1.2.3:8080"})[0].status, 200, probe)
        endpoint, = self.kinds["PodMonitor"]["spec"]["podMetricsEndpoints"]
        response, text = server.ask("GET", endpoint["path"], headers={"Authorization": "Bearer k"})
        metric, = self.kinds["HorizontalPodAutoscaler"]["spec"]["metrics"]
        name = metric["pods"]["metric"]["name"]
        self.assertIn(f"# TYPE {name} gauge\n", text.decode())
        rule, = self.load("autoscaling/metrics-rule.yaml")["rules"]["custom"]
        self.assertTrue(rule["seriesQuery"].startswith(name + "{"))
        self.assertIn(self.container["env"][0]["name"], subprocess.run([serving.kylin, "serve", "--help"], capture_output=True).stdout.decode())
        self.assertEqual(server.stop()[0], 0)

    def test_pods_drain_and_have_no_rights(self):
        args = self.container["args"]
        self.assertGreater(self.pod["spec"]["terminationGracePeriodSeconds"], float(args[args.index("--drain-seconds") + 1]))
        security = self.container["securityContext"]
        self.assertEqual((security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"], security["capabilities"]), (False, True, {"drop": ["ALL"]}))
        self.assertTrue(self.pod["spec"]["securityContext"]["runAsNonRoot"])
        self.assertEqual(self.container["resources"]["requests"]["memory"], self.container["resources"]["limits"]["memory"])


if __name__ == "__main__":
    serving.main()
