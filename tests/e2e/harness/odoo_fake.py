"""Odoo's answers without Odoo: a WSGI application over python3-werkzeug on loopback, for tests of what stands in front of it.

It is not Odoo: no database, no addons, one password. What it takes from Odoo 16 to 18 (odoo/http.py, addons/web/controllers,
addons/bus, odoo/addons/base/controllers/rpc.py) is what a proxy can see: which paths there are, that a login by form is 303 when
it succeeds and 200 when it fails while every RPC is 200 with an error or fault in its body, that each visitor gets a session
cookie of 84 characters which a login rotates, that /web sends strangers to the login page, that a report takes long, and that a
websocket is a 101 after which nobody in front sees more. Paths are routed as Odoo does: decoded once by WSGI, slashes merged,
a last slash ignored, a language in front taken off.

Every request is kept in `requests`, as it arrived, for a test to look at. One thread a connection.
"""

import base64
import contextlib
import dataclasses
import hashlib
import json
import re
import secrets
import socket
import string
import threading
import urllib.parse
import xmlrpc.client

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

LOGIN, PASSWORD = "cfo@acme.example", "correct horse"
SESSION_CHARACTERS = 84
SESSION_LETTERS = string.ascii_letters + string.digits + "-_"
LANGUAGES = ("fr", "de", "fr_BE", "de_CH")
WEBSOCKET_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
REPORT_SECONDS_MAX = 60
BODY_BYTES_MAX = 16 * 1024 * 1024

ROUTES = Map([
    Rule("/web/login", endpoint="login"),
    Rule("/web/session/authenticate", endpoint="authenticate", methods=["POST"]),
    Rule("/web/session/logout", endpoint="logout"),
    Rule("/jsonrpc", endpoint="jsonrpc", methods=["POST"]),
    Rule("/xmlrpc/<service>", endpoint="xmlrpc", methods=["POST"]),
    Rule("/xmlrpc/2/<service>", endpoint="xmlrpc", methods=["POST"]),
    Rule("/web/dataset/call_kw", endpoint="call_kw", methods=["POST"]),
    Rule("/web/dataset/call_kw/<path:path>", endpoint="call_kw", methods=["POST"]),
    Rule("/json/2/<model>/<method>", endpoint="json2", methods=["POST"]),
    Rule("/web", endpoint="backend"),
    Rule("/odoo", endpoint="backend"),
    Rule("/odoo/<path:path>", endpoint="backend"),
    Rule("/web/database/manager", endpoint="database"),
    Rule("/report/pdf/<name>/<ids>", endpoint="report"),
    Rule("/web/export/xlsx", endpoint="export", methods=["POST"]),
    Rule("/web/image/<path:path>", endpoint="image"),
    Rule("/my/orders/<int:number>", endpoint="order"),
    Rule("/websocket", endpoint="websocket"),
    Rule("/web/health", endpoint="health"),
    Rule("/web/assets/<path:path>", endpoint="static"),
    Rule("/<module>/static/<path:path>", endpoint="static"),
    Rule("/", endpoint="home"),
], strict_slashes=False, merge_slashes=True)


@dataclasses.dataclass
class Seen:
    """One request as it arrived here. `target` is what the request line said."""
    method: str
    target: str
    headers: dict      # names in lower case, `-` and `_` one: as WSGI gives them to Odoo
    body: bytes
    client: str        # the other end of the socket

    @property
    def path(self):
        return self.target.split("?", 1)[0]

    @property
    def guard_id(self):
        return self.headers.get("x-guard-id")


class Hijacked(Response):
    """The connection was answered by hand; werkzeug's server takes this error for a client that left."""

    def __call__(self, environ, start_response):
        raise ConnectionError


class Handler(WSGIRequestHandler):
    def log_request(self, *_):
        pass

    def log(self, *_):
        pass


