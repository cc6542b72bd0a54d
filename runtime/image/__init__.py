"""Images: what a container's root is made of; containerd's content store and snapshotter.

    ROOT/images/
      references.json            the one index: names → images → layers (store.py draws it)
      blobs/sha256/<hex>         config, manifest and layer archives, named by their own digest
      layers/<hex>/              an unpacked layer, named by its diff id: a lower of overlayfs
      drafts/<random>/           being written; renamed into place when whole, else swept
      lock                       flock: one writer of the index at a time

Runs in the engine's process; `store` and `reference` also on the start path. May use kernel/ and
the standard library; never network/, never a container runtime.
Sources: opencontainers/image-spec (config.md, manifest.md, layer.md), Docker Image Spec v1.3.
"""
