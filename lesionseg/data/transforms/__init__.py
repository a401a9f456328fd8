"""The random changes that :class:`lesionseg.data.Augmentation` is made of."""
