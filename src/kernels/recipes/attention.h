// The KV cache and causal attention over it.
//
// The float recipe of one query, for the keys in blocks of 64 at absolute positions, in order, all in F32:
//   s[j] = scale * dot(q, k[j]), the dot an fma chain over head_dim; for a key after the query's position s = -inf
//   m' = max(m, max s);  c = exp(m - m');  p[j] = exp(s[j] - m')
//   l = l * c + sum(p), the 64 values folded in halves;  o = o * c, then o = fma(p[j], v[j], o) over the keys up to the position
// and at the end out = o / l. If m' is -inf, 0 takes its place as the reference of the exponents. An exp below 2^-126 is 0.
// A query's chains do not depend on its companions in a tile: a row alone has the bits of the same row in a chunk. The value of a
// later key is never multiplied, not even by 0: uninitialised slots and infinities of later tokens cannot reach a query.
// k and v are the values of the cache in F32. Those of Q8_0 are exact there, too: a quant has 7 bits, an F16 scale 11.
#pragma once
#include "kernels/kernels.h"
#include "kernels/recipes/math.h"
#include "kernels/recipes/product.h"

namespace kylin {
namespace {

template <class V, class... Tail>
typename V::Floats load(const float* p, Tail... tail) {
    return V::load_f32(p, tail...);
}
template <class V, class... Tail>
typename V::Floats load(const uint16_t* p, Tail... tail) {
    return V::load_f16(p, tail...);
}

// The scales of a page of Q8_0.
inline const uint16_t* scales_of(const std::byte* page, size_t width) { return reinterpret_cast<const uint16_t*>(page + width * kv_block); }
inline uint16_t* scales_of(std::byte* page, size_t width) { return reinterpret_cast<uint16_t*>(page + width * kv_block); }

using QuantizeQ8_0 = void (*)(const float* x, ActivationQ8_0* y, int n);

template <QuantizeQ8_0 quantize>
void store_quants(const KvStore& task) {
    const size_t width = static_cast<size_t>(task.head_dim), slot = static_cast<size_t>(task.slot);
    int8_t* k = reinterpret_cast<int8_t*>(task.k_page) + kv_key_index(width, slot, 0);
    int8_t* v = reinterpret_cast<int8_t*>(task.v_page) + slot * width;
    uint16_t* k_scale = scales_of(task.k_page, width) + slot;
    uint16_t* v_scale = scales_of(task.v_page, width) + slot;
    for (size_t d = 0; d < width; d += kv_scale_dims, k_scale += kv_block, v_scale += kv_block) {
        ActivationQ8_0 key, value;
        quantize(task.k + d, &key, kv_scale_dims);
        quantize(task.v + d, &value, kv_scale_dims);
        for (size_t i = 0; i < kv_scale_dims; ++i) k[(d + i) * kv_key_group] = key.qs[i];
        __builtin_memcpy(v + d, value.qs, kv_scale_dims);
        *k_scale = f32_to_f16(key.d);  // an F16 value already
        *v_scale = f32_to_f16(value.d);
    }
}

template <class V, QuantizeQ8_0 quantize>
void store_kv(const KvStore& task) {
    if (task.type == KvType::q8_0) return store_quants<quantize>(task);
    const size_t width = static_cast<size_t>(task.head_dim), slot = static_cast<size_t>(task.slot);
    if (task.type == KvType::f32) {
        float* k = reinterpret_cast<float*>(task.k_page) + kv_key_index(width, slot, 0);
        float* v = reinterpret_cast<float*>(task.v_page) + slot * width;
        for (size_t d = 0; d < width; ++d) {
            k[d * kv_key_group] = task.k[d];
            v[d] = task.v[d];
        }
        return;
    }
    uint16_t* k = reinterpret_cast<uint16_t*>(task.k_page) + kv_key_index(width, slot, 0);
    uint16_t* v = reinterpret_cast<uint16_t*>(task.v_page) + slot * width;
    for_each_vector<V>(task.head_dim, [&](int i, auto... tail) {
        uint16_t rounded[V::lanes];
        V::store_f16(rounded, V::load_f32(task.k + i, tail...));
        const int n = task.head_dim - i < V::lanes ? task.head_dim - i : V::lanes;
        for (int lane = 0; lane < n; ++lane) k[static_cast<size_t>(i + lane) * kv_key_group] = rounded[lane];
        V::store_f16(v + i, V::load_f32(task.v + i, tail...), tail...);
    });
}

// A page is read by products, one column of vectors after the other, or line by line to be converted. While it is, as much of the page that
// is needed next is fetched, in the order of memory: a few queries per page take less arithmetic than memory time, and would wait for both
// in turn. Fetching what will be read at this place of the next page, every second or fourth cache line, gained nothing on a Zen 3 (one row
// at depth 2048, two cores: 19 to 21 GB/s, in this order 25). The first-level cache is for the page at hand: where the next one was fetched
// into it, too, one row at depth 2048 had 11 and 12 GMAC/s on a Zen 4, AVX-512 and AVX2, instead of 20 and 19.
[[gnu::always_inline]] inline void fetch(const void* line) {
    constexpr int second_level = 2;
    __builtin_prefetch(line, 0, second_level);
}

// A line of keys is one of their dims, a line of values one slot. Vector v of line i, counted from column `first`, which begins a cache
// line of its own: so the compiler knows which vectors of a tile begin one, and how far apart they lie.
enum class Part : uint8_t { keys, values };
template <Part part, size_t lanes>
constexpr size_t place_of(size_t width, size_t i, size_t first, size_t v) {
    constexpr size_t group = kv_key_group;
    if (part == Part::values) return i * width + first + v * lanes;
    return ((first / group + v * lanes / group) * width + i) * group + first % group + v * lanes % group;
}

// b as part of a page of floats.
template <Part part, class Element>
struct FloatLines {
    const Element *at, *next;
    size_t width;

