"""A data_dir that cannot be used: one line, with what is in the way and what to do."""

import errno
from pathlib import Path

import pytest

from nexus_actors.data_dir import explain, trouble
from nexus_actors.operations.instance import DataDirError, claim_instance


def refused(data_dir: Path) -> str:
    with pytest.raises(DataDirError) as caught, claim_instance(data_dir):
        pass
    return str(caught.value)


@pytest.mark.parametrize("below", ["", "deeper/still"])
def test_a_file_in_the_way_is_called_one(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.touch()
    expected = f"{file} is a file, a directory was expected: remove it, or give another"
    assert expected in str(trouble(file / below))
    assert f"cannot use data_dir {file / below}: {expected}" in refused(file / below)


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "gone")
    assert "a link that leads nowhere" in refused(link)
    assert "a link that leads nowhere" in str(trouble(link))


@pytest.mark.parametrize("place", ["/proc/nexus", "/sys/nexus", "/proc/self/nexus"])
def test_the_systems_own_folders(place: str) -> None:
    assert "is the system's own and keeps no files: give another" in str(trouble(Path(place)))
    assert "is the system's own and keeps no files: give another" in refused(Path(place))


def test_a_folder_where_a_file_of_ours_belongs(tmp_path: Path) -> None:
    (tmp_path / "nexus.lock").mkdir()
    assert f"{tmp_path / 'nexus.lock'} is a directory, a file was expected" in refused(tmp_path)


def test_a_full_disk_and_what_nobody_knows_are_reported(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    assert "no space left on device: make room" in explain(tmp_path, full)
    assert explain(tmp_path, OSError(errno.EIO, "Input/output error")).endswith(
        "Input/output error"
    )
    assert trouble(tmp_path / "new" / "one") is None
