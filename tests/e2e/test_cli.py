#!/usr/bin/python3
"""The program as its users meet it: what goes in, what comes out on which stream, and with which exit status.

Usage: test_cli.py KYLIN [unittest arguments]
"""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

KYLIN = None
FOLDER = tempfile.TemporaryDirectory()
MODEL = pathlib.Path(FOLDER.name) / "tiny.gguf"
N_CTX = 512
SUMMARY = re.compile(r"prompt \d+ tokens(?: \(\d+ cached\))?, [\d.]+ tokens/s; answer \d+ tokens(?: \(\d+ guessed right\))?, [\d.]+ tokens/s; \w+")


def kylin(*args, text_in="", timeout=120, env=None):
    return subprocess.run([KYLIN, *map(str, args)], input=text_in.encode(), capture_output=True, timeout=timeout,
                          env={**os.environ, **(env or {})})


def run(*args, **kwargs):
    return kylin("run", "-m", MODEL, "-c", N_CTX, *args, **kwargs)


def answer(*args, **kwargs):
    done = run("--json", "--max-tokens", 24, *args, **kwargs)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Errors(unittest.TestCase):
    """One line on stderr, nothing on stdout."""

    def check(self, done, status, *words):
        message = done.stderr.decode()
        self.assertEqual(done.returncode, status, message)
        self.assertEqual(done.stdout, b"")
        self.assertTrue(message.startswith("error: "), message)
        self.assertEqual(message.count("\n"), 1, message)
        for word in words:
            self.assertIn(str(word), message)

    def test_usage(self):
        self.check(kylin("rnu"), 2, "rnu", 'did you mean "run"?')
        self.check(kylin("frobnicate"), 2, "frobnicate", "--help")
        self.check(kylin("run", "--no-such-option", "x"), 2, "--no-such-option")
        self.check(kylin("run", "--numerics", "exact", "x"), 2, "exact")
        self.check(run("--top-k", "1.5", "x"), 2, "top-k")
        self.check(kylin(), 2)

    def test_sampling_settings_out_of_range(self):
        self.check(run("--temperature", "-1", "x"), 1, "temperature", "-1")
        self.check(run("--temperature", "nan", "x"), 1, "temperature")
        self.check(run("--top-p", "1.5", "x"), 1, "top_p", "1.5")
        self.check(run("--max-tokens", "0", "x"), 1, "max_tokens")
        self.check(run("--logit-bias", "5", "x"), 1, "--logit-bias", "ID=VALUE")
        self.check(run("--logit-bias", "999999=1", "x"), 1, "logit_bias", "999999")
        self.check(run("--stop", "", "x"), 1, "stop")

    def test_a_prompt_longer_than_the_context_names_both_numbers(self):
        self.check(run("--raw", "-", text_in="7" * 1000), 1, "prompt", 1000, N_CTX)
        self.check(run("--raw", "-", text_in="7" * N_CTX), 1, "prompt", N_CTX)
        done = run("--raw", "--json", "-", text_in="7" * (N_CTX - 1))
        usage = json.loads(done.stdout)["usage"]
        self.assertEqual(
            usage, {"prompt_tokens": N_CTX - 1, "cached_tokens": 0, "answer_tokens": 1, "drafted_tokens": 0, "accepted_tokens": 0})
        self.check(run("--raw", ""), 1, "prompt", "empty")
        self.check(run(), 1, "prompt", "empty")
        self.check(kylin("run", "-m", MODEL, "-c", 1 << 20, "x"), 1, "--ctx", 1 << 20)

    def test_files_that_are_no_models(self):
        folder = pathlib.Path(FOLDER.name)
        good = MODEL.read_bytes()
        bad = {"empty": b"", "prefix": good[:20], "magic": b"GGML" + good[4:], "short": good[: len(good) // 2], "data": good[:-1],
               "version": good[:4] + b"\x09\0\0\0" + good[8:], "counts": good[:8] + b"\xff" * 16 + good[24:],
               "architecture": good.replace(b"qwen3", b"qwax3", 1)}
        for name, content in bad.items():
            path = folder / f"{name}.gguf"
            path.write_bytes(content)
            with self.subTest(name):
                self.check(kylin("run", "-m", path, "x"), 1, path)
        self.check(kylin("run", "-m", folder / "architecture.gguf", "x"), 1, "qwax3", "qwen3")
        self.check(kylin("run", "-m", folder / "missing.gguf", "x"), 1, "missing.gguf")
        self.check(kylin("run", "-m", folder, "x"), 1, folder)
        self.check(kylin("run", "-m", "/dev/zero", "x"), 1, "/dev/zero")
        self.check(kylin("run", "x", env={"KYLIN_DEMO": "/no/such.gguf"}), 1, "/no/such.gguf")

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            for command in (["run", "-m", MODEL, "-n", "4", "x"], ["inspect", MODEL], ["--help"]):
                done = subprocess.run([KYLIN, *map(str, command)], stdout=full, stderr=subprocess.PIPE, timeout=60)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, rb"^error: .*No space left on device\n$")

    def test_a_reader_that_goes_away_ends_it_quietly(self):
        # Python ignores SIGPIPE; some shells do, too. Both ways must be quiet.
        for restore in (True, False):
            read, write = os.pipe()
            process = subprocess.Popen([KYLIN, "run", "-m", MODEL, "-c", str(N_CTX), "--ignore-eos", "x"], stdout=write,
                                       stderr=subprocess.PIPE, restore_signals=restore)
            os.close(write)
            os.read(read, 1)
            os.close(read)
            self.assertEqual(process.communicate(timeout=60)[1], b"")
            self.assertNotEqual(process.returncode, 0)


