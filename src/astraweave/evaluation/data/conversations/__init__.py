"""Conversations of our own, from which the weights of the reranker are fitted."""
