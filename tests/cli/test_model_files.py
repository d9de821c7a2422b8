#!/usr/bin/python3
"""inspect, quantize and synth as their users meet them. What they write is read back by numpy alone.

Usage: test_model_files.py KYLIN [unittest arguments]
"""
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))
import gguf_reader
import numpy as np

KYLIN = None
FOLDER = tempfile.TemporaryDirectory()
F32 = pathlib.Path(FOLDER.name) / "f32.gguf"


def kylin(*args):
    return subprocess.run([KYLIN, *map(str, args)], capture_output=True, timeout=200)


def succeed(*args):
    done = kylin(*args)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)

    def check_error(self, done, *words):
        message = done.stderr.decode()
        self.assertEqual(done.returncode, 1, message)
        self.assertEqual(done.stdout, b"")
        self.assertTrue(message.startswith("error: "), message)
        self.assertEqual(message.count("\n"), 1, message)
        for word in words:
            self.assertIn(str(word), message)

    def with_value(self, tensor, index, value):
        """A copy of the F32 model with one value replaced; its offset in the file."""
        model = gguf_reader.Gguf(F32)
        offset = model.data + model.tensors[tensor][2] + 4 * index
        content = bytearray(F32.read_bytes())
        content[offset : offset + 4] = struct.pack("<f", value)
        (self.path / "changed.gguf").write_bytes(content)
        return self.path / "changed.gguf", offset


class Synth(Case):
    def test_a_seed_repeats_the_file(self):
        for name, seed in (("a", 4), ("b", 4), ("c", 5)):
            succeed("synth", "--like", "tiny", "--seed", seed, self.path / name)
        self.assertEqual((self.path / "a").read_bytes(), (self.path / "b").read_bytes())
        self.assertNotEqual((self.path / "a").read_bytes(), (self.path / "c").read_bytes())

    def test_takes_the_tokenizer_of_another_model(self):
        succeed("synth", "--like", "tiny", "--from-tokenizer", F32, self.path / "a")
        ours, theirs = gguf_reader.Gguf(self.path / "a").metadata, gguf_reader.Gguf(F32).metadata
        for key in theirs:
            if key.startswith("tokenizer."):
                self.assertEqual(ours[key], theirs[key], key)

    def test_an_unknown_shape_is_bad_usage(self):
        self.assertEqual(kylin("synth", "--like", "qwen9", self.path / "a").returncode, 2)
        self.assertEqual(os.listdir(self.path), [])


