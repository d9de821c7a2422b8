// The oracle with mistakes in it: float64, an engine's declared roundings, and at chosen stages another formula. A mistake is written as a
// change of a Form, so mistakes stack, also on one stage.
#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "numerics/certified.h"
#include "parity/rows.h"

namespace kylin::parity {

// How a stage is computed. As made it holds what the model asks for; a mistake changes some of it.
struct Form {
    using EditRow = std::function<void(std::span<double> row, int position)>;

    std::optional<Stage> input, second_input;  // read instead of the stage's own
    double scale = 1;                          // of the result
    EditRow before, after;                     // of the input (not of attention), of the result
    bool skip = false;                         // the result is the input

    struct {
        double eps = 0;
        double weight_plus = 0;
        bool weightless = false, centered = false, sum = false, eps_outside = false;
        bool whole_row = false;  // one mean for all heads
        Weight weight;
    } norm;
    struct {
        Rope rope;
        bool inverse = false;
        std::function<int32_t(int32_t position)> position;
    } rope;
    struct {
        AttentionShape shape;
        double cap = 0;                                   // soft cap of scores
        std::function<double(double score)> score;        // before the cap
        std::function<bool(int query, int key)> visible;  // positions
        std::function<int(int head)> kv_head;
        std::function<double(int n_keys)> zero_keys;               // further keys with score 0 and value 0
        std::function<int(int key, int n_keys)> key_at, value_at;  // the position that is read instead
        bool values_transposed = false;                            // [head_dim, n_keys] read as [n_keys, head_dim]
        bool no_softmax = false;
        RowForm kept = RowForm::exact;
        RowForm query = RowForm::exact, probs = RowForm::exact;
    } attend;
    struct {
        std::function<double(double)> activation;
        bool swapped = false, gate_only = false;
    } gate;
    struct {
        double first = 1, second = 1;
    } add;
    struct {
        Weight weight;
        std::function<std::vector<double>(const Weight& w, int output)> row;  // of the matrix
        std::function<double(std::span<const double> w, std::span<const double> x)> dot;
        std::optional<RowForm> inputs;  // what activations are rounded to
    } project;
    std::function<int32_t(int32_t token, int position)> token;
};

// Where a mistake is made.
enum class Phase : uint8_t { all, prompt, decode };
struct Where {
    int first_layer = 0, last_layer = 1 << 30;
    Phase phase = Phase::all;
};

struct Mistake {
    std::vector<Stage> stages;
    Where where;
    std::function<void(Form& form, const Place& at)> change;
};

// A mistake that makes no sense for this model or this stage.
struct NotApplicable {};

class Altered : public Declared {
public:
    Altered(const Model& model, const NumericsOptions& options, const Rounding& rounding, std::vector<Mistake> mistakes, int n_prompt)
        : Declared(model, options, rounding), mistakes_(std::move(mistakes)), n_prompt_(n_prompt) {}

    // Computes these places only; every other stage keeps whatever is in its memory. Empty: all.
    void restrict_to(std::function<bool(Stage, int layer)> computed) { computed_ = std::move(computed); }
    // Of the last stage that multiplies with a matrix, these outputs only. Empty: all.
    void sample(Stage stage, std::vector<int> outputs) { sampled_ = stage, outputs_ = std::move(outputs); }
    // Every result is multiplied with 1 + amplitude x, x between -1 and 1: what an error of that size becomes later on.
    void jitter(double amplitude, uint64_t seed) { amplitude_ = amplitude, random_ = seed; }

protected:
    void do_embed(Value out, const Weight& table) override;
    void do_norm(Value out, Value x, Norm norm) override;
    void do_rope(Value out, Value x, const Rope& rope) override;
    void do_attend(Value out, Value q, Value k, Value v, const AttentionShape& shape) override;
    void do_silu_mul(Value out, Value gate, Value up) override;
    void do_add(Value out, Value a, Value b) override;
    void do_project(std::span<const Value> out, Value x, std::span<const Projection> ps) override;
    void do_outputs_of(Value) override {}  // parity asks for every row

private:
    struct Scored;
    bool computes(Stage s) const { return !computed_ || computed_(s, info(s).scope == Scope::once ? 0 : layer()); }
    bool is_decode() const { return batch().chunks[0].first_position >= n_prompt_; }
    bool is_changed(Stage s) const;
    void change(Form& form, Stage s) const;
    Value input(const Form& form, Value own);
    Value other(Stage s, Value own);
    void edit(Value v, const Form::EditRow& how);
    void finish(const Form& form, Value out);
    void shake(std::span<double> values);
    void norm_row(const Form& form, std::span<const double> in, std::span<double> y) const;
    std::vector<double> read_cache(double* (PlainKv<double>::*of)(int, const Chunk&, int), const Form& form, const Chunk& c);
    void attend_chunk(Value out, Value q, const Form& form, const Chunk& c);
    void project_one_changed(Value out, Value x, const Form& form);

    std::vector<Mistake> mistakes_;
    int n_prompt_;
    std::function<bool(Stage, int)> computed_;
    Stage sampled_{};
    std::vector<int> outputs_;
    double amplitude_ = 0;
    uint64_t random_ = 0;
};

}  // namespace kylin::parity