class Help(unittest.TestCase):
    def test_lists_the_commands(self):
        done = kylin("--help")
        self.assertEqual(done.returncode, 0)
        for command in ("run", "chat", "serve", "inspect", "quantize", "synth", "bench", "trace", "compare"):
            self.assertRegex(done.stdout.decode(), rf"\n  {command} ")
            self.assertEqual(kylin(command, "--help").returncode, 0)

    def test_names_its_version(self):
        self.assertRegex(kylin("--version").stdout.decode(), r"^kylin \d+\.\d+\.\d+\n$")


class Bench(unittest.TestCase):
    def test_measures_whole_processes_up_to_their_first_token(self):
        report = json.loads(kylin("bench", "-m", MODEL, "--start", "-p", 8, "-n", 0, "-r", 1, "--json").stdout)
        self.assertGreater(report["start_to_first_token"]["seconds"], 0.001)  # no process starts sooner
        self.assertNotIn("ratio", report["start_to_first_token"])

    def test_counts_the_work_of_a_prompt_that_takes_several_steps(self):
        report = json.loads(kylin("bench", "-m", MODEL, "-p", 8, "--ubatch", 2, "-n", 1, "-r", 1, "--profile", "--json").stdout)
        prompt, token = ({s["stage"]: s for s in r["profile"]["stages"]} for r in report["results"])

        def amount(stage, rate):
            return stage["seconds"] * stage[rate]

        read = "bytes_per_second"
        self.assertAlmostEqual(amount(prompt["logits"], read), amount(token["logits"], read), delta=1)  # of the last row alone
        pairs = amount(prompt["attn_heads"], "macs_per_second") / amount(token["attn_heads"], "macs_per_second")
        self.assertAlmostEqual(pairs, 8 * 9 / 2, places=6)  # of a query and a key

    def test_reports_a_bad_model_once(self):
        done = kylin("bench", "-m", "/nowhere.gguf", "--start")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.decode(), "error: /nowhere.gguf: cannot be opened: No such file or directory\n")