class Quantize(Case):
    def test_every_type_gives_what_synth_makes_of_the_same_model(self):
        for kind in ("f32", "f16", "bf16", "q8_0", "q4_0", "q5_0", "q4_k_m", "q5_k_m", "q6_k"):
            succeed("quantize", F32, self.path / "a", "--to", kind)
            succeed("synth", "--like", "tiny", "--type", kind, self.path / "b")
            self.assertEqual((self.path / "a").read_bytes(), (self.path / "b").read_bytes(), kind)

    def test_threads_change_no_byte(self):
        for threads in (1, 2, 3):
            succeed("quantize", F32, self.path / str(threads), "--to", "q5_k_m", "-t", threads)
        self.assertEqual((self.path / "1").read_bytes(), (self.path / "2").read_bytes())
        self.assertEqual((self.path / "1").read_bytes(), (self.path / "3").read_bytes())

    def test_the_error_it_reports_is_the_error(self):
        report = json.loads(succeed("quantize", F32, self.path / "a", "--to", "q4_k_m", "--json"))
        before, after = gguf_reader.Gguf(F32), gguf_reader.Gguf(self.path / "a")
        self.assertEqual(report["bytes_after"], (self.path / "a").stat().st_size)
        self.assertEqual(len(report["tensors"]), len(after.tensors))
        for tensor in report["tensors"]:
            x, y = (model.tensor(tensor["name"]).astype(np.float64) for model in (before, after))
            self.assertEqual(tensor["to"], gguf_reader.TYPES[after.tensors[tensor["name"]][1]][0])
            # Sums of squares in another order: far below 1e-9.
            np.testing.assert_allclose(tensor["rms_error"], np.sqrt(np.mean((x - y) ** 2)), rtol=1e-9)

    def test_prints_each_tensor_that_it_converted(self):
        lines = succeed("quantize", F32, self.path / "a", "--to", "q8_0").splitlines()
        self.assertEqual(sum("f32 -> q8_0" in line and "rms error" in line for line in lines), len(lines) - 1)
        self.assertIn("30 tensors converted, 17 kept", lines[-1])

    def test_the_metadata_says_what_the_file_is(self):
        succeed("quantize", F32, self.path / "a", "--to", "q6_k")
        before, after = gguf_reader.Gguf(F32).metadata, gguf_reader.Gguf(self.path / "a").metadata
        self.assertEqual(after["general.file_type"], 18)
        self.assertEqual(after["general.quantization_version"], 2)
        self.assertEqual({**before, "general.file_type": 18}, after)

    def test_quantizing_twice_has_to_be_asked_for(self):
        succeed("quantize", F32, self.path / "a", "--to", "q8_0")
        self.check_error(kylin("quantize", self.path / "a", self.path / "b", "--to", "q4_0"), "q8_0 already", "--requantize")
        self.assertEqual(os.listdir(self.path), ["a"])
        succeed("quantize", self.path / "a", self.path / "b", "--to", "q4_0", "--requantize")
        succeed("quantize", self.path / "a", self.path / "c", "--to", "f16")

    def test_a_broken_weight_is_named_and_nothing_is_written(self):
        (self.path / "out").write_bytes(b"old")
        for value in (float("nan"), float("inf")):
            changed, offset = self.with_value("blk.2.ffn_down.weight", 768 * 3 + 5, value)
            self.check_error(kylin("quantize", changed, self.path / "out", "--to", "q8_0"), "blk.2.ffn_down.weight", value, "row 3",
                             f"at offset {offset - 20}")
        self.assertEqual((self.path / "out").read_bytes(), b"old")
        self.assertEqual(sorted(os.listdir(self.path)), ["changed.gguf", "out"])

    def test_a_truncated_model_is_an_error_and_nothing_is_written(self):
        (self.path / "short.gguf").write_bytes(F32.read_bytes()[:-1000])
        self.check_error(kylin("quantize", self.path / "short.gguf", self.path / "out", "--to", "q8_0"), "short.gguf", "ends beyond the file")
        self.assertEqual(os.listdir(self.path), ["short.gguf"])

    def test_an_output_that_cannot_be(self):
        self.check_error(kylin("quantize", F32, self.path, "--to", "q8_0"), self.path, "directory")
        self.check_error(kylin("quantize", F32, self.path / "no/where", "--to", "q8_0"), "no/where", "cannot be created")

    def test_a_model_may_replace_itself(self):
        (self.path / "a").write_bytes(F32.read_bytes())
        succeed("quantize", self.path / "a", self.path / "a", "--to", "f16")
        succeed("quantize", F32, self.path / "b", "--to", "f16")
        self.assertEqual((self.path / "a").read_bytes(), (self.path / "b").read_bytes())


