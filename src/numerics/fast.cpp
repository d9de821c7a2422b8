// Rows are F32; where the weights are quantized, the rows' Q8 form is made once, when first needed, and kept beside them.
// A parallel region is spent only where the shape makes the work large. Threads split outputs, heads or rows, never a sum.
#include "numerics/fast.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <functional>
#include <utility>

#include "gguf/block_codec.h"
#include "kernels/packed_matrix.h"
#include "kernels/thread_pool.h"
#include "numerics/kv_store.h"
#include "numerics/positions.h"
#include "numerics/rope_table.h"

namespace kylin {
namespace {

// What a model's weights become. Immutable, so any number of numerics share it.
struct FastWeights {
    std::vector<std::vector<float>> vectors;  // by Weight::id
    std::vector<PackedMatrix> matrices;       // by Weight::id
};

class Fast final : public Numerics {
public:
    Fast(const Model& model, const NumericsOptions& options, const Progress& progress)
        : model_(model),
          kernels_(select_kernels(options.isa)),
          without_(options.without),
          pool_(options.n_threads ? options.n_threads : usable_threads(),
                {.spins = uses(Technique::spinning), .pins = uses(Technique::pinning)}),
          kv_(model.config(), options.kv, options.n_pages),
          rope_(model.config().rope) {
        const auto* other = dynamic_cast<const Fast*>(options.beside);
        weights_ = other ? other->weights_ : load_weights(progress);
    }

