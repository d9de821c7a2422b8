#include "parity/conclude.h"

#include <cmath>
#include <cstdio>

namespace kylin::parity {
namespace {

std::string reason(double ratio) {
    char text[160];
    std::snprintf(text, sizeof text, "given its own inputs, it is %.3g times the certified rounding bound from the float64 value", ratio);
    return text;
}

// Where inputs are missing nothing can be proven; a relative error of a tenth, given the same inputs, is still no rounding.
void find_unjudged_divergence(Report& report) {
    constexpr double large = 0.1;
    for (const Cell& c : report.cells) {
        const Difference d = c.local.result();
        if (c.verdict != Verdict::not_judged || d.worst_row <= large) continue;
        report.first_divergence = {
            {c.stage, c.layer}, Wrong::undecided, "the two differ by a tenth or more, and an input stage is missing in the reference"};
        report.wrong = Wrong::undecided;
        return;
    }
}

std::string name_of_reference(const Report& report) {
    if (report.reference_engine.empty()) return "the reference";
    if (report.reference_engine == "kylin" && report.reference_numerics == "oracle") return "the float64 oracle";
    return report.reference_engine == "kylin" ? "kylin (" + report.reference_numerics + ")" : report.reference_engine;
}

std::string parity_sentence(const Report& report) {
    size_t judged = 0, noise = 0;
    for (const Cell& c : report.cells) judged += c.verdict != Verdict::not_judged, noise += c.verdict == Verdict::noise;
    std::string text =
        "Parity with " + name_of_reference(report) + ": in all " + std::to_string(judged) + " judged stages what differs is rounding";
    if (noise) text += ", in " + std::to_string(noise) + " of them from a named source";
    return text + ".";
}

std::string sentence(const Report& report) {
    if (!report.first_divergence) return parity_sentence(report);
    const auto& d = *report.first_divergence;
    const std::string at =
        std::string(info(d.at.stage).name) + (info(d.at.stage).scope == Scope::once ? "" : " of layer " + std::to_string(d.at.layer));
    const char* wrong = d.wrong == Wrong::ours        ? "Kylin is wrong"
                        : d.wrong == Wrong::reference ? "the reference is wrong"
                        : d.wrong == Wrong::both      ? "both are wrong"
                                                      : "who is wrong cannot be told";
    return "First divergence from " + name_of_reference(report) + ": " + at + "; " + wrong + " (" + d.reason + ").";
}

// Growth of the error is flagged; growth of the activations is explained, because it is easily taken for the first.
void note_growth(Report& report) {
    const Cell* before = nullptr;
    const Cell* first = nullptr;
    for (const Cell& c : report.cells) {
        if (c.stage != Stage::layer_out) continue;
        if (before) {
            const double e = before->accumulated.result().worst_row, f = c.accumulated.result().worst_row;
            if (e > 1e-9 && f > 2 * e) report.notes.push_back("The error more than doubles in layer " + std::to_string(c.layer) + ".");
        } else {
            first = &c;
        }
        before = &c;
    }
    if (!first || before == first || !(before->reference.std > 10 * first->reference.std)) return;
    const double growth = before->reference.std / first->reference.std;
    char text[320];
    std::snprintf(
        text, sizeof text,
        "Activations grow: the standard deviation of layer_out is %.3g in the first layer and %.3g in the last, %.3g per layer. That "
        "is not error: a healthy Qwen3-1.7B grows 1.21 per layer, about 200 times over 28 layers. Errors are judged relative to it.",
        first->reference.std, before->reference.std, std::pow(growth, 1.0 / (before->layer - first->layer)));
    report.notes.push_back(text);
}

void add_notes(Report& report) {
    size_t unjudged = 0;
    for (const Cell& c : report.cells) unjudged += c.verdict == Verdict::not_judged;
    if (unjudged)
        report.notes.push_back(std::to_string(unjudged) + " stages were not judged: an input of each is missing in the reference.");
    if (!report.missing.empty()) report.notes.push_back(std::to_string(report.missing.size()) + " stages are missing in the reference.");
    report.notes.push_back(
        "The oracle shares Kylin's order of stages: a mistake there shows as a wrong reference. The independent numpy model of the "
        "tests covers that.");
    note_growth(report);
}

}  // namespace

void conclude(Report& report) {
    for (const Cell& c : report.cells) {
        if (c.verdict != Verdict::divergent) continue;
        const double ours = c.bound->ours, theirs = c.bound->reference;
        const double ratio = c.wrong == Wrong::reference ? theirs : ours;
        report.first_divergence = {{c.stage, c.layer}, c.wrong, reason(ratio)};
        report.wrong = c.wrong;
        break;
    }
    if (!report.first_divergence) find_unjudged_divergence(report);
    report.sentence = sentence(report);
    add_notes(report);
}

}  // namespace kylin::parity
