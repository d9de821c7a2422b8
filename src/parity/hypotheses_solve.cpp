#include "parity/hypotheses_solve.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>

#include "numerics/rope_table.h"

namespace kylin::parity {
namespace {

// Least squares of theirs = s ours, over values that are finite in both.
std::optional<double> ratio(std::span<const double> theirs, std::span<const double> ours) {
    double product = 0, square = 0;
    for (size_t i = 0; i < std::min(theirs.size(), ours.size()); ++i)
        if (std::isfinite(theirs[i]) && std::isfinite(ours[i])) product += theirs[i] * ours[i], square += ours[i] * ours[i];
    if (square == 0 || product == 0) return std::nullopt;
    return product / square;
}

double turned(double angle) { return std::remainder(angle, 2 * std::numbers::pi); }

// Radians per position that the model asks for.
std::vector<double> frequencies(const Rope& rope) {
    const int32_t one[] = {1};
    const RopeAngles a = rope_angles(rope, one);
    std::vector<double> f;
    for (size_t i = 0; i < a.cos.size(); ++i) f.push_back(std::atan2(a.sin[i], a.cos[i]));
    return f;
}

// The slope of an angle over positions, when it is zero at position 0: each row refines what those before it say, so that no turn is lost.
struct Slope {
    double value = 0, weight = 0;
};
Slope slope_of(const Turns& turns, const std::vector<int>& positions, size_t pair) {
    std::vector<size_t> order(positions.size());
    for (size_t r = 0; r < order.size(); ++r) order[r] = r;
    std::ranges::sort(order, {}, [&](size_t r) { return positions[r]; });
    double numerator = 0, denominator = 0;
    for (const size_t r : order) {
        const double p = positions[r], w = turns.weight[r * turns.n_pairs + pair];
        if (p == 0 || w == 0) continue;
        const double expected = denominator == 0 ? 0 : numerator / denominator * p;
        const double angle = expected + turned(turns.angle[r * turns.n_pairs + pair] - expected);
        numerator += w * angle * p, denominator += w * p * p;
    }
    return {denominator == 0 ? 0 : numerator / denominator, denominator};
}

}  // namespace

void rotate(const Rope& rope, int position, std::span<double> row) {
    const int32_t at[] = {position};
    const RopeAngles angles = rope_angles(rope, at);
    const auto half = static_cast<size_t>(rope.n_dims) / 2;
    for (size_t head = 0; head < row.size(); head += static_cast<size_t>(rope.head_dim))
        for (size_t i = 0; i < half; ++i) {
            const size_t a = head + (rope.neox ? i : 2 * i), b = rope.neox ? a + half : a + 1;
            const double x = row[a], y = row[b];
            row[a] = x * angles.cos[i] - y * angles.sin[i];
            row[b] = x * angles.sin[i] + y * angles.cos[i];
        }
}

std::optional<double> solve_scale(const Evidence& e) { return ratio(e.theirs(), e.as_is()); }

std::vector<Values> scale_candidates(const Evidence& e) {
    const auto scale = solve_scale(e);
    return scale ? std::vector<Values>{{*scale}} : std::vector<Values>{};
}

std::vector<Values> branch_scales(const Evidence& e) {
    const std::vector<double> branch = e.rows_of(e.at().stage == Stage::attn_residual ? Stage::attn_out : Stage::ffn_down);
    if (branch.size() != e.theirs().size()) return {};
    std::vector<double> difference = e.theirs();
    for (size_t i = 0; i < difference.size(); ++i) difference[i] -= e.as_is()[i];
    const auto more = ratio(difference, branch);
    return more ? std::vector<Values>{{1 + *more}} : std::vector<Values>{};
}

// theirs / ours = sqrt((m + eps) / (m + x)) in a group of mean square m.
std::optional<double> solve_eps(const Evidence& e) {
    const Config& c = e.model().config();
    const bool heads = e.at().stage == Stage::q_norm || e.at().stage == Stage::k_norm;
    using enum Stage;
    const Stage from = e.at().stage == attn_norm  ? layer_out
                       : e.at().stage == q_norm   ? q_proj
                       : e.at().stage == k_norm   ? k_proj
                       : e.at().stage == ffn_norm ? attn_residual
                                                  : layer_out;
    if (e.at().stage != from && e.at().stage != attn_norm && e.at().stage != ffn_norm && e.at().stage != final_norm && !heads)
        return std::nullopt;
    const std::vector<double> x = e.rows_of(from);
    if (x.size() != e.theirs().size()) return std::nullopt;
    const size_t group = heads ? static_cast<size_t>(c.attention.head_dim) : e.width();
    const auto eps = static_cast<double>(c.norm_eps);
    double sum = 0, weights = 0;
    for (size_t g = 0; g + group <= x.size(); g += group) {
        double m = 0;
        for (size_t i = g; i < g + group; ++i) m += x[i] * x[i] / static_cast<double>(group);
        const auto s = ratio(std::span(e.theirs()).subspan(g, group), std::span(e.as_is()).subspan(g, group));
        if (!s || *s <= 0) continue;
        const double found = (m + eps) / (*s * *s) - m, weight = 1 / ((m + eps) * (m + eps));  // an error of s moves it by m
        sum += weight * found, weights += weight;
    }
    if (weights == 0 || sum / weights < 0) return std::nullopt;
    return sum / weights;
}

Turns measure_turns(const Evidence& e) {
    const Rope& rope = e.model().config().rope;
    Turns turns;
    turns.n_pairs = static_cast<size_t>(rope.n_dims) / 2;
    const auto head_dim = static_cast<size_t>(rope.head_dim);
    if (e.at().stage != Stage::q_rope && e.at().stage != Stage::k_rope) return {};
    double theirs_squared = 0, ours_squared = 0;
    for (size_t r = 0; r < e.theirs().size() / e.width(); ++r)
        for (size_t i = 0; i < turns.n_pairs; ++i) {
            double dot = 0, cross = 0;
            for (size_t head = r * e.width(); head < (r + 1) * e.width(); head += head_dim) {
                const size_t a = head + (rope.neox ? i : 2 * i), b = rope.neox ? a + turns.n_pairs : a + 1;
                const double x0 = e.as_is()[a], x1 = e.as_is()[b], y0 = e.theirs()[a], y1 = e.theirs()[b];
                dot += x0 * y0 + x1 * y1, cross += x0 * y1 - x1 * y0;
                theirs_squared += y0 * y0 + y1 * y1, ours_squared += x0 * x0 + x1 * x1;
            }
            turns.angle.push_back(std::atan2(cross, dot));
            turns.weight.push_back(std::hypot(cross, dot));
        }
    if (ours_squared > 0) turns.magnitude = std::sqrt(theirs_squared / ours_squared);
    return turns;
}

// Pair i turns by base^(-2i/n): ln of the frequency is linear in i. An error of the frequency f moves ln base by n/(2i) of it over f.
std::optional<double> solve_rope_base(const Evidence& e) {
    const Rope& rope = e.model().config().rope;
    const Turns turns = measure_turns(e);
    const auto f = frequencies(rope);
    double sum = 0, weights = 0;
    for (size_t i = 1; i < turns.n_pairs; ++i) {
        const Slope s = slope_of(turns, e.tokens(), i);
        const double frequency = f[i] + s.value, share = 2.0 * static_cast<double>(i) / rope.n_dims;
        if (s.weight == 0 || !(frequency > 0) || frequency >= std::numbers::pi) continue;
        const double weight = s.weight * frequency * frequency * share * share;
        sum += weight * (-std::log(frequency) / share), weights += weight;
    }
    if (weights == 0) return std::nullopt;
    return std::exp(sum / weights);
}

// An offset turns each pair by as much at every position: of the slow pairs the offset can be read, with no turn lost.
std::optional<int> solve_position_offset(const Evidence& e) {
    const Turns turns = measure_turns(e);
    const auto f = frequencies(e.model().config().rope);
    double sum = 0, weights = 0;
    for (size_t i = turns.n_pairs / 2; i < turns.n_pairs; ++i)
        for (size_t r = 0; r * turns.n_pairs < turns.angle.size(); ++r) {
            const double weight = turns.weight[r * turns.n_pairs + i] * f[i] * f[i];
            sum += weight * turns.angle[r * turns.n_pairs + i] / f[i], weights += weight;
        }
    if (weights == 0 || std::fabs(sum / weights) > 1e9) return std::nullopt;
    return static_cast<int>(std::lround(sum / weights));
}

// By how much the slow pairs turn too slowly: they are interpolated by every kind of scaling.
std::optional<double> solve_rope_factor(const Evidence& e) {
    const Turns turns = measure_turns(e);
    const auto f = frequencies(e.model().config().rope);
    double theirs = 0, ours = 0;
    for (size_t i = turns.n_pairs * 3 / 4; i < turns.n_pairs; ++i) {
        const Slope s = slope_of(turns, e.tokens(), i);
        theirs += s.weight * f[i] * (f[i] + s.value), ours += s.weight * f[i] * f[i];
    }
    if (!(theirs > 0)) return std::nullopt;
    return ours / theirs;
}

Values find_tokens(const Evidence& e) {
    const Weight* table = nullptr;
    for (const Weight& w : e.model().weights())
        if (w.name == "token_embd.weight") table = &w;
    const auto tokens = e.tokens();
    if (!table || tokens.empty() || e.width() != static_cast<size_t>(table->width)) return {};
    std::vector<double> best(tokens.size(), HUGE_VAL);
    Values ids(static_cast<size_t>(tokens.back()) + 1, -1);
    for (int id = 0; id < table->n_outputs; ++id) {
        const auto row = values_of<double>(*table, id);
        for (size_t r = 0; r < tokens.size(); ++r) {
            double off = 0;
            const double* theirs = e.theirs().data() + r * e.width();
            for (size_t i = 0; i < row.size() && off < best[r]; ++i) off += (theirs[i] - row[i]) * (theirs[i] - row[i]);
            if (off < best[r]) best[r] = off, ids[static_cast<size_t>(tokens[r])] = id;
        }
    }
    return ids;
}

std::vector<double> plain_numbers_near(double x) {
    constexpr double near = 1e-2;
    std::vector<double> found;
    const auto add = [&](double candidate) {
        if (std::isfinite(candidate) && std::fabs(candidate - x) <= near * std::fabs(x)) found.push_back(candidate);
    };
    const auto rounded = [](double v, int digits) {
        char text[40];
        std::snprintf(text, sizeof text, "%.*e", digits - 1, v);
        return std::atof(text);
    };
    found.push_back(rounded(x, 1));  // however far: the data say whether it is the number
    for (int digits = 2; digits <= 3; ++digits) add(rounded(x, digits));
    if (x > 0) {
        add(1 / std::sqrt(std::round(1 / (x * x))));
        add(std::sqrt(std::round(x * x)));
        add(1 / std::round(1 / x));
    }
    for (int digits = 4; digits <= 7; ++digits) add(rounded(x, digits));
    add(x);
    return found;
}

}  // namespace kylin::parity
