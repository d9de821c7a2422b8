#include "parity/diagnose_text.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "parity/diagnose_json.h"

namespace kylin::parity {
namespace {

using Json = nlohmann::ordered_json;
constexpr size_t shown_values = 16;  // of a row or a list of tokens

Json number(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }

Json layer_of(const Place& at) { return info(at.stage).scope == Scope::once ? Json(nullptr) : Json(at.layer); }

std::string digits(double x) {
    char text[40];
    std::snprintf(text, sizeof text, "%.3g", x);
    return text;
}

std::string layers_text(const std::set<int>& layers) {
    std::string text;
    for (auto it = layers.begin(); it != layers.end();) {
        auto end = it;
        int last = *it;
        while (++end != layers.end() && *end == last + 1) last = *end;
        text += (text.empty() ? "" : ", ") + std::to_string(*it) + (last > *it ? "-" + std::to_string(last) : "");
        it = end;
    }
    return (layers.size() > 1 ? "layers " : "layer ") + text;
}

Json parameter(const Fault::Named& p) {
    const auto value = [&](double x) {
        return p.kind == Parameter::Kind::number                                      ? number(x)
               : p.kind == Parameter::Kind::tensor || p.kind == Parameter::Kind::form ? Json(p.text)
               : p.kind == Parameter::Kind::row                                       ? number(x)
                                                                                      : Json(static_cast<int64_t>(x));
    };
    Json j = {{"name", p.name}};
    if (p.kind == Parameter::Kind::tokens || p.kind == Parameter::Kind::row) {
        Json list = Json::array();
        for (size_t i = 0; i < std::min(shown_values, p.values.size()); ++i) list.push_back(value(p.values[i]));
        j["value"] = list;
    } else {
        j["value"] = value(p.values[0]);
    }
    j["text"] = p.text;
    if (p.expected) j["expected"] = number(*p.expected);
    return j;
}

Json fault(const Fault& f) {
    Json places = Json::array(), parameters = Json::object(), equivalent = Json::array(), tried = Json::array(), details = Json::array(),
         elements = Json::array();
    for (const Place& p : f.places) places.push_back(trace_name(p));
    for (const auto& p : f.parameters) {
        Json d = parameter(p);
        parameters[p.name] = d["value"];
        details.push_back(d);
    }
    for (const auto& e : f.equivalent)
        equivalent.push_back({{"name", e.name}, {"explanation", e.explanation}, {"told_apart_by", e.shows_with}});
    for (const auto& e : f.elements)
        elements.push_back({{"token", e.token},
                            {"head", e.head ? Json(*e.head) : Json(nullptr)},
                            {"channel", e.channel},
                            {"theirs", number(e.theirs)},
                            {"as_is", number(e.as_is)},
                            {"with_fault", number(e.with_fault)}});
    for (const Tried& t : f.tried) tried.push_back({{"name", t.name}, {"error", number(t.error)}, {"ratio", number(t.ratio)}});
    return {{"name", f.name},
            {"stage", info(f.at.stage).name},
            {"layer", layer_of(f.at)},
            {"parameters", parameters},
            {"explanation", f.explanation},
            {"phase", name(f.phase)},
            {"places", places},
            {"parameter_details", details},
            {"fix", f.fix},
            {"threads", f.threads},
            {"equivalent", equivalent},
            {"dumps_that_would_decide", f.dumps},
            {"error_as_is", number(f.before)},
            {"error_with_fault", number(f.after)},
            {"tried", tried},
            {"elements", elements}};
}

std::string phase_text(Phase phase) {
    return phase == Phase::all ? "" : phase == Phase::decode ? ", in decode only" : ", in the prompt only";
}

}  // namespace

std::string_view name(Phase phase) {
    constexpr std::string_view names[] = {"all", "prompt", "decode"};  // in the order of Phase
    return names[static_cast<size_t>(phase)];
}

Fault describe(const Model& model, const Hypothesis& h, const Values& values, const Place& at) {
    Fault f;
    f.name = h.name, f.at = at;
    f.explanation = explain(model, h, values, at);
    f.fix = h.fix, f.threads = h.threads, f.generic = h.generic;
    f.hypothesis = &h, f.values = values;
    for (size_t i = 0; i < h.parameters.size() && i < values.size(); ++i) {
        const Parameter& p = h.parameters[i];
        const bool list = p.kind == Parameter::Kind::tokens || p.kind == Parameter::Kind::row;
        f.parameters.push_back({std::string(p.name), value_text(model, p, values[i]), list ? values : Values{values[i]},
                                p.expected ? std::optional(p.expected(model, at)) : std::nullopt, p.kind});
    }
    return f;
}

std::string places_text(const std::vector<Place>& places) {
    std::vector<std::string> stages;
    std::set<int> layers;
    for (const Place& p : places) {
        const std::string stage(info(p.stage).name);
        if (std::ranges::find(stages, stage) == stages.end()) stages.push_back(stage);
        if (info(p.stage).scope == Scope::per_layer) layers.insert(p.layer);
    }
    std::string text;
    for (const std::string& s : stages) text += (text.empty() ? "" : ", ") + s;
    return layers.empty() ? text : text + " of " + layers_text(layers);
}

void describe_all(Diagnosis& d, const DiagnoseInput& in) {
    for (Fault& f : d.faults) {
        std::ranges::stable_sort(f.tried, {}, &Tried::error);
        f.tried.insert(f.tried.begin(), {"as is", 0, f.before});
        if (f.name == "unexplained")
            f.explanation =
                f.dumps.empty()
                    ? "given its own inputs, the stage is not what the model says, and no mistake of the catalogue reproduces it"
                    : "between the stages that the trace holds something is not what the model says; more stages would show where";
    }
    if (d.faults.empty()) {
        d.sentence =
            "No fault in " + in.whose + ": all " + std::to_string(d.n_judged) + " judged stages follow from their own inputs to rounding.";
    } else {
        for (const Fault& f : d.faults)
            d.sentence += (d.sentence.empty() ? "In " + in.whose + ": " : " Also: ") + places_text(f.places) + phase_text(f.phase) + ": " +
                          f.explanation + (f.name == "unexplained" ? "." : " (" + f.name + ").");
    }
    if (!d.missing.empty()) d.notes.push_back(std::to_string(d.missing.size()) + " stages are missing in the trace.");
}

nlohmann::ordered_json json_of(const Diagnosis& d) {
    Json faults = Json::array();
    for (const Fault& f : d.faults) faults.push_back(fault(f));
    return {{"format", "kylin.diagnosis/1"},
            {"sentence", d.sentence},
            {"verdict", d.faults.empty() ? "parity"
                        : d.explained()  ? "named"
                                         : "unexplained"},
            {"faults", faults},
            {"judged", d.n_judged},
            {"missing", d.missing},
            {"notes", d.notes}};
}

std::string to_json(const Diagnosis& d) { return json_of(d).dump(1, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::string to_text(const Diagnosis& d) {
    constexpr size_t shown = 6;
    std::string text = d.sentence + "\n";
    for (const Fault& f : d.faults) {
        text += "\n" + f.name + " at " + trace_name(f.at) + phase_text(f.phase) + "\n";
        if (!f.fix.empty()) text += "  fix: " + f.fix + "\n";
        if (!f.threads.empty()) text += "  seen in: " + f.threads + "\n";
        text += "  relative error as is " + digits(f.before);
        if (f.name != "unexplained") text += ", with this " + digits(f.after);
        text += "\n";
        for (size_t i = 1; i < std::min(shown, f.tried.size()); ++i)
            text += "    " + f.tried[i].name + ": " + digits(f.tried[i].error) + "\n";
        if (!f.elements.empty()) {
            const auto& e = f.elements[0];
            text += "  worst element: token " + std::to_string(e.token) +
                    (e.head ? ", head " + std::to_string(*e.head) + ", key " : ", channel ") + std::to_string(e.channel) + ": " +
                    digits(e.theirs) + ", right is " + digits(e.as_is) +
                    (f.name == "unexplained" ? "" : ", with this " + digits(e.with_fault)) + "\n";
        }
        for (const auto& e : f.equivalent)
            text += "  these inputs do not tell it from " + e.name + " (" + e.explanation + "); this would: " + e.shows_with + "\n";
        if (!f.dumps.empty()) {
            text += "  a dump of these would decide:";
            for (size_t i = 0; i < std::min(size_t{8}, f.dumps.size()); ++i) text += " " + f.dumps[i];
            text += f.dumps.size() > 8 ? " ...\n" : "\n";
        }
    }
    for (const std::string& note : d.notes) text += "note: " + note + "\n";
    return text;
}

}  // namespace kylin::parity