    std::vector<double> read(Value v) const override {
        std::vector<double> values;
        values.reserve(v.size());
        for (int r = 0; r < v.rows; ++r) values.insert(values.end(), row(v, r), row(v, r) + v.width);
        return values;
    }
    void read_row(Value v, int r, std::span<float> out) const override { std::copy_n(row(v, r), v.width, out.begin()); }
    void read_peaks(Value v, int r, std::span<float> peaks) const override {
        const Buffer& b = buffers_[index(v.stage)];
        if (b.has_peaks)
            std::copy_n(b.peaks.data() + static_cast<size_t>(r) * peaks.size(), peaks.size(), peaks.begin());
        else
            kernels_.find_peaks(row(v, r), v.width, peaks.data());
    }
    size_t bytes_of(const Weight& w) const override { return packed(w).bytes(); }
    size_t kv_bytes_of_position() const override { return kv_.bytes_of_position(); }

protected:
    void do_begin(const Batch& batch) override {
        const RopeAngles angles = rope_angles(rope_, positions_of(batch));
        cos_.assign(angles.cos.begin(), angles.cos.end());
        sin_.assign(angles.sin.begin(), angles.sin.end());
    }
    void do_write(Value v, std::span<const double> values) override {
        make(v);
        auto value = values.begin();
        for (int r = 0; r < v.rows; ++r, value += v.width)
            std::transform(value, value + v.width, row(v, r), [](double x) { return static_cast<float>(x); });
    }
    void do_embed(Value out, const Weight& table) override {
        make(out);
        for_rows(out, [&](int r) {
            const std::vector<std::byte> quants = model_.copy_row(table, batch().tokens[static_cast<size_t>(r)]);
            dequantize_row(table.type, quants.data(), row(out, r), out.width);
        });
    }
    void do_norm(Value out, Value x, Norm norm) override {
        make(out);
        const float* w = weights_->vectors[static_cast<size_t>(norm.weight.id)].data();
        const int group = norm.weight.width;
        const Activation form = make_quantized(out, out.width);
        for_rows(x, [&](int r) {
            for (int g = 0; g < x.width; g += group) kernels_.rms_norm(row(x, r) + g, w, norm.eps, group, row(out, r) + g);
            quantize(out, form, r, 0, out.width);
        });
        mark_quantized(out, form);
    }
    void do_rope(Value out, Value x, const Rope& rope) override {
        make(out);
        for_rows(x, [&](int r) {
            const RopeTask task = rope_task(rope, r);
            for (int head = 0; head < x.width; head += rope.head_dim) kernels_.rope(task, row(x, r) + head, row(out, r) + head);
        });
    }
    void do_attend(Value out, Value q, Value k, Value v, const AttentionShape& shape) override {
        const HeadWork nothing = [](int, int) {};
        attend_after(out, q, k, v, shape, nothing, nothing);
    }
    // Each thread prepares the heads that it reads.
    void do_attend_rotated(Value out, const Rotated& q, const Rotated& k, Value v, const Rope& rope, const AttentionShape& shape) override {
        const Value rotated_q{q.rotated, q.x.rows, q.x.width}, rotated_k{k.rotated, k.x.rows, k.x.width};
        make(rotated_q);
        make(rotated_k);
        const int group = shape.group();
        attend_after(
            out, rotated_q, rotated_k, v, shape, [&](int r, int head_kv) { rotate(rotated_q, q, rope, r, head_kv * group, group); },
            [&](int r, int head_kv) { rotate(rotated_k, k, rope, r, head_kv, 1); });
    }
    void do_silu_mul(Value out, Value gate, Value up) override {
        make(out);
        for_rows(out, [&](int r) { kernels_.silu_mul(row(gate, r), row(up, r), row(out, r), out.width); });
    }
    void do_add(Value out, Value a, Value b) override {
        make(out);
        for_rows(out, [&](int r) { kernels_.add(row(a, r), row(b, r), row(out, r), out.width); });
    }
    void do_project(std::span<const Value> out, Value x, std::span<const Projection> ps) override {
        if (ps.size() > 1 && !uses(Technique::shared_regions)) {
            for (size_t n = 0; n < ps.size(); ++n) do_project(out.subspan(n, 1), x, ps.subspan(n, 1));
            return;
        }
        const bool scored = out[0].stage == Stage::logits;
        std::vector<Piece> pieces;
        for (size_t n = 0; n < ps.size(); ++n) {
            make(out[n]);
            prepare(x, packed(ps[n].weight).activation());
            append_pieces(pieces, n, ps[n].weight.n_outputs, scored ? int{peak_width} : panel_outputs);
        }
        if (scored) make_peaks(out[0]);
        pool_.run(static_cast<int>(pieces.size()), [&](int i) {
            const Piece& p = pieces[static_cast<size_t>(i)];
            multiply(out[p.projection], x, ps[p.projection].weight, p);
            if (scored) find_peaks_of(out[0], p);
        });
    }
    bool fuses() const override { return uses(Technique::shared_regions); }
    void do_gated(Value out, Value x, Projection gate, Projection up) override {
        const Value g{gate.out, out.rows, out.width}, u{up.out, out.rows, out.width};
        for (const Value v : {g, u, out}) make(v);
        prepare(x, packed(gate.weight).activation());
        prepare(x, packed(up.weight).activation());
        const Activation form = make_quantized(out, out.width);
        std::vector<std::atomic<int>> n_made(static_cast<size_t>(out.width / block_of(form)));
        std::vector<Piece> pieces;
        append_pieces(pieces, 0, out.width);
        pool_.run(static_cast<int>(pieces.size()), [&](int i) {
            const Piece& p = pieces[static_cast<size_t>(i)];
            multiply(g, x, gate.weight, p);
            multiply(u, x, up.weight, p);
            for (int r = 0; r < out.rows; ++r) kernels_.silu_mul(row(g, r) + p.first, row(u, r) + p.first, row(out, r) + p.first, p.n);
            if (form != Activation::f32) quantize_piece(out, form, p, n_made);
        });
        mark_quantized(out, form);
    }
    void do_outputs_of(Value x) override {
        if (static_cast<int>(batch().outputs.size()) == x.rows) return;
        drop_derived(x.stage);
        int kept = 0;
        for (const int32_t r : batch().outputs) std::copy_n(row(x, r), x.width, row(x, kept++));
    }

private:
    struct alignas(64) CacheLine {
        static constexpr int n = 16;
        float values[n];
    };

