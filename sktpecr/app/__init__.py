"""A conversation about recommendations, in a browser."""

from sktpecr.app._server import create_app, serve

__all__ = ["create_app", "serve"]
