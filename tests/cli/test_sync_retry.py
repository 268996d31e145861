# SPDX-License-Identifier: MIT
"""rowlock sync and a server that fails: asked again, waited for, given up."""

import contextlib
import json
import os
import signal
import socket
import threading
import unittest

from harness import CliTest, send

os.environ["no_proxy"] = "*"  # servers are on loopback

BODY = json.dumps([{"code": "a"}]).encode()
QUICK = ", retries: {wait: 1ms}"
PAST = "Sun, 06 Nov 1994 08:49:37 GMT"


class Base(CliTest):
    def define(self, url, more=QUICK):
        self.write("t.yaml", "sync: t\ntarget: {database: t.db, table: t, create_table: true}\n"
                   f"source: {{url: '{url}'{more}}}\nmatch: [code]\nfields: {{code: /code}}\n")

    def sync(self, status=0):
        return self.run_rowlock("sync", "t.yaml", status=status)

    def serve_in_turn(self, *answers):
        """Answer the n-th request by the n-th (status, headers), the last one
        also all that follow; the address and the list of paths asked for."""
        asked = []

        def answer(handler):
            status, headers = answers[min(len(asked), len(answers) - 1)]
            asked.append(handler.path)
            send(handler, BODY if status == 200 else b"no", status=status, **headers)

        return self.serve(answer), asked


class Retry(Base):
    def test_unwell_server_is_asked_again(self):
        url, asked = self.serve_in_turn((503, {}), (500, {}), (429, {}), (200, {}))
        self.define(url)
        self.sync()
        self.assertEqual(len(asked), 4)

    def test_it_is_given_up_and_said_how_often(self):
        for more, times in ((QUICK, 5), (", retries: {times: 2, wait: 1ms}", 3)):
            url, asked = self.serve_in_turn((500, {}))
            self.define(url, more)
            self.assertIn(f"answered HTTP 500, asked {times} times\n", self.sync(5).stderr)
            self.assertEqual(len(asked), times)

    def test_no_retries(self):
        url, asked = self.serve_in_turn((503, {"Retry_After": "1"}))
        self.define(url, ", retries: 0")
        self.assertIn("answered HTTP 503\n", self.sync(5).stderr)
        self.assertEqual(len(asked), 1)

    def test_what_will_not_mend_is_not_tried_again(self):
        for status in (400, 401, 404, 410):
            url, asked = self.serve_in_turn((status, {}))
            self.define(url)
            self.assertIn(f"answered HTTP {status}\n", self.sync(1).stderr)
            self.assertEqual(len(asked), 1)

    def test_waiting_as_told_is_no_failure(self):
        """It counts as no try; in seconds."""
        for status in (429, 503):
            url, asked = self.serve_in_turn((status, {"Retry_After": "1"}), (500, {}), (200, {}))
            self.define(url, ", retries: {times: 1, wait: 1ms}")
            self.sync()
            self.assertEqual(len(asked), 3)

    def test_date_in_the_past_is_no_reason_to_hurry(self):
        """A try as any other, so that it ends."""
        for told in (PAST, "0", "soon", "-5"):
            url, asked = self.serve_in_turn((429, {"Retry_After": told}))
            self.define(url)
            self.assertIn("answered HTTP 429, asked 5 times", self.sync(5).stderr)
            self.assertEqual(len(asked), 5)

    def test_wait_that_is_too_long_is_not_begun(self):
        for told in ("3600", "999999999999999", "Fri, 01 Jan 2300 00:00:00 GMT"):
            url, asked = self.serve_in_turn((429, {"Retry_After": told}))
            self.define(url, ", limits: {time: 5s}")
            self.assertIn("longer than limits.time leaves", self.sync(5).stderr)
            self.assertEqual(len(asked), 1)

    def test_connection_that_is_cut_before_the_answer(self):
        """The third connection answers."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)

        def serve():
            for part in (b"", b"", answer):
                with listener.accept()[0] as connection:
                    connection.recv(65536)
                    connection.sendall(part)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.define(f"http://127.0.0.1:{listener.getsockname()[1]}/")
        self.sync()
        thread.join()

    def test_body_that_has_begun_is_not_asked_for_again(self):
        asked = []

        def answer(handler):
            asked.append(handler.path)
            handler.send_response(200)
            handler.send_header("Content-Length", "9000000")
            handler.end_headers()
            with contextlib.suppress(OSError):
                handler.wfile.write(b"[" + b" " * 8000000)
            handler.close_connection = True

        self.define(self.serve(answer))
        self.sync(5)
        self.assertEqual(len(asked), 1)

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        self.define(f"http://127.0.0.1:{port}/")
        self.assertIn("Connection refused, asked 5 times", self.sync(5).stderr)

    def test_redirects_begin_anew(self):
        asked = []

        def answer(handler):
            asked.append(handler.path)
            if handler.path == "/":
                return send(handler, b"", status=302, Location=f"/{len(asked)}")
            send(handler, BODY, status=200 if len(asked) == 4 else 503)

        self.define(self.serve(answer) + "/")
        self.sync()
        self.assertEqual(asked, ["/", "/1", "/", "/3"])

    def test_wait_ends_with_a_signal(self):
        for number, told in ((signal.SIGINT, "600"), (signal.SIGTERM, "600")):
            answered = threading.Event()

            def answer(handler):
                send(handler, b"", status=429, Retry_After=told)
                answered.set()

            self.define(self.serve(answer))
            program = self.start_rowlock("sync", "t.yaml")
            self.assertTrue(answered.wait(60))
            program.signal(number)
            self.assertNotEqual(program.end(), 0)
            self.assertIn("interrupted", program.err)


class Limits(Base):
    def test_body_over_the_limit(self):
        url, _ = self.serve_in_turn((200, {}))
        self.define(url, f", limits: {{body: {len(BODY)}}}")
        self.sync()
        self.define(url, f", limits: {{body: {len(BODY) - 1}B}}")
        self.assertIn(f"is larger than {len(BODY) - 1} bytes", self.sync(1).stderr)

    def test_limit_is_a_files_too(self):
        self.write("t.json", json.dumps([{"code": "a" * 1024}]))
        self.define("t.json", ", limits: {body: 1KiB}")
        self.assertIn("is larger than 1024 bytes", self.sync(1).stderr)

    def test_total_time(self):
        """A server that never stalls, and never comes to an end."""
        leave = threading.Event()
        self.addCleanup(leave.set)

        def answer(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "1000000")
            handler.end_headers()
            handler.wfile.write(b"[")
            with contextlib.suppress(OSError):
                while not leave.wait(0.01):
                    handler.wfile.write(b" ")
            handler.close_connection = True

        self.define(self.serve(answer), ", limits: {time: 200ms}")
        self.assertIn("was not read within 200 ms", self.sync(5).stderr)

    def test_wrong_values_are_refused(self):
        for more, message in ((", retries: many", "from 0 to 20 was expected, not 'many'"),
                              (", retries: 21", "from 0 to 20"), (", retries: -1", "from 0 to 20"),
                              (", retries: {wait: 31s}", "30s at most"),
                              (", retries: {tmies: 1}", "did you mean 'times'?"),
                              (", limits: {body: 0}", "a size such as 64MiB"),
                              (", limits: {body: 1 TiB}", "a size such as 64MiB"),
                              (", limits: {body: 99999999999999999999}", "a size such as"),
                              (", limits: {time: 0s}", "a duration such as 30s"),
                              (", limits: {tiem: 1s}", "did you mean 'time'?")):
            self.define("http://127.0.0.1:1/", more)
            self.assertIn(message, self.sync(2).stderr)


if __name__ == "__main__":
    unittest.main()