    // The rows of a stage and, where those are valid, their quantized forms and their peaks.
    struct Buffer {
        std::vector<CacheLine> rows;
        std::vector<float> peaks;
        std::vector<std::byte> q8_0, q8_k;
        bool has_q8_0 = false, has_q8_k = false, has_peaks = false;
        Activation wanted = Activation::f32;  // how it was read the last time

        std::vector<std::byte>& blocks(Activation form) { return form == Activation::q8_0 ? q8_0 : q8_k; }
        bool& has(Activation form) { return form == Activation::q8_0 ? has_q8_0 : has_q8_k; }
    };
    // A range of outputs of one of the projections that share an input.
    struct Piece {
        size_t projection;
        int first, n;
    };

    // What is done to a row's queries of the group of a KV head, or to its key, just before they are read.
    using HeadWork = std::function<void(int row, int head_kv)>;

    bool uses(Technique t) const { return std::ranges::find(without_, t) == without_.end(); }
    static int block_of(Activation form) { return form == Activation::q8_k ? 256 : 32; }
    static size_t index(Stage s) { return static_cast<size_t>(s); }
    // In floats. Rows begin a cache line each, an odd number of lines after the row before: rows that are a power of two apart would share
    // a few sets of the caches, and a panel's outputs of many rows would push each other out.
    size_t row_stride(int width) const {
        const int lines = (width + CacheLine::n - 1) / CacheLine::n;
        return static_cast<size_t>((uses(Technique::odd_rows) ? lines | 1 : lines) * CacheLine::n);
    }
    const float* row(Value v, int r) const {
        const auto* first = reinterpret_cast<const float*>(buffers_[index(v.stage)].rows.data());
        return first + static_cast<size_t>(r) * row_stride(v.width);
    }
    float* row(Value v, int r) { return const_cast<float*>(std::as_const(*this).row(v, r)); }
    const PackedMatrix& packed(const Weight& w) const { return weights_->matrices[static_cast<size_t>(w.id)]; }

    void drop_derived(Stage s) {
        Buffer& b = buffers_[index(s)];
        b.has_q8_0 = b.has_q8_k = b.has_peaks = false;
    }

    // Room for a value about to be written.
    void make(Value v) {
        Buffer& b = buffers_[index(v.stage)];
        const size_t n = static_cast<size_t>(v.rows) * row_stride(v.width) / CacheLine::n;
        if (b.rows.size() < n) b.rows.resize(n);
        drop_derived(v.stage);
    }

    template <class F>
    void for_rows(Value v, F&& f) {
        constexpr size_t values_worth_a_region = 1 << 15;  // about 5 µs of elementwise work, ten times a barrier
        if (v.size() < values_worth_a_region) {
            for (int r = 0; r < v.rows; ++r) f(r);
            return;
        }
        const int rows_per_task = std::max(1, static_cast<int>(values_worth_a_region) / v.width);
        pool_.run((v.rows + rows_per_task - 1) / rows_per_task, [&](int task) {
            for (int r = task * rows_per_task; r < std::min(v.rows, (task + 1) * rows_per_task); ++r) f(r);
        });
    }

