# SPDX-License-Identifier: MIT
"""rowlock sync and secrets: who they are sent to, and that nobody else sees them."""

import base64
import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
import unittest

from harness import CliTest, environment, send

os.environ["no_proxy"] = "*"  # servers are on loopback

SECRET = "hunter2-s3cret"
BODY = json.dumps([{"code": "a"}]).encode()
AUTHS = (("{bearer: '${TOKEN}'}", "Authorization", f"Bearer {SECRET}"),
         ("{basic: {user: me, password: '${file:secret}'}}", "Authorization",
          "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()),
         ("{api_key: {header: X-Api-Key, value: '${TOKEN}'}}", "X-Api-Key", SECRET))


class Auth(CliTest):
    def define(self, url, more):
        self.write("secret", SECRET + "\n")
        self.write("t.yaml", "sync: t\ntarget: {database: t.db, table: t, create_table: true}\n"
                   f"source: {{url: '{url}'{more}}}\nmatch: [code]\nfields: {{code: /code}}\n")

    def sync(self, status=0, **more):
        done = self.run_rowlock("sync", "t.yaml", status=status,
                                env=environment(**{"TOKEN": SECRET, **more}))
        for text in (done.stdout, done.stderr):
            self.assertNotIn(SECRET, text)
        return done

    def refused(self, *expected, status=1, **more):
        done = self.sync(status, **more)
        for text in expected:
            self.assertIn(text, done.stderr)

    def test_headers_are_sent(self):
        seen = []

        def answer(handler):
            seen.append(dict(handler.headers))
            send(handler, BODY)

        url = self.serve(answer)
        for auth, header, value in AUTHS:
            self.define(url, f", auth: {auth}")
            self.sync()
            self.assertEqual(seen.pop()[header], value)

    def test_other_origins_get_no_secret(self):
        """Another port is another origin; the same one gets it again."""
        seen = []

        def far(handler):
            seen.append(("far", dict(handler.headers)))
            send(handler, b"", status=307, Location=f"{near_url}/end")

        def near(handler):
            seen.append(("near", dict(handler.headers)))
            if handler.path == "/end":
                return send(handler, BODY)
            target = {"/": "/again", "/again": far_url}[handler.path]
            send(handler, b"", status=302, Location=target)

        far_url, near_url = self.serve(far) + "/", self.serve(near)
        for auth, header, value in AUTHS:
            seen.clear()
            self.define(near_url + "/", f", auth: {auth}")
            self.sync()
            self.assertEqual([(name, headers.get(header)) for name, headers in seen],
                             [("near", value), ("near", value), ("far", None), ("near", value)])

    def test_other_host_gets_no_secret(self):
        """localhost and 127.0.0.1 are not one host."""
        seen = []

        def answer(handler):
            seen.append(handler.headers["Authorization"])
            if handler.path == "/end":
                return send(handler, BODY)
            send(handler, b"", status=302,
                 Location=url.replace("127.0.0.1", "localhost") + "/end")

        url = self.serve(answer)
        self.define(url, ", auth: {bearer: '${TOKEN}'}")
        self.sync()
        self.assertEqual(seen, [f"Bearer {SECRET}", None])

    def test_secrets_in_the_url_are_sent_and_not_told(self):
        paths = []

        def answer(handler):
            paths.append(handler.path)
            send(handler, b"no", status=403)

        url = self.serve(answer)
        self.define(url + "/x?key=${TOKEN}&n=1", "")
        self.refused(f"'{url}/x?key=${{TOKEN}}&n=1' answered HTTP 403")
        self.assertEqual(paths, [f"/x?key={SECRET}&n=1"])

    def test_redirect_is_told_without_its_query(self):
        def answer(handler):
            if handler.path == "/":
                return send(handler, b"", status=302, Location=f"/y?sig={SECRET}")
            send(handler, b"", status=404)

        url = self.serve(answer)
        self.define(url + "/", "")
        self.refused(f"'{url}/y' answered HTTP 404")

    def test_server_that_says_the_secret_back(self):
        def answer(handler):
            said = handler.headers.get("X-Api-Key") or handler.headers["Authorization"]
            send(handler, f"bad: {said}".encode(), status=401)

        url = self.serve(answer)
        for auth, _, value in AUTHS:
            self.define(url, f", auth: {auth}")
            self.assertNotIn(value, self.sync(1).stderr)

    def test_references_without_a_value(self):
        for text, message in (("${NOPE_}", "the environment has no value for 'NOPE_'"),
                              ("${EMPTY_}", "the environment has no value for 'EMPTY_'"),
                              ("${file:nope}", "could not read 'nope': No such file"),
                              ("${TOKEN", "'${' without a '}'"), ("${}", "no value for ''")):
            self.define("http://127.0.0.1:1/", f", auth: {{bearer: '{text}'}}")
            self.refused("t.yaml:3:", message, status=2, EMPTY_="")

    def test_header_is_one_line(self):
        self.define("http://127.0.0.1:1/", ", auth: {bearer: '${TOKEN}'}")
        self.refused("a control character", status=2, TOKEN=SECRET + "\r\nX: y")
        self.define("http://127.0.0.1:1/", ", auth: {api_key: {header: 'a: b', value: x}}")
        self.refused("'a: b' is no name of a header", status=2)

    def test_wrong_auth_is_refused(self):
        for auth, message in (("{}", "auth is one of bearer, basic and api_key"),
                              ("{bearer: x, api_key: {header: a, value: b}}", "auth is one of"),
                              ("{basic: {user: me}}", "key 'password' is missing"),
                              ("{basic: {user: 'a:b', password: x}}", "a user may hold no ':'"),
                              ("{baerer: x}", "did you mean 'bearer'?")):
            self.define("http://127.0.0.1:1/", f", auth: {auth}")
            self.refused(message, status=2)

    def test_files_need_no_auth(self):
        for more in (", auth: {bearer: x}", ", ca: x", ", timeout: 1s", ", retries: 1",
                     ", limits: {time: 1s}"):
            self.define("t.json", more)
            self.refused("is for http:// and https:// only", status=2)

    def test_references_stand_in_three_places_only(self):
        self.write("t.json", '[{"code": "a"}]')
        self.write("t.yaml", "sync: '${TOKEN}'\nmatch: [code]\nfields: {code: /code}\n"
                   "target: {database: '${BASE}.db', table: t, create_table: true}\n"
                   "source: {url: '${BASE}.json'}\n")
        self.assertIn("${TOKEN}: 1 record", self.sync(BASE="t").stdout)
        self.assertTrue((self.top / "t.db").exists())

    def test_timeout_is_the_definitions(self):
        leave = threading.Event()
        self.addCleanup(leave.set)
        self.define(self.serve(lambda handler: leave.wait(60)), ", timeout: 100ms, retries: 0")
        self.refused("sent nothing for 100 ms", status=5)
        self.define("http://127.0.0.1:1/", ", timeout: soon")
        self.refused("a duration such as 30s was expected, not 'soon'", status=2)

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_own_authority(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out",
                        "cert.pem", "-subj", "/CN=127.0.0.1", "-addext",
                        "subjectAltName=IP:127.0.0.1"], cwd=self.top, check=True,
                       capture_output=True)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                send(self, BODY)

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.top / "cert.pem", self.top / "key.pem")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
        server.handle_error = lambda *_: None
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        url = f"https://127.0.0.1:{server.server_port}/"
        self.define(url, "")
        self.refused("does not prove who it is")
        self.define(url, ", ca: cert.pem")
        self.sync()
        self.define(url, ", ca: nowhere.pem")
        self.refused("could not fetch")


if __name__ == "__main__":
    unittest.main()
