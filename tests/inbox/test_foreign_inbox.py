"""An inbox into which strangers put things: links, pipes, swapped files and secrets lead nowhere and are not quoted."""

import errno
import gzip
import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pytest
from openpyxl import Workbook

from bulkreact.errors import FileRefusedError
from bulkreact.inbox import foreign_file, sweep_pass
from bulkreact.inbox.folder import Folder, open_inbox
from bulkreact.inbox.foreign_file import private_copy, read_unchanged, take_snapshot
from bulkreact.inbox.scan import LARGEST_FILE, InboxScan, scan
from bulkreact.runs.execution import execute
from bulkreact.runs.input_reader import LoadedInput, load_input
from bulkreact.runs.result_files import WrittenResults
from bulkreact.runs.run_job import RunJob
from bulkreact.sheets.input.input_options import LoadOptions
from tests.support.ids import HEADER, guid, row, write_csv
from tests.support.inboxes import count_calls, drop_file, file_names, inbox_folder, run_journals, set_age, sweep
from tests.support.program import Partner, Program, ProgramResult
from tests.support.webhook_receiver import receiving

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders, and links need rights there")

SECRET = "client-secret-4711"
# The rows of a table that its owner did not put into the inbox.
OTHERS = 900


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file that whoever puts things into the inbox may not read."""
    path = tmp_path / "secret.txt"
    path.write_text(f"{SECRET}\n")
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a table outside the inbox."""
    return write_csv(tmp_path / "others.csv", [row(guid(OTHERS))])


def assert_nothing_leaked(program: Program, partner: Partner, process: ProgramResult) -> None:
    """Check that neither the secret nor the table outside the inbox was read."""
    assert not [call for call in partner.requests() if guid(OTHERS) in call["path"]]
    folders = (program.folder / "reports", inbox_folder(program) / "done", inbox_folder(program) / "failed")
    written = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]
    assert not [path for path in written if guid(OTHERS).encode() in path.read_bytes()]
    assert not [path for folder in folders for path in folder.rglob("*") if path.is_symlink()]
    assert SECRET not in process.err
    assert "Traceback" not in process.err


@pytest.mark.parametrize("target", ["secret.txt", "others.csv", "inputs", "/proc/self/environ", "nowhere"])
def test_links_are_left_and_reported_and_the_others_are_run(
    program: Program, partner: Partner, secret: Path, table: Path, target: str
) -> None:
    link = inbox_folder(program) / "x.csv"
    link.symlink_to({"secret.txt": secret, "others.csv": table}.get(target, Path(target)))
    drop_file(program, "good.csv", 100)
    process = sweep(program, partner, "-q")
    assert process.code == 2
    assert "Warning: x.csv: it is a link, and links are not followed" in process.err
    assert link.is_symlink()
    assert not (inbox_folder(program) / "failed").exists()
    assert count_calls(partner, 100) == [1, 1]
    assert_nothing_leaked(program, partner, process)


def test_a_hard_link_is_left_because_it_may_show_what_its_maker_cannot_read(
    program: Program, partner: Partner, table: Path
) -> None:
    os.link(table, set_age(inbox_folder(program), 0) / "x.csv")
    process = sweep(program, partner, "-q")
    assert process.code == 2
    assert "x.csv: it has another name elsewhere, by a hard link" in process.err
    assert file_names(inbox_folder(program)) == ["x.csv"]
    assert_nothing_leaked(program, partner, process)


