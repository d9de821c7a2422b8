#include "parity/what_if.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "base/error.h"

namespace kylin::parity {
namespace {

// What a person would type for the mistakes that are asked about most.
constexpr std::pair<std::string_view, std::string_view> short_names[] = {{"rope=norm", "rope-norm-for-neox"},
                                                                         {"rope=none", "rope-missing"},
                                                                         {"rope=inverse", "rope-inverse"},
                                                                         {"gqa=tile", "gqa-interleaved"},
                                                                         {"mask=none", "mask-missing"},
                                                                         {"act=gelu", "gelu-for-silu"},
                                                                         {"act=relu", "relu-for-silu"},
                                                                         {"norm=layernorm", "layer-norm"},
                                                                         {"norm=scaled-by-depth", "layernorm-scaling"},
                                                                         {"kv=f16", "kv-f16-undeclared"},
                                                                         {"qk-norm=after-rope", "norm-after-rope"}};

[[noreturn]] void fail(const std::string& what) { throw InputError("--with", what); }

std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
    return parts;
}

double number(const std::string& text) {
    double x = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), x);
    if (error != std::errc{} || end != text.data() + text.size()) fail("\"" + text + "\" is no number");
    return x;
}

// A value as value_text writes it.
double value(const Model& model, const Parameter& p, const std::string& text) {
    switch (p.kind) {
        case Parameter::Kind::tensor:
            for (size_t i = 0; i < model.weights().size(); ++i)
                if (model.weights()[i].name == text) return static_cast<double>(i);
            fail("no tensor is called \"" + text + "\"");
        case Parameter::Kind::form:
            for (const double form : {1.0, 2.0, 3.0, 4.0, 5.0})  // of RowForm, without `exact`
                if (value_text(model, p, form) == text) return form;
            fail("\"" + text + "\" is no form of a row: F16, BF16, Q8_0, Q8_1, Q8_K");
        case Parameter::Kind::tokens:
        case Parameter::Kind::row:
            fail("a mistake with a row of values cannot be made by hand");
        default:
            return number(text);
    }
}

// "3", "ffn_norm" or "ffn_norm.3".
void restrict_to(const Model& model, const std::string& place, Intervention& what) {
    const size_t dot = place.find('.');
    const bool has_stage = dot != std::string::npos || stage_named(place);
    if (has_stage) {
        const auto stage = stage_named(place.substr(0, dot));
        if (!stage || std::ranges::find(what.stages, *stage) == what.stages.end())
            fail(std::string(what.hypothesis->name) + " does not act at \"" + place + "\"");
        what.stages = {*stage};
    }
    if (has_stage && dot == std::string::npos) return;
    const double layer = number(has_stage ? place.substr(dot + 1) : place);
    if (layer < 0 || layer >= model.config().n_layer || layer != std::floor(layer))
        fail("the model has layers 0 to " + std::to_string(model.config().n_layer - 1));
    what.where.first_layer = what.where.last_layer = static_cast<int>(layer);
}

}  // namespace

Intervention intervention(const Model& model, const std::string& text) {
    const size_t place_at = text.find('@');
    std::string name = text.substr(0, place_at), values;
    const auto is_short = [&](const auto& s) { return s.first == name; };
    if (const auto found = std::ranges::find_if(short_names, is_short); found != std::end(short_names)) {
        name = found->second;
    } else if (const size_t at = name.find('='); at != std::string::npos) {
        values = name.substr(at + 1);
        name.resize(at);
    }
    Intervention what{hypothesis_named(name), {}, {}, {}};
    if (!what.hypothesis) fail("\"" + text + "\" is no mistake of the catalogue: kylin diagnose --catalogue lists them");
    what.stages = what.hypothesis->stages;
    const auto& parameters = what.hypothesis->parameters;
    const auto given = split(values, ',');
    if (given.size() != parameters.size()) {
        std::string names;
        for (const Parameter& p : parameters) names += (names.empty() ? "" : ",") + std::string(p.name);
        fail(parameters.empty() ? name + " takes no value" : "give " + name + "=" + names);
    }
    for (size_t i = 0; i < given.size(); ++i) what.values.push_back(value(model, parameters[i], given[i]));
    if (place_at != std::string::npos) restrict_to(model, text.substr(place_at + 1), what);
    return what;
}

std::string explain(const Model& model, const Intervention& what) {
    const int layer = what.where.first_layer;
    const bool one = what.where.last_layer == layer;
    return explain(model, *what.hypothesis, what.values, {what.stages[0], layer}) + (one ? ", in layer " + std::to_string(layer) : "");
}

std::vector<int32_t> record_with(const std::vector<Intervention>& list, const Run& run, int n_threads, const Recording& to) {
    std::vector<Mistake> mistakes;
    TraceAbout about{.engine = "", .numerics = "float64", .tokens = run.tokens, .n_prompt = run.n_prompt};
    for (const Intervention& i : list) {
        mistakes.push_back(mistake(run.model, *i.hypothesis, i.values, i.where, run.n_prompt));
        mistakes.back().stages = i.stages;
        about.engine += (about.engine.empty() ? "the oracle with " : " and ") + std::string(i.hypothesis->name);
    }
    Altered math(run.model, {.kind = NumericsKind::oracle, .n_pages = pages_for(n_tokens(run)), .n_threads = n_threads}, {}, mistakes,
                 run.n_prompt);
    try {
        return record(run, math, about, to);
    } catch (const NotApplicable&) {
        fail("this model has not what the mistake changes");
    }
}

}  // namespace kylin::parity
