// Every stage as its formula says, in one number type: Plain<float> is `layercast`, Plain<double> is `oracle`. The only template over the
// number type in Kylin. Sums run in order of the index; the threads split outputs, heads or nothing, so bits do not depend on their number.
// What an engine rounds on purpose is a hook: the oracle rounds nothing.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <vector>

#include "gguf/block_codec.h"
#include "kernels/kernels.h"
#include "kernels/thread_pool.h"
#include "model/model.h"
#include "numerics/make.h"
#include "numerics/positions.h"
#include "numerics/rope_table.h"

namespace kylin {

template <class Real>
std::vector<Real> values_of(const Weight& w, int row) {
    std::vector<float> narrow(static_cast<size_t>(w.width));
    dequantize_row(w.type, w.row(row), narrow.data(), w.width);
    return {narrow.begin(), narrow.end()};
}

// Keys and values of every layer: pages of page_positions rows, [n_head_kv * head_dim] each; grows with the pages in use.
template <class Real>
class PlainKv {
public:
    PlainKv(int n_layers, int width) : width_(static_cast<size_t>(width)), k_(static_cast<size_t>(n_layers)), v_(k_.size()) {}
    Real* k(int layer, const Chunk& c, int position) { return row(k_[static_cast<size_t>(layer)], c, position); }
    Real* v(int layer, const Chunk& c, int position) { return row(v_[static_cast<size_t>(layer)], c, position); }
    void reserve(const Batch& batch) {
        int32_t top = 0;
        for (const Chunk& c : batch.chunks) top = std::max(top, *std::max_element(c.pages.begin(), c.pages.end()) + 1);
        for (auto* cache : {&k_, &v_})
            for (auto& rows : *cache) rows.resize(std::max(rows.size(), static_cast<size_t>(top) * page_positions * width_));
    }

private:
    Real* row(std::vector<Real>& rows, const Chunk& c, int position) {
        const int32_t page = c.pages[static_cast<size_t>(position / page_positions)];
        return rows.data() + (static_cast<size_t>(page) * page_positions + static_cast<size_t>(position % page_positions)) * width_;
    }
    size_t width_;
    std::vector<std::vector<Real>> k_, v_;
};

template <class Real>
class Plain : public Numerics {
public:
    Plain(const Model& model, const NumericsOptions& options)
        : pool_(options.n_threads ? options.n_threads : usable_threads()),
          kv_(model.config().n_layer, model.config().attention.n_head_kv * model.config().attention.head_dim),
          rope_(model.config().rope) {}

    std::vector<double> read(Value v) const override {
        const auto& b = buffers_[static_cast<size_t>(v.stage)];
        return {b.begin(), b.begin() + static_cast<std::ptrdiff_t>(v.size())};
    }
    void read_row(Value v, int r, std::span<float> out) const override {
        const auto first = buffers_[static_cast<size_t>(v.stage)].begin() + std::ptrdiff_t{r} * v.width;
        std::transform(first, first + v.width, out.begin(), [](Real x) { return static_cast<float>(x); });
    }
    void read_peaks(Value v, int r, std::span<float> peaks) const override {
        std::vector<float> values(static_cast<size_t>(v.width));
        read_row(v, r, values);
        select_kernels().find_peaks(values.data(), v.width, peaks.data());
    }

protected:
    void do_begin(const Batch& batch) override {
        kv_.reserve(batch);
        const RopeAngles angles = rope_angles(rope_, positions_of(batch));
        cos_.assign(angles.cos.begin(), angles.cos.end());
        sin_.assign(angles.sin.begin(), angles.sin.end());
    }
    void do_write(Value v, std::span<const double> values) override {
        std::transform(values.begin(), values.end(), make(v), [](double x) { return static_cast<Real>(x); });
    }
    void do_embed(Value out, const Weight& table) override {
        make(out);
        for (int r = 0; r < out.rows; ++r) std::ranges::copy(values_of<Real>(table, batch().tokens[static_cast<size_t>(r)]), row(out, r));
    }
    void do_norm(Value out, Value x, Norm norm) override {
        make(out);
        const auto w = values_of<Real>(norm.weight, 0);
        const int group = norm.weight.width;
        for (int r = 0; r < x.rows; ++r)
            for (int g = 0; g < x.width; g += group) {
                const Real* in = row(x, r) + g;
                Real* y = row(out, r) + g;
                Real sum = 0;
                for (int i = 0; i < group; ++i) sum += in[i] * in[i];
                const Real inv = Real(1) / std::sqrt(sum / static_cast<Real>(group) + static_cast<Real>(norm.eps));
                for (int i = 0; i < group; ++i) y[i] = in[i] * inv * w[static_cast<size_t>(i)];
            }
    }
    void do_rope(Value out, Value x, const Rope& rope) override {
        std::copy(row(x, 0), row(x, 0) + x.size(), make(out));
        const int half = rope.n_dims / 2, head_dim = rope.head_dim;
        for (int r = 0; r < x.rows; ++r)
            for (int head = 0; head < x.width; head += head_dim)
                for (int i = 0; i < half; ++i) {
                    const int a = head + (rope.neox ? i : 2 * i), b = rope.neox ? a + half : a + 1;
                    const Real c = cos_[static_cast<size_t>(r * half + i)], s = sin_[static_cast<size_t>(r * half + i)];
                    row(out, r)[a] = row(x, r)[a] * c - row(x, r)[b] * s;
                    row(out, r)[b] = row(x, r)[a] * s + row(x, r)[b] * c;
                }
    }
    void do_attend(Value out, Value q, Value k, Value v, const AttentionShape& shape) override {
        make(out);
        for (const Chunk& c : batch().chunks) {
            keep(k, v, c);
            if (watched(Stage::attn_scores) || watched(Stage::attn_probs))
                attend_shown(out, q, c, shape);
            else
                pool_.run(shape.n_head, [&](int h) {
                    for (int r = c.first_row; r < c.first_row + c.n_rows; ++r) {
                        std::vector<Real> p = scores(q, c, shape, {h, r});
                        softmax(p);
                        mix(out, p, c, shape, {h, r});
                    }
                });
        }
    }
    void do_silu_mul(Value out, Value gate, Value up) override {
        make(out);
        for (int r = 0; r < out.rows; ++r)
            for (int i = 0; i < out.width; ++i) {
                const Real g = row(gate, r)[i];
                row(out, r)[i] = g / (Real(1) + std::exp(-g)) * row(up, r)[i];
            }
    }
    void do_add(Value out, Value a, Value b) override {
        make(out);
        for (int r = 0; r < out.rows; ++r) std::transform(row(a, r), row(a, r) + a.width, row(b, r), row(out, r), std::plus<Real>());
    }
    void do_project(std::span<const Value> out, Value x, std::span<const Projection> ps) override {
        for (size_t n = 0; n < ps.size(); ++n) project_one(out[n], x, ps[n].weight);
    }
    void do_outputs_of(Value x) override {
        int kept = 0;
        for (const int32_t r : batch().outputs) std::copy_n(row(x, r), x.width, row(x, kept++));
    }

