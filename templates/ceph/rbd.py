"""Does one piece of work on RBD images, in one process with one connection: each `rbd` takes some 40 ms to start and connect.

The only argument is what to do, as JSON; `-` where that is on standard input. Work with `luks` has the key of an encrypted volume at file descriptor 3.
The answer is printed as one line of JSON: {"answer": ...} or {"refused": ...}. What Ceph fails with is such a line on standard error, {"failed": ...},
and exit code 1; a program that fails for us is told by its own exit code.

What is being made has the name `part`, and gets its own when it is whole.
"""

import errno
import json
import os
import re
import sys
import threading
import time

# Without `site`, which takes longer than most of what is done here: where distributions keep Ceph's modules.
version = "python%d.%d" % sys.version_info[:2]
sys.path += [
    "/usr/lib/python3/dist-packages",
    "/usr/lib64/%s/site-packages" % version,
    "/usr/lib/%s/site-packages" % version,
]
try:
    import rados
    import rbd
except ImportError as lacking:
    sys.exit("no bindings of Ceph for Python: %s" % lacking)

# QEMU measures some 8 ms of its own work to choose how often it hashes a passphrase, by a clock that may tick every 4 ms, or not at all while others
# have the processor (qemu: crypto/pbkdf.c). That is tried again.
CLOCK_STOOD_STILL = b"Unable to get accurate CPU usage"
MOST_TRIES = 20

# A cluster without a manager may never answer what space it has.
MONITOR_SECONDS = 3
# Begins the name of the snapshot that a copy is made of; the id of the copy follows.
MOMENT = "copy-"

images = rbd.RBD()


class Refusal(Exception):
    """What is there is not as the work needs it: a word for why, and what was found."""


class Fault(Exception):
    """What Ceph answered in a step of the work: its name, what it was about, and the error."""


class Ended(Exception):
    """A program that was run for this failed: its exit code, which becomes ours."""


class Client:
    """A user's connection to the cluster, and the pools that it opened."""

    def __init__(self, conf, user):
        try:
            self.cluster = rados.Rados(conffile=conf, rados_id=user)
            self.cluster.connect()
        except rados.Error as error:
            raise Fault("connect", conf, error) from error
        self.pools = {}

    def open(self, pool):
        if pool not in self.pools:
            try:
                self.pools[pool] = self.cluster.open_ioctx(pool)
            except rados.Error as error:
                raise Fault("pool", pool, error) from error
        return self.pools[pool]

    def ask(self, command):
        """What the monitors answer, or `None`. The call itself has no limit."""
        said = []
        words = json.dumps({"prefix": command, "format": "json"})
        asking = threading.Thread(target=lambda: said.append(self.cluster.mon_command(words, b"")), daemon=True)
        asking.start()
        asking.join(MONITOR_SECONDS)
        return json.loads(said[0][1]) if said and said[0][0] == 0 else None

    def find_reason(self, pool):
        """Why storage does not answer, as far as monitors tell: writes to what is full wait."""
        found = self.ask("osd dump")
        if found is None:
            return "silent"
        names = [entry["flags_names"] for entry in found["pools"] if entry["pool_name"] == pool]
        flags = {flag for text in [found["flags"], *names] for flag in text.split(",")}
        return "full" if flags & {"full", "full_quota"} else "storage"


class Patience:
    """Ends this where a step of the work takes longer than `seconds`, with the reason where monitors tell one. What goes on renews it."""

    def __init__(self, work):
        self.work = work
        self.client = None
        self.renew()
        threading.Thread(target=self.watch, daemon=True).start()

    def renew(self, *_progress):
        """As librbd calls it with its progress, for which it wants a number."""
        self.until = time.monotonic() + self.work["seconds"]
        return 0

    def suspend(self):
        self.until = float("inf")

    def watch(self):
        while time.monotonic() < self.until:
            time.sleep(min(1, max(0, self.until - time.monotonic())))
        reason = self.client.find_reason(self.work["pool"]) if self.client else None
        error = TimeoutError("no answer within %d s" % self.work["seconds"])
        fail(describe("limit", self.work["do"], error, reason))


def answer(line):
    sys.stdout.write("\n%s\n" % json.dumps(line))


