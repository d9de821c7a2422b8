// /v1/embeddings: of each text, what its last token becomes behind the final norm, scaled to length 1.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <exception>
#include <fmt/format.h>

#include "base/error.h"
#include "server/calls.h"
#include "server/http_error.h"
#include "server/prompts.h"

namespace kylin::server {
namespace {

std::string base64(std::string_view bytes) {
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.size(); i += 3) {
        const std::string_view group = bytes.substr(i, 3);
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; ++j) bits = bits << 8 | (j < group.size() ? static_cast<unsigned char>(group[j]) : 0u);
        for (size_t j = 0; j < 4; ++j) text += j <= group.size() ? letters[bits >> (18 - 6 * j) & 63] : '=';
    }
    return text;
}

// As clients read it: 32-bit floats, the low byte first.
std::string little_endian(const std::vector<float>& values) {
    std::string bytes;
    bytes.reserve(values.size() * sizeof(float));
    for (const float value : values)
        for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(std::bit_cast<uint32_t>(value) >> shift & 255);
    return bytes;
}

std::vector<float> scaled_to_length_1(std::vector<float> values) {
    double square = 0;
    for (const float v : values) square += static_cast<double>(v) * static_cast<double>(v);
    if (square == 0) return values;
    for (float& v : values) v = static_cast<float>(static_cast<double>(v) / std::sqrt(square));
    return values;
}

// One request on its way. Its texts run a few at a time, so that thousands of them neither fill the queue nor hold up other clients.
class Embedding : public std::enable_shared_from_this<Embedding> {
public:
    Embedding(ApiContext& context, const Call& call, std::vector<GenerationRequest> requests, const Asked& asked)
        : context_(context),
          base64_(call.base64),
          id_(asked.request.id),
          requests_(std::move(requests)),
          exchange_(asked.exchange),
          tickets_(requests_.size()),
          vectors_(requests_.size()) {}

    void start() {
        const auto at_once = std::min(requests_.size(), static_cast<size_t>(context_.model.n_parallel));
        try {
            while (n_started_ < at_once) start_next();
        } catch (const QueueFull&) {
            if (n_started_ == 0) throw;  // else those that run make room
        }
        exchange_->on_abandoned([weak = weak_from_this()] {
            if (const auto abandoned = weak.lock()) abandoned->cancel();
        });
    }

private:
    void start_next() {
        const size_t i = n_started_;
        tickets_[i] =
            context_.generations.start({id_, id_}, {std::move(requests_[i])},
                                       [self = shared_from_this(), i](size_t, const TokenEvent& event) { self->on_event(i, event); });
        ++n_started_;
    }

    void cancel() {
        for (size_t i = 0; i < n_started_; ++i) context_.generations.cancel(tickets_[i]);
    }

    // Never throws: it is called from the I/O thread's own loop.
    void on_event(size_t i, const TokenEvent& event) {
        try {
            take(i, event);
        } catch (const std::exception& e) {
            fail(500, e.what());
        }
    }

    void take(size_t i, const TokenEvent& event) {
        const Finish& finish = event.finish.value();
        if (finish.reason == FinishReason::cancelled) return fail(503, "the server is ending");
        if (is_error(finish.reason)) return fail(500, finish.message);
        vectors_[i] = scaled_to_length_1(event.embedding);
        n_tokens_ += finish.usage.n_prompt;
        // The place that this text has just left is free: the queue cannot be full.
        if (n_started_ < requests_.size()) start_next();
        if (++n_done_ == vectors_.size()) respond();
    }

    void fail(int status, std::string_view what) {
        cancel();
        exchange_->note(" error=" + dump(what));
        exchange_->respond(error_response(status, what));
    }

    void respond() {
        Json data = Json::array();
        for (const std::vector<float>& vector : vectors_)
            data.push_back({{"object", "embedding"},
                            {"index", data.size()},
                            {"embedding", base64_ ? Json(base64(little_endian(vector))) : Json(vector)}});
        exchange_->note(fmt::format(" inputs={} prompt_tokens={}", vectors_.size(), n_tokens_));
        const Json usage = {{"prompt_tokens", n_tokens_}, {"total_tokens", n_tokens_}};
        exchange_->respond(
            {.body = dump({{"object", "list"}, {"data", std::move(data)}, {"model", context_.model.name}, {"usage", usage}}) + "\n"});
    }

    ApiContext& context_;
    bool base64_;
    std::string id_;
    std::vector<GenerationRequest> requests_;
    std::shared_ptr<Exchange> exchange_;
    std::vector<Generations::Ticket> tickets_;
    std::vector<std::vector<float>> vectors_;
    size_t n_started_ = 0, n_done_ = 0;
    int n_tokens_ = 0;
};

void check_model(const ServedModel& model, const Call& call) {
    constexpr auto names = std::to_array<std::string_view>({"none", "mean", "cls", "last", "rank"});
    const Pooling pooling = model.config.pooling;
    if (pooling != Pooling::none && pooling != Pooling::last)
        throw InputError(
            "model", fmt::format("its file asks for {} pooling; only the last token's is supported", names[static_cast<size_t>(pooling)]));
    if (call.dimensions && *call.dimensions != model.config.n_embd)
        throw InputError("dimensions", fmt::format("{}; this model's vectors have {}", *call.dimensions, model.config.n_embd));
}

}  // namespace

void post_embeddings(ApiContext& context, const Asked& asked) {
    const Call call = read_call(context, asked, api_embeddings);
    check_model(context.model, call);
    std::vector<GenerationRequest> requests;
    for (std::vector<int32_t>& tokens : texts_to_embed(context.model, call.input))
        requests.emplace_back(GenerationSpec{.prompt = std::move(tokens), .embed = true}, context.model.limits);
    std::make_shared<Embedding>(context, call, std::move(requests), asked)->start();
}

}  // namespace kylin::server