    // Makes the form of x that a matrix reads.
    void prepare(Value x, Activation form) {
        if (form == Activation::f32) return;
        Buffer& b = buffers_[index(x.stage)];
        b.wanted = form;
        if (b.has(form) && uses(Technique::shared_inputs)) return;
        make_blocks(x, form);
        for_rows(x, [&](int r) { quantize(x, form, r, 0, x.width); });
        b.has(form) = true;
    }
    // For who makes x, and quantizes `n` values of it at a time while they are at hand: the form in which x was read the last time, with
    // room for it, or f32 if there is nothing to quantize.
    Activation make_quantized(Value x, int n) {
        const Activation form = buffers_[index(x.stage)].wanted;
        if (form == Activation::f32 || n % block_of(form) != 0 || !uses(Technique::shared_regions)) return Activation::f32;
        make_blocks(x, form);
        return form;
    }
    void mark_quantized(Value x, Activation form) {
        if (form != Activation::f32) buffers_[index(x.stage)].has(form) = true;
    }
    void make_blocks(Value x, Activation form) {
        std::vector<std::byte>& blocks = buffers_[index(x.stage)].blocks(form);
        const size_t bytes = activation_bytes(form, x.width) * static_cast<size_t>(x.rows);
        if (blocks.size() < bytes) blocks.resize(bytes);
    }
    void quantize(Value x, Activation form, int r, int first, int n) {
        if (form == Activation::f32) return;
        std::byte* y = buffers_[index(x.stage)].blocks(form).data() + activation_bytes(form, x.width) * static_cast<size_t>(r) +
                       activation_bytes(form, first);
        if (form == Activation::q8_0)
            kernels_.quantize_q8_0(row(x, r) + first, reinterpret_cast<ActivationQ8_0*>(y), n);
        else
            kernels_.quantize_q8_k(row(x, r) + first, reinterpret_cast<ActivationQ8_K*>(y), n);
    }

    // A block that several pieces make is quantized with the last of them. n_made counts the values of each block.
    void quantize_piece(Value x, Activation form, const Piece& piece, std::vector<std::atomic<int>>& n_made) {
        const int block = block_of(form), end = piece.first + piece.n;
        for (int at = piece.first, n = 0; at < end; at += n) {
            const int b = at / block;
            n = std::min((b + 1) * block, end) - at;
            if (n_made[static_cast<size_t>(b)].fetch_add(n) + n < block) continue;
            for (int r = 0; r < x.rows; ++r) quantize(x, form, r, b * block, block);
        }
    }

    // Each begins at a multiple of `unit` outputs.
    void append_pieces(std::vector<Piece>& pieces, size_t projection, int n_outputs, int unit = panel_outputs) const {
        // Eight pieces a thread even out their ends; 32 outputs keep the cost of handing one out below a percent.
        const int units = (n_outputs + unit - 1) / unit, threads = pool_.n_threads();
        const int step = unit * (uses(Technique::small_pieces) ? std::clamp(units / (8 * threads), std::max(32 / unit, 1), 512 / unit)
                                                               : (units + threads - 1) / threads);
        for (int first = 0; first < n_outputs; first += step) pieces.push_back({projection, first, std::min(step, n_outputs - first)});
    }

    void make_peaks(Value logits) {
        Buffer& b = buffers_[index(logits.stage)];
        b.peaks.resize(static_cast<size_t>(logits.rows) * n_peaks(static_cast<size_t>(logits.width)));
        b.has_peaks = true;
    }
    void find_peaks_of(Value logits, const Piece& piece) {
        const size_t n = n_peaks(static_cast<size_t>(logits.width)), first = static_cast<size_t>(piece.first) / peak_width;
        float* peaks = buffers_[index(logits.stage)].peaks.data();
        for (int r = 0; r < logits.rows; ++r)
            kernels_.find_peaks(row(logits, r) + piece.first, piece.n, peaks + static_cast<size_t>(r) * n + first);
    }

    void multiply(Value out, Value x, const Weight& weight, const Piece& piece) {
        const int n_rows = uses(Technique::tiles) ? x.rows : 1;
        for (int r = 0; r < x.rows; r += n_rows) multiply_rows(out, x, weight, piece, r, n_rows);
    }

