#include "parity/hypotheses.h"

#include <cmath>
#include <cstdio>

#include "parity/hypotheses_solve.h"

namespace kylin::parity {
namespace {

std::vector<Hypothesis> catalogue() {
    std::vector<Hypothesis> all;
    for (auto* part : {input_hypotheses, norm_hypotheses, rope_hypotheses, attention_hypotheses, feed_forward_hypotheses, weight_hypotheses,
                       generic_hypotheses})
        for (Hypothesis& h : part()) all.push_back(std::move(h));
    return all;
}

std::string short_text(double x) {
    char text[40];
    if (std::fabs(x) < 1e9 && x == std::round(x)) return std::to_string(std::lround(x));
    for (int digits = 1; digits <= 17; ++digits) {
        std::snprintf(text, sizeof text, "%.*g", digits, x);
        if (std::fabs(std::atof(text) - x) <= 1e-6 * std::fabs(x)) break;
    }
    return text;
}

void replace(std::string& text, const std::string& place, const std::string& value) {
    for (size_t at; (at = text.find(place)) != std::string::npos;) text.replace(at, place.size(), value);
}

}  // namespace

std::span<const Hypothesis> hypotheses() {
    static const std::vector<Hypothesis> all = catalogue();
    return all;
}

const Hypothesis* hypothesis_named(std::string_view name) {
    for (const Hypothesis& h : hypotheses())
        if (h.name == name) return &h;
    return nullptr;
}

Mistake mistake(const Model& model, const Hypothesis& h, const Values& values, Where where, int n_prompt) {
    return {h.stages, where, [&model, &h, values, n_prompt](Form& form, const Place& at) {
                h.change(form, {model, at, values, n_prompt});
            }};
}

std::string number_text(double x) {
    const auto is_whole = [](double v) { return v >= 2 && v < 1e5 && std::fabs(v - std::round(v)) < 1e-6 * v; };
    const std::string plain = short_text(x);
    if (plain.size() <= 5 || x <= 0 || x == std::round(x)) return plain;  // a root is worth its sign only where it is shorter
    if (is_whole(1 / x)) return "1/" + short_text(std::round(1 / x));
    if (is_whole(1 / (x * x))) return "1/sqrt(" + short_text(std::round(1 / (x * x))) + ")";
    if (is_whole(x * x) && !is_whole(x)) return "sqrt(" + short_text(std::round(x * x)) + ")";
    return plain;
}

std::string value_text(const Model& model, const Parameter& p, double value) {
    constexpr const char* forms[] = {"nothing at all", "F16", "BF16", "Q8_0", "Q8_1", "Q8_K"};  // in the order of RowForm
    switch (p.kind) {
        case Parameter::Kind::number:
            return number_text(value);
        case Parameter::Kind::tensor:
            return std::string(model.weights()[static_cast<size_t>(value)].name);
        case Parameter::Kind::form:
            return forms[static_cast<size_t>(value)];
        default:
            return short_text(value);
    }
}

std::string explain(const Model& model, const Hypothesis& h, const Values& values, const Place& at) {
    std::string text(h.explanation);
    for (size_t i = 0; i < h.parameters.size() && i < values.size(); ++i) {
        const Parameter& p = h.parameters[i];
        std::string value = value_text(model, p, values[i]);
        if (p.kind == Parameter::Kind::tokens)
            for (size_t t = 1; t < values.size(); ++t) value += ", " + value_text(model, p, values[t]);
        replace(text, "{" + std::string(p.name) + "}", value);
        if (p.expected) replace(text, "{" + std::string(p.name) + ".expected}", number_text(p.expected(model, at)));
    }
    return text;
}

}  // namespace kylin::parity
