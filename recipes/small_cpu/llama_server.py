"""Serve a GGUF file by llama.cpp's own server, from the package xllamacpp: python llama_server.py FILE PORT [NAME]

Where `llama-server` is installed, this does the same:
llama-server -m FILE --port PORT --alias NAME -c 16384 -np 4
"""

import signal
import sys
from pathlib import Path

import xllamacpp

SLOTS = 4
"""Answers at a time. They share the context."""

if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python llama_server.py FILE PORT [NAME]")
    _, file, port, *name = sys.argv
    if not Path(file).is_file():
        sys.exit(f"{file}: no such file; say where the .gguf file is")
    settings = xllamacpp.CommonParams()
    settings.model.path = file
    settings.model_alias = {*name} or {Path(file).stem}
    settings.port = int(port)
    settings.n_ctx, settings.n_parallel = 4_096 * SLOTS, SLOTS
    settings.use_jinja = True
    server = xllamacpp.Server(settings)
    print(f"{server.listening_address}/v1", flush=True)
    signal.pause()
