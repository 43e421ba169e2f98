"""Pictures of any size through image-to-image networks: padding, tiles without seams, AdaIN with an encoder."""
