"""Where torch works."""

from __future__ import annotations

import torch


def pick_device(device: str) -> torch.device:
    """Return the torch device for a name, "auto" meaning cuda where there is one."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        picked: torch.device | None = torch.device(device)
    except RuntimeError:
        picked = None
    # Others lack what is needed here: float64, generators of their own, or memory at all.
    if picked is None or picked.type not in ("cpu", "cuda"):
        raise ValueError(
            f"device must be 'auto' or a torch device of type cpu or cuda, such as 'cuda:0', got "
            f"{device!r}; pass device='cpu'"
        )
    if picked.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {device!r}, but torch sees no GPU; pass device='cpu'")
    return picked
