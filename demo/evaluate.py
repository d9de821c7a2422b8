# The share of held-out questions that a checkpoint answers exactly, by greedy decoding, with thinking off or on.
import argparse
import collections
import random

import torch

from bpe import Tokenizer
from chat import prompt_of
from model import Qwen3, Shape
from world import world

MAX_ANSWER = 96  # tokens; every answer with a fixed text is shorter


@torch.no_grad()
def complete(model, tokenizer, prompts, max_tokens=MAX_ANSWER):
    """The greedy continuation of each prompt up to <|im_end|> or <|endoftext|>. Rows are padded on the right, where no token looks."""
    rows = [tokenizer.encode(prompt) for prompt in prompts]
    starts = [len(row) for row in rows]
    stop = {tokenizer.id_of["<|im_end|>"], tokenizer.id_of["<|endoftext|>"]}
    open_rows = list(range(len(rows)))
    for _ in range(max_tokens):
        longest = max(len(rows[i]) for i in open_rows)
        ids = torch.tensor([rows[i] + [0] * (longest - len(rows[i])) for i in open_rows])
        last = torch.tensor([len(rows[i]) - 1 for i in open_rows])
        hidden = model.hidden(ids, torch.zeros_like(ids))[torch.arange(len(open_rows)), last]
        for i, token in zip(open_rows, (hidden @ model.token_embd.weight.T).argmax(-1).tolist()):
            rows[i].append(token)
        open_rows = [i for i in open_rows if rows[i][-1] not in stop]
        if not open_rows:
            break
    return [tokenizer.decode(row[start:]) for row, start in zip(rows, starts)]


def answer_part(text):
    return text.split("</think>")[-1].strip().removesuffix("<|im_end|>")


def load(path, dtype=torch.float32):
    state = torch.load(path, map_location="cpu")
    model = Qwen3(Shape(n_layer=state["n_layer"])).to(dtype)
    model.load_state_dict(state["model"])
    return model, Tokenizer(state["merges"]), state


def sample(limit, seed=7):
    """Held-out questions, at most limit of each kind."""
    rng, chosen = random.Random(seed), []
    for questions in world().values():
        held_out = [q for q in questions if q.held_out]
        chosen += rng.sample(held_out, min(limit, len(held_out)))
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("--limit", type=int, default=10**6, help="at most so many questions of a kind")
    parser.add_argument("--think", action="store_true")
    parser.add_argument("--show", action="store_true", help="print every wrong answer")
    parser.add_argument("--prompt", action="append", help="answer this instead")
    parser.add_argument("--text", action="append", help="continue this plain text instead")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model, tokenizer, state = load(args.checkpoint)
    if args.prompt or args.text:
        for prompt in args.prompt or []:
            print(f"> {prompt}\n{complete(model, tokenizer, [prompt_of(prompt, args.think)], 256)[0]}")
        for text in args.text or []:
            print(f"| {text}{complete(model, tokenizer, [text], 160)[0]}")
        return
    questions = sample(args.limit)
    right, total = collections.Counter(), collections.Counter()
    for first in range(0, len(questions), 64):
        part = questions[first : first + 64]
        answers = complete(model, tokenizer, [prompt_of(q.prompt, args.think) for q in part])
        for question, answer in zip(part, map(answer_part, answers)):
            total[question.kind] += 1
            right[question.kind] += answer == question.answer
            if args.show and answer != question.answer:
                print(f"  {question.prompt} -> {answer!r}, not {question.answer!r}")
    for kind in total:
        print(f"{kind:14} {right[kind]:4} of {total[kind]:4}")
    share = sum(right.values()) / sum(total.values())
    print(f"step {state['step']}: {sum(right.values())} of {sum(total.values())} held-out questions answered exactly ({share:.1%})")


if __name__ == "__main__":
    main()
