# SPDX-License-Identifier: MIT
"""rowlock sync with bad input: a message that says where, what and why, exit 1
2, 5 (try again later) or 6 (rejected), and nothing half-written."""

import json
import os
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import unittest

from harness import LIMIT, PROGRAM, CliTest, send

RECORDS = [{"code": c, "name": n} for c, n in (("a", "A"), ("b", "\u00e9\U0001f600"), ("c", "C]}"))]


os.environ["no_proxy"] = "*"  # servers are on loopback


class BadTest(CliTest):
    def define(self, url="t.json", match="[code]", fields="{code: /code, name: /name}",
               target="{database: t.db, table: t, create_table: true}", records=None):
        records = f", records: {records}" if records else ""
        if url.startswith("http"):
            records += ", retries: 0"
        return self.write("t.yaml", f"sync: t\ntarget: {target}\n"
                                    f"source: {{url: '{url}'{records}}}\n"
                                    f"match: {match}\nfields: {fields}\n")

    def refused(self, *expected, status=1, definition="t.yaml", **options):
        """Run; every expected text must be said."""
        done = self.run_rowlock("sync", definition, status=status, **options)
        for text in expected:
            self.assertIn(text, done.stderr)
        return done

    def rows(self):
        path = self.top / "t.db"
        if not path.exists():
            return []
        if not self.query(path, "SELECT 1 FROM sqlite_schema WHERE name = 't'"):
            return []
        return self.query(path, "SELECT code, name FROM t ORDER BY id")

    def check_prefix(self):
        """What is in the table are whole records, in order, from the first."""
        rows = self.rows()
        self.assertEqual(rows, [(r["code"], r["name"]) for r in RECORDS][:len(rows)])
        if (self.top / "t.db").exists():
            self.assertEqual(self.query(self.top / "t.db", "PRAGMA integrity_check"), [("ok",)])


class Definitions(BadTest):
    def test_unknown_key_names_the_one_meant(self):
        self.define(fields="{code: {form: /code}}")
        self.refused("rowlock: t.yaml:5:17: unknown key 'form' (did you mean 'from'?)\n", status=2)

    def test_wrong_type(self):
        self.define(target="{database: t.db, table: t, create_table: yes}")
        self.refused("t.yaml:2:50: true or false was expected, not 'yes'", status=2)

    def test_duplicate_key(self):
        self.define(fields="{code: /code, code: /x}")
        self.refused("t.yaml:5:23: key 'code' is there twice (see line 5)", status=2)

    def test_missing_file(self):
        self.refused("could not open 'no.yaml': No such file", status=2, definition="no.yaml")

    def test_no_definition_at_all(self):
        self.run_rowlock("sync", status=2)

    def test_nothing_is_made(self):
        self.define(match="[slug]")
        self.write("t.json", "[]")
        self.refused("t.yaml:4:9: match names 'slug', which is no field", status=2)
        self.assertFalse((self.top / "t.db").exists())


