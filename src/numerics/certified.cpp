#include "numerics/certified.h"

#include <numeric>

namespace kylin {
namespace {

constexpr double u = 0x1p-24;       // half an F32 ulp of 1
constexpr double half_u = 0x1p-11;  // the same of F16
constexpr double tiny = 0x1p-126;   // results below are flushed to zero by some engines
constexpr double tiny_half = 0x1p-24;
constexpr double exp_roundings = 4;  // an F32 exp is off by 2 ulps at most (glibc 0.51, ggml's vectors 1.5, Kylin's 1)

// What k roundings may do to a term, relative to it.
double gamma(double k) { return k * u / (1 - k * u); }

// Roundings of the longest path through a sum of n terms. One that is kept wider than F32 has none of F32.
double sum_depth(double n, const Rounding& r) { return r.stored ? 0 : r.lanes <= 1 ? n : n / r.lanes + r.lanes; }

// Roundings a product of a row of weights passes through. Blocks of 256 have a scale and a minimum each, as Q4_1 and Q5_1 have; engines
// that turn sub-blocks of 32 into floats exist for the other types.
double product_depth(RowForm form, const Weight& w, bool stored) {
    if (form == RowForm::q8_k) return 2.0 * w.width / 256 + 16;
    const bool has_minimum = w.type == BlockType::q4_1 || w.type == BlockType::q5_1;
    if (form == RowForm::q8_0 || form == RowForm::q8_1) return (has_minimum ? 2.0 : 1.0) * w.width / 32 + 16;
    return (stored ? 0 : w.width) + 4.0;
}

constexpr int norm_block = 32;

// The L2 norm of every 32 values: by Cauchy and Schwarz, sum |w x| is at most the sum over blocks of |w| |x|.
std::vector<double> block_norms(std::span<const double> x) {
    std::vector<double> norms;
    for (size_t i = 0; i < x.size(); i += norm_block) {
        const auto block = x.subspan(i, std::min<size_t>(norm_block, x.size() - i));
        norms.push_back(std::sqrt(std::inner_product(block.begin(), block.end(), block.begin(), 0.0)));
    }
    return norms;
}

// |quant part| + |minimum| of each weight: engines sum the two apart.
std::vector<double> magnitudes(const Weight& w, int output, std::span<const double> values) {
    std::vector<float> offsets(values.size());
    offsets_of_row(w.type, w.row(output), offsets.data(), w.width);
    std::vector<double> result(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
        const double offset = static_cast<double>(offsets[i]);
        result[i] = std::fabs(values[i] - offset) + std::fabs(offset);
    }
    return result;
}

// How far each value of a query may be moved by rounding it to the type of the cache.
std::vector<double> query_roundings(KvType type, std::span<const double> query) {
    std::vector<double> off;
    for (const double q : query) off.push_back(std::fabs(q) * half_u);  // in Q8_0 for the F16 scale
    if (type != KvType::q8_0) return off;
    for (size_t first = 0; first < off.size(); first += kv_scale_dims) {
        double largest = 0;
        for (size_t i = first; i < first + kv_scale_dims; ++i) largest = std::max(largest, std::fabs(query[i]));
        // Half a step, rounded up for the roundings of the step itself; 127 times the error of a scale too small for a normal F16.
        for (size_t i = first; i < first + kv_scale_dims; ++i) off[i] += 0.51 * largest / 127 + 127 * tiny_half / 2;
    }
    return off;
}

}  // namespace

Declared::Declared(const Model& model, const NumericsOptions& options, const Rounding& rounding)
    : Plain(model, options), rounding_(rounding) {
    require_kv_type(rounding.kv, model.config().attention.head_dim);
}

Certified::Certified(const Model& model, const NumericsOptions& options, const Rounding& rounding)
    : Declared(model, options, rounding),
      steps_(model.config().n_layer, model.config().attention.n_head_kv * model.config().attention.head_dim) {}

void Certified::keep(Value k, Value v, const Chunk& c) {
    Declared::keep(k, v, c);
    if (!quantizes_cache()) return;
    steps_.reserve(batch());
    const auto note = [](const double* row, double* steps, int width) {
        std::vector<double> rounded(row, row + width);
        std::vector<Undecided> undecided;
        round_row(row_form(KvType::q8_0), rounded, &undecided);
        std::fill_n(steps, width, 0.0);
        for (const Undecided& value : undecided) steps[value.index] = value.step;
    };
    for (int r = c.first_row; r < c.first_row + c.n_rows; ++r) {
        note(row(k, r), steps_.k(layer(), c, position(c, r)), k.width);
        note(row(v, r), steps_.v(layer(), c, position(c, r)), v.width);
    }
}

std::vector<double>& Certified::make_bound(Value v) {
    Bound& b = bounds_[static_cast<size_t>(v.stage)];
    b.sources.clear();
    b.sums.assign(v.size(), 0.0);
    return b.sums;
}

// The values of a block are defined down to the last bit.
void Certified::do_embed(Value out, const Weight& table) {
    Declared::do_embed(out, table);
    make_bound(out);
}

// Squares are positive: the mean is off by gamma(depth + 3), its root by half of that.
void Certified::do_norm(Value out, Value x, Norm norm) {
    Declared::do_norm(out, x, norm);
    const double relative = gamma((sum_depth(norm.weight.width, rounding()) + 3) / 2 + 5);
    auto& bound = make_bound(out);
    const double* y = row(out, 0);
    for (size_t i = 0; i < bound.size(); ++i) bound[i] = std::fabs(y[i]) * relative + tiny;
}

// Engines multiply the angle of pair 0 by base^(-2/n) once per pair, in F32: the error of the angle grows with pair and position.
void Certified::do_rope(Value out, Value x, const Rope& rope) {
    Declared::do_rope(out, x, rope);
    auto& bound = make_bound(out);
    const int half = rope.n_dims / 2;
    const double step = 3 + std::log(rope.base) * 2 / rope.n_dims;  // roundings of base^(-2/n) and of one multiplication
    const double scaled = rope.scaling == RopeScaling::none ? 0 : 16;
    const auto positions = positions_of(batch());
    for (int r = 0; r < x.rows; ++r)
        for (int i = 0; i < half; ++i) {
            const double extrapolated = positions[static_cast<size_t>(r)] * std::pow(rope.base, -2.0 * i / rope.n_dims);
            const double magnitude = std::hypot(cos_[static_cast<size_t>(r * half + i)], sin_[static_cast<size_t>(r * half + i)]);
            const double angle = std::min(2.0, extrapolated * gamma(step * i + 4 + scaled)) * magnitude + magnitude * gamma(6);
            for (int head = 0; head < x.width; head += rope.head_dim) {
                const int a = head + (rope.neox ? i : 2 * i), b = rope.neox ? a + half : a + 1;
                const double size = std::fabs(row(x, r)[a]) + std::fabs(row(x, r)[b]);
                const double off = size * (angle + magnitude * gamma(3)) + tiny;
                bound[static_cast<size_t>(r * x.width + a)] = bound[static_cast<size_t>(r * x.width + b)] = off;
            }
        }
}

void Certified::do_silu_mul(Value out, Value gate, Value up) {
    Declared::do_silu_mul(out, gate, up);
    auto& bound = make_bound(out);
    for (int r = 0; r < out.rows; ++r)
        for (int i = 0; i < out.width; ++i)  // silu may underflow to zero
            bound[static_cast<size_t>(r * out.width + i)] =
                std::fabs(row(out, r)[i]) * gamma(exp_roundings + 4 + (rounding().stored ? 1 + std::fabs(row(gate, r)[i]) : 0)) +
                tiny * (1 + std::fabs(row(up, r)[i]));
}

void Certified::do_add(Value out, Value a, Value b) {
    Declared::do_add(out, a, b);
    auto& bound = make_bound(out);
    const double *y = row(out, 0), *left = row(a, 0), *right = row(b, 0);
    for (size_t i = 0; i < bound.size(); ++i) {
        const double inputs = rounding().stored ? std::fabs(left[i]) + std::fabs(right[i]) : 0;
        bound[i] = (std::fabs(y[i]) + inputs) * gamma(1) + tiny;
    }
}

void Certified::do_project(std::span<const Value> out, Value x, std::span<const Projection> ps) {
    for (size_t n = 0; n < ps.size(); ++n) project_with_bound(out[n], x, ps[n].weight);
}

void Certified::project_with_bound(Value out, Value x, const Weight& w) {
    const RowForm form = row_form(rounding().inputs, w.type);
    const auto rows = static_cast<size_t>(x.rows), width = static_cast<size_t>(out.width);
    std::vector<std::vector<double>> norms(rows);
    std::vector<std::vector<Undecided>> undecided(rows);
    const auto columns = columns_of(x, [&](int r, std::span<double> taken) {
        round_row(form, taken, &undecided[static_cast<size_t>(r)]);
        norms[static_cast<size_t>(r)] = block_norms(taken);
    });
    auto& bound = make_bound(out);
    weight_types_[static_cast<size_t>(out.stage)] = w.type;
    // A block's minimum meets the sum of its inputs, which llama.cpp keeps in F16 for the types with Q8_1 inputs.
    const double relative = gamma(product_depth(form, w, rounding().stored)) + (form == RowForm::q8_1 ? half_u : 0);
    multiply(out, columns, w, [&](int o, std::span<const double> weights) {
        const auto weight_norms = block_norms(magnitudes(w, o, weights));
        for (size_t r = 0; r < rows; ++r) {
            double off = relative * std::inner_product(weight_norms.begin(), weight_norms.end(), norms[r].begin(), 0.0);
            for (const Undecided& v : undecided[r]) off += std::fabs(weights[static_cast<size_t>(v.index)]) * v.step;
            bound[r * width + static_cast<size_t>(o)] = off + x.width * tiny;
        }
    });
}

// All heads and rows of one chunk, with every score at hand: [n_head, n_rows, n_keys].
struct Certified::Attention {
    Value out, q;
    const AttentionShape& shape;
    std::vector<double> values;     // scores, then probabilities
    Bound bound;                    // of `values`
    std::vector<double> softmaxes;  // what rounding inside its soft max may do to a probability, relative, [n_head, n_rows]
    bool forced_scores = false, forced_probs = false;
};

void Certified::do_attend(Value out, Value q, Value k, Value v, const AttentionShape& shape) {
    make(out);
    make_bound(out);
    if (rounding().cache_queries || rounding().half_sums) bounds_[static_cast<size_t>(out.stage)].sources.assign(out.size(), 0.0);
    for (const Chunk& c : batch().chunks) {
        keep(k, v, c);
        Attention attention{.out = out, .q = q, .shape = shape, .values = {}, .bound = {}, .softmaxes = {}};
        attend_chunk(attention, c);
    }
}

void Certified::attend_chunk(Attention& a, const Chunk& c) {
    const AttentionShape& s = a.shape;
    const auto n_rows = static_cast<size_t>(c.n_rows), n_keys = static_cast<size_t>(c.first_position + c.n_rows);
    const size_t n = static_cast<size_t>(s.n_head) * n_rows * n_keys;
    const bool halves = rounding().cache_queries || rounding().half_sums;
    a.values.assign(n, 0.0);
    a.bound = {std::vector<double>(n), std::vector<double>(halves ? n : 0)};
    a.softmaxes.assign(n / n_keys, 0.0);
    const auto for_each = [&](auto&& step) {
        pool_.run(s.n_head, [&](int h) {
            for (int r = c.first_row; r < c.first_row + c.n_rows; ++r)
                step(HeadRow{h, r}, (static_cast<size_t>(h) * n_rows + static_cast<size_t>(r - c.first_row)) * n_keys,
                     static_cast<size_t>(position(c, r)) + 1);
        });
    };
    // Shows scores or probabilities with their bound; afterwards they may be another engine's, and exact.
    const auto offer_inner = [&](Stage stage) {
        if (!watched(stage)) return false;
        bounds_[static_cast<size_t>(stage)] = a.bound;
        return show_inner(stage, static_cast<int>(n_keys), a.values);
    };

    for_each([&](HeadRow at, size_t first, size_t n_visible) {
        const auto visible = scores(a.q, c, s, at);
        std::ranges::copy(visible, a.values.begin() + static_cast<std::ptrdiff_t>(first));
        const std::span<const double> query(row(a.q, at.row) + at.head * s.head_dim, static_cast<size_t>(s.head_dim));
        const auto moved = query_roundings(rounding().kv, query);
        const int offset = at.head / s.group() * s.head_dim;
        for (size_t j = 0; j < n_visible; ++j) {
            const double* k = kv_.k(layer(), c, static_cast<int>(j)) + offset;
            const double* step = quantizes_cache() ? steps_.k(layer(), c, static_cast<int>(j)) + offset : nullptr;
            double size = 0, undecided = 0, by_query = 0;
            for (size_t i = 0; i < query.size(); ++i) {
                size += std::fabs(query[i] * k[i]);
                undecided += step ? std::fabs(query[i]) * step[i] : 0;
                by_query += moved[i] * (std::fabs(k[i]) + (step ? step[i] : 0));
            }
            a.bound.sums[first + j] = ((size + undecided) * gamma((rounding().stored ? 0 : s.head_dim) + 3) + undecided) * s.scale + tiny;
            if (halves) a.bound.sources[first + j] = by_query * s.scale + tiny_half;
        }
    });
    a.forced_scores = offer_inner(Stage::attn_scores);

    for_each([&](HeadRow, size_t first, size_t n_visible) {
        const std::span<double> p(a.values.data() + first, n_visible);
        const double top = *std::ranges::max_element(p);
        double off = 0, off_sources = 0;  // of the scores; they move a probability by twice that
        for (size_t j = 0; j < n_visible && !a.forced_scores; ++j) {
            off = std::max(off, a.bound.sums[first + j]);
            if (halves) off_sources = std::max(off_sources, a.bound.sources[first + j]);
        }
        std::vector<double> below(n_visible);
        for (size_t j = 0; j < n_visible; ++j) below[j] = top - p[j];
        softmax(p);
        // Kylin rescales its sums after every block of 64 keys: exp, a product and a difference each.
        const auto n_terms = rounding().stored ? 0 : static_cast<double>(n_visible);
        const double depth = n_terms + 8 + exp_roundings + n_terms / kv_block * 8;
        double& inside = a.softmaxes[first / n_keys];
        for (size_t j = 0; j < n_visible; ++j) {
            const double shift = gamma(2) * (below[j] + std::fabs(top));  // rounding of the difference to the largest score
            inside = std::max(inside, std::expm1(shift) + gamma(depth));
            a.bound.sums[first + j] = p[j] * (std::expm1(2 * off + shift) + gamma(depth)) + tiny;
            if (halves) a.bound.sources[first + j] = p[j] * std::expm1(2 * off_sources);
        }
    });
    a.forced_probs = offer_inner(Stage::attn_probs);

    auto& bound = bounds_[static_cast<size_t>(a.out.stage)];
    for_each([&](HeadRow at, size_t first, size_t n_visible) {
        const std::span<const double> p(a.values.data() + first, n_visible);
        mix(a.out, p, c, s, at);
        const auto n_terms = static_cast<double>(n_visible);
        const double depth = gamma(rounding().stored ? 4 : n_terms + 4 + n_terms / kv_block * 2);
        const bool half_probs = rounding().cache_queries && rounding().kv == KvType::f16;
        const double by_halves = (half_probs ? half_u : 0) + (rounding().half_sums ? 2 * n_terms * half_u : 0);
        const int offset = at.head / s.group() * s.head_dim;
        for (int i = 0; i < s.head_dim; ++i) {
            double off = tiny, sources = 0;
            for (size_t j = 0; j < n_visible; ++j) {
                const double undecided = quantizes_cache() ? steps_.v(layer(), c, static_cast<int>(j))[offset + i] : 0;
                const double v = std::fabs(kv_.v(layer(), c, static_cast<int>(j))[offset + i]) + undecided;
                const double size = std::fabs(p[j]);  // another engine's may be negative
                // Probabilities that an engine shows may be those it computed beside its fused kernel: equal but for their rounding.
                off += v * (size * depth + (a.forced_probs ? size * a.softmaxes[first / n_keys] : a.bound.sums[first + j]));
                off += size * undecided;
                if (halves) sources += v * (size * by_halves + tiny_half + (a.forced_probs ? 0 : a.bound.sources[first + j]));
            }
            const size_t y = static_cast<size_t>(at.row) * static_cast<size_t>(a.out.width) + static_cast<size_t>(at.head * s.head_dim + i);
            bound.sums[y] = off;
            if (halves) bound.sources[y] = sources;
        }
    });
}

}  // namespace kylin
