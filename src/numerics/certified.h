// The oracle that certifies: float64 values of what an engine with declared roundings should compute, and for each value a sound bound on
// what F32 rounding may do to it there. A stage that differs by more, given the same inputs, does not differ by rounding.
//
// Bounds are those of running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, chapter 3): a term that passes
// through k F32 roundings is off by at most gamma(k) = k u / (1 - k u) of its magnitude, u = 2^-24. Inside a block of quantized weights
// the products are integers and their sum is exact, so k counts blocks, not values. Inputs are taken as exact: a bound means something
// where a probe has put the engine's own inputs in place, and for attention from queries, keys and values to heads.
#pragma once
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "numerics/plain.h"
#include "numerics/rounding.h"

namespace kylin {

// The oracle with an engine's declared roundings and no others.
class Declared : public Plain<double> {
public:
    // Throws InputError when the declared cache cannot hold the heads.
    Declared(const Model& model, const NumericsOptions& options, const Rounding& rounding);

protected:
    void round_inputs(const Weight& w, std::span<double> row) const override { round_row(row_form(rounding_.inputs, w.type), row); }
    void round_kept(std::span<double> row) const override { round_row(row_form(rounding_.kv), row); }
    const Rounding& rounding() const { return rounding_; }

private:
    Rounding rounding_;
};

class Certified final : public Declared {
public:
    Certified(const Model& model, const NumericsOptions& options, const Rounding& rounding);

    // [rows, width] of the stage as it was last shown. `sources` is what declared sources other than sums add: cache_queries and half_sums.
    struct Bound {
        std::vector<double> sums, sources;  // sources is empty where there are none
    };
    const Bound& bound(Stage stage) const { return bounds_[static_cast<size_t>(stage)]; }
    // Of the matrix that last made the stage; nothing where no matrix does.
    std::optional<BlockType> weight_type(Stage stage) const { return weight_types_[static_cast<size_t>(stage)]; }

protected:
    void do_embed(Value out, const Weight& table) override;
    void do_norm(Value out, Value x, Norm norm) override;
    void do_rope(Value out, Value x, const Rope& rope) override;
    void do_attend(Value out, Value q, Value k, Value v, const AttentionShape& shape) override;
    void do_silu_mul(Value out, Value gate, Value up) override;
    void do_add(Value out, Value a, Value b) override;
    void do_project(std::span<const Value> out, Value x, std::span<const Projection> ps) override;
    void keep(Value k, Value v, const Chunk& c) override;

private:
    struct Attention;
    bool quantizes_cache() const { return rounding().kv == KvType::q8_0; }
    std::vector<double>& make_bound(Value v);
    void project_with_bound(Value out, Value x, const Weight& w);
    void attend_chunk(Attention& a, const Chunk& c);
    PlainKv<double> steps_;  // beside a cache in Q8_0: how far from the one kept the other choice of an undecided quant is, mostly 0
    std::array<Bound, n_stages> bounds_;
    std::array<std::optional<BlockType>, n_stages> weight_types_;
};

}  // namespace kylin