class Targets(BadTest):
    def setUp(self):
        super().setUp()
        self.write("t.json", json.dumps(RECORDS))
        self.existing = "{database: t.db, table: t}"

    def test_missing_table(self):
        self.database("CREATE TABLE tt (id INTEGER PRIMARY KEY)", "t.db")
        self.define(target=self.existing)
        self.refused('t.yaml:2:33: no such table: "t"', 'Did you mean "tt"?', status=2)

    def test_missing_column(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code, nam)", "t.db")
        self.define(target=self.existing)
        self.refused("t.yaml:5:23: ", "name", "nam", status=2)
        self.assertEqual(self.query(self.top / "t.db", "SELECT count(*) FROM t"), [(0,)])

    def test_generated_column(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code, name AS (code))", "t.db")
        self.define(target=self.existing)
        self.refused("t.yaml:5:23: column 'name' is generated", status=2)

    def test_type_that_is_not_the_columns(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, name TEXT)", "t.db")
        self.define(target=self.existing,
                    fields="{code: /code, name: {from: /name, type: integer}}")
        self.refused("t.yaml:5:23: the type of 'name' is TEXT in the table, not integer",
                     status=2)

    def test_view(self):
        self.database("CREATE TABLE x (code, name); CREATE VIEW t AS SELECT * FROM x", "t.db")
        self.define(target=self.existing)
        self.refused('t.yaml:2:33: "t" is a view', status=2)

    def test_missing_database(self):
        self.define(target=self.existing)
        self.refused("t.db")
        self.assertFalse((self.top / "t.db").exists())

    def test_no_database(self):
        for target in (self.existing, None):
            self.write("t.db", "This is no database. " * 500)
            before = (self.top / "t.db").read_bytes()
            self.define(**({"target": target} if target else {}))
            self.refused("not a database")
            self.assertEqual((self.top / "t.db").read_bytes(), before)

    def test_other_journal_mode(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code, name)", "t.db",
                      journal_mode="delete")
        self.define()
        self.refused("doctor")

    def test_server_database(self):
        self.define(target="{database: 'mysql://x/y', table: t}")
        self.refused("t.yaml:2:20: a database is a path, sqlite:PATH or "
                     "postgresql://...", status=2)

    def test_missing_folder(self):
        self.define(target="{database: no/t.db, table: t, create_table: true}")
        self.refused("could not open 'no/t.db'")

    def test_read_only_folder(self):
        options = self.unprivileged()
        self.define()
        (self.top / "t.yaml").chmod(0o644)
        self.top.chmod(0o555)
        try:
            self.refused("could not open 't.db': Permission denied", **options)
        finally:
            self.top.chmod(0o755)
        self.assertFalse((self.top / "t.db").exists())

    def test_read_only_database(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code, name)", "t.db")
        options = self.unprivileged()
        self.define()
        (self.top / "t.db").chmod(0o444)
        self.refused("t.db", **options)

    def test_disk_full_at_any_write(self):
        """Files may grow to a limit, in steps: every run says why, and leaves
        whole batches and a sound database behind."""
        records = [{"code": f"c{i}", "name": "x" * 200} for i in range(2000)]
        self.write("t.json", json.dumps(records))
        self.define()
        failures = 0
        for kib in (0, 4, 16, 32, 64, 100, 200, 300, 500, 700, 900):
            for name in self.top.glob("t.db*"):
                name.unlink()

            def limit():
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (kib * 1024, kib * 1024))

            done = self.run_rowlock_any("sync", "t.yaml", preexec_fn=limit)
            self.assertIn(done.returncode, (0, 1), done.stderr)
            if done.returncode:
                failures += 1
                self.assertIn("t.db", done.stderr)
            names = [r["code"] for r in records]
            codes = [code for code, _ in self.rows()]
            self.assertEqual(codes, names[:len(codes)])
        self.assertGreater(failures, 3)
        self.run_rowlock("sync", "t.yaml")
        self.assertEqual(len(self.rows()), 2000)

    def run_rowlock_any(self, *words, **options):
        return subprocess.run([PROGRAM, *words], cwd=self.top, text=True, timeout=LIMIT,
                              capture_output=True, restore_signals=False, **options)