def leave(code):
    """The connection ends with the process; to take the interpreter down takes longer than that."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def describe(step, about, error, reason=None):
    number = getattr(error, "errno", None)
    return {"failed": {"step": step, "about": about, "errno": abs(number or 0), "text": str(error), "reason": reason}}


def fail(failure):
    sys.stderr.write("\n%s\n" % json.dumps(failure))
    leave(1)


def attempt(client, pool, work):
    """What the work answers, refuses or fails with."""
    patience.renew()
    try:
        return {"answer": works[work["do"]](client, client.open(pool), work)}
    except Refusal as refusal:
        why, detail = refusal.args
        return {"refused": {"why": why, "detail": detail}}
    except Fault as fault:
        return describe(*fault.args)
    except (rados.Error, rbd.Error) as error:
        is_late = getattr(error, "errno", None) == errno.ETIMEDOUT
        return describe("work", work["do"], error, client.find_reason(pool) if is_late else None)


def owner_of(image, key):
    try:
        return image.metadata_get(key)
    except KeyError:
        return None


def open_image(pool, name, mark, writes=False):
    """An image of ours, or `None`. A reader is no watcher, and sees the image as it is now."""
    try:
        image = rbd.Image(pool, name, read_only=not writes)
    except rbd.ImageNotFound:
        return None
    if owner_of(image, mark["key"]) != mark["value"]:
        image.close()
        raise Refusal("foreign", name)
    return image


def find_image(pool, name, mark, writes=False):
    """As `open_image`, where only a pool that answers without the name proves absence."""
    image = open_image(pool, name, mark, writes)
    if image is None and name in images.list(pool):
        image = open_image(pool, name, mark, writes)
        if image is None:
            raise Fault("work", name, FileNotFoundError(errno.ENOENT, "it is listed, and cannot be opened"))
    return image


def require_image(pool, work, writes=False):
    image = find_image(pool, work["name"], work["mark"], writes)
    if image is None:
        raise Refusal("absent", "")
    return image


def list_snapshots(image):
    """Those of users, not what Ceph keeps for itself."""
    return [snapshot["name"] for snapshot in image.list_snaps() if snapshot["namespace"] == 0]


def list_children(image):
    return ["%s/%s" % child for child in image.list_children()]


def list_watchers(image):
    return ["client.%d at %s" % (watcher["id"], watcher["addr"]) for watcher in image.watchers_list()]


def parent_of(image):
    try:
        return "%s/%s@%s" % tuple(image.parent_info())
    except rbd.ImageNotFound:
        return None


def protect(image, snapshot):
    """Makes a protected snapshot, or finishes one."""
    try:
        image.create_snap(snapshot)
    except rbd.ImageExists:
        pass
    if not image.is_protected_snap(snapshot):
        try:
            image.protect_snap(snapshot)
        except rbd.ImageBusy:
            pass


def drop_part(pool, part):
    try:
        images.remove(pool, part, on_progress=patience.renew)
    except rbd.ImageNotFound:
        pass
    except rbd.ImageBusy as busy:
        raise Refusal("busy", part) from busy


def make_part(pool, part, make):
    """What a broken making has left is in the way, and removed."""
    try:
        make()
    except rbd.ImageExists:
        drop_part(pool, part)
        make()


def set_mark(image, mark):
    image.metadata_set(mark["key"], mark["value"])


def create(pool, work, size):
    make_part(pool, work["part"], lambda: images.create(pool, work["part"], size))
    with rbd.Image(pool, work["part"]) as image:
        set_mark(image, work["mark"])
        if "luks" in work:
            image.write(make_header(work["luks"]), 0)


def read_key():
    """Once: what is read from a pipe is there no more."""
    if not key:
        with open(3, "rb") as given:
            key.append(given.read())
    return key[0]


key = []


def hold_key():
    """A pipe with the key, for one program that reads it to its end: a key is in no argument, and in no file."""
    reader, writer = os.pipe()
    os.write(writer, read_key())
    os.close(writer)
    os.set_inheritable(reader, True)
    return reader


def with_key(command, reader):
    tool, verb, *rest = command
    return [tool, verb, "--object", "secret,id=key,file=/dev/fd/%d" % reader, *rest]


def make_header(luks):
    """The header of a LUKS container, with a master key of its own: QEMU makes it in memory."""
    import subprocess

    memory = os.memfd_create("header")
    command = ["qemu-img", "create", "-q", "-f", "luks", "-o", luks["options"], "/dev/fd/%d" % memory, "0"]
    # QEMU takes seconds of the processor, which others may have.
    patience.suspend()
    for tries in range(MOST_TRIES):
        reader = hold_key()
        made = subprocess.run(with_key(command, reader), pass_fds=(reader, memory), stderr=subprocess.PIPE)
        os.close(reader)
        if made.returncode == 0 or CLOCK_STOOD_STILL not in made.stderr:
            break
    patience.renew()
    if made.returncode != 0:
        sys.stderr.write(made.stderr.decode(errors="replace"))
        raise Ended(made.returncode)
    header = os.pread(memory, 2 * luks["bytes"], 0)
    os.close(memory)
    if len(header) != luks["bytes"]:
        sys.stderr.write("qemu-img made a LUKS header of %d bytes\n" % len(header))
        raise Ended(1)
    return header


def require_source(pool, source, writes=False):
    """Another volume, which is there and ours."""
    image = find_image(pool, source["name"], source["mark"], writes)
    if image is None:
        raise Refusal("absent", "volume %s" % source["id"])
    return image


def clone(client, pool, work, parent):
    """It is as large as wanted, and its parent's mark is overwritten with its own, before it has its name (cinder: `rbd.py` `_clone`)."""
    name, snapshot = parent["image"], parent["snapshot"]
    source = client.open(parent["pool"])
    part, want = work["part"], work["want"]
    try:
        make_part(pool, part, lambda: images.clone(source, name, snapshot, pool, part))
    except rbd.ImageNotFound:
        try:
            rbd.Image(source, name, snapshot=snapshot, read_only=True).close()
        except rbd.ImageNotFound as missing:
            raise Refusal("absent", "snapshot %s/%s@%s" % (parent["pool"], name, snapshot)) from missing
        raise
    with rbd.Image(pool, part) as image:
        size = image.size()
        if want < size and want != 0:
            too_large = True
        else:
            too_large = False
            if want > size:
                image.resize(want, allow_shrink=False)
            set_mark(image, work["mark"])
    if too_large:
        drop_part(pool, part)
        raise Refusal("source", size)


