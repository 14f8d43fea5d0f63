"""The disentangled proxy system and the disentangled classification system are one function (paper, eqs. 10 and 11).

A mask of the embedding keeps the columns of one dense layer that belong to a notion, so it makes of that layer a
sub-dense layer for each notion; a proxy's part in its sub-space is a class vector. What the mask hides of a proxy has
no gradient and no effect.
"""

from __future__ import annotations

from tfmir.model.tagging import ClassificationSystem, ProxySystem


def map_weights(proxy: ProxySystem, classification: ClassificationSystem) -> None:
    """Gives a classification system the weights with which it is the same function as a proxy system.

    Args:
      proxy: disentangled.
      classification: disentangled, of the same sizes and vocabulary; its weights are replaced.
    """
    vocabulary, dim = proxy.vocabulary, proxy.params.encoder.embedding_dim
    classification.encoder.set_weights(proxy.encoder.get_weights())
    kernel, bias = proxy.embedding_layer.get_weights()  # [channels, dim], [dim]
    (vectors,) = proxy.proxies.get_weights()  # [dim, tags]
    parts, classifiers = classification.embedding_layer.parts, classification.classifiers
    for notion, part, classes in zip(vocabulary.notions, parts, classifiers, strict=True):
        space = vocabulary.subspace(notion, dim)
        part.set_weights([kernel[:, space], bias[space]])
        classes.set_weights([vectors[space, vocabulary.tags_of(notion)]])
