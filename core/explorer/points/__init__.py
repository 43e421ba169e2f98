"""The embedding: points of all images in steady layouts, thumbnails, the atlas."""