def test_pipes_and_sockets_are_left_and_hold_nothing_up(program: Program, partner: Partner) -> None:
    os.mkfifo(inbox_folder(program) / "pipe.csv")
    drop_file(program, "good.csv", 100)
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        # Addresses of sockets are short.
        descriptor = os.open(inbox_folder(program), os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{descriptor}/socket.csv" if sys.platform == "linux" else "socket.csv")
        os.close(descriptor)
        process = sweep(program, partner, "-q")
    assert process.code == 2
    assert "pipe.csv: it is a pipe, a socket or a device" in process.err
    assert count_calls(partner, 100) == [1, 1]
    assert not (inbox_folder(program) / "failed").exists()


def scan_folder(path: Path, *, keep: bool = False) -> InboxScan:
    """Scan a folder, whatever the age of its files."""
    with open_inbox(path) as inbox:
        return scan(inbox, settle=0, now=0, keep=keep)


def test_devices_are_not_opened() -> None:
    assert "null" in [entry.name for entry in scan_folder(Path("/dev")).foreign]


def test_a_folder_is_no_input_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.csv").mkdir()
    assert scan_folder(tmp_path) == InboxScan((), (), ())


def test_a_file_that_would_fill_the_disk_with_its_copy_is_left(tmp_path: Path) -> None:
    (tmp_path / "x.csv").touch()
    os.truncate(tmp_path / "x.csv", LARGEST_FILE + 1)
    (entry,) = scan_folder(tmp_path).foreign
    assert "larger than 2 GiB" in entry.reason


def test_what_cannot_be_moved_out_of_a_sticky_folder_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "x.csv").touch()
    tmp_path.chmod(0o1777)
    with patch("os.geteuid", return_value=os.geteuid() + 1):
        (entry,) = scan_folder(tmp_path).foreign
        assert not scan_folder(tmp_path, keep=True).foreign
    assert "sticky" in entry.reason
    assert not scan_folder(tmp_path).foreign


MAKE: dict[str, Callable[[Path], None]] = {
    "link": lambda path: path.symlink_to(path.parent.parent / "elsewhere"),
    "file": lambda path: path.touch(),
    "pipe": os.mkfifo,
}


@pytest.mark.parametrize("name", ["done", "failed"])
@pytest.mark.parametrize("kind", MAKE)
def test_nothing_is_moved_into_what_is_no_folder_of_the_inbox(
    program: Program, partner: Partner, name: str, kind: str
) -> None:
    elsewhere = program.folder / "elsewhere"
    elsewhere.mkdir()
    path = inbox_folder(program) / name
    MAKE[kind](path)
    drop_file(program, "good.csv", 100)
    (inbox_folder(program) / "sitecustomize.py").write_text("print('executed')\n")
    process = sweep(program, partner, "-q")
    assert process.code == 2
    assert f"Nothing is moved to {Path('inputs') / name}" in process.err
    assert partner.requests() == []
    assert list(elsewhere.iterdir()) == []
    assert {"good.csv", "sitecustomize.py"} <= {entry.name for entry in inbox_folder(program).iterdir()}


def test_a_folder_that_a_stranger_made_and_shut_is_found_before_anything_is_sent(
    program: Program, partner: Partner
) -> None:
    (inbox_folder(program) / "done").mkdir()
    drop_file(program, "good.csv", 100)
    access = os.access

    def refuse(path: str, mode: int, *, dir_fd: int | None = None) -> bool:
        return path != "done" and access(path, mode, dir_fd=dir_fd)

    with patch("os.access", refuse):
        process = sweep(program, partner, "-q")
    assert process.code == 2
    assert "done: it cannot be written" in process.err
    assert partner.requests() == []


def test_with_keep_it_does_not_matter_what_done_is(program: Program, partner: Partner) -> None:
    (inbox_folder(program) / "done").symlink_to(program.folder)
    drop_file(program, "good.csv", 100)
    assert sweep(program, partner, "--keep").code == 2
    assert count_calls(partner, 100) == [1, 1]


def test_a_link_put_in_the_place_of_done_while_a_run_works_leads_nowhere(program: Program, partner: Partner) -> None:
    elsewhere, done = program.folder / "elsewhere", inbox_folder(program) / "done"
    elsewhere.mkdir()
    drop_file(program, "good.csv", 100)

    def swap(job: RunJob) -> WrittenResults:
        written = execute(job)
        done.rename(program.folder / "real")
        done.symlink_to(elsewhere)
        return written

    with patch.object(sweep_pass, "execute", swap):
        assert sweep(program, partner).code == 0
    assert list(elsewhere.iterdir()) == []
    assert "good.csv" in file_names(program.folder / "real")


