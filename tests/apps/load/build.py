"""Builds nothing, in the way that the commit's file behaviour says."""
import multiprocessing
import pathlib
import sys
import time

MEBIBYTE = 1 << 20


def burn(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


behaviour = pathlib.Path("behaviour").read_text(encoding="utf-8").strip()
if behaviour == "broken-build":
    sys.exit("this build was made to fail")
if behaviour == "heavy-build":
    memory = bytearray(350 * MEBIBYTE)
    workers = [multiprocessing.Process(target=burn, args=(6,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
if behaviour == "greedy-build":
    memory = [bytearray(16 * MEBIBYTE) for _ in range(200)]
