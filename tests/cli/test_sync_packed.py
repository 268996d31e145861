# SPDX-License-Identifier: MIT
"""rowlock sync from packed sources: gzip and zstd, over HTTP and in files."""

import gzip
import json
import os
import shutil
import subprocess
import unittest

from harness import PROGRAM, CliTest, measure, send

os.environ["no_proxy"] = "*"  # servers are on loopback

RECORDS = [{"code": f"c{i}", "name": "n" * i} for i in range(3)]
BODY = "".join(json.dumps(r) + "\n" for r in RECORDS).encode()


def zstd(body):
    return subprocess.run(["zstd", "-q", "-c"], input=body, check=True,
                          stdout=subprocess.PIPE).stdout


@unittest.skipUnless(shutil.which("zstd"), "zstd is not installed")
class Packed(CliTest):
    def define(self, url):
        self.write("t.yaml", "sync: t\ntarget: {database: t.db, table: t, create_table: true}\n"
                   f"source: {{url: '{url}'}}\nmatch: [code]\n"
                   "fields: {code: /code, name: /name}\n")

    def body(self, name, body):
        (self.top / name).write_bytes(body)
        self.define(name)

    def sync(self, status=0):
        return self.run_rowlock("sync", "t.yaml", status=status)

    def refused(self, *expected):
        done = self.sync(1)
        for text in expected:
            self.assertIn(text, done.stderr)

    def rows(self):
        if not (self.top / "t.db").exists():
            return []
        return self.query(self.top / "t.db", "SELECT code, name FROM t ORDER BY id")

    def arrives(self):
        for path in self.top.glob("t.db*"):
            path.unlink()
        self.sync()
        self.assertEqual(self.rows(), [(r["code"], r["name"]) for r in RECORDS])

    def test_files_are_known_by_their_first_bytes(self):
        for pack, extension in ((gzip.compress, "gz"), (zstd, "zst"), (bytes, "gz")):
            self.body(f"t.ndjson.{extension}", pack(BODY))
            self.arrives()
        self.body("t.ndjson", gzip.compress(BODY))
        self.arrives()

    def test_members_and_frames_follow_each_other(self):
        for pack in (gzip.compress, zstd):
            self.body("t.ndjson", pack(BODY[:20]) + pack(b"") + pack(BODY[20:]))
            self.arrives()

    def test_content_encoding(self):
        for pack, encoding in ((gzip.compress, "gzip"), (gzip.compress, "x-gzip"),
                               (zstd, "zstd"), (bytes, "identity")):
            asked = []

            def answer(handler):
                asked.append(handler.headers["Accept-Encoding"])
                send(handler, pack(BODY), Content_Encoding=encoding,
                     Content_Type="application/x-ndjson")

            self.define(f"{self.serve(answer)}/t")
            self.arrives()
            self.assertEqual(asked, ["gzip, zstd"])

    def test_packed_download(self):
        """A file that is packed, and no encoding is said."""
        url = self.serve(lambda h: send(h, gzip.compress(BODY), Content_Type="application/gzip"))
        self.define(f"{url}/t.ndjson.gz")
        self.arrives()

    def test_encoding_that_is_unknown_or_a_lie(self):
        url = self.serve(lambda h: send(h, b"xyz", Content_Encoding="br"))
        self.define(f"{url}/t")
        self.refused("sent a body packed as 'br'", "gzip and zstd can be unpacked")
        url = self.serve(lambda h: send(h, BODY, Content_Encoding="gzip"))
        self.define(f"{url}/t")
        self.refused("sent a body that is not packed as it says")

    def test_cut_at_any_byte(self):
        for pack in (gzip.compress, zstd):
            packed = pack(BODY)
            for cut in range(1, len(packed)):
                self.body("t.ndjson", packed[:cut])
                done = self.sync(1)
                self.assertRegex(done.stderr, "cut off|record 1")

    def test_text_behind_the_end(self):
        for pack in (gzip.compress, zstd):
            for garbage in (b"x", b"\0", BODY):
                self.body("t.ndjson", pack(BODY) + garbage)
                self.assertRegex(self.sync(1).stderr, "data is damaged|cut off")

    def test_damage_is_found_by_the_checksum(self):
        for pack, end in ((gzip.compress, 8), (zstd, 4)):
            packed = bytearray(pack(BODY))
            packed[-end] ^= 1
            self.body("t.ndjson", packed)
            self.refused("is damaged", "t.ndjson")

    def test_bomb_meets_the_limit_in_flat_memory(self):
        block = (b" " * 65535 + b"\n") * 16  # a MiB
        for pack in (gzip.compress, zstd):
            self.body("t.ndjson", pack(block) * 1088)
            status, peak, said = measure("sync", self.top / "t.yaml")
            self.assertEqual(status, 1)
            self.assertIn("larger than 1073741824 bytes", said)
            self.assertLess(peak, 32 * 1024 * (4 if "asan" in PROGRAM else 1))


if __name__ == "__main__":
    unittest.main()
