#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "engine/philox.h"
#include "kernels/kernels.h"

namespace kylin {
namespace {

// Sum of exp((logit - top) / temperature).
double total_weight(std::span<const Candidate> candidates, double top, double temperature) {
    double total = 0;
    for (const Candidate& c : candidates) total += std::exp((c.logit - top) / temperature);
    return total;
}

void keep_top_p(Ranking& ranking, double p) {
    const double top = ranking.at(0).logit, enough = p * total_weight(ranking.unordered(), top, 1);
    double sum = 0;
    for (size_t i = 0; i < ranking.size(); ++i) {
        sum += std::exp(ranking.at(i).logit - top);
        if (sum >= enough) return ranking.keep(i + 1);
    }
}

void keep_min_p(Ranking& ranking, double p) {
    const double least = ranking.at(0).logit + std::log(p);
    for (size_t i = 1; i < ranking.size(); ++i)
        if (ranking.at(i).logit < least) return ranking.keep(i);
}

// Locally typical sampling (Meister et al. 2022): the tokens whose surprise is nearest to the entropy, until they weigh p.
void keep_typical(Ranking& ranking, double p) {
    const double top = ranking.at(0).logit;
    const double log_total = top + std::log(total_weight(ranking.unordered(), top, 1));
    double entropy = 0;
    for (const Candidate& c : ranking.unordered()) entropy -= std::exp(c.logit - log_total) * (c.logit - log_total);

    struct Shifted {
        double shift;
        Candidate candidate;
    };
    std::vector<Shifted> order;
    order.reserve(ranking.size());
    for (size_t i = 0; i < ranking.size(); ++i) order.push_back({std::abs(log_total - ranking.at(i).logit - entropy), ranking.at(i)});
    std::stable_sort(order.begin(), order.end(), [](const Shifted& a, const Shifted& b) { return a.shift < b.shift; });

    std::vector<Candidate> kept;
    double sum = 0;
    for (const Shifted& s : order) {
        kept.push_back(s.candidate);
        sum += std::exp(s.candidate.logit - log_total);
        if (sum > p) break;
    }
    ranking.keep(std::move(kept));
}

int32_t draw(Ranking& ranking, double temperature, double u) {
    const double top = ranking.at(0).logit, target = u * total_weight(ranking.unordered(), top, temperature);
    double sum = 0;
    for (size_t i = 0; i < ranking.size(); ++i) {
        sum += std::exp((ranking.at(i).logit - top) / temperature);
        if (sum > target) return ranking.at(i).id;
    }
    return ranking.at(ranking.size() - 1).id;
}

bool penalizes(const Sampling& s) { return s.repetition_penalty != 1 || s.presence_penalty != 0 || s.frequency_penalty != 0; }

}  // namespace

bool all_finite(std::span<const float> values) {
    return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

void Sampler::change(int32_t id, double logit) {
    const size_t group = static_cast<size_t>(id) / peak_width;
    const double before = std::exchange(adjusted_[static_cast<size_t>(id)], logit);
    double& peak = adjusted_peaks_[group];
    if (logit >= peak) {
        peak = logit;
    } else if (before == peak) {
        const auto rest = std::span(adjusted_).subspan(group * peak_width);
        peak = std::ranges::max(rest.first(std::min(rest.size(), peak_width)));
    }
}

void Sampler::adjust(const Sampling& s, const Logits& logits, std::span<const int32_t> tokens) {
    adjusted_.assign(logits.values.begin(), logits.values.end());
    adjusted_peaks_.assign(logits.peaks.begin(), logits.peaks.end());
    for (const auto& [id, bias] : s.logit_bias) change(id, adjusted_[static_cast<size_t>(id)] + static_cast<double>(bias));
    if (!penalizes(s)) return;

    const size_t window = s.penalty_window < 0 ? tokens.size() : std::min(tokens.size(), static_cast<size_t>(s.penalty_window));
    std::unordered_map<int32_t, int> counts;
    for (const int32_t id : tokens.last(window)) ++counts[id];
    for (const auto& [id, count] : counts) {
        const double logit = adjusted_[static_cast<size_t>(id)];
        const double repeated = logit > 0 ? logit / s.repetition_penalty : logit * s.repetition_penalty;
        change(id, repeated - (count * s.frequency_penalty + s.presence_penalty));
    }
}

template <class Logit>
int32_t Sampler::choose_from(const Sampling& s, std::span<const Logit> logits, std::span<const Logit> peaks, const Context& context) {
    const bool greedy = s.temperature == 0;
    if (const int n_best = greedy ? 1 : s.top_k; n_best > 0) {
        ranking_.assign_best(logits, peaks, context.allowed, static_cast<size_t>(n_best));
        ranking_.keep(static_cast<size_t>(n_best));
    } else {
        ranking_.assign(logits, context.allowed);
    }
    if (greedy) return ranking_.at(0).id;
    if (s.typical_p < 1) keep_typical(ranking_, s.typical_p);
    if (s.top_p < 1) keep_top_p(ranking_, s.top_p);
    if (s.min_p > 0) keep_min_p(ranking_, s.min_p);
    return draw(ranking_, s.temperature, uniform(s.seed, context.index));
}

int32_t Sampler::choose(const Sampling& s, const Logits& logits, const Context& context) {
    if (s.logit_bias.empty() && !penalizes(s)) return choose_from(s, logits.values, logits.peaks, context);
    adjust(s, logits, context.tokens);
    return choose_from<double>(s, adjusted_, adjusted_peaks_, context);
}

int32_t Sampler::choose(const Sampling& s, std::span<const float> logits, const Context& context) {
    peaks_.resize(n_peaks(logits.size()));
    select_kernels().find_peaks(logits.data(), static_cast<int>(logits.size()), peaks_.data());
    return choose(s, {logits, peaks_}, context);
}

std::vector<TokenLogprob> logprobs_of(std::span<const float> logits, int32_t chosen, int n, const grammar::TokenMask* allowed) {
    Ranking ranking;
    ranking.assign(logits, allowed);
    const double top = ranking.at(0).logit, log_total = top + std::log(total_weight(ranking.unordered(), top, 1));

    std::vector<TokenLogprob> result = {{chosen, double{logits[static_cast<size_t>(chosen)]} - log_total}};
    for (size_t i = 0; i < std::min(static_cast<size_t>(n), ranking.size()); ++i)
        result.push_back({ranking.at(i).id, ranking.at(i).logit - log_total});
    return result;
}

}  // namespace kylin
