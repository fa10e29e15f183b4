"""From tag preferences back to embeddings."""

from sktpecr.generators._cvae import CVAEGenerator
from sktpecr.generators._gaussian import GaussianGenerator
from sktpecr.generators._inversion import InversionGenerator
from sktpecr.generators._mlp import MLPGenerator

__all__ = ["CVAEGenerator", "GaussianGenerator", "InversionGenerator", "MLPGenerator"]