class Run(unittest.TestCase):
    def test_streams_the_text_and_reports_the_speed(self):
        done = run("-n", 24, "Hello")
        self.assertEqual(done.stdout.decode(), answer("Hello")["text"] + "\n")
        self.assertRegex(done.stderr.decode(), "^" + SUMMARY.pattern + "\n$")  # and no progress bar: this is no terminal

    def test_json(self):
        a = answer("--seed", 7, "Hello")
        self.assertEqual(list(a), ["model", "seed", "text", "tokens", "finish_reason", "usage", "timings"])
        self.assertEqual(a["seed"], 7)
        self.assertEqual(len(a["tokens"]), a["usage"]["answer_tokens"])
        self.assertIn(a["finish_reason"], ("stop", "length"))

    def test_takes_the_prompt_from_where_it_is(self):
        tokens = answer("Hello there")["tokens"]
        self.assertEqual(answer("Hello", "there")["tokens"], tokens)
        self.assertEqual(answer("-", text_in="Hello there")["tokens"], tokens)
        self.assertEqual(answer(text_in="Hello there")["tokens"], tokens)
        self.assertEqual(answer(text_in="Hello there\n")["tokens"], tokens)  # as echo writes it
        self.assertNotEqual(answer("--raw", "Hello there")["tokens"], tokens)
        self.assertNotEqual(answer("--system", "Be brief.", "Hello there")["tokens"], tokens)

    def test_the_answer_depends_on_neither_threads_nor_chunks(self):
        prompt = "one two three " * 20
        tokens = answer(prompt)["tokens"]
        for options in (["-t", 1], ["-t", 3], ["--ubatch", 1], ["--ubatch", 33]):
            self.assertEqual(answer(*options, prompt)["tokens"], tokens, options)

    def test_the_answer_does_not_depend_on_guesses(self):
        n_accepted = 0
        for seed in range(8):
            # Strong biases make a random model repeat itself, and now and then not.
            options = ["--seed", seed, "--temperature", 1, "--ignore-eos", "--logit-bias", "5=9", "--logit-bias", "6=6"]
            plain, guessed = (answer(*options, "--draft", n, "Hello") for n in (0, 7))
            self.assertEqual(guessed["tokens"], plain["tokens"])
            self.assertEqual(plain["usage"]["drafted_tokens"], 0)
            n_accepted += guessed["usage"]["accepted_tokens"]
        self.assertGreater(n_accepted, 8)

    def test_every_numerics_answers(self):
        for numerics in ("fast", "layercast", "oracle"):
            self.assertGreater(len(answer("--numerics", numerics, "Hello")["tokens"]), 0)
        self.assertEqual(answer("--numerics", "oracle", "Hello")["tokens"], answer("--numerics", "layercast", "Hello")["tokens"])

    def test_a_seed_repeats_the_choice(self):
        first, again, other = (answer("--temperature", 1.5, "--seed", s, "--ignore-eos", "Hello")["tokens"] for s in (1, 1, 2))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_sampling_options_reach_the_sampler(self):
        greedy = answer("Hello")["tokens"]
        self.assertEqual(answer("--temperature", 5, "--top-k", 1, "Hello")["tokens"], greedy)
        self.assertEqual(answer("--temperature", 5, "--top-p", 0, "Hello")["tokens"], greedy)
        self.assertEqual(answer("--logit-bias", "300=100", "Hello")["tokens"], [300] * 24)
        self.assertEqual(answer("--logit-bias", "300=100", "--temp", 5, "--min-p", 1, "Hello")["tokens"], [300] * 24)
        both = ("--logit-bias", "300=100", "--logit-bias", "301=80")
        self.assertEqual(answer(*both, "Hello")["tokens"], [300] * 24)
        self.assertEqual(set(answer(*both, "--frequency-penalty", 2, "Hello")["tokens"]), {300, 301})

    def test_a_stop_string_ends_the_answer(self):
        text = answer("--raw", "--ignore-eos", "Hello")["text"]
        cut = next(c for c in text[4:] if c not in text[:4])
        stopped = answer("--raw", "--ignore-eos", "--stop", cut, "Hello")
        self.assertEqual(stopped["text"], text[: text.index(cut)])
        self.assertEqual(stopped["finish_reason"], "stop")

    def test_a_model_without_a_template_is_used_with_chatml(self):
        bare = MODEL.with_name("bare.gguf")
        bare.write_bytes(MODEL.read_bytes().replace(b"tokenizer.chat_template", b"tokenizer.chat_templat_"))
        done = kylin("run", "-m", bare, "-n", 4, "Hello")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stderr.decode(), r"^note: the ChatML template is used: .*tokenizer.chat_template is missing\nprompt ")

    def on_terminal(self, *args):
        """What it writes to a terminal as its stderr."""
        terminal, other_end = pty.openpty()
        process = subprocess.Popen([KYLIN, *map(str, args)], stdout=subprocess.PIPE, stderr=other_end)
        os.close(other_end)
        shown = b""
        try:
            while piece := os.read(terminal, 65536):
                shown += piece
        except OSError:  # the other end is closed
            os.close(terminal)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        return shown.decode()

    def test_work_that_takes_its_time_shows_its_progress_on_a_terminal(self):
        self.assertRegex(self.on_terminal("run", "-m", MODEL, "-n", 4, "Hello"), r"^prompt ")  # this does not
        long_work = ("trace", "-m", MODEL, "--numerics", "oracle", "-t", 1, "--prompt", "word " * 150, "-o", MODEL.with_name("trace"))
        shown = self.on_terminal(*long_work)
        self.assertRegex(shown, r"^\rrunning \[#* *\] +\d+%")
        self.assertRegex(shown, r"100%\r\x1b\[K$")
        self.assertEqual(kylin(*long_work).stderr, b"")

    def test_ctrl_c_ends_the_answer_with_its_line_and_its_summary(self):
        for ignored in (False, True):  # a shell's background job ignores Ctrl-C
            n_tokens = 48 if ignored else N_CTX
            process = subprocess.Popen([KYLIN, "run", "-m", MODEL, "-c", str(N_CTX), "-n", str(n_tokens), "--numerics", "oracle", "--ignore-eos", "x"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL))
            process.stdout.read(1)
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=60)
            self.assertTrue(out.endswith(b"\n"))
            self.assertRegex(errors.decode(), SUMMARY.pattern)
            self.assertIn(b"length" if ignored else b"cancelled", errors)
            self.assertEqual(process.returncode, 0 if ignored else -signal.SIGINT)

    def test_the_demo_model_is_the_default(self):
        done = kylin("run", "-n", 8, "Hello, how are you?")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotEqual(done.stdout.strip(), b"")