class Inspect(Case):
    def test_json_has_metadata_configuration_and_tensors(self):
        report = json.loads(succeed("inspect", F32, "--json"))
        model = gguf_reader.Gguf(F32)
        self.assertEqual(report["version"], 3)
        self.assertEqual(report["bytes"], F32.stat().st_size)
        self.assertEqual(list(report["metadata"]), list(model.metadata))
        for key, value in model.metadata.items():
            shown = report["metadata"][key]["value"]
            if isinstance(value, list):
                self.assertEqual(shown, {"count": len(value), "first": value[:6]})
            elif isinstance(value, float):
                self.assertAlmostEqual(shown, value, delta=1e-6 * value)
            else:
                self.assertEqual(shown, value)
        self.assertEqual([t["name"] for t in report["tensors"]], list(model.tensors))
        for tensor in report["tensors"]:
            shape, type_id, offset = model.tensors[tensor["name"]]
            self.assertEqual((tensor["shape"], tensor["type"], tensor["offset"]), (shape, gguf_reader.TYPES[type_id][0], model.data + offset))
            self.assertNotIn("statistics", tensor)

    def test_every_configured_value_has_a_source(self):
        origins = {o["field"]: o for o in json.loads(succeed("inspect", F32, "--json"))["configuration"]}
        self.assertEqual((origins["head_dim"]["value"], origins["head_dim"]["source"]), ("64", "key"))
        self.assertEqual(origins["head_dim"]["from"], "qwen3.attention.key_length")
        self.assertEqual(origins["attention.scale"]["source"], "derived")
        self.assertLessEqual({o["source"] for o in origins.values()}, {"key", "default", "derived"})

    def test_statistics_are_numpys(self):
        succeed("quantize", F32, self.path / "q", "--to", "q4_k_m")
        for path in (F32, self.path / "q"):
            model = gguf_reader.Gguf(path)
            for tensor in json.loads(succeed("inspect", path, "--weights", "--json"))["tensors"]:
                s, x = tensor["statistics"], model.tensor(tensor["name"]).astype(np.float64)
                self.assertEqual((s["min"], s["max"], s["nan"], s["inf"]), (x.min(), x.max(), 0, 0))
                # Sums of n doubles in another order, and a variance by subtraction: below 1e-9 of the largest value.
                self.assertAlmostEqual(s["mean"], x.mean(), delta=1e-9 * abs(x).max())
                self.assertAlmostEqual(s["std"], x.std(), delta=1e-9 * abs(x).max())
                self.assertEqual("block_scales" in s, gguf_reader.TYPES[model.tensors[tensor["name"]][1]][1] > 1)

    def test_broken_weights_are_counted(self):
        changed, _ = self.with_value("blk.0.ffn_down.weight", 7, float("nan"))
        tensors = {t["name"]: t for t in json.loads(succeed("inspect", changed, "--weights", "--json"))["tensors"]}
        self.assertEqual(tensors["blk.0.ffn_down.weight"]["statistics"]["nan"], 1)
        self.assertIn("1 NaN  0 Inf", succeed("inspect", changed, "--weights"))

    def test_the_page_is_for_people(self):
        page = succeed("inspect", F32)
        self.assertRegex(page, r"general\.architecture +string +\"qwen3\"")
        self.assertRegex(page, r"tokenizer\.ggml\.tokens +2048 string +\[\"!\", \"\\\"\", .*\.\.\.\]")
        self.assertRegex(page, r"\n  head_dim +64 +qwen3\.attention\.key_length\n")
        self.assertRegex(page, r"\n  rope\.n_dims +64 +default\n")
        self.assertRegex(page, r"\n  attention\.scale +0\.125000 +derived: 1 / sqrt\(head_dim\)\n")
        self.assertRegex(page, r"blk\.0\.ffn_down\.weight +f32 +768 x 256 +786432 bytes\n")

    def test_a_model_of_another_architecture_is_shown_all_the_same(self):
        content = F32.read_bytes().replace(b"\x05\0\0\0\0\0\0\0qwen3", b"\x05\0\0\0\0\0\0\0other", 1)
        (self.path / "other.gguf").write_bytes(content)
        report = json.loads(succeed("inspect", self.path / "other.gguf", "--json"))
        self.assertEqual(report["configuration"], [])
        self.assertIn("other", report["configuration_error"])
        self.assertIn("not read: ", succeed("inspect", self.path / "other.gguf"))

    def test_text_of_the_file_cannot_reach_the_terminal(self):
        name = b"Synthetic model of shape tiny"
        hostile = b"\x1b[31mred\n\xff\x00"
        content = F32.read_bytes().replace(name, hostile + name[len(hostile) :], 1)
        (self.path / "red.gguf").write_bytes(content)
        page = succeed("inspect", self.path / "red.gguf")
        self.assertIn(r'"\x1b[31mred\n\xff\x00', page)
        self.assertNotIn("\x1b", page)
        json.loads(succeed("inspect", self.path / "red.gguf", "--json"))

    def test_what_is_no_model(self):
        (self.path / "text").write_text("hello")
        self.check_error(kylin("inspect", self.path / "text"), self.path / "text", "is not a GGUF file", "at offset 0")
        self.check_error(kylin("inspect", self.path), self.path, "directory")
        self.check_error(kylin("inspect", self.path / "missing"), "No such file")


if __name__ == "__main__":
    KYLIN = str(pathlib.Path(sys.argv.pop(1)).resolve())
    succeed("synth", "--like", "tiny", "--type", "f32", F32)
    unittest.main()
