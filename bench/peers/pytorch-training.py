# Tokens a second of whole training steps (forward, back, clipping, AdamW) of the models of bench/training.ts, in PyTorch
# on the CPU: the same shapes, random tokens, float32. Median and best of some steps after one to warm up.
#
#   apt install python3-torch        (or any other PyTorch)
#   python3 bench/peers/pytorch-training.py [3.9M 12.1M 26.7M] [--threads 2] [--steps 5]
import argparse
import math
import time

import torch
from torch import nn
from torch.nn import functional as F

# sequences, tokens, vocabulary, width, layers, query heads, kv heads, head width, feed-forward width
SIZES = {
    "3.9M": (16, 256, 8192, 192, 6, 6, 2, 32, 512),
    "12.1M": (8, 512, 16384, 256, 8, 4, 2, 64, 1024),
    "26.7M": (8, 256, 8192, 512, 8, 8, 2, 64, 1408),
}


class RmsNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.gain


class Block(nn.Module):
    def __init__(self, width, heads, kv_heads, head_width, feed_forward):
        super().__init__()
        self.heads, self.kv_heads, self.head_width = heads, kv_heads, head_width
        linear = lambda rows, columns: nn.Linear(columns, rows, bias=False)
        self.attention_norm, self.feed_forward_norm = RmsNorm(width), RmsNorm(width)
        self.query = linear(heads * head_width, width)
        self.key = linear(kv_heads * head_width, width)
        self.value = linear(kv_heads * head_width, width)
        self.output = linear(width, heads * head_width)
        self.gate, self.up = linear(feed_forward, width), linear(feed_forward, width)
        self.down = linear(width, feed_forward)

    def rotate(self, x, cosines, sines):
        low, high = x.chunk(2, dim=-1)
        return torch.cat([low * cosines - high * sines, high * cosines + low * sines], dim=-1)

    def forward(self, x, cosines, sines, mask):
        batch, tokens, _ = x.shape
        split = lambda y, heads: y.view(batch, tokens, heads, self.head_width).transpose(1, 2)
        h = self.attention_norm(x)
        q = self.rotate(split(self.query(h), self.heads), cosines, sines)
        k = self.rotate(split(self.key(h), self.kv_heads), cosines, sines)
        v = split(self.value(h), self.kv_heads)
        group = self.heads // self.kv_heads
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        if hasattr(F, "scaled_dot_product_attention"):
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_width) + mask
            y = torch.softmax(scores, dim=-1) @ v
        x = x + self.output(y.transpose(1, 2).reshape(batch, tokens, -1))
        h = self.feed_forward_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


def measure(name, steps):
    sequences, tokens, vocabulary, width, layers, heads, kv_heads, head_width, feed_forward = SIZES[name]
    torch.manual_seed(1)
    embedding = nn.Parameter(torch.randn(vocabulary, width) * 0.02)
    blocks = nn.ModuleList(Block(width, heads, kv_heads, head_width, feed_forward) for _ in range(layers))
    norm = RmsNorm(width)
    parameters = [embedding, *blocks.parameters(), *norm.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=3e-4, betas=(0.9, 0.95), weight_decay=0.1)
    ids = torch.randint(0, vocabulary, (sequences, tokens))
    targets = torch.randint(0, vocabulary, (sequences, tokens))
    angles = torch.arange(tokens)[:, None] * 10000 ** (-torch.arange(0, head_width, 2) / head_width)
    mask = torch.full((tokens, tokens), -math.inf).triu(1)
    speeds = []
    for step in range(steps + 1):
        start = time.perf_counter()
        x = F.embedding(ids, embedding)
        for block in blocks:
            x = block(x, angles.cos(), angles.sin(), mask)
        logits = norm(x) @ embedding.T
        loss = F.cross_entropy(logits.view(-1, vocabulary), targets.view(-1))
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        if step > 0:
            speeds.append(sequences * tokens / (time.perf_counter() - start))
    count = sum(p.numel() for p in parameters)
    print(f"{name}: {sorted(speeds)[len(speeds) // 2]:.0f} tokens/s (best {max(speeds):.0f}), {count} parameters; PyTorch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)


arguments = argparse.ArgumentParser()
arguments.add_argument("names", nargs="*", default=list(SIZES))
arguments.add_argument("--threads", type=int, default=2)
arguments.add_argument("--steps", type=int, default=5)
options = arguments.parse_args()
torch.set_num_threads(options.threads)
for name in options.names:
    measure(name, options.steps)