def size_of(client, parent):
    """That of a snapshot of an image."""
    try:
        with rbd.Image(client.open(parent["pool"]), parent["image"], snapshot=parent["snapshot"], read_only=True) as image:
            return image.size()
    except rbd.ImageNotFound as missing:
        raise Refusal("absent", "snapshot %(pool)s/%(image)s@%(snapshot)s" % parent) from missing


def grow(client, pool, work):
    """Nothing is made smaller."""
    with require_image(pool, work, writes=True) as image:
        size = image.size()
        if size > work["want"]:
            raise Refusal("shrinks", size)
        if size < work["want"]:
            image.resize(work["want"], allow_shrink=False)


def ensure(client, pool, work):
    """Makes an image that is blank or a clone, grows one that is there, and answers `copy` where the rest takes long."""
    want, source = work["want"], work["source"]
    image = open_image(pool, work["name"], work["mark"])
    if image is not None:
        with image:
            size = image.size()
        if want not in (0, size):
            grow(client, pool, work)
        return "whole"
    if source["kind"] == "file":
        if want != 0 and source["size"] > want:
            raise Refusal("source", source["size"])
        if not os.path.exists(source["path"]):
            raise Refusal("absent", "file %s" % source["path"])
        return "copy"
    if source["kind"] == "snapshot":
        size = size_of(client, source["parent"]) + source["overhead"]
        if want != 0 and size > want:
            raise Refusal("source", size)
        return "copy"
    if source["kind"] == "volume":
        with require_source(pool, source) as image:
            size = image.size()
        if want != 0 and size > want:
            raise Refusal("source", size)
        return "copy"
    if source["kind"] == "blank":
        create(pool, work, want)
    else:
        if "mark" in source:
            require_source(pool, source).close()
        clone(client, pool, work, source["parent"])
    images.rename(pool, work["part"], work["name"])
    return "whole"