class OdooFake:
    """A context: `url` and `address` while it is open. report_free: cleared, reports wait until it is set."""

    def __init__(self, address="127.0.0.1"):
        self.requests, self.lock = [], threading.Lock()
        self.sessions = {}           # session id: login, or None
        self.report_free = threading.Event()
        self.report_free.set()
        self.websockets = 0          # handshakes answered with 101
        self.server = make_server(address, 0, self.application, threaded=True, request_handler=Handler)
        self.server.daemon_threads = True
        self.server.socket.listen(512)
        self.address = self.server.server_address
        self.url = f"http://{self.address[0]}:{self.address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, name="odoo-fake", daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.report_free.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)

    # --- For tests ---

    def seen(self, path=None):
        with self.lock:
            return [each for each in self.requests if path in (None, each.path)]

    def forget(self):
        with self.lock:
            self.requests.clear()

    # --- Answers ---

    def application(self, environ, start_response):
        request = Request(environ)
        if (request.content_length or 0) > BODY_BYTES_MAX:
            return Response(status=413)(environ, start_response)
        body = request.get_data()
        headers = {name.lower().replace("_", "-"): value for name, value in request.headers.items()}
        with self.lock:
            self.requests.append(Seen(request.method, environ.get("RAW_URI") or environ.get("REQUEST_URI", ""), headers, body, request.remote_addr))
        return self.answer(request)(environ, start_response)

    def answer(self, request):
        # ir_http of website: a language in front is taken off, and the rest is routed.
        first, _, rest = request.path.lstrip("/").partition("/")
        path = "/" + rest if first in LANGUAGES else request.path
        try:
            endpoint, values = ROUTES.bind("odoo").match(path, request.method)
        except HTTPException as other:  # 404, 405, and the redirect that merges slashes
            return other.get_response(request.environ)
        response = getattr(self, endpoint)(request, **values)
        if not self.known(request) and "set-cookie" not in response.headers and not isinstance(response, Hijacked):
            self.give_session(response, None)
        return response

    def known(self, request):
        with self.lock:
            return request.cookies.get("session_id") in self.sessions

    def user(self, request):
        with self.lock:
            return self.sessions.get(request.cookies.get("session_id"))

    def give_session(self, response, login, former=None):
        session = "".join(secrets.choice(SESSION_LETTERS) for _ in range(SESSION_CHARACTERS))
        with self.lock:
            self.sessions.pop(former, None)
            self.sessions[session] = login
        response.set_cookie("session_id", session, max_age=7 * 24 * 3600, path="/", httponly=True, samesite="Lax")

    @staticmethod
    def page(text, status=200):
        return Response(f"<!DOCTYPE html>\n<html><head><title>Odoo</title></head><body>{text}</body></html>", status, mimetype="text/html")

    @staticmethod
    def rpc(request, result=None, error=None):
        asked = request.get_json(silent=True) or {}
        answer = {"jsonrpc": "2.0", "id": asked.get("id")}
        answer.update({"error": error} if error else {"result": result})
        return Response(json.dumps(answer), mimetype="application/json")

    @staticmethod
    def rpc_error(name, code=200, message="Odoo Server Error"):
        return {"code": code, "message": message, "data": {"name": name, "message": "Access Denied", "arguments": [], "debug": ""}}

    def login(self, request):
        if request.method != "POST":
            return self.page("<form method='post'><input name='login'/><input name='password' type='password'/></form>")
        if (request.form.get("login"), request.form.get("password")) != (LOGIN, PASSWORD):
            return self.page("<p class='alert alert-danger'>Wrong login/password</p>")
        response = Response(status=303, headers={"Location": request.form.get("redirect") or "/odoo"})
        self.give_session(response, LOGIN, request.cookies.get("session_id"))
        return response

    def authenticate(self, request):
        params = (request.get_json(silent=True) or {}).get("params") or {}
        if (params.get("login"), params.get("password")) != (LOGIN, PASSWORD):
            return self.rpc(request, error=self.rpc_error("odoo.exceptions.AccessDenied"))
        response = self.rpc(request, {"uid": 2, "db": params.get("db"), "username": LOGIN})
        self.give_session(response, LOGIN, request.cookies.get("session_id"))
        return response

    def logout(self, request):
        response = Response(status=303, headers={"Location": "/odoo"})
        self.give_session(response, None, request.cookies.get("session_id"))
        return response

    def call_service(self, service, method, arguments):
        """(result, denied) of a call as dispatch_rpc takes it."""
        if service == "common":
            if method == "version":
                return {"server_version": "18.0"}, False
            return (2 if tuple(arguments[1:3]) == (LOGIN, PASSWORD) else False), False
        return [], len(arguments) < 3 or arguments[1:3] != [2, PASSWORD]

    def jsonrpc(self, request):
        params = (request.get_json(silent=True) or {}).get("params") or {}
        result, denied = self.call_service(params.get("service"), params.get("method"), list(params.get("args") or []))
        return self.rpc(request, result, self.rpc_error("odoo.exceptions.AccessDenied") if denied else None)

    def xmlrpc(self, request, service):
        arguments, method = xmlrpc.client.loads(request.get_data())
        result, denied = self.call_service(service, method, list(arguments))
        answer = xmlrpc.client.Fault(3, "Access Denied") if denied else (result,)
        return Response(xmlrpc.client.dumps(answer, methodresponse=True, allow_none=True), mimetype="text/xml")

    def call_kw(self, request, path=""):
        if not self.user(request):
            return self.rpc(request, error=self.rpc_error("odoo.http.SessionExpiredException", 100, "Odoo Session Expired"))
        return self.rpc(request, [])

    def json2(self, request, model, method):
        if request.headers.get("Authorization") != "Bearer a-key":
            return Response(json.dumps({"message": "Invalid apikey"}), 401, mimetype="application/json")
        return Response("[]", mimetype="application/json")

    def backend(self, request, path=""):
        if not self.user(request):
            return Response(status=303, headers={"Location": "/web/login?redirect=" + urllib.parse.quote(request.path + "?")})
        return self.page("<div class='o_web_client'/>")

    def database(self, request):
        return self.page("<form action='/web/database/create'/>")

    def report(self, request, name, ids):
        if not self.report_free.wait(REPORT_SECONDS_MAX):
            return Response(status=504)
        return Response(b"%PDF-1.4\n", mimetype="application/pdf")

    def export(self, request):
        return Response(b"PK\3\4", mimetype="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")

    def order(self, request, number):
        return self.page("<h1>403: Forbidden</h1>", 403)  # somebody else's

    def image(self, request, path):
        return Response(b"\x89PNG\r\n\x1a\n", mimetype="image/png")

    def static(self, request, path, module=""):
        return Response("/* */", mimetype="text/css", headers={"Cache-Control": "public, max-age=604800"})

    def health(self, request):
        return Response('{"status": "pass"}', mimetype="application/json")

    def home(self, request):
        return self.page("<main/>")

    def websocket(self, request):
        key = request.headers.get("Sec-WebSocket-Key")
        if request.headers.get("Upgrade", "").lower() != "websocket" or not key:
            return Response("Bad Request", 400)
        accept = base64.b64encode(hashlib.sha1((key + WEBSOCKET_GUID).encode()).digest()).decode()
        with self.lock:
            self.websockets += 1
        connection = request.environ["werkzeug.socket"]
        connection.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            while chunk := connection.recv(65536):  # what comes is sent back, until the client has enough
                connection.sendall(chunk)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        return Hijacked()


def is_session(value):
    return re.fullmatch(rf"[A-Za-z0-9_-]{{{SESSION_CHARACTERS}}}", value or "") is not None
