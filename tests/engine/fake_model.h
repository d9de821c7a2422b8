// A model whose logits are a function of the tokens before them, which it keeps in KV pages of its own: a sequence that is given a wrong
// page, position or chunk sees other tokens and says something else.
#pragma once
#include <array>
#include <functional>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/philox.h"
#include "gguf/synthetic.h"
#include "kernels/kernels.h"

namespace kylin {

inline constexpr int fake_vocab = 512;

using Tokens = std::vector<int32_t>;
// Fills the logits that follow `prefix`; all are 0 before.
using Script = std::function<void(const Tokens& prefix, std::span<float> logits)>;

// Letters only, chosen by everything that was said before.
inline void babble(const Tokens& prefix, std::span<float> logits) {
    uint64_t hash = 0;
    for (const int32_t token : prefix) hash = (hash + static_cast<uint64_t>(token)) * 0x9E3779B97F4A7C15u;
    for (size_t id = 64; id < 90; ++id) logits[id] = static_cast<float>(uniform(hash, id));  // "a" .. "z" in GPT-2's byte order
}

class FakeNumerics final : public Numerics {
public:
    explicit FakeNumerics(int n_pages) : pages(static_cast<size_t>(n_pages)) {}
    void read_row(Value, int row, std::span<float> out) const override {  // of the logits, or a part of them as any other stage
        std::copy_n(logits[static_cast<size_t>(row)].begin(), out.size(), out.begin());
    }
    void read_peaks(Value, int row, std::span<float> peaks) const override {
        select_kernels().find_peaks(logits[static_cast<size_t>(row)].data(), fake_vocab, peaks.data());
    }
    std::vector<double> read(Value) const override { return {}; }

    std::vector<std::array<int32_t, page_positions>> pages;
    std::vector<std::vector<float>> logits;

protected:
    void do_begin(const Batch&) override {}
    void do_embed(Value, const Weight&) override {}
    void do_norm(Value, Value, Norm) override {}
    void do_rope(Value, Value, const Rope&) override {}
    void do_attend(Value, Value, Value, Value, const AttentionShape&) override {}
    void do_silu_mul(Value, Value, Value) override {}
    void do_add(Value, Value, Value) override {}
    void do_project(std::span<const Value>, Value, std::span<const Projection>) override {}
    void do_outputs_of(Value) override {}
    void do_write(Value, std::span<const double>) override {}
};

class FakeModel final : public Model {
public:
    explicit FakeModel(Script script) : Model(fake_config()), script_(std::move(script)) {}

    Value head(Numerics&, Value layer_output) const override { return layer_output; }
    Value forward(Numerics& math, const Batch& batch) const override {
        {
            const std::lock_guard lock(mutex_);
            batches_.push_back(batch.chunks);
        }
        if (before_step) before_step();
        math.begin(batch);
        Weight table;
        table.n_outputs = fake_vocab;
        table.width = 1;
        math.embed(Stage::embedding, table);  // here a void step ends
        auto& fake = dynamic_cast<FakeNumerics&>(math);
        fake.logits.clear();
        size_t next_output = 0;
        for (const Chunk& c : batch.chunks)
            for (int r = 0; r < c.n_rows; ++r) {
                const int position = c.first_position + r, row = c.first_row + r;
                slot(fake, c, position) = batch.tokens[static_cast<size_t>(row)];
                if (next_output == batch.outputs.size() || batch.outputs[next_output] != row) continue;
                ++next_output;
                Tokens prefix;
                for (int p = 0; p <= position; ++p) prefix.push_back(slot(fake, c, p));
                script_(prefix, fake.logits.emplace_back(fake_vocab));
            }
        EXPECT_EQ(next_output, batch.outputs.size());
        return {Stage::logits, static_cast<int>(fake.logits.size()), fake_vocab};
    }

    std::vector<std::vector<Chunk>> batches() const {  // their page spans are stale
        const std::lock_guard lock(mutex_);
        return batches_;
    }
    std::function<void()> before_step;  // on the engine's thread

private:
    static Config fake_config() {
        Config config;
        config.n_vocab = fake_vocab;
        config.n_embd = 96;
        return config;
    }
    static int32_t& slot(FakeNumerics& fake, const Chunk& c, int position) {
        const int32_t page = c.pages[static_cast<size_t>(position / page_positions)];
        return fake.pages[static_cast<size_t>(page)][static_cast<size_t>(position % page_positions)];
    }
    Script script_;
    mutable std::mutex mutex_;
    mutable std::vector<std::vector<Chunk>> batches_;
};

// The bytes, a few merges, and Qwen3's special tokens.
inline Tokenizer fake_tokenizer() {
    const auto bytes = gguf::header_bytes(gguf::synthetic_tokenizer(fake_vocab), {});
    return Tokenizer::load(gguf::File::parse(bytes));
}

}  // namespace kylin