    template <class V, Reading reading, class... Tail>
    typename V::Floats load(size_t i, size_t first, size_t v, Tail... tail) const {
        constexpr size_t cache_line = 64 / sizeof(Element);
        const size_t j = first + v * V::lanes;
        if (v * V::lanes % cache_line == 0)
            fetch(next + (reading == Reading::products ? (j / cache_line * kv_block + i) * cache_line : i * kv_block + j));
        return kylin::load<V>(at + place_of<part, V::lanes>(width, i, first, v), tail...);
    }
};

// The same of a page of Q8_0, with a scale for every slot of a line of keys, and one for every 32 dims of a line of values. There is no
// tail: slots are read in steps of 16, and head_dim is a multiple of 32.
template <Part part>
struct QuantLines {
    const int8_t *at, *next;
    size_t width;
    const float* scales;  // of these dims, [n / 32, 64]

    template <class V, Reading reading, class... Tail>
    typename V::Floats load(size_t i, size_t first, size_t v, Tail...) const {
        if (v * V::lanes % 64 == 0 && first % 64 == 0) fetch(next + i * 64);
        typename V::Floats scale;
        if constexpr (part == Part::keys)
            scale = V::load_f32(scales + i / kv_scale_dims * kv_block + first + v * V::lanes);
        else
            scale = V::splat(scales[(first / kv_scale_dims + v * V::lanes / kv_scale_dims) * kv_block + i]);  // one for several vectors
        return V::mul(V::load_s8(at + place_of<part, V::lanes>(width, i, first, v)), scale);
    }
};

// At most 64 dims of a page, and the same of the page that is needed next.
struct PagePart {
    const std::byte *page, *next;
    size_t width, first, n_dims;
};

// What is b in the products with part of a page: its keys, or its values. Parts are read one after the other.
template <class Element>
class FloatPages {
public:
    FloatLines<Part::keys, Element> keys(const PagePart& p) { return {floats(p.page) + p.first * kv_key_group, next(p), p.width}; }
    FloatLines<Part::values, Element> values(const PagePart& p) { return {floats(p.page) + p.first, next(p), p.width}; }

private:
    static const Element* floats(const std::byte* page) { return reinterpret_cast<const Element*>(page); }
    static const Element* next(const PagePart& p) { return floats(p.next) + p.first * kv_block; }
};

template <class V>
class QuantPages {
public:
    QuantLines<Part::keys> keys(const PagePart& p) {
        return {quants(p.page) + p.first * kv_key_group, next(p), p.width, convert_scales(p)};
    }
    QuantLines<Part::values> values(const PagePart& p) { return {quants(p.page) + p.first, next(p), p.width, convert_scales(p)}; }

private:
    static const int8_t* quants(const std::byte* page) { return reinterpret_cast<const int8_t*>(page); }
    static const int8_t* next(const PagePart& p) { return quants(p.next) + p.first * kv_block; }
    // To F32 before the products: they take a scale from memory as they take one from a register, and a splat costs nothing there.
    const float* convert_scales(const PagePart& p) {
        const size_t first = p.first / kv_scale_dims * kv_block, n = p.n_dims / kv_scale_dims * kv_block;
        const uint16_t *at = scales_of(p.page, p.width) + first, *next = scales_of(p.next, p.width) + first;
        for (size_t i = 0; i < n; i += V::lanes) {
            if (i % 32 == 0) __builtin_prefetch(next + i);
            V::store(scales_ + i, V::load_f16(at + i));
        }
        return scales_;
    }