class Terminal:
    """The chat on a terminal of its own."""

    def __init__(self, state, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(XDG_STATE_HOME=state, TERM="xterm")
            os.execv(KYLIN, [KYLIN, "chat", "-m", str(MODEL), "-c", str(N_CTX), *args])
        self.seen = ""

    def wait_for(self, text, timeout=60):
        """Reads until `text` has come; returns what came up to its end."""
        end = time.monotonic() + timeout
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert ready, f"no {text!r} after {self.seen!r}"
            self.seen += os.read(self.fd, 65536).decode(errors="replace")
        at = self.seen.index(text) + len(text)
        before, self.seen = self.seen[:at], self.seen[at:]
        return before

    def wait_for_text(self):
        """Until something printable has come."""
        while not self.seen.strip():
            self.seen += os.read(self.fd, 65536).decode(errors="replace")

    def wait_for_prompt(self):
        """Also until it reads keys: a Ctrl-C between the prompt and that would go unseen."""
        before = self.wait_for(">>> ")
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            time.sleep(0.01)
        time.sleep(0.1)
        return before

    def send(self, text):
        os.write(self.fd, text.encode())

    def resize(self, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))

    def status(self):
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:  # the other end is closed
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Chat(unittest.TestCase):
    def chat(self, lines, *args):
        return kylin("chat", "-m", MODEL, "-c", N_CTX, "-n", 16, "--seed", 1, *args, text_in=lines)

    def test_remembers_what_was_said(self):
        done = self.chat("Hello\nand then?\n/reset\nHello\n", "--temperature", 0)
        self.assertEqual(done.returncode, 0, done.stderr)
        summaries = SUMMARY.findall(done.stderr.decode())
        self.assertEqual(len(summaries), 3, done.stderr)
        sizes = [int(s.split()[1]) for s in summaries]
        self.assertGreater(sizes[1], sizes[0])
        self.assertEqual(sizes[2], sizes[0])
        self.assertIn("cached", summaries[1])

    def test_commands(self):
        done = self.chat("/help\n/nonsense\n\n/exit\nHello\n")
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        self.assertIn("/reset", done.stderr.decode())
        self.assertIn("no command: /nonsense", done.stderr.decode())

    def test_a_conversation_that_is_too_long_is_an_error(self):
        done = self.chat("7" * 2000 + "\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(N_CTX), done.stderr.decode())

    def test_ctrl_c_stops_the_answer_and_not_the_program(self):
        with tempfile.TemporaryDirectory() as state:
            terminal = Terminal(state, "--ignore-eos", "--numerics", "oracle")
            terminal.wait_for_prompt()
            terminal.send("Hello\r")
            terminal.wait_for("Hello")  # the echo of the line
            terminal.wait_for("\n")
            terminal.wait_for_text()  # the first of 512 tokens, at some milliseconds each
            terminal.send("\x03")
            terminal.wait_for("; cancelled]")
            terminal.wait_for_prompt()
            terminal.send("\x03")
            terminal.wait_for("Ctrl-C again leaves")
            terminal.wait_for_prompt()
            terminal.send("half a line")
            terminal.wait_for("half a line")
            terminal.send("\x03")  # discards the line, and does not count
            self.assertNotIn("Ctrl-C", terminal.wait_for_prompt())
            terminal.send("/help\r")
            terminal.wait_for("/reset")
            terminal.wait_for_prompt()
            terminal.send("\x03")
            terminal.wait_for("Ctrl-C again leaves")
            terminal.wait_for_prompt()
            terminal.send("\x03")
            self.assertEqual(terminal.status(), 0)

    def test_a_full_conversation_names_the_way_out(self):
        with tempfile.TemporaryDirectory() as state:
            terminal = Terminal(state, "--ignore-eos", "-n", "400")
            terminal.wait_for_prompt()
            terminal.send("Hello\r")
            terminal.wait_for_prompt()
            terminal.send("7" * 200 + "\r")
            terminal.wait_for("error: prompt: ")
            terminal.wait_for("/reset forgets the conversation.")
            terminal.wait_for_prompt()
            terminal.send("\x04")
            self.assertEqual(terminal.status(), 0)

    def test_pasted_lines_are_one_message(self):
        with tempfile.TemporaryDirectory() as state:
            terminal = Terminal(state)
            terminal.wait_for("\x1b[?2004h")  # asks the terminal to mark what is pasted
            terminal.wait_for_prompt()
            terminal.send("\x1b[200~/你\rnext\tline\r\x1b[201~")
            terminal.send("!\r")
            terminal.wait_for("no command: /你\r\nnext\tline!\r\n")
            terminal.wait_for_prompt()
            terminal.send("\x04")
            self.assertEqual(terminal.status(), 0)

    def test_lines_wrap_where_a_resized_window_ends(self):
        with tempfile.TemporaryDirectory() as state:
            terminal = Terminal(state)
            terminal.wait_for_prompt()
            terminal.send("/" + "x" * 60)
            terminal.wait_for("x" * 60)
            terminal.resize(columns=40)
            terminal.send("\x15/" + "y" * 60 + "\r")  # Ctrl-U empties the line
            self.assertNotIn("y" * 40, terminal.wait_for("no command: /"))
            terminal.wait_for("y" * 60)
            terminal.wait_for_prompt()
            terminal.send("\x04")
            self.assertEqual(terminal.status(), 0)

    def test_lines_can_be_edited_and_are_remembered(self):
        with tempfile.TemporaryDirectory() as state:
            for keys in ("/help 你x\x7f\r", "\x1b[A\r"):  # backspace; then, in another program, the arrow up
                terminal = Terminal(state)
                terminal.wait_for_prompt()
                terminal.send(keys)
                terminal.wait_for("no command: /help 你\r\n")
                terminal.wait_for_prompt()
                terminal.send("\x04")
                self.assertEqual(terminal.status(), 0)
            history = pathlib.Path(state) / "kylin/history"
            self.assertEqual(history.stat().st_mode & 0o777, 0o600)


if __name__ == "__main__":
    KYLIN = str(pathlib.Path(sys.argv.pop(1)).resolve())
    made = kylin("synth", "--like", "tiny", "--type", "q8_0", MODEL)
    assert made.returncode == 0, made.stderr
    unittest.main()