    virtual void keep(Value k, Value v, const Chunk& c) {
        const auto keep_row = [&](const Real* from, Real* to, int width) {
            std::copy_n(from, width, to);
            round_kept({to, static_cast<size_t>(width)});
        };
        for (int r = c.first_row; r < c.first_row + c.n_rows; ++r) {
            keep_row(row(k, r), kv_.k(layer(), c, position(c, r)), k.width);
            keep_row(row(v, r), kv_.v(layer(), c, position(c, r)), v.width);
        }
    }

    // What an engine rounds on purpose: the inputs of a projection, the keys or values of a position on their way into the KV cache.
    virtual void round_inputs(const Weight&, std::span<Real>) const {}
    virtual void round_kept(std::span<Real>) const {}

    struct HeadRow {
        int head, row;
    };
    static int position(const Chunk& c, int r) { return c.first_position + r - c.first_row; }

    Real* make(Value v) {
        auto& b = buffers_[static_cast<size_t>(v.stage)];
        b.resize(v.size());
        return b.data();
    }
    Real* row(Value v, int r) {
        return buffers_[static_cast<size_t>(v.stage)].data() + static_cast<size_t>(r) * static_cast<size_t>(v.width);
    }

    void project_one(Value out, Value x, const Weight& w) {
        const auto columns = columns_of(x, [&](int, std::span<Real> taken) { round_inputs(w, taken); });
        multiply(out, columns, w, [](int, std::span<const Real>) {});
    }

    // Each row as round(r, row) leaves it, transposed: [width, rows].
    template <class Round>
    std::vector<Real> columns_of(Value x, Round&& round) {
        const auto rows = static_cast<size_t>(x.rows), width = static_cast<size_t>(x.width);
        std::vector<Real> columns(rows * width);
        pool_.run(x.rows, [&](int r) {
            std::vector<Real> taken(row(x, r), row(x, r) + width);
            round(r, std::span<Real>(taken));
            for (size_t i = 0; i < width; ++i) columns[i * rows + static_cast<size_t>(r)] = taken[i];
        });
        return columns;
    }

    // sums[r] += w[0] columns[0][r] + w[1] columns[1][r] + ..., every sum in order of its inputs. Four inputs at a time, so that the sums
    // are loaded and stored a quarter as often.
    static void add_products(std::span<Real> sums, std::span<const Real> w, std::span<const Real> columns) {
        const size_t rows = sums.size();
        const Real* c = columns.data();
        size_t i = 0;
        for (; i + 4 <= w.size(); i += 4, c += 4 * rows)
            for (size_t r = 0; r < rows; ++r)
                sums[r] = (((sums[r] + w[i] * c[r]) + w[i + 1] * c[rows + r]) + w[i + 2] * c[2 * rows + r]) + w[i + 3] * c[3 * rows + r];
        for (; i < w.size(); ++i, c += rows)
            for (size_t r = 0; r < rows; ++r) sums[r] += w[i] * c[r];
    }

