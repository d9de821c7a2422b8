// Attention: close to its definition in double, blind to everything a query may not see, and the same bits for every table, chunk
// size, grouping and place of the pages.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <numeric>

#include "blocks.h"

namespace kylin {
namespace {

using testing::gaussian;
using testing::Random;
using testing::same_bits;

constexpr float inf = std::numeric_limits<float>::infinity();
const float not_a_number = std::numeric_limits<float>::quiet_NaN();

// The cache of one KV head. Unused slots hold NaN (all bits set, in every type), and pages lie in shuffled order.
class Cache {
public:
    Cache(KvType type, int head_dim, int n_positions) : type_(type), head_dim_(head_dim) {
        const size_t n_pages = static_cast<size_t>(n_positions + kv_block - 1) / kv_block, bytes = kv_page_bytes(type, head_dim);
        memory_.assign(2 * n_pages * bytes, std::byte{0xff});
        std::vector<size_t> order(2 * n_pages);
        std::iota(order.begin(), order.end(), size_t{0});
        Random random(99);
        std::shuffle(order.begin(), order.end(), random);
        for (size_t p = 0; p < n_pages; ++p) {
            k_.push_back(memory_.data() + order[2 * p] * bytes);
            v_.push_back(memory_.data() + order[2 * p + 1] * bytes);
        }
    }
    Cache(const Cache&) = delete;

    void store(const Kernels& kernels, int position, const float* k, const float* v) {
        const size_t page = static_cast<size_t>(position / kv_block);
        kernels.store_kv({type_, head_dim_, position % kv_block, k, v, k_[page], v_[page]});
    }
    float k(int position, int d) const {
        const int slot = position % kv_block, at = (slot / 16 * head_dim_ + d) * 16 + slot % 16;
        return read(k_[static_cast<size_t>(position / kv_block)], at, d / 32 * kv_block + slot);
    }
    float v(int position, int d) const {
        const int slot = position % kv_block;
        return read(v_[static_cast<size_t>(position / kv_block)], slot * head_dim_ + d, d / 32 * kv_block + slot);
    }
    KvType type() const { return type_; }
    int head_dim() const { return head_dim_; }
    const std::byte* const* k_pages() const { return k_.data(); }
    const std::byte* const* v_pages() const { return v_.data(); }

private:
    float read(const std::byte* page, int at, int scale) const {
        if (type_ == KvType::f32) return reinterpret_cast<const float*>(page)[at];
        if (type_ == KvType::f16) return f16_to_f32(reinterpret_cast<const uint16_t*>(page)[at]);
        const auto* scales = reinterpret_cast<const uint16_t*>(page + kv_block * head_dim_);
        return f16_to_f32(scales[scale]) * static_cast<float>(reinterpret_cast<const int8_t*>(page)[at]);
    }

    KvType type_;
    int head_dim_;
    std::vector<std::byte> memory_;
    std::vector<std::byte*> k_, v_;
};

// One KV head's part of a sequence: q[row][group][head_dim], k and v[row][head_dim].
struct Sequence {
    Sequence(int rows, int query_heads, int width, uint64_t seed)
        : n_rows(rows),
          group(query_heads),
          head_dim(width),
          random(seed),
          q(gaussian(size(rows * query_heads * width), random)),
          k(gaussian(size(rows * width), random)),
          v(gaussian(size(rows * width), random)) {}
    static size_t size(int n) { return static_cast<size_t>(n); }

    void fill(const Kernels& kernels, Cache& cache, int last) const {
        for (int p = 0; p < last; ++p) cache.store(kernels, p, &k[size(p * head_dim)], &v[size(p * head_dim)]);
    }
    float scale() const { return 1.0f / std::sqrt(static_cast<float>(head_dim)); }

