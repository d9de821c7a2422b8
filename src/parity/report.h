// What a comparison found. The JSON form is docs/report.schema.json (kylin.report/1); names here are those there.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/config.h"
#include "parity/diagnose.h"
#include "parity/metrics.h"
#include "parity/rows.h"

namespace kylin::parity {

enum class Wrong : uint8_t { none, ours, reference, both, undecided };
enum class Verdict : uint8_t { exact, rounding, noise, divergent, not_judged };
std::string_view name(Wrong w);
std::string_view name(Verdict v);

struct BoundUse {
    double ours = 0, reference = 0;  // largest observed / certified; NaN: not judged
    double typical = 0;              // RMS of the bound
};

struct Cell {
    Stage stage;
    int layer;  // 0 for stages of scope once
    int rows, width, n_heads;
    Verdict verdict = Verdict::not_judged;
    Wrong wrong = Wrong::none;
    std::optional<std::string> noise = std::nullopt;
    DifferenceSum local, accumulated;
    double amplification = 0;  // NaN: no input differs
    std::optional<double> oracle_ours = std::nullopt, oracle_reference = std::nullopt;
    std::optional<BoundUse> bound = std::nullopt;
    Summary ours = {}, reference = {};
};

struct LogitReport {
    double kl_mean = 0, kl_standard_error = 0, kl_max = 0;
    int kl_max_token = 0;
    double top1 = 0, top5 = 0, top10 = 0;
    double least_margin = 0;
    int least_margin_token = 0;
    struct FirstDifference {
        int token, ours, reference;
        double margin, noise;
    };
    std::optional<FirstDifference> first_difference;
};

struct LensLayer {
    int ours, reference;  // top token
};

struct Massive {
    int layer, token, channel;
    double ours, reference;
    enum class State : uint8_t { both, missing_in_ours, missing_in_reference } state;
};

struct NotFinite {
    bool in_ours;
    Place at;
    int token;
};

struct LedgerEntry {
    std::string engine, source, how;
    double relative_error, kl;
};

struct Report {
    std::string sentence, command, model_path;
    Wrong wrong = Wrong::none;
    const Config* config = nullptr;
    std::map<std::string, int> weight_types;
    std::string our_engine, our_numerics, reference_engine, reference_numerics;
    std::vector<int32_t> tokens;
    std::map<int32_t, std::string> texts;  // of the tokens and of the lens's tops; filled by who has a tokenizer
    int n_prompt = 0;
    struct Divergence {
        Place at;
        Wrong wrong;
        std::string reason;
    };
    std::optional<Divergence> first_divergence;
    std::vector<std::string> missing;
    std::vector<Cell> cells;
    std::optional<LogitReport> logits;
    std::vector<LensLayer> lens;  // of the last token; empty when a layer output is missing
    std::vector<Massive> massive;
    double least_headroom = 0;
    Place least_headroom_at{};
    std::optional<NotFinite> first_not_finite;
    std::vector<LedgerEntry> ledger;
    std::optional<Diagnosis> diagnosis;  // of the reference, where it was asked for
    std::vector<std::string> notes;
};

// The largest absolute difference that the first description of this engine allowed for a stage of an F32 model.
std::optional<double> seed_threshold(Stage s);

std::string to_json(const Report& report);
// `page` is the HTML template; throws InputError when it has no place for the report.
std::string to_html(const Report& report, std::string page);

}  // namespace kylin::parity
