"""A benchmark's files, brought from the Hugging Face hub and unpacked where they are read."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile, ZipFile

from huggingface_hub import HfApi, snapshot_download
from tqdm import tqdm

from spatial_vlm_ros.serving.fetching import explained


def fetch(name: str, folder: Path) -> None:
    """Into ``folder``; what is there already is neither fetched nor unpacked again.

    ``ValueError``: the hub cannot be reached, or does not give it, or an archive is damaged.
    """
    with explained(name, "data set"):
        info = HfApi().dataset_info(name)
        licence = getattr(info.card_data, "license", None) or "not stated by its author"
        print(f"{name} at {info.sha}, licence {licence}", flush=True)
        snapshot_download(name, repo_type="dataset", revision=info.sha, local_dir=folder)
    for path in sorted(folder.rglob("*.zip")):
        try:
            _unpack(path)
        except BadZipFile as error:
            raise ValueError(f"{path}: {error}: remove it, and fetch again") from error


def _unpack(path: Path) -> None:
    """Beside itself."""
    with ZipFile(path) as archive:
        members = [each for each in archive.infolist() if not each.is_dir()]
        for member in tqdm(members, path.name, unit="file", disable=None):
            target = path.parent / member.filename
            if not target.is_file() or target.stat().st_size != member.file_size:
                archive.extract(member, path.parent)