    int n_rows, group, head_dim;
    Random random;
    std::vector<float> q, k, v;
};

// Rows first .. first + n - 1 in one call; the rest of `out` is left alone.
void attend(const Kernels& kernels, const Sequence& s, const Cache& cache, int first, int n, std::vector<float>& out) {
    const size_t stride = static_cast<size_t>(s.group * s.head_dim), at = static_cast<size_t>(first) * stride;
    kernels.attend({.type = cache.type(),
                    .head_dim = s.head_dim,
                    .group = s.group,
                    .n_rows = n,
                    .first_position = first,
                    .scale = s.scale(),
                    .q = s.q.data() + at,
                    .q_stride = stride,
                    .out = out.data() + at,
                    .out_stride = stride,
                    .k_pages = cache.k_pages(),
                    .v_pages = cache.v_pages()});
}

std::vector<float> attend_in_chunks(const Kernels& kernels, const Sequence& s, const Cache& cache, int chunk) {
    std::vector<float> out(s.q.size(), 12345.0f);
    for (int first = 0; first < s.n_rows; first += chunk) attend(kernels, s, cache, first, std::min(chunk, s.n_rows - first), out);
    return out;
}

void expect_same(const std::vector<float>& actual, const std::vector<float>& expected, const std::string& what) {
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i)
        ASSERT_TRUE(same_bits(actual[i], expected[i])) << what << " value " << i << ": " << actual[i] << " is not " << expected[i];
}

class Attention : public ::testing::TestWithParam<std::tuple<const Kernels*, KvType>> {
protected:
    const Kernels& kernels() const { return *std::get<0>(GetParam()); }
    const Kernels& scalar() const { return select_kernels("scalar"); }
    KvType type() const { return std::get<1>(GetParam()); }
    // The width, or the next that the type can hold.
    int fitting(int width) const { return type() == KvType::q8_0 ? (width + 31) / 32 * 32 : width; }
};

// As the cache must hold them.
std::vector<float> rounded_to(KvType type, std::vector<float> x) {
    if (type == KvType::f16)
        for (float& value : x) value = f16_to_f32(f32_to_f16(value));
    if (type == KvType::q8_0) {
        std::vector<ActivationQ8_0> blocks(x.size() / 32);
        select_kernels("scalar").quantize_q8_0(x.data(), blocks.data(), static_cast<int>(x.size()));
        for (size_t i = 0; i < x.size(); ++i) x[i] = blocks[i / 32].d * static_cast<float>(blocks[i / 32].qs[i % 32]);
    }
    return x;
}

static_assert(kv_page_bytes(KvType::f32, 96) == 64 * 96 * 4 && kv_page_bytes(KvType::f16, 96) == 64 * 96 * 2);
static_assert(kv_page_bytes(KvType::q8_0, 96) == 64 * (96 + 3 * 2));  // as many bytes as blocks of Q8_0 have

TEST_P(Attention, StoresKeysTransposedAndValuesInRows) {
    Random random(1);
    for (const int any : {1, 7, 8, 64, 80, 100, 128, 256})
        for (const int position : {0, 1, 63, 64, 100}) {
            const int head_dim = fitting(any);
            Cache cache(type(), head_dim, 128);
            const size_t width = static_cast<size_t>(head_dim);
            const auto k = gaussian(width, random, 100), v = gaussian(width, random, 100);
            cache.store(kernels(), position, k.data(), v.data());
            const auto stored_k = rounded_to(type(), k), stored_v = rounded_to(type(), v);
            for (int p = 0; p < 128; ++p)
                for (int d = 0; d < head_dim; ++d) {
                    const size_t i = static_cast<size_t>(d);
                    ASSERT_TRUE(same_bits(cache.k(p, d), p == position ? stored_k[i] : not_a_number)) << head_dim << " " << p << " " << d;
                    ASSERT_TRUE(same_bits(cache.v(p, d), p == position ? stored_v[i] : not_a_number)) << head_dim << " " << p << " " << d;
                }
        }
}

TEST_P(Attention, StoresEveryKindOfFloat) {
    std::vector<float> x(32);
    for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 32 * 2039) {
        for (size_t i = 0; i < 32; ++i) x[i] = std::bit_cast<float>(static_cast<uint32_t>(bits + i * 2039));
        Cache cache(type(), 32, 1);
        cache.store(kernels(), 0, x.data(), x.data());
        const auto rounded = rounded_to(type(), x);
        for (int d = 0; d < 32; ++d) {
            const size_t i = static_cast<size_t>(d);
            ASSERT_TRUE(same_bits(cache.k(0, d), rounded[i]) && same_bits(cache.v(0, d), rounded[i])) << x[i];
        }
    }
}

