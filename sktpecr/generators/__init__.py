"""From tag preferences back to embeddings."""

from sktpecr.generators._gaussian import GaussianGenerator

__all__ = ["GaussianGenerator"]
