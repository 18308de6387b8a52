"""Images without docker: make layers that come out the same every time, append them to a base, push, pull, unpack.

    base = Registry("public.ecr.aws").pull("docker/library/python", "3.11-slim")
    layers = [layer_of_distributions(["numpy"]), layer_of_files({"indexer": Path("indexer")})]
    image = append(base, layers, entrypoint=["python", "-m", "indexer"], env={"PYTHONPATH": "/app:/app/site-packages"})
    digest = Registry(host, "AWS", password).push(image, "papers/index-job", "1.4.0")

What is spoken are the OCI image and distribution specifications 1.1, as ECR and Artifact Registry do.
"""

from ragonotebooks.images.digest import DigestMismatch
from ragonotebooks.images.distributions import closure, layer_of_distributions
from ragonotebooks.images.image import Image, Manifest, append, host_architecture
from ragonotebooks.images.layers import Layer, layer_of_files
from ragonotebooks.images.registry import Registry, RegistryError
from ragonotebooks.images.unpack import unpack, unpack_layers

__all__ = [
    "DigestMismatch",
    "Image",
    "Layer",
    "Manifest",
    "Registry",
    "RegistryError",
    "append",
    "closure",
    "host_architecture",
    "layer_of_distributions",
    "layer_of_files",
    "unpack",
    "unpack_layers",
]