// The error bound of the recipe, u = 2^-24. A score passes head_dim + 1 roundings of terms whose sizes add up to `terms`, and the
// subtraction of the maximum one more; exp is within 2u. Each of the B blocks scales a weight by a correction: exp 2u, its argument's
// rounding (small against `spread`), the product u. Weights appear in the numerator and in the denominator, so their errors count
// twice; the sums add (n + 8 + B) u and the quotient u. All relative to sum p |v|, the output if nothing cancelled.
double error_bound(double terms, double spread, int head_dim, int n_keys) {
    constexpr double u = 0x1p-24;
    const double blocks = static_cast<double>((n_keys + kv_block - 1) / kv_block);
    const double weight = (head_dim + 2) * u * terms + 2 * u * spread + 2 * u + blocks * 3 * u;
    return 1.01 * (2 * weight + (n_keys + 9 + blocks) * u);
}

void expect_definition(const Sequence& s, const Cache& cache, const std::vector<float>& out, int row, int head) {
    const size_t at = static_cast<size_t>((row * s.group + head) * s.head_dim), n = static_cast<size_t>(row + 1);
    std::vector<double> score(n);
    double most_terms = 0;
    for (size_t j = 0; j < n; ++j) {
        double terms = 0;
        for (int d = 0; d < s.head_dim; ++d) {
            const double product =
                static_cast<double>(s.q[at + static_cast<size_t>(d)]) * static_cast<double>(cache.k(static_cast<int>(j), d));
            score[j] += product * static_cast<double>(s.scale());
            terms += std::abs(product) * static_cast<double>(s.scale());
        }
        most_terms = std::max(most_terms, terms);
    }
    const auto [least, largest] = std::ranges::minmax(score);
    double sum = 0;
    for (const double x : score) sum += std::exp(x - largest);
    const double bound = error_bound(most_terms, largest - least, s.head_dim, row + 1);
    for (int d = 0; d < s.head_dim; ++d) {
        double value = 0, size = 0;
        for (size_t j = 0; j < n; ++j) {
            const double p = std::exp(score[j] - largest) / sum, v = static_cast<double>(cache.v(static_cast<int>(j), d));
            value += p * v;
            size += p * std::abs(v);
        }
        ASSERT_NEAR(static_cast<double>(out[at + static_cast<size_t>(d)]), value, bound * size)
            << "row " << row << " head " << head << " d " << d;
    }
}

TEST_P(Attention, IsTheDefinition) {
    for (const int any : {8, 64, 80, 96, 100, 128, 256}) {
        const int head_dim = fitting(any);
        const Sequence s(200, 3, head_dim, 10 + static_cast<uint64_t>(head_dim));
        Cache cache(type(), head_dim, 200);
        s.fill(kernels(), cache, 200);
        const auto out = attend_in_chunks(kernels(), s, cache, 200);
        for (int row = 0; row < 200; row += row < 70 ? 1 : 13)
            for (int head = 0; head < 3; ++head) expect_definition(s, cache, out, row, head);
    }
}

// One key: p = 1 and the sum is 1, so the output is the stored value itself.
TEST_P(Attention, OfTheFirstTokenIsItsValue) {
    const Sequence s(1, 2, 128, 3);
    Cache cache(type(), 128, 1);
    s.fill(kernels(), cache, 1);
    const auto out = attend_in_chunks(kernels(), s, cache, 1);
    for (int head = 0; head < 2; ++head)
        for (int d = 0; d < 128; ++d) ASSERT_EQ(out[static_cast<size_t>(head * 128 + d)], cache.v(0, d));
}

TEST_P(Attention, HasTheScalarBits) {
    for (const int any : {1, 8, 20, 64, 80, 96, 100, 128, 256}) {
        const int head_dim = fitting(any);
        const Sequence s(140, 2, head_dim, 20 + static_cast<uint64_t>(head_dim));
        Cache cache(type(), head_dim, 140), scalar_cache(type(), head_dim, 140);
        s.fill(kernels(), cache, 140);
        s.fill(scalar(), scalar_cache, 140);
        expect_same(attend_in_chunks(kernels(), s, cache, 140), attend_in_chunks(scalar(), s, scalar_cache, 140), "chunk of 140");
        expect_same(attend_in_chunks(kernels(), s, cache, 1), attend_in_chunks(scalar(), s, scalar_cache, 1), "rows alone");
    }
}

