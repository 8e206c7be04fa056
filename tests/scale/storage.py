"""Object storage on this machine, as jobs see it, and what the test does to its objects."""

import base64
import hashlib
import hmac
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUCKET = "bucket"


class Server:
    """A server with a bucket. `python` has the packages of requirements.lock."""

    def __init__(self, python):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.python, self.endpoint = python, f"http://127.0.0.1:{self.port}"
        os.environ.update(self.environment())
        self.process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not self.answers():
                assert self.process.poll() is None, f"{self.title}: the server has ended"
                time.sleep(0.1)
            self.create_bucket()
        except BaseException:
            self.end()
            raise

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def end(self):
        self.process.kill()
        self.process.wait()
        for name in self.environment():
            del os.environ[name]

    def url(self, path):
        return f"{self.scheme}://{BUCKET}/{path}"

    def upload(self, folder, prefix):
        for file in folder.rglob("*"):
            if file.is_file():
                self.write(f"{prefix}/{file.relative_to(folder)}", file.read_bytes())

    def change(self, name, at):
        """Flips a bit of an object."""
        data = bytearray(self.read(name))
        data[at] ^= 1
        self.write(name, bytes(data))


class S3(Server):
    """A server of S3: moto."""

    scheme, title = "s3", "S3"

    def environment(self):
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_REGION": "us-east-1",
        }

    def command(self):
        return [self.python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def request(self, method, path, query={}, data=None):
        """Sends a request, and returns the body of the answer. The server does not check signatures."""
        scope = "Credential=nobody/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
        headers = {"Authorization": f"AWS4-HMAC-SHA256 {scope}", "Content-Type": "application/octet-stream"}
        url = f"{self.endpoint}/{BUCKET}{urllib.parse.quote(path)}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers, method=method)) as answer:
            return answer.read()

    def create_bucket(self):
        self.request("PUT", "")

    def read(self, name):
        return self.request("GET", f"/{name}")

    def write(self, name, data):
        self.request("PUT", f"/{name}", data=data)

    def names(self, prefix):
        # At most 1,000, which is more than the test has.
        listed = xml.etree.ElementTree.fromstring(self.request("GET", "", {"list-type": "2", "prefix": prefix}))
        return [name.text for name in listed.iter() if name.tag.endswith("}Key")]


class Google(S3):
    """A server that takes the requests of Google Cloud Storage: google_storage.py."""

    scheme, title = "gs", "Google's protocol"

    def environment(self):
        return {"GOOGLE_BASE_URL": self.endpoint, "GOOGLE_BEARER_TOKEN": "nobody"}

    def command(self):
        return [self.python, HERE / "google_storage.py", str(self.port)]


class Azure(Server):
    """A server of Azure Blob Storage: Azurite, with the account that it has for everybody."""

    scheme, title = "az", "Azure Blob"
    account = "devstoreaccount1"
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    def environment(self):
        return {"AZURE_STORAGE_USE_EMULATOR": "true", "AZURITE_BLOB_STORAGE_URL": self.endpoint}

    def command(self):
        main = install_azurite() / "node_modules/azurite/dist/src/blob/main.js"
        place = ["--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--inMemoryPersistence"]
        return ["node", main, *place, "--silent", "--disableTelemetry", "--skipApiVersionCheck"]

    def request(self, method, path, query={}, data=b"", headers={}):
        """Sends a request with the signature of the account, and returns the body of the answer."""
        headers = {"x-ms-date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()), "x-ms-version": "2023-11-03"} | headers
        path = f"/{self.account}/{BUCKET}{urllib.parse.quote(path)}"
        own = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        resource = f"/{self.account}{path}" + "".join(f"\n{name}:{query[name]}" for name in sorted(query))
        length, kind = str(len(data) or ""), "application/octet-stream" if data else ""
        signed = f"{method}\n\n\n{length}\n\n{kind}\n\n\n\n\n\n\n{own}{resource}"
        signature = hmac.new(base64.b64decode(self.key), signed.encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {self.account}:{base64.b64encode(signature).decode()}"
        if data:
            headers["Content-Type"] = kind
        url = f"{self.endpoint}{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(url, data=data or None, headers=headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def create_bucket(self):
        self.request("PUT", "", {"restype": "container"})

    def read(self, name):
        return self.request("GET", f"/{name}")

    def write(self, name, data):
        self.request("PUT", f"/{name}", data=data, headers={"x-ms-blob-type": "BlockBlob"})

    def names(self, prefix):
        # At most 5,000, which is more than the test has.
        listed = self.request("GET", "", {"restype": "container", "comp": "list", "prefix": prefix})
        return [name.text for name in xml.etree.ElementTree.fromstring(listed.decode("utf-8-sig")).iter("Name")]


def install_azurite():
    """Installs the packages of azurite/package-lock.json, and returns their folder."""
    folder, lock = ROOT / "target/azurite", HERE / "azurite/package-lock.json"
    stamp = folder / "installed.json"
    if not (stamp.exists() and stamp.read_text() == lock.read_text()):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ["package.json", "package-lock.json"]:
            shutil.copy(HERE / "azurite" / name, folder)
        subprocess.run(["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
        shutil.copy(lock, stamp)
    return folder
