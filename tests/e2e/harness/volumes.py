"""A pod's volumes as the kubelet makes them: files are links into `..data`, a link that is swapped whole when something changed.

ConfigMaps, Secrets, the downward API, emptyDir, and projections of these with a service account's token, which is renewed
at 80 % of its life.
"""

import base64
import os
import pathlib
import shutil
import time

TOKEN_RENEW_SHARE = 0.8


class NotThere(Exception):
    """A ConfigMap or Secret that does not exist yet: the pod waits for it."""


def field(pod, path):
    """The downward API's fieldPath."""
    if path.startswith(("metadata.labels", "metadata.annotations")):
        kind, _, key = path.partition("[")
        found = pod["metadata"].get(kind.split(".")[1]) or {}
        return found.get(key.strip("']\"'"), "") if key else "".join(f'{name}="{value}"\n' for name, value in found.items())
    found = {"status.podIP": pod["status"].get("podIP"), "status.hostIP": "10.244.0.1", "spec.nodeName": pod["spec"].get("nodeName"),
             "spec.serviceAccountName": pod["spec"].get("serviceAccountName")}
    if path in found:
        return found[path] or ""
    value = pod
    for step in path.split("."):
        value = value[step]
    return str(value)


class Directory:
    """One volume in a directory: `write` swaps in a new content if it differs."""

    def __init__(self, path, group):
        self.path, self.group, self.content, self.generation = pathlib.Path(path), group, None, 0
        self.path.mkdir(parents=True)

    def write(self, files):
        """{path: (bytes, mode)}"""
        if files == self.content:
            return False
        former = self.path / f"..{self.generation}"
        self.generation += 1
        fresh = self.path / f"..{self.generation}"
        fresh.mkdir(mode=0o755)
        for name, (data, mode) in files.items():
            target = fresh / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            os.chown(target, 0, self.group)
            target.chmod(mode | 0o040 if self.group else mode)
        os.symlink(fresh.name, self.path / "..data_tmp")
        os.rename(self.path / "..data_tmp", self.path / "..data")
        tops = {name.split("/")[0] for name in files}
        for name in tops:
            if not (self.path / name).is_symlink():
                os.symlink(f"..data/{name}", self.path / name)
        for link in self.path.iterdir():
            if link.is_symlink() and link.name != "..data" and link.name not in tops:
                link.unlink()
        shutil.rmtree(former, ignore_errors=True)
        self.content = files
        return True


class Volumes:
    """All volumes of a pod. `sync` brings them up to date; `source` is where one is mounted from."""

    def __init__(self, api, pod, directory):
        self.api, self.pod, self.dir = api, pod, pathlib.Path(directory)
        self.group = (pod["spec"].get("securityContext") or {}).get("fsGroup", 0)
        self.namespace = pod["metadata"]["namespace"]
        self.directories, self.tokens = {}, {}

    def source(self, name):
        return self.dir / name

    def sync(self):
        for volume in self.pod["spec"].get("volumes") or []:
            name = volume["name"]
            if "emptyDir" in volume:
                path = self.dir / name
                if not path.exists():
                    path.mkdir(parents=True)
                    path.chmod(0o777)
                continue
            files = self._files(volume)
            if name not in self.directories:
                self.directories[name] = Directory(self.dir / name, self.group)
            self.directories[name].write(files)

    def _files(self, volume):
        if "configMap" in volume:
            return self._config_map(volume["configMap"], volume["configMap"]["name"], volume["configMap"].get("defaultMode", 0o644))
        if "secret" in volume:
            return self._secret(volume["secret"], volume["secret"]["secretName"], volume["secret"].get("defaultMode", 0o644))
        if "downwardAPI" in volume:
            return self._downward(volume["downwardAPI"], volume["downwardAPI"].get("defaultMode", 0o644))
        if "projected" in volume:
            files, mode = {}, volume["projected"].get("defaultMode", 0o644)
            for source in volume["projected"].get("sources") or []:
                if "serviceAccountToken" in source:
                    files[source["serviceAccountToken"]["path"]] = (self._token(source["serviceAccountToken"]), 0o600)
                elif "configMap" in source:
                    files.update(self._config_map(source["configMap"], source["configMap"]["name"], mode))
                elif "secret" in source:
                    files.update(self._secret(source["secret"], source["secret"]["name"], mode))
                elif "downwardAPI" in source:
                    files.update(self._downward(source["downwardAPI"], mode))
                else:
                    raise AssertionError(f"a projection that the harness does not know: {source}")
            return files
        raise AssertionError(f"a volume that the harness does not know: {volume}")

    def _object(self, kind, name, optional):
        answer = self.api.get(kind, self.namespace, name)
        if answer.status == 404:
            if optional:
                return {}
            raise NotThere(f"{kind} {name}")
        return answer.ok().object

    @staticmethod
    def _chosen(source, data, mode):
        if "items" in source:
            data = {item["path"]: data[item["key"]] for item in source["items"] if item["key"] in data}
        return {name: (value, mode) for name, value in data.items()}

    def _config_map(self, source, name, mode):
        found = self._object("ConfigMap", name, source.get("optional", False))
        data = {key: value.encode() for key, value in (found.get("data") or {}).items()}
        data.update({key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()})
        return self._chosen(source, data, mode)

    def _secret(self, source, name, mode):
        found = self._object("Secret", name, source.get("optional", False))
        return self._chosen(source, {key: base64.b64decode(value or "") for key, value in (found.get("data") or {}).items()}, mode)

    def _downward(self, source, mode):
        return {item["path"]: (field(self.pod, item["fieldRef"]["fieldPath"]).encode(), mode) for item in source["items"]}

    def _token(self, source):
        key = (source["path"], source.get("audience"))
        token, renew = self.tokens.get(key, (None, 0))
        if time.monotonic() >= renew:
            seconds = source.get("expirationSeconds", 3600)
            spec = {"expirationSeconds": seconds, "boundObjectRef": {
                "kind": "Pod", "apiVersion": "v1", "name": self.pod["metadata"]["name"], "uid": self.pod["metadata"]["uid"]}}
            if source.get("audience"):
                spec["audiences"] = [source["audience"]]
            path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{self.pod['spec'].get('serviceAccountName', 'default')}/token"
            answer = self.api.request("POST", path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}).ok()
            token, renew = answer.object["status"]["token"].encode(), time.monotonic() + TOKEN_RENEW_SHARE * seconds
            self.tokens[key] = (token, renew)
        return token