// A row has the same bits alone and in chunks of every size, at every place in a block: 140 rows start chunks at all positions.
TEST_P(Attention, DoesNotDependOnTheChunk) {
    for (const int group : {1, 2, 5}) {
        const Sequence s(140, group, fitting(40), 30);
        Cache cache(type(), s.head_dim, 140);
        s.fill(kernels(), cache, 140);
        const auto alone = attend_in_chunks(kernels(), s, cache, 1);
        for (int chunk = 2; chunk <= 70; ++chunk)
            expect_same(attend_in_chunks(kernels(), s, cache, chunk), alone, "chunk of " + std::to_string(chunk));
    }
}

TEST_P(Attention, DoesNotDependOnTheGroup) {
    for (int group = 1; group <= 16; ++group) {
        const Sequence s(70, group, 64, 40);
        Cache cache(type(), 64, 70);
        s.fill(kernels(), cache, 70);
        const auto together = attend_in_chunks(kernels(), s, cache, 70);
        for (int head = 0; head < group; ++head) {
            Sequence one = s;
            one.group = 1;
            one.q.clear();
            std::vector<float> expected;
            for (int row = 0; row < 70; ++row) {
                const auto at = (row * group + head) * 64;
                one.q.insert(one.q.end(), s.q.begin() + at, s.q.begin() + at + 64);
                expected.insert(expected.end(), together.begin() + at, together.begin() + at + 64);
            }
            expect_same(attend_in_chunks(kernels(), one, cache, 70), expected,
                        "head " + std::to_string(head) + " of " + std::to_string(group));
        }
    }
}

// Rows of other heads and other sequences lie between: strides are not the width, and nothing but the outputs is written.
TEST_P(Attention, KeepsToItsStrides) {
    constexpr int n = 30, group = 2;
    const int head_dim = fitting(20);
    const size_t width = static_cast<size_t>(head_dim * group), q_stride = width + 13, out_stride = width + 5;
    const Sequence s(n, group, head_dim, 50);
    Cache cache(type(), head_dim, n);
    s.fill(kernels(), cache, n);
    const auto expected = attend_in_chunks(kernels(), s, cache, n);
    std::vector<float> q(n * q_stride, not_a_number), out(n * out_stride, 12345.0f);
    for (size_t r = 0; r < n; ++r) std::copy_n(&s.q[r * width], width, &q[r * q_stride]);
    kernels().attend(
        {type(), head_dim, group, n, 0, s.scale(), q.data(), q_stride, out.data(), out_stride, cache.k_pages(), cache.v_pages()});
    for (size_t r = 0; r < n; ++r)
        for (size_t i = 0; i < out_stride; ++i)
            ASSERT_TRUE(same_bits(out[r * out_stride + i], i < width ? expected[r * width + i] : 12345.0f)) << r << " " << i;
}

// What a cache of any type holds is exact in F32, so the type changes nothing else.
TEST_P(Attention, HasTheBitsOfAnF32CacheOfTheStoredValues) {
    for (const int any : {80, 160}) {
        const int head_dim = fitting(any);
        Sequence s(100, 4, head_dim, 60);
        Cache cache(type(), head_dim, 100), f32(KvType::f32, head_dim, 100);
        s.fill(kernels(), cache, 100);
        for (int p = 0; p < 100; ++p)
            for (int d = 0; d < head_dim; ++d) {
                const size_t i = static_cast<size_t>(p * head_dim + d);
                s.k[i] = cache.k(p, d), s.v[i] = cache.v(p, d);
            }
        s.fill(kernels(), f32, 100);
        for (const int chunk : {1, 2, 100})
            expect_same(attend_in_chunks(kernels(), s, cache, chunk), attend_in_chunks(kernels(), s, f32, chunk), "F32");
    }
}

