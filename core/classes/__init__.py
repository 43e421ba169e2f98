"""Classes of a data set: how alike they are in a layer, how they are confused, and which units tell them apart."""