    void multiply_rows(Value out, Value x, const Weight& weight, const Piece& piece, int first_row, int n_rows) {
        const PackedMatrix& w = packed(weight);
        const Buffer& b = buffers_[index(x.stage)];
        const std::byte* input = w.activation() == Activation::f32    ? reinterpret_cast<const std::byte*>(b.rows.data())
                                 : w.activation() == Activation::q8_0 ? b.q8_0.data()
                                                                      : b.q8_k.data();
        const size_t stride =
            w.activation() == Activation::f32 ? row_stride(x.width) * sizeof(float) : activation_bytes(w.activation(), x.width);
        kernels_.matmul({.weights = &w,
                         .first_output = piece.first,
                         .n_outputs = piece.n,
                         .x = input + static_cast<size_t>(first_row) * stride,
                         .x_stride = stride,
                         .n_rows = n_rows,
                         .y = row(out, first_row),
                         .y_stride = row_stride(out.width)});
    }

    int rows_per_task() const { return uses(Technique::attention_tiles) ? 64 : 1; }

    RopeTask rope_task(const Rope& rope, int r) const {
        const size_t half = static_cast<size_t>(rope.n_dims / 2), at = static_cast<size_t>(r) * half;
        return {rope.head_dim, rope.n_dims, rope.neox, cos_.data() + at, sin_.data() + at};
    }
    // Heads of consecutive rows are further apart than the processor looks ahead. Always inline: g++ 12 takes a function that only fetches
    // for one without effect.
    [[gnu::always_inline]] void fetch(Value v, int r, int first, int n) const {
        if (r >= v.rows) return;
        for (int i = 0; i < n; i += CacheLine::n) __builtin_prefetch(row(v, r) + first + i);
    }
    void rotate(Value out, const Rotated& in, const Rope& rope, int r, int first_head, int n_heads) {
        const float* weight = weights_->vectors[static_cast<size_t>(in.norm.weight.id)].data();
        const RopeTask task = rope_task(rope, r);
        constexpr int rows_ahead = 2;
        fetch(in.x, r + rows_ahead, first_head * rope.head_dim, n_heads * rope.head_dim);
        for (int h = first_head; h < first_head + n_heads; ++h) {
            float* y = row(out, r) + h * rope.head_dim;
            kernels_.rms_norm(row(in.x, r) + h * rope.head_dim, weight, in.norm.eps, rope.head_dim, y);
            kernels_.rope(task, y, y);
        }
    }

    void attend_after(Value out, Value q, Value k, Value v, const AttentionShape& shape, const HeadWork& before_queries,
                      const HeadWork& before_key) {
        make(out);
        store_and_attend(out, q, k, v, shape, before_queries, before_key);
        if (watched(Stage::attn_scores) || watched(Stage::attn_probs))
            for (const Chunk& c : batch().chunks) AttentionView(*this, c, shape).show(out, q);
    }

    // Row i of the chunk, of one KV head.
    void store(Value k, Value v, const AttentionShape& s, const Chunk& c, int i, int head) {
        const int position = c.first_position + i, r = c.first_row + i;
        const int page = c.pages[static_cast<size_t>(position / page_positions)];
        kernels_.store_kv({.type = kv_.type(),
                           .head_dim = s.head_dim,
                           .slot = position % page_positions,
                           .k = row(k, r) + head * s.head_dim,
                           .v = row(v, r) + head * s.head_dim,
                           .k_page = kv_.k(layer(), page, head),
                           .v_page = kv_.v(layer(), page, head)});
    }

    // A key has a place in many lines of its page, and scores would wait for the stores into each: those are asked for while heads are
    // normalized. Always inline, as `fetch`.
    [[gnu::always_inline]] void fetch_place(const AttentionShape& s, const Chunk& c, int i, int head) {
        const auto position = static_cast<size_t>(c.first_position + i), slot = position % page_positions;
        const auto width = static_cast<size_t>(s.head_dim), value_bytes = kv_value_bytes(kv_.type());
        const int page = c.pages[position / page_positions];
        const std::byte* k = kv_.k(layer(), page, head) + kv_key_index(width, slot, 0) * value_bytes;
        const std::byte* v = kv_.v(layer(), page, head) + slot * width * value_bytes;
        constexpr size_t cache_line = 64;
        for (size_t b = 0; b < kv_key_group * width * value_bytes; b += cache_line) __builtin_prefetch(k + b, 1);
        for (size_t b = 0; b < width * value_bytes; b += cache_line) __builtin_prefetch(v + b, 1);
    }

