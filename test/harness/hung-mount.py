"""A mount whose server is gone: mounts a FUSE file system at argv[1] and answers nothing that is asked of it.

Says "mounted" once it is there, and takes it away when its standard input ends.
"""

import ctypes
import os
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2

path = sys.argv[1].encode()
device = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={device},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}".encode()
if LIBC.mount(b"hung", path, b"fuse", 0, options) != 0:
    sys.exit(f"cannot mount: {os.strerror(ctypes.get_errno())}")
print("mounted", flush=True)
sys.stdin.read()
LIBC.umount2(path, MNT_DETACH)
