"""Where torch works."""

from __future__ import annotations

import torch


def pick_device(device: str) -> torch.device:
    """Return the torch device for a name, "auto" meaning cuda where there is one."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        picked = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device must be 'auto' or a torch device such as 'cpu' or 'cuda:0', got {device!r}"
        ) from error
    if picked.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {device!r}, but torch sees no GPU; pass device='cpu'")
    return picked