    alignas(64) float scales_[kv_block / kv_scale_dims * kv_block];
};

// Consecutive queries of a task, in the order of their rows, so that their numbers of keys do not decrease.
template <class V, class Pages>
class AttentionTile {
public:
    // More share one conversion of a page; the scores of a few at a time are in the first-level cache.
    static constexpr size_t max_queries = 128;

    AttentionTile(const AttentionTask& task, size_t first, size_t n) : task_(task), width_(static_cast<size_t>(task.head_dim)), n_(n) {
        const size_t group = static_cast<size_t>(task.group);
        for (size_t t = 0; t < n; ++t) {
            const size_t row = (first + t) / group, column = (first + t) % group * width_;
            queries_[t] = {.q = task.q + row * task.q_stride + column,
                           .out = task.out + row * task.out_stride + column,
                           .n_keys = static_cast<size_t>(task.first_position) + row + 1,
                           .max = -__builtin_inff(),
                           .sum = 0};
            most_keys_ = queries_[t].n_keys;
            for (size_t d = 0; d < width_; ++d) queries_[t].out[d] = 0;
        }
    }

    void run() {
        const size_t n_pages = (most_keys_ + block - 1) / block;
        for (size_t page = 0; page < n_pages; ++page) {
            while (queries_[begin_].n_keys <= page * block) ++begin_;
            for (size_t t = begin_; t < n_; ++t) n_keys_[t] = least(queries_[t].n_keys - page * block, block);
            score(task_.k_pages[page], task_.v_pages[page]);
            soften();
            add_values(task_.v_pages[page], task_.k_pages[page + 1 < n_pages ? page + 1 : page]);
        }
        for (size_t t = 0; t < n_; ++t) {
            const typename V::Floats sum = V::splat(queries_[t].sum);
            update_output(queries_[t], [&](auto o) { return V::div(o, sum); });
        }
    }

private:
    struct Query {
        const float* q;
        float* out;
        size_t n_keys;
        float max, sum;
    };
    static constexpr size_t block = kv_block, direct_queries = 6, softened_queries = 16;

    // Not far beyond the last key of a query; soften() drops what it does not attend to.
    static size_t n_scores(size_t n_keys) { return least(block, (n_keys + 15) / 16 * 16); }

    void score(const std::byte* page, const std::byte* next) {
        for (size_t t = begin_; t < n_; ++t)
            for (size_t j = 0; j < block; ++j) scores_[t][j] = 0;
        for (size_t d = 0; d < width_; d += block) {
            const size_t n_dims = least(block, width_ - d);
            for (size_t t = begin_; t < n_; ++t) rows_[t] = {queries_[t].q + d, scores_[t], n_dims, n_scores(n_keys_[t])};
            multiply_block(pages_.keys({page, next, width_, d, n_dims}), n_dims);
        }
    }

    void add_values(const std::byte* page, const std::byte* next) {
        for (size_t d = 0; d < width_; d += block) {
            const size_t n_dims = least(block, width_ - d);
            for (size_t t = begin_; t < n_; ++t) rows_[t] = {scores_[t], queries_[t].out + d, n_keys_[t], n_dims};
            multiply_block(pages_.values({page, next, width_, d, n_dims}), n_keys_[n_ - 1]);
        }
    }

    // A few queries read the page itself; more share one conversion to F32, of a part that fits the first-level cache.
    template <class B>
    void multiply_block(B b, size_t n_lines) {
        if (n_ - begin_ <= direct_queries) return multiply<V>(rows_ + begin_, n_ - begin_, b);
        for (size_t i = 0; i < n_lines; ++i)
            for_each_vector<V>(static_cast<int>(rows_[n_ - 1].n_columns), [&](int j, auto... tail) {
                V::store(block_[i] + j, b.template load<V, Reading::conversion>(i, 0, static_cast<size_t>(j) / V::lanes, tail...), tail...);
            });
        multiply<V>(rows_ + begin_, n_ - begin_, BlockLines{block_[0], block});
    }