def run(command, takes_key=False):
    """Runs a program of ours to its end, and gives its exit code."""
    sys.stdout.flush()
    patience.suspend()
    reader = hold_key() if takes_key else None
    try:
        return os.spawnvp(os.P_WAIT, command[0], command if reader is None else with_key(command, reader))
    finally:
        patience.renew()
        if reader is not None:
            os.close(reader)


def fill(pool, work, size):
    """A new image that programs copy into, and compare then where that is asked for. `qemu-img compare` ends with 1 where contents differ."""
    create(pool, work, size)
    code = run(work["convert"], takes_key="luks" in work)
    if code != 0:
        raise Ended(code)
    if "compare" in work:
        code = run(work["compare"])
        if code == 1:
            raise Refusal("differs", "")
        if code != 0:
            raise Ended(code)
    if "protect" in work:
        with rbd.Image(pool, work["part"]) as image:
            protect(image, work["protect"])
    images.rename(pool, work["part"], work["name"])


def copy(client, pool, work):
    """
    Makes an image of what takes long to copy. A volume is copied from a snapshot of that moment, so that writes meanwhile do not tear it, and depends on
    nothing then (cinder: `rbd_max_clone_depth` 0).
    """
    image = open_image(pool, work["name"], work["mark"])
    if image is not None:
        image.close()
        return "whole"
    size, moment = work["want"], work.get("moment")
    if "parent" in work:
        size = size or size_of(client, work["parent"]) + work["luks"]["bytes"]
    if moment is None:
        fill(pool, work, size)
        return "whole"
    with require_source(pool, moment, writes=True) as image:
        if moment["snapshot"] in list_snapshots(image):
            image.remove_snap(moment["snapshot"])
        image.create_snap(moment["snapshot"])
        size = size or image.size()
    try:
        fill(pool, work, size)
    finally:
        with rbd.Image(pool, moment["name"]) as image:
            image.remove_snap(moment["snapshot"])
    return "whole"


def observe(client, pool, work):
    image = find_image(pool, work["name"], work["mark"])
    if image is None:
        return None
    with image:
        return {
            "size": image.size(),
            "parent": parent_of(image),
            "snapshots": list_snapshots(image),
            "watchers": list_watchers(image),
        }


def remove(client, pool, work):
    """Snapshots, their clones and who has it open are asked for first: the removal says less."""
    drop_part(pool, work["part"])
    image = find_image(pool, work["name"], work["mark"])
    if image is None:
        return
    with image:
        left = list_left_moments(pool, image, work)
        if not left:
            require_removable(image)
    if left:
        with rbd.Image(pool, work["name"]) as image:
            for name in left:
                image.remove_snap(name)
        # Anew: who only reads is not told of changes.
        with rbd.Image(pool, work["name"], read_only=True) as image:
            require_removable(image)
    images.remove(pool, work["name"], on_progress=patience.renew)


def list_left_moments(pool, image, work):
    """What copies that were killed, and then given up, have left on their source: nobody makes their image any more."""
    moments = [name for name in list_snapshots(image) if name.startswith(MOMENT)]
    if not moments:
        return []
    suffix = work["part"][len(work["name"]) :]
    names = images.list(pool)
    return [name for name in moments if "volume-%s%s" % (name[len(MOMENT) :], suffix) not in names]


def require_removable(image):
    snapshots = list_snapshots(image)
    if snapshots:
        try:
            children = list_children(image)
        except rbd.Error:
            # Glance's user may not look for clones in other pools.
            children = []
        raise Refusal("snapshots", {"snapshots": snapshots, "children": children})
    watchers = list_watchers(image)
    if watchers:
        raise Refusal("held", watchers)


def remove_half(client, pool, work):
    drop_part(pool, work["part"])


def snapshot(client, pool, work):
    with require_image(pool, work, writes=True) as image:
        protect(image, work["snapshot"])