// Slots that were never written are NaN in every test here; now the tokens after a row also hold the worst, and are really there.
TEST_P(Attention, DoesNotSeeLaterTokens) {
    for (const float poison : {not_a_number, inf, -inf}) {
        const int head_dim = fitting(40);
        Sequence s(100, 2, head_dim, 70);
        Cache clean(type(), head_dim, 100);
        s.fill(kernels(), clean, 100);
        const auto expected = attend_in_chunks(kernels(), s, clean, 100);
        constexpr int first_bad = 77;
        for (auto* values : {&s.k, &s.v}) std::fill(values->begin() + first_bad * head_dim, values->end(), poison);
        Cache cache(type(), head_dim, 100);
        s.fill(kernels(), cache, 100);
        for (const int chunk : {1, 5, 48, 100}) {
            const auto out = attend_in_chunks(kernels(), s, cache, chunk);
            const auto end = static_cast<size_t>(first_bad * 2 * head_dim);
            for (size_t i = 0; i < end; ++i) ASSERT_TRUE(same_bits(out[i], expected[i])) << poison << " chunk " << chunk << " value " << i;
            for (size_t i = end; i < out.size(); ++i) ASSERT_FALSE(std::isfinite(out[i])) << "a bad value in sight must show";
        }
    }
}

TEST_P(Attention, KeepsABadQueryToItsRow) {
    for (const float poison : {not_a_number, inf, -inf}) {
        Sequence s(90, 2, 64, 80);
        Cache cache(type(), 64, 90);
        s.fill(kernels(), cache, 90);
        const auto expected = attend_in_chunks(kernels(), s, cache, 90);
        const size_t bad = 41;
        s.q[bad * 64 + 5] = poison;
        const auto out = attend_in_chunks(kernels(), s, cache, 90);
        for (size_t i = 0; i < out.size(); ++i) {
            if (i / 64 == bad)
                ASSERT_TRUE(std::isnan(out[i])) << i;
            else
                ASSERT_TRUE(same_bits(out[i], expected[i])) << i;
        }
    }
}

// Scores of -infinity weigh nothing, also when a whole first block has no other; if all keys are so, there is no answer: NaN.
TEST_P(Attention, GivesMinusInfinityNoWeight) {
    const int head_dim = fitting(16);
    const size_t width = static_cast<size_t>(head_dim);
    Sequence s(100, 1, head_dim, 90);
    std::fill_n(s.k.begin(), 80 * width, -3e38f);
    std::fill(s.q.begin(), s.q.end(), 2.0f);
    Cache cache(type(), head_dim, 100);
    s.fill(kernels(), cache, 100);
    const auto out = attend_in_chunks(kernels(), s, cache, 100);
    for (size_t i = 0; i < 80 * width; ++i) ASSERT_TRUE(std::isnan(out[i]));
    for (size_t d = 0; d < width; ++d) ASSERT_EQ(out[80 * width + d], cache.v(80, static_cast<int>(d))) << "the only key with a weight";
    for (size_t i = 81 * width; i < out.size(); ++i) ASSERT_TRUE(std::isfinite(out[i]));
}

TEST_P(Attention, SurvivesLargeScores) {
    Sequence s(100, 2, 64, 95);
    for (float& q : s.q) q *= 3000;
    Cache cache(type(), 64, 100);
    s.fill(kernels(), cache, 100);
    const auto out = attend_in_chunks(kernels(), s, cache, 7);
    const float largest = std::abs(std::ranges::max(s.v, {}, [](float x) { return std::abs(x); }));
    for (const float x : out) ASSERT_LE(std::abs(x), largest * 1.001f);
}

std::string name_of(KvType type) { return type == KvType::f16 ? "f16" : type == KvType::f32 ? "f32" : "q8_0"; }

INSTANTIATE_TEST_SUITE_P(
    Tables, Attention, ::testing::Combine(::testing::ValuesIn(usable_kernels()), ::testing::Values(KvType::f16, KvType::f32, KvType::q8_0)),
    [](const auto& param_info) { return std::string(std::get<0>(param_info.param)->name) + "_" + name_of(std::get<1>(param_info.param)); });

}  // namespace
}  // namespace kylin
