"""Run with ``python -m sktpecr``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sktpecr import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run what it asks for.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command line without the program's name. ``sys.argv`` by default.

    Returns
    -------
    int
        Exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m sktpecr", description=main_description())
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser(
        "demo",
        help="train ALS on the shipped films, explain it, refine it",
        description="Train implicit's ALS on the shipped MovieLens films, show how it models a "
        "user, explain the first films of the list by genres, and let feedback change it.",
    )
    demo.add_argument("--user", type=int, default=42, help="MovieLens user id (default: 42)")
    demo.add_argument(
        "--more", nargs="*", default=["Film-Noir"], metavar="GENRE", help="default: Film-Noir"
    )
    demo.add_argument(
        "--less", nargs="*", default=["Comedy"], metavar="GENRE", help="default: Comedy"
    )
    demo.add_argument("--strength", type=float, default=3.0, help="of the feedback (default: 3)")
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("sktpecr-demo"),
        help="folder for the figures (default: ./sktpecr-demo)",
    )
    app = commands.add_parser(
        "app",
        help="talk with the same model in a browser",
        description="Train implicit's ALS on the shipped MovieLens films and serve conversations "
        "about its recommendations, until interrupted. Needs the extra: pip install 'sktpecr[app]'",
    )
    app.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine alone")
    app.add_argument("--port", type=_port, default=8000, help="default: 8000")
    app.add_argument(
        "--store",
        default="sktpecr-conversations.sqlite",
        help="SQLite file that keeps conversations (default: ./sktpecr-conversations.sqlite)",
    )
    parsed = parser.parse_args(arguments)

    from sktpecr import _demo

    try:
        if parsed.command == "app":
            _demo.serve(parsed.host, parsed.port, parsed.store)
        else:
            _demo.run(parsed.user, parsed.more, parsed.less, parsed.strength, parsed.out)
    except (ValueError, OSError, ImportError) as error:
        print(f"{parser.prog} {parsed.command}: {error}", file=sys.stderr)
        return 2
    return 0


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 2**16:
        return int(text)
    raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, got {text!r}")


def main_description() -> str:
    """Return what the package is, in a sentence."""
    return (sys.modules["sktpecr"].__doc__ or "").strip()


if __name__ == "__main__":
    sys.exit(main())
