"""Images that are uploaded for the page: checked as those of the file are, kept in a folder beside the file."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from crisp_status.config import branding
from crisp_status.http.error_responses import Refused

if TYPE_CHECKING:
    from crisp_status.config.root import Config

FOLDER: Final = "branding"
"""Beside the configuration file."""

ENDINGS: Final = {
    "image/svg+xml": ".svg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/avif": ".avif",
    "image/x-icon": ".ico",
}


def keep_upload(config: Config, key: str, content: bytes) -> str:
    """Write an image and give the name that stands in the file. The name comes from us, never from the browser.

    Raises `Refused` for what is no image, too large or carries a script.
    """
    kind = branding.media_type(content)
    if kind not in ENDINGS:
        raise Refused(400, f"{key}: this is not an image; expected SVG, PNG, WebP, JPEG or GIF.")
    name = f"{FOLDER}/{key}-{sha256(content).hexdigest()[:12]}{ENDINGS[kind]}"
    folder = config.path.parent
    try:
        (folder / FOLDER).mkdir(exist_ok=True)
        temporary = folder / f"{name}.new"
        temporary.unlink(missing_ok=True)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(fd)
    except OSError as error:
        raise Refused(409, f"The image could not be kept: {error}.") from error
    # Under its temporary name first, so that an image with a script never stands where the page would find it.
    wrong = next(branding.faults({"page": {"branding": {key: f"{name}.new"}}}, folder), None)
    if wrong is not None:
        temporary.unlink(missing_ok=True)
        raise Refused(400, f"{key}: {wrong.text.replace(f'{name}.new', 'the image')}")
    temporary.replace(folder / name)
    return name
