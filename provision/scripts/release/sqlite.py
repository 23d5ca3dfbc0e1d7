# The SQLite files in volumes: sqlite.py dump | restore | rows  NAME=FOLDER...
#
# What is in a volume is what a container made of it: a link may lead anywhere on the server. So every file is opened by a
# process that sees the volume as its root, as the file's owner and group, and what it reads is a copy that SQLite itself made.
# A dump is a tar archive of such copies, as NAME/path. A restore copies each into the file in use, in one transaction of
# SQLite's: who has the file open sees the one content or the other.
import contextlib
import os
import shutil
import sqlite3
import stat
import sys
import tarfile
import tempfile

MAGIC = b"SQLite format 3\0"
# What a database leaves beside itself.
PARTS = ("-wal", "-shm", "-journal")


class Damaged(Exception):
    pass


def say(text):
    print(text, file=sys.stderr)


def inside(folder, owner, act):
    """Runs act in a process whose root is folder, as owner, and returns what it printed; root where owner is None."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(read)
            os.chroot(folder)
            os.chdir("/")
            if owner is not None:
                os.setgroups([])
                os.setgid(owner[1])
                os.setuid(owner[0])
            with os.fdopen(write, "wb") as out:
                act(out)
            code = 0
        except Damaged:
            code = 3
        except BaseException as error:  # pylint: disable=broad-except
            say(f"{folder}: {error}")
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as said:
        output = said.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 3:
        raise Damaged("it is no database of SQLite's, or not all of one")
    if code != 0:
        raise SystemExit("the SQLite files are as they were; the lines above say why")
    return output


def is_database(path):
    """Says whether a file begins as SQLite's do. One that it has made and not filled yet is empty."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return os.read(file, len(MAGIC)) in (MAGIC, b"")
    finally:
        os.close(file)


def find(folder):
    """Lists the SQLite files below folder with their owners and modes. One has at least a page, and whole ones."""

    def look(out):
        for path, _, names in os.walk("/"):
            for name in names:
                whole = os.path.join(path, name)
                with contextlib.suppress(OSError):
                    at = os.lstat(whole)
                    if not stat.S_ISREG(at.st_mode) or at.st_size == 0 or at.st_size % 512 or name.endswith(PARTS):
                        continue
                    if is_database(whole):
                        out.write(f"{at.st_uid} {at.st_gid} {stat.S_IMODE(at.st_mode)} ".encode() + os.fsencode(whole[1:]) + b"\0")

    found = []
    for entry in inside(folder, None, look).split(b"\0")[:-1]:
        uid, gid, mode, path = entry.split(b" ", 3)
        found.append((os.fsdecode(path), int(uid), int(gid), int(mode)))
    return sorted(found)


def database(path, mode="rw"):
    """Opens the file itself: its name may hold what means something in a URI."""
    escaped = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return in_memory(sqlite3.connect(f"file:{escaped}?mode={mode}", uri=True, timeout=60, isolation_level=None))


def in_memory(opened):
    """Has a database keep in memory what it would keep in /tmp: there is none where a volume is the root."""
    opened.execute("PRAGMA temp_store = MEMORY")
    return opened


def scratch(path):
    """Opens a database of this program's own, that needs no second file: it is thrown away when anything fails."""
    made = in_memory(sqlite3.connect(path, isolation_level=None))
    made.execute("PRAGMA journal_mode = OFF")
    made.execute("PRAGMA synchronous = OFF")
    made.execute("PRAGMA locking_mode = EXCLUSIVE")
    return made


