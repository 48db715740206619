"""Checkpoints brought from the Hugging Face hub to this machine, before they are needed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, constants, hf_hub_url, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.file_download import http_get, repo_folder_name
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from spatial_vlm_ros.errors import first_line

_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
#: Settings, templates and vocabularies. No pickles and no programs: both could do anything.
_OTHERS = (".json", ".jinja", ".txt", ".model", ".tiktoken")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class HubFile:
    """A file of a model. sha256: of its content, for large ones; empty for others."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Offer:
    """What the hub has of a model and is used here.

    commit: of the files. licence: as its author states it, or empty.
    """

    name: str
    commit: str
    licence: str
    files: tuple[HubFile, ...]

    @property
    def gigabytes(self) -> float:
        """All files together, in 1e9 bytes."""
        return sum(file.size for file in self.files) / 1e9


def look_up(name: str) -> Offer:
    """Asks the hub. ``ValueError``: it cannot be reached, has no such model, or no safetensors."""
    with explained(name):
        info = HfApi().model_info(name, files_metadata=True)
    files = [
        HubFile(file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else "")
        for file in info.siblings or ()
        if _wanted(file.rfilename)
    ]
    if not {_WEIGHTS, _INDEX} & {file.name for file in files}:
        raise ValueError(f"{name} has no {_WEIGHTS}: its weights are in a form that is not read")
    stated = getattr(info.card_data, "license", None)
    own = getattr(info.card_data, "license_name", None) if stated == "other" else None
    return Offer(name, info.sha or "main", str(own or stated or ""), tuple(files))


def fetch(offer: Offer, folder: Path | None = None) -> Path:
    """Where its files are now: in ``folder``, or else in the hub's cache, as its name finds them.

    What is there already is not fetched again, and a file that was begun is continued.
    ``ValueError``: the disk is too small, the hub does not give the files or stops doing so.
    """
    target = folder or _cache_of(offer.name)
    ways = [(file, *_paths(file, target, folder is None)) for file in offer.files]
    _refuse_small_disk(offer.name, target, ways)
    with explained(offer.name):
        for file, path, begun in ways:
            if file.sha256 and not path.exists():
                _continue(offer, file, begun)
                begun.replace(path)
        names = [file.name for file in offer.files]
        return Path(snapshot_download(offer.name, local_dir=folder, allow_patterns=names))


def present(name: str) -> bool:
    """Whether all weights of a model are in the hub's cache."""
    found = {file: try_to_load_from_cache(name, file) for file in (_WEIGHTS, _INDEX, "config.json")}
    if not isinstance(found["config.json"], str):
        return False
    index = found[_INDEX]
    if not isinstance(index, str):
        return isinstance(found[_WEIGHTS], str)
    shards = json.loads(Path(index).read_text())["weight_map"].values()
    return all((Path(index).parent / shard).exists() for shard in set(shards))


def _wanted(file: str) -> bool:
    """Only what stands beside config.json: folders hold other forms of the same weights."""
    if file.endswith(".safetensors"):
        return file.startswith("model") and "/" not in file
    return file.endswith(_OTHERS) and "/" not in file


def _cache_of(name: str) -> Path:
    return Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model")


def _paths(file: HubFile, target: Path, cached: bool) -> tuple[Path, Path]:
    """Where a file ends up, and where it is until it is complete."""
    path = target / "blobs" / file.sha256 if cached and file.sha256 else target / file.name
    return path, path.with_name(f"{path.name}.incomplete")


def _refuse_small_disk(name: str, target: Path, ways: list[tuple[HubFile, Path, Path]]) -> None:
    missing = sum(
        file.size - (begun.stat().st_size if begun.exists() else 0)
        for file, path, begun in ways
        if not path.exists()
    )
    disk = next(parent for parent in (target, *target.absolute().parents) if parent.exists())
    free = shutil.disk_usage(disk).free
    if missing > free:
        raise ValueError(
            f"{name} needs {missing / 1e9:.1f} GB more in {target}, where {free / 1e9:.1f} GB are "
            "free: make room, or choose another disk with --folder or HF_HOME"
        )


def _continue(offer: Offer, file: HubFile, begun: Path) -> None:
    """Fetch what is missing of a file, and see that it is what the hub says.

    The hub's own library begins a file of many gigabytes again when the program was ended.
    """
    begun.parent.mkdir(parents=True, exist_ok=True)
    url = hf_hub_url(offer.name, file.name, revision=offer.commit)
    with begun.open("ab") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another program is fetching {offer.name}") from None
        there = out.tell()
        if there > file.size:
            out.truncate(there := 0)
        http_get(
            url,
            out,
            resume_size=there,
            headers=build_hf_headers(),
            expected_size=file.size,
            displayed_filename=file.name,
        )
    if _sha256(begun) != file.sha256:
        begun.unlink()
        raise ValueError(f"{file.name} of {offer.name} arrived damaged: fetch it again")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def explained(name: str, kind: str = "model") -> Iterator[None]:
    """Every error of the hub as a ``ValueError`` that says what to do."""
    page = f"{constants.ENDPOINT}/{name if kind == 'model' else f'datasets/{name}'}"
    again = "run it again: what has arrived is kept"
    try:
        yield
    except GatedRepoError as error:
        raise ValueError(
            f"{name} is gated: accept its terms at {page}, then log in with "
            "`hf auth login`, or set HF_TOKEN"
        ) from error
    except RepositoryNotFoundError as error:
        raise ValueError(
            f"{constants.ENDPOINT} has no {kind} {name}; if it is a private one, log in with "
            "`hf auth login`"
        ) from error
    except HFValidationError as error:
        raise ValueError(
            f"{name} is no name of a {kind}: it should look like Qwen/Qwen2.5-VL-7B-Instruct"
        ) from error
    except OfflineModeIsEnabled as error:
        raise ValueError("HF_HUB_OFFLINE is set, which forbids fetching") from error
    except HfHubHTTPError as error:
        raise ValueError(f"{constants.ENDPOINT}: {first_line(error)}; {again}") from error
    except (ValueError, OSError):
        raise
    except Exception as error:  # those of the HTTP library, of which the hub has had several
        raise ValueError(
            f"cannot reach {constants.ENDPOINT} ({first_line(error)}): is there a network? {again}"
        ) from error