    // Of chunks that make several tasks of attention: rows of one task meet keys of another.
    void store_long_chunks(Value k, Value v, const AttentionShape& s, const HeadWork& before_key) {
        for (const Chunk& c : batch().chunks) {
            if (c.n_rows <= rows_per_task()) continue;
            for_rows({k.stage, c.n_rows, k.width}, [&](int i) {
                for (int h = 0; h < s.n_head_kv; ++h) {
                    before_key(c.first_row + i, h);
                    store(k, v, s, c, i, h);
                }
            });
        }
    }

    // One task per chunk, KV head and block of rows. The rows of a short chunk are stored by the thread that reads them.
    void store_and_attend(Value out, Value q, Value k, Value v, const AttentionShape& s, const HeadWork& before_queries,
                          const HeadWork& before_key) {
        struct Task {
            const Chunk* chunk;
            int head_kv, first, n;  // rows of the chunk
        };
        std::vector<Task> tasks;
        for (const Chunk& c : batch().chunks)
            for (int first = 0; first < c.n_rows; first += rows_per_task())
                for (int h = 0; h < s.n_head_kv; ++h) tasks.push_back({&c, h, first, std::min(rows_per_task(), c.n_rows - first)});
        // Later rows see more keys: the longest tasks go first, so that no thread is left with one at the end.
        std::ranges::reverse(tasks);
        store_long_chunks(k, v, s, before_key);
        const int width = s.group() * s.head_dim;
        const Activation form = make_quantized(out, width);
        pool_.run(static_cast<int>(tasks.size()), [&](int i) {
            const auto& [c, h, first, n] = tasks[static_cast<size_t>(i)];
            if (n == c->n_rows) fetch_place(s, *c, first, h);
            for (int r = 0; n == c->n_rows && r < n; ++r) {
                before_key(c->first_row + r, h);
                store(k, v, s, *c, r, h);
            }
            for (int r = first; r < first + n; ++r) before_queries(c->first_row + r, h);
            attend_stored(out, q, s, *c, h, first, n);
            for (int r = first; r < first + n; ++r) quantize(out, form, c->first_row + r, h * width, width);
        });
        mark_quantized(out, form);
    }

    void attend_stored(Value out, Value q, const AttentionShape& s, const Chunk& c, int head_kv, int first, int n) {
        const int position = c.first_position + first;
        const auto n_pages = static_cast<size_t>((position + n + page_positions - 1) / page_positions);
        std::vector<const std::byte*> k_pages(n_pages), v_pages(n_pages);
        for (size_t p = 0; p < n_pages; ++p) {
            k_pages[p] = kv_.k(layer(), c.pages[p], head_kv);
            v_pages[p] = kv_.v(layer(), c.pages[p], head_kv);
        }
        const int head = head_kv * s.group() * s.head_dim;
        kernels_.attend({.type = kv_.type(),
                         .head_dim = s.head_dim,
                         .group = s.group(),
                         .n_rows = n,
                         .first_position = position,
                         .scale = static_cast<float>(s.scale),
                         .q = row(q, c.first_row + first) + head,
                         .q_stride = row_stride(q.width),
                         .out = row(out, c.first_row + first) + head,
                         .out_stride = row_stride(out.width),
                         .k_pages = k_pages.data(),
                         .v_pages = v_pages.data()});
    }

    // Scores and probabilities, [n_head, n_rows, n_keys]. The kernel never holds them, so they are computed beside it, from the cache and
    // in F32; only when a probe changes them do the heads follow from them.
    class AttentionView {
    public:
        AttentionView(Fast& math, const Chunk& chunk, const AttentionShape& shape) : math_(math), c_(chunk), s_(shape) {}

