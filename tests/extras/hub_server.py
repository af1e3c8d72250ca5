"""As much of the hub as huggingface_hub needs to make a repository, fill it and download it; in memory.

`python hub_server.py PORT_FILE` serves on a free port of this machine, which it writes to that file.
"""

import base64
import hashlib
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

repositories = {}
"""Name to branch or commit to (commit, path to bytes)."""


def commit_of(files):
    return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()


def blob_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def put(name, branch, added):
    files = {**repositories[name].get(branch, ("", {}))[1], **added}
    commit = commit_of(files)
    repositories[name][branch] = repositories[name][commit] = (commit, files)
    return commit


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, code, content, **headers):
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def missing(self, kind):
        self.answer(404, {"error": f"{kind} not found"}, X_Error_Code=f"{kind}NotFound")

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        match = (re.fullmatch(r"/api/models/([^/]+/[^/]+)/(tree|revision)/(.+)", path)
                 or re.fullmatch(r"/([^/]+/[^/]+)/(resolve)/([^/]+)/(.+)", path))
        if not match or match[1] not in repositories:
            return self.missing("Repo")
        if match[3] not in repositories[match[1]]:
            return self.missing("Revision")
        commit, files = repositories[match[1]][match[3]]
        if match[2] == "revision":
            return self.answer(200, {"id": match[1], "sha": commit, "private": False, "tags": [],
                                     "siblings": [{"rfilename": file} for file in files]})
        if match[2] == "tree":
            return self.answer(200, [{"type": "file", "path": file, "size": len(content),
                                      "oid": blob_id(content)} for file, content in files.items()])
        if match[4] not in files:
            return self.missing("Entry")
        content = files[match[4]]
        return self.answer(200, content, ETag=f'"{blob_id(content)}"', X_Repo_Commit=commit)

    do_HEAD = do_GET

    def do_POST(self):
        path = unquote(urlsplit(self.path).path)
        body = self.body()
        if path == "/api/repos/create":
            wanted = json.loads(body)
            name = f"{wanted['organization']}/{wanted['name']}"
            if self.headers.get("Authorization") != "Bearer hf_right":
                return self.answer(401, {"error": "Invalid username or password."})
            told = {"url": f"http://{self.headers['Host']}/{name}"}
            if name in repositories:
                return self.answer(409, {**told, "error": "You already created this model repo"})
            repositories[name] = {}
            put(name, "main", {".gitattributes": b""})
            return self.answer(200, told)
        if path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        match = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(branch|preupload|commit)/(.+)", path)
        if not match or match[1] not in repositories:
            return self.missing("Repo")
        name, what, branch = match.groups()
        if what == "branch":
            repositories[name].setdefault(branch, repositories[name]["main"])
            return self.answer(200, {})
        if what == "preupload":
            return self.answer(200, {"files": [{"path": file["path"], "uploadMode": "regular",
                                                "shouldIgnore": False} for file in json.loads(body)["files"]]})
        lines = [json.loads(line) for line in body.splitlines()]
        added = {line["value"]["path"]: base64.b64decode(line["value"]["content"])
                 for line in lines if line["key"] == "file"}
        commit = put(name, branch, added)
        return self.answer(200, {"success": True, "commitOid": commit,
                                 "commitUrl": f"http://{self.headers['Host']}/{name}/commit/{commit}"})

    def log_message(self, *arguments):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Path(sys.argv[1]).write_text(str(server.server_port))
    server.serve_forever()
