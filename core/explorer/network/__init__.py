"""The network's map: graph, groups, what each layer costs, its filters, and which unit reads which."""
