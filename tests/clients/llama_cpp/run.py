#!/usr/bin/python3
"""llama.cpp's own tests of its server against kylin serve: those of subset.txt, as they are in the source bundle of the pinned npm package.

Left out: what needs another model than the demo (texts, token counts), and what OpenAI's API and Kylin do not have (GBNF, /props, slots by
name, resumable streams, ...).
Usage: run.py KYLIN FOLDER_OF_THE_TESTS
"""
import os
import pathlib
import subprocess
import sys

here = pathlib.Path(__file__).resolve().parent
kylin, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
wanted = (here / "subset.txt").read_text().splitlines()
assert wanted and folder.is_dir(), f"{folder}: reference/install brings the tests"
# A test that is listed and does not exist is an error of pytest's; their conftest.py would download models.
command = [sys.executable, "-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider", "-W", "ignore", "-p", "stop_servers", "--rootdir", folder]
environment = {**os.environ, "KYLIN": str(kylin), "PYTHONPATH": str(here), "PYTHONDONTWRITEBYTECODE": "1"}
sys.exit(subprocess.run([*command, *wanted], cwd=folder, env=environment, timeout=280).returncode)
