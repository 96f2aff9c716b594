"""A directory of a disk that can be made slow: what is written through MOUNT comes to BACKING, each write after as many
seconds as stand in the file CONTROL, if that is there. Needs Debian's python3-fusepy and the right to mount.

    slow_disk.py BACKING MOUNT CONTROL
"""

import errno
import os
import sys
import time

from fusepy import FUSE, FuseOSError, Operations


class SlowDisk(Operations):
    def __init__(self, backing, control):
        self.backing, self.control = backing, control

    def __call__(self, op, path, *args):
        try:
            return getattr(self, op)(self.backing + path, *args)
        except AttributeError:
            raise FuseOSError(errno.ENOSYS)
        except OSError as error:
            raise FuseOSError(error.errno)

    def getattr(self, path, handle=None):
        about = os.lstat(path)
        return {key: getattr(about, key) for key in (
            "st_atime", "st_ctime", "st_gid", "st_mode", "st_mtime", "st_nlink", "st_size", "st_uid", "st_ino", "st_blocks")}

    def readdir(self, path, handle):
        return [".", "..", *os.listdir(path)]

    def statfs(self, path):
        about = os.statvfs(path)
        return {key: getattr(about, key) for key in (
            "f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_flag", "f_frsize", "f_namemax")}

    def mkdir(self, path, mode):
        return os.mkdir(path, mode)

    def rmdir(self, path):
        return os.rmdir(path)

    def unlink(self, path):
        return os.unlink(path)

    def rename(self, path, to):
        return os.rename(path, self.backing + to)

    def chmod(self, path, mode):
        return os.chmod(path, mode)

    def utimens(self, path, times=None):
        return os.utime(path, times)

    def create(self, path, mode, info=None):
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def open(self, path, flags):
        return os.open(path, flags & ~os.O_APPEND)

    def read(self, path, size, offset, handle):
        return os.pread(handle, size, offset)

    def write(self, path, data, offset, handle):
        try:
            with open(self.control) as control:
                time.sleep(float(control.read()))
        except FileNotFoundError:
            pass
        return os.pwrite(handle, data, offset)

    def truncate(self, path, length, handle=None):
        return os.truncate(path if handle is None else handle, length)

    def fsync(self, path, data_only, handle):
        return os.fsync(handle)

    def release(self, path, handle):
        return os.close(handle)


if __name__ == "__main__":
    FUSE(SlowDisk(sys.argv[1], sys.argv[3]), sys.argv[2], foreground=True, big_writes=True)