def test_an_inbox_that_is_itself_a_link_is_the_folder_that_was_named(program: Program, partner: Partner) -> None:
    real = inbox_folder(program).rename(program.folder / "real")
    (program.folder / "inputs").symlink_to(real)
    drop_file(program, "good.csv", 100)
    assert sweep(program, partner).code == 0
    assert "good.csv" in file_names(real / "done")


@contextmanager
def swapped(method: str, nth: int, swap: Callable[[], None]) -> Iterator[None]:
    """Let a file be replaced right before the nth call of a method of the folder that is about it."""
    original, calls = getattr(Folder, method), 0

    def replaced(self: Folder, name: str, *others: object) -> object:
        nonlocal calls
        calls += name == "x.csv"
        if name == "x.csv" and calls == nth:
            swap()
        return original(self, name, *others)

    with patch.object(Folder, method, replaced):
        yield


def replace_by_link(path: Path, target: str) -> None:
    """Put a link in the place of a file."""
    path.unlink()
    path.symlink_to(path.parent.parent / target)


def replace_by_pipe(path: Path) -> None:
    """Put a pipe in the place of a file."""
    path.unlink()
    os.mkfifo(path)


INSTANTS = [
    *(("open_file", nth) for nth in (1, 2, 3, 4)),
    *(("status", nth) for nth in (1, 2, 3, 4, 5, 6, 7)),
    ("link", 1),
]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("good", "others.csv"),
        ("bad", "secret.txt"),
        *(pytest.param(*case, marks=pytest.mark.soak) for case in (("good", "pipe"), ("bad", "pipe"))),
    ],
)
@pytest.mark.parametrize("instant", INSTANTS, ids=lambda instant: "-".join(map(str, instant)))
def test_a_file_that_becomes_something_else_between_two_looks_leads_nowhere(
    program: Program, partner: Partner, secret: Path, table: Path, kind: str, instant: tuple[str, int], content: str
) -> None:
    path = drop_file(program, "x.csv", 100)
    if content == "bad":
        path.write_text("nothing of ours\n1\n")

    swap = partial(replace_by_pipe, path) if kind == "pipe" else partial(replace_by_link, path, kind)
    with swapped(*instant, swap):
        process = sweep(program, partner)
    assert process.code in {0, 2}
    assert_nothing_leaked(program, partner, process)
    moved = [entry for name in ("done", "failed") for entry in (inbox_folder(program) / name).glob("x.*")]
    assert all(entry.is_file() for entry in moved)
    # What was put there is still there: it is the next sweep that reports it.
    assert os.path.lexists(path) or "moved" in process.err or "is now" in process.err
    assert secret.read_text() == f"{SECRET}\n"
    assert table.exists()


def link_to_itself(path: Path) -> None:
    """Give a file another name, and put a link to it in its place."""
    path.rename(path.with_name(".real"))
    path.symlink_to(".real")


@pytest.mark.parametrize(
    "swap",
    [link_to_itself, replace_by_pipe, lambda path: path.with_name("other").replace(path)],
    ids=["link", "pipe", "file"],
)
def test_only_the_file_that_was_looked_at_is_opened(tmp_path: Path, swap: Callable[[Path], None]) -> None:
    for name in ("x.csv", "other"):
        (tmp_path / name).write_text(SECRET)
    with open_inbox(tmp_path) as inbox:
        real = os.open

        def swap_first(*arguments: object, **options: object) -> int:
            swap(tmp_path / "x.csv")
            return real(*arguments, **options)  # type: ignore[arg-type]

        with patch("os.open", swap_first), pytest.raises(OSError, match=r"link|replaced"):
            inbox.open_file("x.csv")


