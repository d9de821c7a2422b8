// What engines get wrong: one entry for each mistake, tried by `diagnose` and made on purpose by `compare --with`.
// To add one, copy an entry of a hypotheses_*.cpp: its name, the stages that it changes, how it changes their form, and where it has
// parameters, which values are worth a try.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parity/altered.h"

namespace kylin::parity {

using Values = std::vector<double>;  // of a hypothesis' parameters

// What a change may ask for.
struct Use {
    const Model& model;
    Place at;
    const Values& values;
    int n_prompt;
};

// What a search for parameters may look at: one place, the values there and around it. Rows are [rows, width].
class Evidence {
public:
    virtual ~Evidence() = default;
    virtual const Model& model() const = 0;
    virtual Place at() const = 0;
    virtual int n_prompt() const = 0;
    virtual std::vector<int> tokens() const = 0;  // positions of the rows
    virtual const std::vector<double>& theirs() const = 0;
    virtual const std::vector<double>& as_is() const = 0;
    virtual size_t width() const = 0;
    // The rows of another stage of the layer, or layer_out for the layer's input; empty where the trace lacks it.
    virtual std::vector<double> rows_of(Stage s) const = 0;
};

struct Parameter {
    std::string_view name;
    enum class Kind : uint8_t { number, whole, tensor, tokens, form, row } kind = Kind::number;
    double (*expected)(const Model& model, const Place& at) = nullptr;  // what the model asks for
    bool refine = false;                                                // may be any number: searched for around the best candidate
};

struct Hypothesis {
    std::string_view name;
    std::vector<Stage> stages;
    std::string_view explanation;  // {parameter} and {parameter.expected} stand for values
    std::string_view fix;
    std::string_view threads;     // where engines shipped it
    std::string_view shows_with;  // the input that tells it from others
    void (*change)(Form& form, const Use& use);
    std::vector<Stage> begins_at = {};  // it is no explanation of later stages alone; empty: any of its stages may be the first
    std::vector<Parameter> parameters = {};
    std::vector<Values> (*candidates)(const Evidence& evidence) = nullptr;
    bool rounds = false;   // to few bits, at other places than the model
    bool generic = false;  // describes what is seen, names no cause: counts only where no other fits
};

// In the order of preference: of equally good explanations the first.
std::span<const Hypothesis> hypotheses();
const Hypothesis* hypothesis_named(std::string_view name);

Mistake mistake(const Model& model, const Hypothesis& h, const Values& values, Where where, int n_prompt);

// "rope base 10000 instead of 1000000".
std::string explain(const Model& model, const Hypothesis& h, const Values& values, const Place& at);
// A number as a person writes it: 1e-05, 10000, 1/sqrt(64).
std::string number_text(double x);
std::string value_text(const Model& model, const Parameter& p, double value);

// The parts of the catalogue.
std::vector<Hypothesis> input_hypotheses();
std::vector<Hypothesis> norm_hypotheses();
std::vector<Hypothesis> rope_hypotheses();
std::vector<Hypothesis> attention_hypotheses();
std::vector<Hypothesis> feed_forward_hypotheses();
std::vector<Hypothesis> weight_hypotheses();
std::vector<Hypothesis> generic_hypotheses();

}  // namespace kylin::parity
