# Trains the demo model on an endless stream of fresh documents, on a CPU or a GPU. Run again to resume from the checkpoint.
import argparse
import os
import time

import torch
from torch.nn import functional as F

from bpe import Tokenizer
from corpus import Corpus
from model import Qwen3, Shape
from muon import Muon

PADDING = -1  # document number of the rest of a row
LONG_ROWS = 512
MISSES_ALLOWED = 3  # more would fill rows better, but with short documents only


def tokenize(tokenizer, document):
    ids, weights = [], []
    for text, weight in document:
        part = tokenizer.encode(text)
        ids += part
        weights += [weight] * len(part)
    return ids, weights


def packed_row(documents, n_token):
    """Whole documents one after the other, filled up to n_token. Each starts with nothing before it, as a prompt does."""
    ids, weights, owner = [], [], []
    for number, (part, part_weights) in enumerate(documents):
        ids += part
        weights += part_weights
        owner += [number] * len(part)
    rest = n_token - len(ids)
    return ids + [0] * rest, weights + [0.0] * rest, owner + [PADDING] * rest


def batch_of(tokenizer, corpus, n_row, n_token):
    """ids, weights and document numbers, each [n_row, n_token]. Documents go to the first row with room, until some find none."""
    rows, room, misses = [[] for _ in range(n_row)], [n_token] * n_row, 0
    while misses < MISSES_ALLOWED:
        ids, weights = tokenize(tokenizer, corpus.document())
        place = next((i for i in range(n_row) if room[i] >= len(ids)), None)
        if place is None:
            misses += 1
        else:
            rows[place].append((ids, weights))
            room[place] -= len(ids)
    ids, weights, owner = zip(*(packed_row(row, n_token) for row in rows))
    return torch.tensor(ids), torch.tensor(weights), torch.tensor(owner)


def losses(model, ids, weights, owner):
    """Cross entropy of the tokens with a weight, and those weights. The output matrix is multiplied for their rows only."""
    hidden = model.hidden(ids, owner)[:, :-1]
    same_document = owner[:, 1:] == owner[:, :-1]
    weights = weights[:, 1:] * same_document
    chosen = weights > 0
    logits = F.linear(hidden[chosen], model.token_embd.weight)
    return F.cross_entropy(logits.float(), ids[:, 1:][chosen], reduction="none"), weights[chosen]


def schedule(step, args):
    """The part of the full learning rate at a step: warmup, a plateau, and a linear decay over the last part: the plateau lets a run be prolonged."""
    decay = (args.steps - step) / (args.decay * args.steps)
    return max(0.0, min(1.0, (step + 1) / args.warmup, decay))


def save_checkpoint(path, state):
    torch.save(state, path + ".part")
    os.replace(path + ".part", path)


def make_optimizers(model, args):
    """Muon for the matrices of the layers; AdamW for the embedding and the norms."""
    matrices = [p for p in model.blk.parameters() if p.dim() == 2]
    rest = [p for p in model.parameters() if not any(p is matrix for matrix in matrices)]
    optimizers = [
        Muon(matrices, lr=args.matrix_rate),
        torch.optim.AdamW(rest, lr=args.rate, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.0),
    ]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["full_lr"] = group["lr"]
    return optimizers


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", required=True, help="merges written by bpe.py")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--rows", type=int, default=8, help="rows of 256 tokens in a step")
    parser.add_argument("--matrix-rate", type=float, default=0.02, help="learning rate of Muon")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate of AdamW")
    parser.add_argument("--warmup", type=int, default=100)
    parser.add_argument("--decay", type=float, default=0.4, help="part of the steps in which the rate falls to 0")
    parser.add_argument("--long", type=float, default=0.1, help="last part of the steps: rows of 512 tokens, more turns")
    parser.add_argument("--layers", type=int, default=Shape.n_layer)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save-every", type=int, default=200)
    return parser.parse_args()


def train_step(model, optimizers, batch, device):
    """One update; the mean loss of the tokens that the model itself would write."""
    ids, weights, owner = (part.to(device) for part in batch)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        loss, weight = losses(model, ids, weights, owner)
    model.zero_grad(set_to_none=True)
    ((loss * weight).sum() / weight.sum()).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
    return loss[weight == 1.0].mean().item()


def main():
    args = parse_arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = Tokenizer.load(args.tokenizer)
    model = Qwen3(Shape(n_layer=args.layers)).to(device)
    optimizers = make_optimizers(model, args)
    state = {"step": 0, "seconds": 0.0, "tokens": 0, "n_layer": args.layers, "merges": tokenizer.merges}
    if os.path.exists(args.checkpoint):
        state = torch.load(args.checkpoint, map_location=device)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
    log = open(args.log, "a", encoding="utf-8")
    recent = []
    while state["step"] < args.steps:
        start, step = time.monotonic(), state["step"]
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = group["full_lr"] * schedule(step, args)
        is_long = step >= args.steps * (1 - args.long)
        corpus = Corpus(seed=1 + step, more_turns=0.4 if is_long else 0.15)
        n_row, n_token = (args.rows // 2, LONG_ROWS) if is_long else (args.rows, 256)
        batch = batch_of(tokenizer, corpus, n_row, n_token)
        recent.append(train_step(model, optimizers, batch, device))
        state["step"] += 1
        state["seconds"] += time.monotonic() - start
        state["tokens"] += n_row * n_token
        if state["step"] % 20 == 0:
            rate = n_row * n_token / (time.monotonic() - start)
            print(f"step {state['step']} loss {sum(recent) / len(recent):.4f} rate {schedule(step, args):.3f} "
                  f"tokens {state['tokens']} seconds {state['seconds']:.0f} tokens/s {rate:.0f}", file=log, flush=True)
            recent = []
        if state["step"] % args.save_every == 0 or state["step"] == args.steps:
            state.update(model=model.state_dict(), optimizers=[optimizer.state_dict() for optimizer in optimizers])
            save_checkpoint(args.checkpoint, state)


if __name__ == "__main__":
    main()
