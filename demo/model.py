# The Qwen3 architecture in PyTorch, at the size of the demo model. Shapes are [batch, token, width].
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Shape:
    n_vocab: int = 3072
    n_embd: int = 256
    n_layer: int = 5
    n_head: int = 4
    n_head_kv: int = 2
    head_dim: int = 128  # not n_embd / n_head: an engine that assumes so must fail on this model
    n_ff: int = 768
    n_ctx: int = 2048
    rms_eps: float = 1e-6
    rope_base: float = 1e6


class RmsNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


def rope_angles(shape, n_token):
    """cos and sin of every position and pair: two [n_token, head_dim / 2]."""
    pair = torch.arange(shape.head_dim // 2, dtype=torch.float64)
    frequency = shape.rope_base ** (-2 * pair / shape.head_dim)
    angle = torch.arange(n_token, dtype=torch.float64)[:, None] * frequency
    return angle.cos().float(), angle.sin().float()


def rotate(x, cos, sin):
    """RoPE in NEOX order: value i turns together with value i + head_dim / 2. x is [batch, head, token, head_dim]."""
    low, high = x.chunk(2, -1)
    return torch.cat((low * cos - high * sin, low * sin + high * cos), -1)


class Layer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        q_width, kv_width = shape.n_head * shape.head_dim, shape.n_head_kv * shape.head_dim
        self.shape = shape
        self.attn_norm = RmsNorm(shape.n_embd, shape.rms_eps)
        self.attn_q = nn.Linear(shape.n_embd, q_width, bias=False)
        self.attn_k = nn.Linear(shape.n_embd, kv_width, bias=False)
        self.attn_v = nn.Linear(shape.n_embd, kv_width, bias=False)
        self.attn_q_norm = RmsNorm(shape.head_dim, shape.rms_eps)
        self.attn_k_norm = RmsNorm(shape.head_dim, shape.rms_eps)
        self.attn_output = nn.Linear(q_width, shape.n_embd, bias=False)
        self.ffn_norm = RmsNorm(shape.n_embd, shape.rms_eps)
        self.ffn_gate = nn.Linear(shape.n_embd, shape.n_ff, bias=False)
        self.ffn_up = nn.Linear(shape.n_embd, shape.n_ff, bias=False)
        self.ffn_down = nn.Linear(shape.n_ff, shape.n_embd, bias=False)

    def attention(self, x, rope, mask):
        shape, (batch, token, _) = self.shape, x.shape
        q = self.attn_q_norm(self.attn_q(x).view(batch, token, shape.n_head, -1)).transpose(1, 2)
        k = self.attn_k_norm(self.attn_k(x).view(batch, token, shape.n_head_kv, -1)).transpose(1, 2)
        v = self.attn_v(x).view(batch, token, shape.n_head_kv, -1).transpose(1, 2)
        q, k = rotate(q, *rope), rotate(k, *rope)
        # The heads of one group sit next to each other: query head h reads key head h // group.
        group = shape.n_head // shape.n_head_kv
        q = q.reshape(batch, shape.n_head_kv, group * token, shape.head_dim)
        score = (q @ k.transpose(-1, -2)).view(batch, shape.n_head_kv, group, token, token)
        probability = F.softmax(score * shape.head_dim**-0.5 + mask[:, None, None], -1)
        heads = probability.view(batch, shape.n_head_kv, group * token, token) @ v
        heads = heads.view(batch, shape.n_head, token, shape.head_dim).transpose(1, 2)
        return self.attn_output(heads.reshape(batch, token, -1))

    def forward(self, x, rope, mask):
        x = x + self.attention(self.attn_norm(x), rope, mask)
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Qwen3(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.n_vocab, shape.n_embd)
        self.blk = nn.ModuleList(Layer(shape) for _ in range(shape.n_layer))
        self.output_norm = RmsNorm(shape.n_embd, shape.rms_eps)
        cos, sin = rope_angles(shape, shape.n_ctx)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.apply(self._initialise)

    def _initialise(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)

    def hidden(self, ids, document):
        """Rows before the output matrix; document is [batch, token]: a token sees only its own document."""
        token = ids.shape[1]
        causal = torch.ones(token, token, dtype=torch.bool, device=ids.device).tril()
        seen = causal & (document[:, :, None] == document[:, None, :])
        mask = torch.zeros(seen.shape, device=ids.device).masked_fill(~seen, float("-inf"))
        rope = self.cos[:token], self.sin[:token]
        x = self.token_embd(ids)
        for layer in self.blk:
            x = layer(x, rope, mask)
        return self.output_norm(x)

    def forward(self, ids, document):
        return F.linear(self.hidden(ids, document), self.token_embd.weight)  # tied with the embedding