def test_a_file_that_was_written_to_since_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("old")
    with open_inbox(tmp_path) as inbox:
        file = take_snapshot(inbox, "x.csv")
        assert file
        (tmp_path / "x.csv").write_text(SECRET)
        with pytest.raises(FileRefusedError, match="It has changed"):
            list(read_unchanged(inbox, file))


@pytest.mark.parametrize(
    "instant",
    [("link", 1), *(("status", nth) for nth in range(1, 10))],
    ids=lambda instant: "-".join(map(str, instant)),
)
def test_a_file_that_is_replaced_by_another_is_not_lost(
    program: Program, partner: Partner, instant: tuple[str, int]
) -> None:
    path = drop_file(program, "x.csv", 100)
    new = set_age(write_csv(program.folder / "new.csv", [row(guid(200)), row(guid(201), 1)]), 3600)
    with swapped(*instant, partial(os.replace, new, path)):
        assert sweep(program, partner).code == 0
    assert sweep(program, partner).code == 0
    assert count_calls(partner, 200) == [1, 1]
    assert count_calls(partner, 100) in ([0, 0], [1, 1])
    assert file_names(inbox_folder(program)) == []
    done = file_names(inbox_folder(program) / "done")
    assert "x.csv" in done
    assert len([name for name in done if "results" in name]) == len(run_journals(program))