    // The inner loop runs over rows: one weight at a time. Calls each(output, weights).
    template <class Each>
    void multiply(Value out, std::span<const Real> columns, const Weight& w, Each&& each) {
        make(out);
        const auto rows = static_cast<size_t>(out.rows);
        constexpr int outputs_per_task = 64;
        pool_.run((w.n_outputs + outputs_per_task - 1) / outputs_per_task, [&](int task) {
            std::vector<Real> sums(rows);
            for (int o = task * outputs_per_task; o < std::min(w.n_outputs, (task + 1) * outputs_per_task); ++o) {
                const auto weights = values_of<Real>(w, o);
                std::ranges::fill(sums, Real(0));
                add_products(sums, weights, columns);
                for (size_t r = 0; r < rows; ++r) row(out, static_cast<int>(r))[o] = sums[r];
                each(o, std::span<const Real>(weights));
            }
        });
    }

    // Scaled q.k of one query head and row, over the keys at positions 0 .. its own.
    std::vector<Real> scores(Value q, const Chunk& c, const AttentionShape& s, HeadRow at) {
        const int key = at.head / s.group() * s.head_dim;
        const Real* query = row(q, at.row) + at.head * s.head_dim;
        std::vector<Real> result(static_cast<size_t>(position(c, at.row)) + 1);
        for (size_t j = 0; j < result.size(); ++j) {
            const Real* k = kv_.k(layer(), c, static_cast<int>(j)) + key;
            Real dot = 0;
            for (int i = 0; i < s.head_dim; ++i) dot += query[i] * k[i];
            result[j] = dot * static_cast<Real>(s.scale);
        }
        return result;
    }
    static void softmax(std::span<Real> x) {
        const Real top = *std::ranges::max_element(x);
        Real sum = 0;
        for (Real& v : x) sum += v = std::exp(v - top);
        for (Real& v : x) v /= sum;
    }
    void mix(Value out, std::span<const Real> p, const Chunk& c, const AttentionShape& s, HeadRow at) {
        Real* y = row(out, at.row) + at.head * s.head_dim;
        std::fill_n(y, s.head_dim, Real(0));
        for (size_t j = 0; j < p.size(); ++j) {
            const Real* v = kv_.v(layer(), c, static_cast<int>(j)) + at.head / s.group() * s.head_dim;
            for (int i = 0; i < s.head_dim; ++i) y[i] += p[j] * v[i];
        }
    }

    // The same steps with all scores and probabilities at hand, [n_head, n_rows, n_keys], for a probe to see and to change.
    void attend_shown(Value out, Value q, const Chunk& c, const AttentionShape& s) {
        const auto n_rows = static_cast<size_t>(c.n_rows), n_keys = static_cast<size_t>(c.first_position + c.n_rows);
        std::vector<double> all(static_cast<size_t>(s.n_head) * n_rows * n_keys);
        const auto for_each = [&](auto&& step) {
            pool_.run(s.n_head, [&](int h) {
                for (int r = c.first_row; r < c.first_row + c.n_rows; ++r) {
                    const size_t first = (static_cast<size_t>(h) * n_rows + static_cast<size_t>(r - c.first_row)) * n_keys;
                    step(std::span(all).subspan(first, static_cast<size_t>(position(c, r)) + 1), HeadRow{h, r});
                }
            });
        };
        for_each([&](std::span<double> visible, HeadRow at) { std::ranges::copy(scores(q, c, s, at), visible.begin()); });
        if (watched(Stage::attn_scores)) show_inner(Stage::attn_scores, static_cast<int>(n_keys), all);
        for_each([&](std::span<double> visible, HeadRow) {
            std::vector<Real> p(visible.begin(), visible.end());
            softmax(p);
            std::ranges::copy(p, visible.begin());
        });
        if (watched(Stage::attn_probs)) show_inner(Stage::attn_probs, static_cast<int>(n_keys), all);
        for_each([&](std::span<double> visible, HeadRow at) { mix(out, std::vector<Real>(visible.begin(), visible.end()), c, s, at); });
    }

    ThreadPool pool_;
    PlainKv<Real> kv_;
    const Rope& rope_;
    std::vector<Real> cos_, sin_;  // of the batch's rows, [rows, n_dims / 2]
    std::array<std::vector<Real>, n_stages> buffers_;
};

std::unique_ptr<Numerics> make_layercast(const Model& model, const NumericsOptions& options);
std::unique_ptr<Numerics> make_oracle(const Model& model, const NumericsOptions& options);

}  // namespace kylin
