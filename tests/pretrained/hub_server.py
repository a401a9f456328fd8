"""A server on this machine that speaks as much of the Hub's protocol as its client needs."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubServer:
    """Holds repositories as ``{id: {path: content}}`` and the requests that it got."""

    def __init__(self):
        self.repositories = {}
        self.requests = []
        self.fail_with = None
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                owner.get(self, body=False)

            def do_GET(self):
                owner.get(self)

            def do_POST(self):
                owner.post(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request, content, status=200, body=True, **headers):
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
            headers.setdefault("Content-Type", "application/json")
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if body:
            request.wfile.write(content)

    def missing(self, request, code, body=True):
        self.answer(request, {"error": code}, 404, body, X_Error_Code=code)

    def get(self, request, body=True):
        self.requests.append((request.command, request.path))
        path = request.path.partition("?")[0].strip("/")
        if self.fail_with is not None:
            self.answer(request, {"error": "no"}, self.fail_with, body)
            return
        if path.startswith("api/models/"):
            owner, name, *rest = path.removeprefix("api/models/").split("/")
            files = self.repositories.get(f"{owner}/{name}")
            if files is None:
                self.missing(request, "RepoNotFound", body)
            elif rest[:1] == ["tree"]:
                tree = [
                    {"type": "file", "path": file, "size": len(content), "oid": self.etag(content)}
                    for file, content in files.items()
                ]
                self.answer(request, tree, body=body)
            else:
                siblings = [{"rfilename": file} for file in files]
                facts = {"id": f"{owner}/{name}", "sha": COMMIT, "siblings": siblings}
                self.answer(request, facts | {"private": False, "tags": [], "downloads": 0})
            return
        hub_id, _, file = path.partition("/resolve/")
        files, file = self.repositories.get(hub_id), file.partition("/")[2]
        if files is None:
            self.missing(request, "RepoNotFound", body)
        elif file not in files:
            self.missing(request, "EntryNotFound", body)
        else:
            content = files[file]
            headers = {"ETag": f'"{self.etag(content)}"', "X_Repo_Commit": COMMIT}
            self.answer(request, content, body=body, **headers)

    @staticmethod
    def etag(content):
        return hashlib.sha1(content).hexdigest()

    def post(self, request):
        self.requests.append((request.command, request.path))
        sent = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        path = request.path.strip("/")
        if self.fail_with is not None:
            self.answer(request, {"error": "no"}, self.fail_with)
        elif path == "api/repos/create":
            asked = json.loads(sent)
            hub_id = f"{asked.get('organization') or 'me'}/{asked['name']}"
            self.repositories.setdefault(hub_id, {})
            self.answer(request, {"url": f"{self.url}/{hub_id}"})
        elif path == "api/validate-yaml":
            self.answer(request, {"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(sent)["files"]
            ]
            self.answer(request, {"files": files})
        elif "/commit/" in path:
            hub_id = path.removeprefix("api/models/").partition("/commit/")[0]
            for line in sent.decode().splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    value = entry["value"]
                    content = base64.b64decode(value["content"])
                    self.repositories[hub_id][value["path"]] = content
            self.answer(
                request,
                {"commitUrl": f"{self.url}/{hub_id}/commit/{COMMIT}", "commitOid": COMMIT},
            )
        else:
            self.missing(request, "Unknown")