    // Scores become exponentials relative to the largest score so far; what was summed before is scaled to it. Of a page that is mostly
    // empty only the beginning is looked at: all else would become, and add, zeros.
    void soften() {
        for (size_t t = begin_; t < n_; t += softened_queries) {
            const size_t end = least(t + softened_queries, n_), n_keys = n_keys_[end - 1];
            if (n_keys <= block / 4)
                soften_first<block / 4>(t, end);
            else if (n_keys <= block / 2)
                soften_first<block / 2>(t, end);
            else
                soften_first<block>(t, end);
        }
    }

    // The steps of one query wait for each other, most of all where its lanes are folded: several queries take each step together.
    template <size_t n_slots>
    void soften_first(size_t first, size_t end) {
        for (size_t t = first; t < end; ++t) raise_max(queries_[t], scale_scores<n_slots>(scores_[t], n_keys_[t]));
        for (size_t t = first; t < end; ++t) queries_[t].sum += exponentials<n_slots>(scores_[t], reference_of(queries_[t].max));
    }

    // The largest of the scores, which are scaled; -inf in the place of those beyond the keys.
    template <size_t n_slots>
    float scale_scores(float* scores, size_t n_keys) {
        constexpr size_t lanes = V::lanes;
        const typename V::Floats scale = V::splat(task_.scale), absent = V::splat(-__builtin_inff());
        typename V::Floats largest = absent;
        for (size_t j = 0; j < n_slots; j += lanes) {
            const typename V::Mask present = V::first(static_cast<int>(n_keys) - static_cast<int>(j));
            const typename V::Floats s = V::select(present, V::mul(scale, V::load_f32(scores + j)), absent);
            V::store(scores + j, s);
            largest = V::max(largest, s);
        }
        return max_lanes<V>(largest);
    }

    static float reference_of(float max) { return max == -__builtin_inff() ? 0.0f : max; }

    // The sum of the exponentials, which take the place of the scores.
    template <size_t n_slots>
    static float exponentials(float* scores, float reference) {
        constexpr size_t lanes = V::lanes, n_vectors = n_slots / lanes;
        typename V::Floats p[n_vectors];
        for (size_t v = 0; v < n_vectors; ++v) {
            p[v] = exp_down<V>(V::sub(V::load_f32(scores + v * lanes), V::splat(reference)));
            V::store(scores + v * lanes, p[v]);
        }
        for (size_t half = n_vectors / 2; half > 0; half /= 2)
            for (size_t v = 0; v < half; ++v) p[v] = V::add(p[v], p[v + half]);
        return sum_lanes<V>(p[0]);
    }

    void raise_max(Query& query, float block_max) {
        const float max = query.max > block_max ? query.max : block_max, reference = reference_of(max);
        if (query.max != reference) lower(query, query.max - reference);
        query.max = max;
    }

    // What was summed before, when the reference has become larger by -x.
    void lower(Query& query, float x) {
        const typename V::Floats factor = exp_down<V>(V::splat(x));
        float first[V::lanes];
        V::store(first, factor);
        query.sum *= first[0];
        update_output(query, [&](auto o) { return V::mul(o, factor); });
    }

    template <class Update>
    void update_output(const Query& query, Update update) {
        for_each_vector<V>(task_.head_dim,
                           [&](int d, auto... tail) { V::store(query.out + d, update(V::load_f32(query.out + d, tail...)), tail...); });
    }

    const AttentionTask& task_;
    const size_t width_, n_;
    size_t most_keys_ = 0;  // of the last query
    size_t begin_ = 0;      // queries before it have seen all their keys
    Query queries_[max_queries];
    size_t n_keys_[max_queries];  // in the page at hand
    ProductRow rows_[max_queries];
    Pages pages_;
    alignas(64) float scores_[max_queries][block];  // later exponentials
    alignas(64) float block_[block][block];
};

template <class V, class Pages>
void attend_as(const AttentionTask& task) {
    constexpr size_t step = AttentionTile<V, Pages>::max_queries;
    const size_t n = static_cast<size_t>(task.n_rows) * static_cast<size_t>(task.group);
    for (size_t first = 0; first < n; first += step) AttentionTile<V, Pages>(task, first, n - first < step ? n - first : step).run();
}

template <class V>
void attend(const AttentionTask& task) {
    switch (task.type) {
        case KvType::f16:
            return attend_as<V, FloatPages<uint16_t>>(task);
        case KvType::f32:
            return attend_as<V, FloatPages<float>>(task);
        case KvType::q8_0:
            return attend_as<V, QuantPages<V>>(task);
    }
}

}  // namespace
}  // namespace kylin