class Bodies(BadTest):
    def body(self, text, **more):
        (self.top / "t.json").write_bytes(text if isinstance(text, bytes) else text.encode())
        self.define(**more)

    def test_cut_at_any_byte(self):
        body = json.dumps({"n": -1.5e7, "items": RECORDS, "end": "x"}, ensure_ascii=False,
                          indent=1).encode()
        for cut in range(len(body)):
            self.body(body[:cut], records="/items")
            done = self.run_rowlock("sync", "t.yaml", status=1)
            self.assertRegex(done.stderr, "cut off|damaged")
            self.check_prefix()
        self.body(body, records="/items")
        self.run_rowlock("sync", "t.yaml")
        self.assertEqual(len(self.rows()), 3)

    def test_text_after_the_end(self):
        self.body(json.dumps(RECORDS) + "x")
        self.refused("text after the end", "t.json, line 1, byte")

    def test_no_json(self):
        self.body("<html>Not found</html>")
        self.refused("damaged", "t.json, line 1, byte 1")
        self.assertEqual(self.rows(), [])
        self.assertFalse((self.top / "t.db").exists())

    def test_no_list(self):
        self.body('{"a": 1, "items": [], "more": []}')
        self.refused("the body has several lists", "/items, /more", "'records'")
        self.body('{"a": 1, "items": []}', records="/itmes")
        self.refused("the body has no list at '/itmes'", "/items")
        self.body('{"a": {}}', records="/a")
        self.refused("is not a list")

    def test_invalid_utf8_in_a_record_rejects_it(self):
        self.body(b'[{"code": "a"},\n{"code": "b\xff"},\n{"code": "c"}]')
        self.refused("record 2 (line 2, byte 28) rejected: invalid UTF-8", status=6)
        self.assertEqual([code for code, _ in self.rows()], ["a", "c"])

    def test_invalid_utf8_around_the_records_fails(self):
        self.body(b'{"x": "\xff", "items": []}', records="/items")
        self.refused("invalid UTF-8", "line 1, byte 8")

    def test_number_of_a_thousand_bytes(self):
        number = "7" * 1000
        self.body(f'[{{"code": "a", "name": {number}}}]')
        self.run_rowlock("sync", "t.yaml")
        self.assertEqual(self.rows(), [("a", number)])
        self.body(f'[{{"code": "b", "n": {number}}}]',
                  fields="{code: /code, n: {from: /n, type: integer}}",
                  target="{database: u.db, table: t, create_table: true}")
        self.refused("record 1 (line 1, byte 2) rejected: field 'n': "
                     "the number is no integer of 64 bits", status=6)

    def test_members_with_one_name(self):
        self.body('[{"code": "a", "code": "b"}, {"code": "c"}]')
        self.refused("record 1", "member 'code' is there twice", status=6)
        self.assertEqual([code for code, _ in self.rows()], ["c"])

    def test_list_that_is_there_twice(self):
        self.body('{"items": [{"code": "a"}], "items": [{"code": "b"}]}', records="/items")
        self.refused("the list of records is there twice")

    def test_hostile_nesting(self):
        self.body("[" * 100000)
        self.refused("nested too deep")
        self.body('[{"code": "a", "x": ' + "[" * 500 + "]" * 500 + '}, {"code": "b"}]')
        self.refused("record 1", "nested too deep", status=6)
        self.assertEqual([code for code, _ in self.rows()], ["b"])

    def test_nul_in_a_text(self):
        self.body('[{"code": "a\\u0000b"}, {"code": "c"}]')
        self.refused("record 1", status=6)
        self.assertEqual([code for code, _ in self.rows()], ["c"])

    def test_missing_file(self):
        self.define(url="no.json")
        self.refused("could not open 'no.json': No such file")
        self.assertFalse((self.top / "t.db").exists())

    def test_folder_as_file(self):
        (self.top / "t.json").mkdir()
        self.define()
        self.refused("t.json", "Is a directory")

    def test_value_that_a_column_cannot_hold(self):
        self.database("CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, name VARCHAR(3), "
                      "n INTEGER)", "t.db")
        self.body('[{"code": "a", "name": "four", "n": 1}, {"code": "b", "n": "007"},'
                  ' {"code": "c", "n": 7}]', fields="{code: /code, name: /name, n: /n}")
        self.refused("record 1", "record 2", "007", status=6)
        self.assertEqual([code for code, _ in self.rows()], ["c"])

    def test_steering_characters_do_not_reach_the_terminal(self):
        self.body('[{"code": "a", "x\\u001b[2J": 1, "x\\u001b[2J": 2}]')
        done = self.refused("rejected", status=6)
        self.assertNotIn("\x1b", done.stderr)