        void show(Value out, Value q) {
            for_each([&](int h, int r, std::span<double> visible) {
                for (size_t j = 0; j < visible.size(); ++j) visible[j] = static_cast<double>(score(q, {h, r, static_cast<int>(j)}));
            });
            bool changed = offer(Stage::attn_scores);
            for_each([&](int, int, std::span<double> visible) { softmax(visible); });
            changed = offer(Stage::attn_probs) || changed;
            if (!changed) return;
            math_.drop_derived(out.stage);
            for_each([&](int h, int r, std::span<double> p) { mix(math_.row(out, r) + h * s_.head_dim, h, p); });
        }

    private:
        struct Place {
            int head, row, key;
        };
        template <class F>
        void for_each(F&& f) {
            const auto n_rows = static_cast<size_t>(c_.n_rows);
            math_.pool_.run(s_.n_head, [&](int h) {
                for (int i = 0; i < c_.n_rows; ++i)
                    f(h, c_.first_row + i,
                      std::span(values_).subspan((static_cast<size_t>(h) * n_rows + static_cast<size_t>(i)) * n_keys_,
                                                 static_cast<size_t>(c_.first_position + i) + 1));
            });
        }
        bool offer(Stage stage) {
            if (!math_.watched(stage)) return false;
            const std::vector<double> own = values_;
            return math_.show_inner(stage, static_cast<int>(n_keys_), values_) && values_ != own;
        }
        // Value i of a page; in Q8_0 with the scale of its slot and dim.
        float cached(const std::byte* page, size_t i, size_t scale) const {
            if (math_.kv_.type() == KvType::f32) return reinterpret_cast<const float*>(page)[i];
            if (math_.kv_.type() == KvType::f16) return f16_to_f32(reinterpret_cast<const uint16_t*>(page)[i]);
            const auto* scales = reinterpret_cast<const uint16_t*>(page + kv_block * s_.head_dim);
            return f16_to_f32(scales[scale]) * static_cast<float>(reinterpret_cast<const int8_t*>(page)[i]);
        }
        static size_t scale_of(size_t slot, size_t d) { return d / kv_scale_dims * kv_block + slot; }
        float score(Value q, const Place& at) const {
            const std::byte* page = math_.kv_.k(math_.layer(), c_.pages[static_cast<size_t>(at.key / kv_block)], at.head / s_.group());
            const float* query = math_.row(q, at.row) + at.head * s_.head_dim;
            const auto slot = static_cast<size_t>(at.key % kv_block), width = static_cast<size_t>(s_.head_dim);
            float dot = 0;
            for (size_t d = 0; d < width; ++d) dot = std::fma(query[d], cached(page, kv_key_index(width, slot, d), scale_of(slot, d)), dot);
            return static_cast<float>(s_.scale) * dot;
        }
        static void softmax(std::span<double> x) {
            const auto top = static_cast<float>(*std::ranges::max_element(x));
            float sum = 0;
            for (double& v : x) {
                const float p = std::exp(static_cast<float>(v) - top);
                sum += p;
                v = static_cast<double>(p);
            }
            for (double& v : x) v = static_cast<double>(static_cast<float>(v) / sum);
        }
        void mix(float* y, int head, std::span<const double> p) const {
            std::fill_n(y, s_.head_dim, 0.0f);
            for (size_t j = 0; j < p.size(); ++j) {
                const std::byte* page = math_.kv_.v(math_.layer(), c_.pages[j / kv_block], head / s_.group());
                const size_t slot = j % kv_block, width = static_cast<size_t>(s_.head_dim);
                for (size_t d = 0; d < width; ++d) {
                    const float v = cached(page, slot * width + d, scale_of(slot, d));
                    y[d] = std::fma(static_cast<float>(p[j]), v, y[d]);
                }
            }
        }

