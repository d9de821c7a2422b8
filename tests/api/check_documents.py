#!/usr/bin/python3
"""The committed documents of the interface are what the program prints: check_documents.py KYLIN DOCS_FOLDER"""
import difflib
import pathlib
import subprocess
import sys

kylin, docs = sys.argv[1], pathlib.Path(sys.argv[2])
status = 0
for option, name in (("--print-api", "api.md"), ("--print-openapi", "openapi.json")):
    printed = subprocess.run([kylin, "serve", option], capture_output=True, check=True).stdout.decode()
    assert len(printed) > 4000, printed
    kept = (docs / name).read_text() if (docs / name).exists() else ""
    if kept != printed:
        sys.stdout.writelines(difflib.unified_diff(kept.splitlines(True), printed.splitlines(True), f"docs/{name}", f"kylin serve {option}"))
        print(f"docs/{name} is out of date: build/release/bin/kylin serve {option} > docs/{name}")
        status = 1
sys.exit(status)
