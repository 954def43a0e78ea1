"""Hands a cage's two folders to its user, and opens the way to them without opening what lies beside."""

import os
import stat
from pathlib import Path

from evaluator.sandbox.cage import Cage, SandboxError, check_user

HOME_MODE = 0o700
ROOT_MODE = 0o1770
"""Sticky: what is in it and not the user's own, our `.git`, it cannot rename or remove."""
KEPT = ".git"


def prepare(cage: Cage) -> None:
    """Set owners and modes of `root` and `home`; to be called before the first program runs in them.

    - `home` becomes the user's, closed to all others.
    - What is in `root` becomes the user's, but for `.git` at its top: git run by us later must not meet settings that
      the app wrote. `root` itself stays ours.
    - Folders above them that are ours and closed can be passed through by name, not listed.

    Symbolic links are not followed, and a file with a second name is left as it is: the other name may be another's.
    With `uid` None only `home` is closed to others.

    Raises:
        SandboxError: The user is not one that we can start programs as, or cannot be brought there: a folder above is
            another's and closed.
    """
    check_user(cage)
    cage.home.mkdir(parents=True, exist_ok=True)
    if cage.uid is None:
        cage.home.chmod(HOME_MODE)
        return
    _hand_over(cage.home, cage.uid, kept=())
    os.chown(cage.home, cage.uid, cage.uid)
    cage.home.chmod(HOME_MODE)
    _hand_over(cage.root, cage.uid, kept=(KEPT,))
    os.chown(cage.root, os.geteuid(), cage.uid)
    cage.root.chmod(ROOT_MODE)
    for folder in dict.fromkeys((*cage.root.absolute().parents, *cage.home.absolute().parents)):
        _let_through(folder, cage.uid)


def _hand_over(top: Path, uid: int, *, kept: tuple[str, ...]) -> None:
    for here, folders, files, descriptor in os.fwalk(top, follow_symlinks=False):
        left_alone = kept if here == str(top) else ()
        folders[:] = [name for name in folders if name not in left_alone]
        for name in (*folders, *(name for name in files if name not in left_alone)):
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode) and found.st_nlink > 1:
                continue
            if (found.st_uid, found.st_gid) != (uid, uid):
                os.chown(name, uid, uid, dir_fd=descriptor, follow_symlinks=False)


def _let_through(folder: Path, uid: int) -> None:
    """Let others pass through a folder of ours, one that only we could enter."""
    found = folder.stat()
    if found.st_mode & stat.S_IXOTH or found.st_uid == uid:
        return
    if found.st_uid != os.geteuid() or folder == Path.home() or folder.parent == folder:
        raise SandboxError(
            f"user {uid} of the sandbox cannot reach what is below {folder}, which is closed to others",
            hint="set TMPDIR to a folder that others may pass through, such as /tmp or /var/tmp",
        )
    folder.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)
