#=== reading a file | stopped: PermissionError
print(open("/etc/passwd").read())
#=== writing a file | stopped: PermissionError
with open("canary.txt", "w") as f:
    f.write("x")
#=== deleting a file | stopped: Error
import os

os.remove("canary.txt")
#=== deleting a tree | stopped: Error
import shutil

shutil.rmtree(".")
#=== reading by pathlib | stopped: PermissionError
from pathlib import Path

print(Path("/proc/self/environ").read_text())
#=== listing a folder | stopped: PermissionError
import os

print(os.listdir("/"))
#=== walking up | stopped: PermissionError
from pathlib import Path

print(list(Path("..").resolve().iterdir()))
#=== the environment | stopped: Error
import os

print(os.environ)
#=== one variable of the environment | stopped: Error
import os

print(os.getenv("OPENAI_API_KEY"))
#=== a shell | stopped: Error
import os

os.system("touch canary2.txt")
#=== a process | stopped: ModuleNotFoundError
import subprocess

subprocess.run(["true"])
#=== a socket | stopped: ModuleNotFoundError
import socket

#=== a request | stopped: ModuleNotFoundError
import urllib.request

print(urllib.request.urlopen("http://127.0.0.1:1/"))
#=== many processes | stopped: ModuleNotFoundError
import multiprocessing

#=== a fork | stopped: Error
import os

while True:
    os.fork()
#=== foreign code | stopped: ModuleNotFoundError
import ctypes

#=== unpickling | stopped: ModuleNotFoundError
import pickle

#=== the package itself | stopped: ModuleNotFoundError
import rlm_memory_core

#=== the sandbox's package | stopped: ModuleNotFoundError
import pydantic_monty

#=== the loader | stopped: ModuleNotFoundError
import importlib

importlib.import_module("os")
#=== the garbage collector | stopped: ModuleNotFoundError
import gc

#=== frames | stopped: Error
import sys

print(sys._getframe())
#=== loaded modules | stopped: Error
import sys

print(sys.modules["os"])
#=== signals | stopped: ModuleNotFoundError
import signal

#=== killing a process | stopped: Error
import os

os.kill(os.getppid(), 9)
#=== ending the process | stopped: Error
import os

os._exit(1)
#=== sys.exit | stopped: Error
import sys

sys.exit(1)
#=== SystemExit | stopped: Error
raise SystemExit(1)
#=== KeyboardInterrupt | stopped: KeyboardInterrupt
raise KeyboardInterrupt
#=== the clock of the host | harmless: 2024
import datetime

print(datetime.datetime.now())