def drop_snapshot(pool, work, list_clones):
    image = find_image(pool, work["name"], work["mark"], writes=True)
    if image is None:
        return
    with image:
        if work["snapshot"] not in list_snapshots(image):
            return
        clones = list_clones()
        if clones:
            raise Refusal("children", clones)
        if image.is_protected_snap(work["snapshot"]):
            image.unprotect_snap(work["snapshot"])
        image.remove_snap(work["snapshot"])


def children_of(pool, work):
    with rbd.Image(pool, work["name"], snapshot=work["snapshot"], read_only=True) as image:
        return list_children(image)


def remove_snapshot(client, pool, work):
    drop_snapshot(pool, work, lambda: children_of(pool, work))


def remove_import(client, pool, work):
    """Who lies on it is asked as another user: Glance's may look into no pool but its own."""

    def list_clones():
        other = Client(work["conf"], work["reader"])
        return children_of(other.open(work["pool"]), work)

    drop_snapshot(pool, work, list_clones)
    remove(client, pool, work)


def children(client, pool, work):
    with require_image(pool, work) as image:
        return list_children(image)


def is_flat(client, pool, work):
    with require_image(pool, work) as image:
        return parent_of(image) is None


def flatten(client, pool, work):
    told = -1

    def tell(done, total):
        nonlocal told
        percent = done * 100 // max(total, 1)
        if percent != told:
            told = percent
            sys.stdout.write("%d%% complete\n" % percent)
            sys.stdout.flush()
        return patience.renew()

    with require_image(pool, work, writes=True) as image:
        if parent_of(image) is not None:
            image.flatten(on_progress=tell)


def find_import(client, pool, work):
    """Whether the image is there with its snapshot."""
    image = find_image(pool, work["name"], work["mark"])
    if image is None:
        return False
    with image:
        return work["snapshot"] in list_snapshots(image)


def begin_import(client, pool, work):
    """Finishes an image that is there, and else tells what space the cluster has; one without a manager does not tell."""
    image = open_image(pool, work["name"], work["mark"], writes=True)
    if image is None:
        return {"space": ask_space(client, work["pool"])}
    with image:
        protect(image, work["snapshot"])
    return "whole"


def ask_space(client, pool):
    found = client.ask("df") or {"pools": []}
    return next((entry["stats"]["max_avail"] for entry in found["pools"] if entry["name"] == pool), None)


def list_marked(client, pool, work):
    """Name and mark of each image that could be ours by its name: each has to be opened."""
    return [
        [name, None if name.endswith(work["suffix"]) else read_mark(pool, name, work["key"])]
        for name in images.list(pool)
        if re.search("[0-9a-f]{8}-[0-9a-f]{4}-", name)
    ]


def read_mark(pool, name, key):
    patience.renew()
    try:
        with rbd.Image(pool, name, read_only=True) as image:
            return owner_of(image, key)
    except rbd.ImageNotFound:
        # It was removed meanwhile.
        return None


works = {
    work.__name__: work
    for work in (
        ensure,
        grow,
        copy,
        observe,
        remove,
        remove_half,
        snapshot,
        remove_snapshot,
        children,
        is_flat,
        flatten,
        begin_import,
        find_import,
        remove_import,
        list_marked,
    )
}


def observe_all(work):
    """Images in pools of several users: to each what it alone would be answered."""
    return [said for user in work["clients"] for said in observe_as(work, user)]


def observe_as(work, user):
    patience.renew()
    try:
        patience.client = Client(user["conf"], user["user"])
    except Fault as fault:
        return [describe(*fault.args)] * len(user["images"])
    return [
        attempt(patience.client, pool, {"do": "observe", "name": name, "mark": {"key": work["key"], "value": mark}})
        for pool, name, mark in user["images"]
    ]


def main():
    if work["do"] == "observe_all":
        answer({"answer": observe_all(work)})
        leave(0)
    try:
        patience.client = Client(work["conf"], work["user"])
        said = attempt(patience.client, work["pool"], work)
    except Fault as fault:
        said = describe(*fault.args)
    except Ended as ended:
        leave(*ended.args)
    if "failed" in said:
        fail(said)
    answer(said)
    leave(0)


work = json.loads(sys.stdin.read() if sys.argv[1] == "-" else sys.argv[1])
patience = Patience(work)
main()