BROKEN = {
    "no-table.txt": f"{SECRET}\n".encode(),
    "header.csv": f"customer_id,{SECRET}\nx,y\n".encode(),
    "twice.csv": f"customer_id,Customer ID,subscription_id,entitlement_id,{SECRET}\n".encode(),
    "quote.csv": f'customer_id,subscription_id,entitlement_id\n"{SECRET}" x,y,z\n'.encode(),
    "nonsense.csv": "\n".join(["customer_id,name", f"1,Škoda ž{SECRET}"] * 9).encode("cp1250"),
    "short.csv": f"name,{SECRET},customer_id,subscription_id,entitlement_id\nx,{','.join(row(guid(1)))}\n".encode(),
    "broken.csv.gz": gzip.compress(SECRET.encode() * 50)[:-8] + SECRET.encode(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_refused_file_is_not_quoted_to_anybody_but_the_one_who_sweeps(
    program: Program, partner: Partner, name: str
) -> None:
    (inbox_folder(program) / name).write_bytes(BROKEN[name])
    with receiving() as receiver:
        hooks = ("--ping", receiver.url, "--notify-url", f"{receiver.url}/hook", "--metrics", "metrics.prom")
        process = sweep(program, partner, *hooks, "-q")
    assert process.code == 2
    note = (inbox_folder(program) / "failed" / f"{name}.txt").read_text()
    assert name in note
    assert SECRET not in note
    assert not [body for _, body in receiver.posts if SECRET in body]
    assert SECRET not in (program.folder / "metrics.prom").read_text()


@pytest.mark.parametrize("more", [(), ("--sheet", "other")])
def test_a_refused_workbook_is_not_quoted_either(program: Program, partner: Partner, more: tuple[str, ...]) -> None:
    book = Workbook()
    book.active.title = SECRET
    book.active.append(("a", SECRET))
    book.save(inbox_folder(program) / "x.xlsx")
    process = sweep(program, partner, "-q", *more)
    assert process.code == 2
    assert SECRET in process.err
    assert SECRET not in (inbox_folder(program) / "failed" / "x.xlsx.txt").read_text()


def test_the_note_says_what_is_missing_and_who_knows_more(program: Program, partner: Partner) -> None:
    (inbox_folder(program) / "header.csv").write_bytes(BROKEN["header.csv"])
    process = sweep(program, partner, "-q")
    note = (inbox_folder(program) / "failed" / "header.csv.txt").read_text()
    assert "missing in the header: subscription_id, entitlement_id." in note
    assert note.endswith("The output of the sweep says more.\n")
    assert f"The header has: 'customer_id', '{SECRET}'" in process.err


def test_the_rows_of_a_table_may_be_quoted(program: Program, partner: Partner) -> None:
    write_csv(inbox_folder(program) / "x.csv", [("nobody", guid(1), guid(2))])
    assert sweep(program, partner, "--strict").code == 2
    assert "row 2: customer_id" in (inbox_folder(program) / "failed" / "x.csv.txt").read_text()


def test_names_with_line_breaks_and_escape_sequences_stay_on_one_line(program: Program, partner: Partner) -> None:
    name = "\x1b[31mred\nError: all is lost\u202e.csv"
    (inbox_folder(program) / name).write_text("nothing of ours\n1\n")
    (inbox_folder(program) / f"link-{name}").symlink_to("nowhere")
    process = sweep(program, partner)
    failed = inbox_folder(program) / "failed"
    assert process.code == 2
    assert not {"\x1b", "\u202e"} & {*process.err, *(failed / f"{name}.txt").read_text()}
    assert "\nError: all" not in process.err
    assert len((failed / f"{name}.txt").read_text().splitlines()) == 1


def test_an_unreadable_file_is_refused_with_the_reason(program: Program, partner: Partner) -> None:
    drop_file(program, "x.csv", 100)
    with patch.object(Folder, "open_file", side_effect=PermissionError(errno.EACCES, "Permission denied")):
        assert sweep(program, partner).code == 2
    failed = inbox_folder(program) / "failed"
    assert file_names(failed) == ["x.csv", "x.csv.txt"]
    assert "x.csv cannot be read: Permission denied" in (failed / "x.csv.txt").read_text()


def test_a_workbook_that_no_process_can_be_started_for_is_not_refused(program: Program, partner: Partner) -> None:
    Workbook().save(inbox_folder(program) / "x.xlsx")
    failure = OSError(errno.EAGAIN, "Resource temporarily unavailable")
    with patch("subprocess.Popen", side_effect=failure):
        process = sweep(program, partner, "-q")
    assert process.code == 2
    assert "x.xlsx was not read: no process can be started" in process.err
    assert file_names(inbox_folder(program)) == ["x.xlsx"]


def test_the_copy_that_is_read_is_private_and_removed(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(",".join(HEADER))
    before = os.umask(0)
    try:
        with open_inbox(tmp_path) as inbox:
            file = take_snapshot(inbox, "x.csv")
            assert file
            with private_copy(inbox, file, tmp_path / "copy"):
                assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
                assert (tmp_path / "copy").read_text() == ",".join(HEADER)
    finally:
        os.umask(before)
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_a_private_copy_is_read_and_is_not_part_of_the_run(program: Program, partner: Partner) -> None:
    drop_file(program, "x.csv", 100)
    read: list[tuple[Path, int]] = []

    def load(folder: Path, name: str, path: Path, options: LoadOptions) -> LoadedInput:
        read.append((path.parent, stat.S_IMODE(path.stat().st_mode) | stat.S_IMODE(path.parent.stat().st_mode)))
        return load_input(folder, name, path, options)

    with patch("bulkreact.cli.commands.sweep.load_input", load):
        assert sweep(program, partner).code == 0
    ((folder, mode),) = read
    assert folder.parent == Path("reports")
    assert mode == 0o700
    (run,) = (program.folder / "reports").glob("2*")
    assert "input" not in [path.name for path in run.iterdir()]


def test_a_file_that_never_ends_is_read_to_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_file, "_CHUNK", 4)
    path = tmp_path / "x.csv"
    path.write_bytes(b"0123456789")

    def grow(chunk: bytes) -> int:
        with path.open("ab") as file:
            return file.write(chunk)

    with open_inbox(tmp_path) as inbox:
        file = take_snapshot(inbox, "x.csv")
        assert file
        assert sum(map(grow, read_unchanged(inbox, file))) == 11
