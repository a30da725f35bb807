"""A transformer encoder's layer, in operators that every executor has."""

from torch import nn


class Attention(nn.Module):
    """Self-attention over all positions."""

    def __init__(self, width: int, heads: int, length: int):
        super().__init__()
        self.heads, self.length = heads, length
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x, shut=None):
        """[N, length, width] to the same; `shut` is added to the scores, to close positions."""
        width = x.shape[2]

        def heads(y):
            return y.reshape(-1, self.length, self.heads, width // self.heads).transpose(1, 2)

        query, key, value = heads(self.query(x)), heads(self.key(x)), heads(self.value(x))
        scores = query @ key.transpose(2, 3) * (width // self.heads) ** -0.5
        weight = (scores if shut is None else scores + shut).softmax(3)
        mixed = (weight @ value).transpose(1, 2)
        return self.out(mixed.reshape(-1, self.length, width))


class Layer(nn.Module):
    """Attention and a dense pair, each behind its normalization and around a residual."""

    def __init__(self, width: int, heads: int, length: int, hidden: int, dropout: float):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.attention = Attention(width, heads, length)
        self.dense = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, shut=None):
        """[N, length, width] to the same; `shut` as for the attention."""
        x = x + self.dropout(self.attention(self.norms[0](x), shut))
        return x + self.dropout(self.dense(self.norms[1](x)))