class Http(BadTest):
    """Every trap of a server that a test can make."""

    def serve_bytes(self, answer):
        """answer(handler) writes what it likes; the connection is then closed."""
        def serve(handler):
            handler.close_connection = True
            try:
                answer(handler)
            except (BrokenPipeError, ConnectionResetError):
                pass
        address = self.serve(serve)
        self.define(url=f"{address}/items.json")
        return address

    def raw(self, text):
        self.serve_bytes(lambda handler: handler.wfile.write(text))

    def test_errors_are_said_with_url_and_status(self):
        for status, hint in ((500, "Try again later"), (503, "Try again later"),
                             (404, "Look at the url"), (403, "does not let us"),
                             (429, "Try again later"), (204, ""), (206, "")):
            address = self.serve_bytes(lambda h: send(h, b"" if status == 204 else b"[]",
                                                      status=status))
            self.refused(f"'{address}/items.json' answered HTTP {status}", hint,
                         status=5 if status in (429, 500, 503) else 1)
            self.assertFalse((self.top / "t.db").exists())

    def test_what_the_server_said_is_shown(self):
        self.serve_bytes(lambda h: send(h, b"over\x1b[2J quota", status=500))
        self.refused("It said: over [2J quota", status=5)

    def test_body_cut_at_any_byte(self):
        body = json.dumps(RECORDS).encode()
        cut = [0]
        self.serve_bytes(lambda h: send(h, body[:cut[0]], Content_Length=str(len(body))))
        for cut[0] in range(len(body)):
            done = self.run_rowlock("sync", "t.yaml", status=5)
            self.assertIn("items.json", done.stderr)
            self.check_prefix()
        cut[0] = len(body)
        self.run_rowlock("sync", "t.yaml")
        self.assertEqual(len(self.rows()), 3)

    def test_body_cut_at_any_byte_without_a_length(self):
        body = json.dumps(RECORDS).encode()
        cut = [0]
        self.serve_bytes(lambda h: h.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + body[:cut[0]]))
        for cut[0] in range(0, len(body), 3):
            self.run_rowlock("sync", "t.yaml", status=1)
            self.check_prefix()
        cut[0] = len(body)
        self.run_rowlock("sync", "t.yaml")

    def test_chunks_cut_at_any_byte(self):
        body = json.dumps(RECORDS).encode()
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + 20]), body[i:i + 20])
                          for i in range(0, len(body), 20)) + b"0\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        cut = [0]
        self.serve_bytes(lambda h: h.wfile.write(head + chunks[:cut[0]]))
        for cut[0] in range(0, len(chunks) - 5):
            self.run_rowlock("sync", "t.yaml", status=5)
            self.check_prefix()
        cut[0] = len(chunks)
        self.run_rowlock("sync", "t.yaml")
        self.assertEqual(len(self.rows()), 3)

    def test_body_longer_than_its_length(self):
        body = json.dumps(RECORDS).encode()
        self.serve_bytes(lambda h: send(h, body, Content_Length=str(len(body) - 1)))
        self.refused("cut off")

    def test_header_cut(self):
        for head in (b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Le", b"garbage\r\n\r\n"):
            self.raw(head)
            self.refused("items.json", status=1 if head.startswith(b"HTTP/1.1 200 OK") else 5)

    def test_connection_refused(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.define(url=f"http://127.0.0.1:{taken.getsockname()[1]}/x.json")
            self.refused(f"could not fetch 'http://127.0.0.1:{taken.getsockname()[1]}/x.json'",
                         "Connection refused", "Look whether the server runs", status=5)
        self.assertFalse((self.top / "t.db").exists())

    def test_unknown_host(self):
        self.define(url="http://no-such-host.invalid/x.json")
        self.refused("could not fetch 'http://no-such-host.invalid/x.json'", status=5)

    def test_redirects_are_followed(self):
        body = json.dumps(RECORDS).encode()

        def answer(handler):
            for status in (301, 302, 303, 307, 308):
                if handler.path == f"/{status}":
                    next_status = {301: 302, 302: 303, 303: 307, 307: 308, 308: "end"}[status]
                    return send(handler, b"moved", status=status, Location=f"{next_status}")
            if handler.path == "/items.json":
                return send(handler, b"moved", status=301, Location="/301")
            send(handler, body)

        self.serve_bytes(answer)
        self.run_rowlock("sync", "t.yaml")
        self.assertEqual(len(self.rows()), 3)

    def test_redirect_loops_end(self):
        self.serve_bytes(lambda h: send(h, b"", status=302, Location="/items.json"))
        self.refused("redirects more than 10 times")

    def test_redirects_elsewhere_are_refused(self):
        secret = self.write("secret.json", json.dumps(RECORDS))
        for target in (f"file://{secret}", "ftp://127.0.0.1/x", "gopher://127.0.0.1/",
                       "dict://127.0.0.1/"):
            self.serve_bytes(lambda h: send(h, b"", status=302, Location=target))
            self.refused("redirects to", "Only http and https are followed")
        self.serve_bytes(lambda h: send(h, b"", status=302,
                                        Location="http://me:secret@127.0.0.1/"))
        done = self.refused("password")
        self.assertNotIn("secret@", done.stderr)
        self.serve_bytes(lambda h: send(h, b"", status=302))
        self.refused("redirects to nowhere")
        self.assertEqual(self.rows(), [])

    def test_password_in_the_url_is_refused_and_not_shown(self):
        self.define(url="http://me:hunter2@127.0.0.1/x.json")
        done = self.refused("a url with a user or password is refused")
        self.assertNotIn("hunter2", done.stderr)

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_unknown_certificate_is_refused(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out",
                        "cert.pem", "-subj", "/CN=127.0.0.1", "-addext",
                        "subjectAltName=IP:127.0.0.1"], cwd=self.top, check=True,
                       capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.top / "cert.pem", self.top / "key.pem")
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            connection, _ = listener.accept()
            with connection:
                try:
                    context.wrap_socket(connection, server_side=True)
                except OSError:
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        self.define(url=f"https://127.0.0.1:{listener.getsockname()[1]}/x.json")
        self.refused("certificate", "does not prove who it is")
        thread.join(LIMIT)
        self.assertEqual(self.rows(), [])

    def test_interrupt_while_the_server_stalls(self):
        asked, leave = threading.Event(), threading.Event()
        self.addCleanup(leave.set)

        def stall(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b"[")
            handler.wfile.flush()
            asked.set()
            leave.wait(LIMIT)

        self.serve_bytes(stall)
        sync = self.start_rowlock("sync", "t.yaml")
        self.assertTrue(asked.wait(LIMIT))
        sync.signal(signal.SIGTERM)
        self.assertEqual(sync.end(), 143)
        self.assertIn("interrupted", sync.err)


if __name__ == "__main__":
    unittest.main()
