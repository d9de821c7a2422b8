# Byte-level BPE with the qwen2 pre-tokenizer: training, encoding, decoding. Tokens are spelled as GPT-2 spells bytes.
import argparse
import collections
import functools
import json
import re
import sys
import unicodedata

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "</tool_call>"]
CONTROL = SPECIAL[:3]  # the others are "user defined": shown as text, as in Qwen3's own files

# A merge across a whole phrase would hide its parts: Chinese is written without spaces.
MAX_TOKEN_BYTES = 16
MAX_TOKEN_BYTES_NON_ASCII = 6


def byte_spelling():
    """GPT-2's printable character for each byte: itself where it is printable, else one from 256 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    spelling, next_free = {}, 256
    for byte in range(256):
        if byte in printable:
            spelling[byte] = chr(byte)
        else:
            spelling[byte], next_free = chr(next_free), next_free + 1
    return spelling


SPELLING = byte_spelling()
BYTE_OF = {character: byte for byte, character in SPELLING.items()}


def spell(raw):
    return "".join(SPELLING[byte] for byte in raw)


def character_class(major):
    """Every character of a Unicode major category (L or N) as ranges for a character class."""
    ranges, start = [], None
    for code in range(sys.maxunicode + 2):
        inside = code <= sys.maxunicode and unicodedata.category(chr(code))[0] == major
        if inside and start is None:
            start = code
        elif not inside and start is not None:
            ranges.append(f"{re.escape(chr(start))}-{re.escape(chr(code - 1))}")
            start = None
    return "".join(ranges)


@functools.cache
def qwen2_pattern():
    letter, number = character_class("L"), character_class("N")
    return re.compile(
        r"'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"
        rf"|[^\r\n{letter}{number}]?[{letter}]+|[{number}]| ?[^\s{letter}{number}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )


def merge_pair(word, pair, merged):
    out, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            out.append(merged)
            i += 2
        else:
            out.append(word[i])
            i += 1
    return out


def may_merge(pair):
    joined = "".join(pair)
    ascii_only = all(BYTE_OF[character] < 128 for character in joined)
    return len(joined) <= (MAX_TOKEN_BYTES if ascii_only else MAX_TOKEN_BYTES_NON_ASCII)


def train(texts, n_vocab):
    """The merges, most frequent pair first; ties go to the alphabetically first pair, so that the result is determined."""
    counts = collections.Counter(piece for text in texts for piece in qwen2_pattern().findall(text))
    words = [(list(spell(piece.encode())), count) for piece, count in sorted(counts.items())]
    pair_counts, places = collections.Counter(), collections.defaultdict(set)

    def count_pairs(index, sign):
        word, count = words[index]
        for pair in zip(word, word[1:]):
            pair_counts[pair] += sign * count
            places[pair].add(index)

    for index in range(len(words)):
        count_pairs(index, 1)
    merges = []
    while len(merges) < n_vocab - 256 - len(SPECIAL):
        candidates = [(-count, pair) for pair, count in pair_counts.items() if count > 0 and may_merge(pair)]
        if not candidates:
            raise SystemExit(f"error: the corpus gives {len(merges)} merges only")
        pair = min(candidates)[1]
        merges.append(pair)
        for index in list(places[pair]):
            count_pairs(index, -1)
            words[index] = (merge_pair(words[index][0], pair, "".join(pair)), words[index][1])
            count_pairs(index, 1)
    return merges


class Tokenizer:
    def __init__(self, merges):
        self.merges = [tuple(pair) for pair in merges]
        self.tokens = [SPELLING[byte] for byte in range(256)] + ["".join(pair) for pair in self.merges] + SPECIAL
        self.id_of = {token: i for i, token in enumerate(self.tokens)}
        if len(self.id_of) != len(self.tokens):
            raise ValueError("two merges make the same token")
        self.rank = {pair: i for i, pair in enumerate(self.merges)}
        self.special = re.compile("(" + "|".join(map(re.escape, SPECIAL)) + ")")
        self.cache = {}

    def encode_piece(self, piece):
        if piece not in self.cache:
            word = list(spell(piece.encode()))
            while len(word) > 1:
                pair = min(zip(word, word[1:]), key=lambda p: self.rank.get(p, len(self.rank)))
                if pair not in self.rank:
                    break
                word = merge_pair(word, pair, "".join(pair))
            self.cache[piece] = [self.id_of[token] for token in word]
        return self.cache[piece]

    def encode(self, text):
        ids = []
        for part in self.special.split(text):
            if part in SPECIAL:
                ids.append(self.id_of[part])
            else:
                for piece in qwen2_pattern().findall(part):
                    ids += self.encode_piece(piece)
        return ids

    def decode(self, ids):
        raw = b"".join(
            self.tokens[i].encode() if self.tokens[i] in SPECIAL else bytes(BYTE_OF[c] for c in self.tokens[i]) for i in ids
        )
        return raw.decode("utf-8", "replace")

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.merges, file, ensure_ascii=False)

    @staticmethod
    def load(path):
        with open(path, encoding="utf-8") as file:
            return Tokenizer(json.load(file))


def main():
    from corpus import Corpus

    parser = argparse.ArgumentParser(description="Train the demo model's tokenizer on documents of the corpus.")
    parser.add_argument("output")
    parser.add_argument("--documents", type=int, default=60000)
    parser.add_argument("--n-vocab", type=int, default=3072)
    args = parser.parse_args()
    corpus = Corpus(seed=0)
    documents = ("".join(text for text, _ in corpus.document()) for _ in range(args.documents))
    special = re.compile("|".join(map(re.escape, SPECIAL)))
    texts = (part for document in documents for part in special.split(document))
    tokenizer = Tokenizer(train(texts, args.n_vocab))
    tokenizer.save(args.output)
    sample = "Hello, how are you? 你好，你是谁？ 12 + 7 = 19"
    print(f"{len(tokenizer.tokens)} tokens; {sample!r} -> {[tokenizer.decode([i]) for i in tokenizer.encode(sample)]}")


if __name__ == "__main__":
    main()