@contextlib.contextmanager
def slot(uid, gid):
    """Gives a folder for one copy, which is its owner's, beside the dumps, where there is room, or in the system's own."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BERTH_DUMPS"), suffix=".partial") as made:
        os.chown(made, uid, gid)
        yield made


def look(made, owner, query):
    """Runs query on the copy in made as its owner."""

    def act(out):
        try:
            with contextlib.closing(database("/copy")) as opened:
                out.write(str(query(opened)).encode())
        except sqlite3.DatabaseError as error:
            raise Damaged(error) from error

    os.chown(os.path.join(made, "copy"), *owner)
    return inside(made, owner, act).decode()


def check(made, owner):
    return look(made, owner, lambda opened: opened.execute("PRAGMA integrity_check(1)").fetchone()[0])


def copy(folder, entry, made):
    """Copies the database that entry names in folder into made, where it is opened before the root changes."""
    path, uid, gid, _ = entry
    into = scratch(os.path.join(made, "copy"))
    # The file has to be open by then.
    into.execute("PRAGMA user_version = 1")

    def act(_):
        try:
            with contextlib.closing(database("/" + path)) as source:
                source.backup(into)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise Damaged(error) from error

    inside(folder, (uid, gid), act)
    into.close()
    if (broken := check(made, (uid, gid))) != "ok":
        raise Damaged(broken)


def dump(volumes):
    found = [(name, folder, find(folder)) for name, folder in volumes]
    # Of volumes without a database there is no dump.
    if not any(entries for _, _, entries in found):
        return
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name, folder, entries in found:
            for entry in entries:
                path, uid, gid, mode = entry
                with slot(uid, gid) as made:
                    try:
                        copy(folder, entry, made)
                    except Damaged:
                        # Whoever may upload files could keep every release from going out.
                        say(f"{path} of {name} is damaged and is not in the dump")
                        continue
                    member = tarfile.TarInfo(f"{name}/{path}")
                    with open(os.path.join(made, "copy"), "rb") as file:
                        member.size, member.uid, member.gid, member.mode = os.fstat(file.fileno()).st_size, uid, gid, mode
                        archive.addfile(member, file)


def restore(volumes):
    folders = dict(volumes)
    with contextlib.ExitStack() as kept:
        copies = []
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
            for member in archive:
                # A kept folder is named by its path.
                name = max((name for name in folders if member.name.startswith(name + "/")), key=len, default="")
                path = member.name[len(name) + 1:]
                if not name or not member.isfile() or ".." in path.split("/"):
                    raise SystemExit(f"the dump has {member.name}, and there is no volume for it; the SQLite files are as they were")
                made = kept.enter_context(slot(member.uid, member.gid))
                with open(os.path.join(made, "copy"), "wb") as file:
                    shutil.copyfileobj(archive.extractfile(member), file)
                if (broken := check(made, (member.uid, member.gid))) != "ok":
                    raise SystemExit(f"{path} is damaged in the dump ({broken}); the SQLite files are as they were")
                copies.append((folders[name], path, member, made))
        known = {(folder, path) for folder, path, _, _ in copies}
        for name, folder in volumes:
            for path, *_ in find(folder):
                if (folder, path) not in known:
                    print(f"{path} of {name} is not in the dump and stays as it is")
        for folder, path, member, made in copies:
            try:
                put(folder, path, member, os.path.join(made, "copy"))
            except SystemExit:
                raise SystemExit(f"{path} is not restored, and the files after it are not; restore again when what the line above says is put right") from None


def count(opened):
    tables = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND sql NOT LIKE 'CREATE VIRTUAL%'").fetchall()
    return sum(opened.execute('SELECT count(*) FROM "' + table.replace('"', '""') + '"').fetchone()[0] for (table,) in tables)


def rows(volumes):
    for name, folder in volumes:
        for entry in find(folder):
            path, uid, gid, _ = entry
            with slot(uid, gid) as made, contextlib.suppress(Damaged):
                copy(folder, entry, made)
                print(f"{look(made, (uid, gid), count)} {name}/{path}")


def put(folder, path, member, beside):
    source = in_memory(sqlite3.connect(beside))
    source.execute("BEGIN")
    source.execute("SELECT count(*) FROM sqlite_master").fetchone()

    def place(_):
        # A folder or file that is gone is made again for who had it.
        parent = "/"
        for part in path.split("/")[:-1]:
            parent = os.path.join(parent, part)
            if not os.path.lexists(parent):
                os.mkdir(parent)
                os.chown(parent, member.uid, member.gid)
        if os.path.lexists("/" + path) and stat.S_ISREG(os.lstat("/" + path).st_mode) and not is_database("/" + path):
            # SQLite refuses to write into what is none.
            os.unlink("/" + path)
        if not os.path.lexists("/" + path):
            for part in PARTS:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink("/" + path + part)
            os.close(os.open("/" + path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, member.mode))
            os.chown("/" + path, member.uid, member.gid)
            os.chmod("/" + path, member.mode)
        at = os.lstat("/" + path)
        if not stat.S_ISREG(at.st_mode):
            raise OSError(f"{path} is no file any more")
        os.setgroups([])
        os.setgid(at.st_gid)
        os.setuid(at.st_uid)
        with contextlib.closing(database("/" + path)) as target:
            source.backup(target)

    inside(folder, None, place)


def main(action, *volumes):
    # What Python loads when it is first needed is loaded before the root is another.
    in_memory(sqlite3.connect(":memory:")).execute("SELECT 1").fetchone()
    {"dump": dump, "restore": restore, "rows": rows}[action]([tuple(volume.rsplit("=", 1)) for volume in volumes])


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (Damaged, tarfile.TarError) as error:
        raise SystemExit(f"the dump is damaged ({error}); the SQLite files are as they were") from error
