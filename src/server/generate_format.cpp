// /generate and /generate_stream: the same words as `kylin run --json`.
#include "server/answer_format.h"

namespace kylin::server {
namespace {

class GenerateFormat final : public AnswerFormat {
public:
    GenerateFormat(AnswerLabel label, uint64_t seed) : label_(std::move(label)), seed_(seed) {}

    Json whole(std::span<const Piece> choices, const UsageSum&) const override {
        Json json = {{"model", label_.model}, {"seed", seed_}, {"text", choices[0].text}, {"tokens", choices[0].tokens}};
        json.update(finish(*choices[0].finish));
        return json;
    }

    std::vector<Json> first(size_t) const override { return {}; }

    // The last event has no text of its own, so that a reader may join the texts and look at the reason apart.
    std::vector<Json> chunks(size_t, const Piece& piece) override {
        std::vector<Json> events;
        if (!piece.text.empty() || !piece.tokens.empty()) events.push_back({{"text", piece.text}, {"tokens", piece.tokens}});
        if (piece.finish) events.push_back(finish(*piece.finish));
        return events;
    }

    std::vector<Json> last(const UsageSum&) const override { return {}; }
    bool ends_with_done() const override { return false; }

private:
    static Json finish(const Finish& f) {
        return {{"finish_reason", name(f.reason)}, {"usage", to_json(f.usage)}, {"timings", timings_of(f)}};
    }

    AnswerLabel label_;
    uint64_t seed_;
};

}  // namespace

std::unique_ptr<AnswerFormat> make_generate_format(AnswerLabel label, uint64_t seed) {
    return std::make_unique<GenerateFormat>(std::move(label), seed);
}

}  // namespace kylin::server