        Fast& math_;
        const Chunk& c_;
        const AttentionShape& s_;
        size_t n_keys_ = static_cast<size_t>(c_.first_position + c_.n_rows);
        std::vector<double> values_ = std::vector<double>(static_cast<size_t>(s_.n_head) * static_cast<size_t>(c_.n_rows) * n_keys_);
    };

    std::shared_ptr<const FastWeights> load_weights(const Progress& progress) {
        const auto weights = model_.weights();
        auto loaded = std::make_shared<FastWeights>();
        loaded->vectors.resize(weights.size());
        loaded->matrices.resize(weights.size());
        size_t total = 0, packed_bytes = 0;
        std::vector<Packing> packings(weights.size());
        for (const Weight& w : weights) {
            if (w.role != Role::matrix) continue;
            Packing& packing = packings[static_cast<size_t>(w.id)];
            if (uses(Technique::short_floats) && suits_short_floats(w.type, w.n_outputs, w.width, w.data)) packing = Packing::short_floats;
            total += w.data.size();
            packed_bytes += PackedMatrix::bytes_for(w.type, w.n_outputs, w.width, packing);
        }
        const auto memory = std::make_shared<WeightMemory>(packed_bytes);
        // Many matrices in one go, for where they end threads wait for each other; not all, to show progress and to give back their pages.
        constexpr size_t bytes_at_once = 16 << 20;
        size_t done = 0, waiting_bytes = 0;
        std::vector<const Weight*> waiting;
        const auto pack_waiting = [&] {
            pack(waiting, *loaded);
            for (const Weight* w : waiting) model_.release(*w);
            waiting.clear();
            done += std::exchange(waiting_bytes, 0);
            if (progress) progress(static_cast<double>(done) / static_cast<double>(total));
        };
        for (const Weight& w : weights) {
            const auto id = static_cast<size_t>(w.id);
            if (w.role == Role::vector) {
                loaded->vectors[id].resize(static_cast<size_t>(w.width));
                dequantize_row(w.type, w.row(0), loaded->vectors[id].data(), w.width);
            } else if (w.role == Role::matrix) {
                loaded->matrices[id] = PackedMatrix(w.type, w.n_outputs, w.width, memory, packings[id]);
                waiting.push_back(&w);
                waiting_bytes += w.data.size();
                if (waiting_bytes >= bytes_at_once) pack_waiting();
            }
        }
        if (!waiting.empty()) pack_waiting();
        return loaded;
    }
    void pack(std::span<const Weight* const> weights, FastWeights& loaded) {
        struct Panels {
            const Weight* weight;
            int first;
        };
        constexpr int panels_at_once = 8;
        std::vector<Panels> pieces;
        for (const Weight* w : weights)
            for (int p = 0; p < loaded.matrices[static_cast<size_t>(w->id)].n_panels(); p += panels_at_once) pieces.push_back({w, p});
        pool_.run(static_cast<int>(pieces.size()), [&](int i) {
            const auto [w, first] = pieces[static_cast<size_t>(i)];
            PackedMatrix& m = loaded.matrices[static_cast<size_t>(w->id)];
            m.pack(w->data, first, std::min(panels_at_once, m.n_panels() - first));
        });
    }

    const Model& model_;
    const Kernels& kernels_;
    std::vector<Technique> without_;
    ThreadPool pool_;
    KvPages kv_;
    const Rope& rope_;
    std::vector<float> cos_, sin_;  // of the batch's rows, [rows, n_dims / 2]
    std::shared_ptr<const FastWeights> weights_;
    std::array<Buffer, n_stages> buffers_;
};

}  // namespace

std::unique_ptr<Numerics> make_fast(const Model& model, const NumericsOptions& options, const Progress& progress) {
    return std::make_unique<Fast>(model, options, progress);
}

}  // namespace kylin
