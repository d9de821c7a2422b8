#include "engine/sequence.h"

#include <algorithm>

#include "base/error.h"

namespace kylin {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::time_point from, Clock::time_point to) { return std::chrono::duration<double>(to - from).count(); }

}  // namespace

Sequence::Sequence(Origin origin, const Tokenizer& tokenizer)
    : origin_(std::move(origin)), tokenizer_(tokenizer), tokens_(spec().prompt), stops_(spec().stop) {
    if (spec().watch) activations_ = std::make_shared<Activations>();
    if (spec().constraint) grammar_ = spec().constraint->start();
}

void Sequence::admit(CachedTokens cached) {
    n_cached_ = n_reused_ = static_cast<int>(cached.tokens.size());
    pages_ = std::move(cached.pages);
    admitted_ = Clock::now();
}

bool Sequence::is_worth_waiting_for(const GenerationSpec& other) const {
    if (n_answer() > 0 || spec().cache_salt != other.cache_salt) return false;
    const size_t common = common_prefix(tokens_, std::span(other.prompt).first(other.prompt.size() - 1));  // its last token is always run
    const int n_saved = static_cast<int>(common) / page_positions * page_positions - n_reused_;  // what was reused can be found already
    return n_saved > 0 && 2 * n_saved >= n_pending();
}

bool Sequence::is_end(int32_t token) const {
    const auto& stops = spec().stop_tokens;
    return (!spec().ignore_end && tokenizer_.ends_generation(token)) || std::find(stops.begin(), stops.end(), token) != stops.end();
}

// Control tokens steer and are not shown.
std::string Sequence::text_of(int32_t token, bool last) {
    std::string text;
    if (!tokenizer_.is_control(token) && !is_end(token)) text = stops_.feed(text_.push(tokenizer_.bytes(token)));
    if (last && !stops_.matched()) {
        text += stops_.feed(text_.flush());
        if (!stops_.matched()) text += stops_.finish();
    }
    return text;
}

std::span<const int32_t> Sequence::guess(int n_max, size_t n_answers) {
    if (n_pending() != 1 || n_answer() == 0) return {};
    if (activations_) return {};  // the values of a wrong guess are not those of the answer
    // The last token of the answer is never run.
    return lookup_.guess(tokens_, static_cast<size_t>(std::min(n_max, n_positions() - n_cached_ - 1)), n_answers);
}

std::optional<grammar::TokenMask> Sequence::allowed() const {
    if (!grammar_) return std::nullopt;
    return spec().constraint->mask(*grammar_);
}

void Sequence::accept(int32_t token, std::vector<TokenLogprob> logprobs) {
    if (grammar_ && !spec().constraint->accept(*grammar_, token)) throw InputError("grammar", "a token was chosen that it does not allow");
    tokens_.push_back(token);
    lookup_.judge(token);
    if (!first_token_) first_token_ = Clock::now();
    const bool ends = is_end(token) || (grammar_ && grammar_->must_end());  // nothing but an end token could follow
    const bool full = n_answer() >= origin_.request.max_tokens();
    TokenEvent event{.token = token, .text = text_of(token, ends || full), .logprobs = std::move(logprobs)};
    const bool complete = ends || stops_.matched();
    if (!complete && !full) return origin_.sink(event);
    event.finish = finish(complete ? FinishReason::stop : FinishReason::length, {});
    last_ = std::move(event);
}

void Sequence::accept(std::vector<float> embedding) {
    last_ = {.embedding = std::move(embedding), .finish = finish(FinishReason::stop, {})};
}

void Sequence::end(FinishReason reason, std::string message) {
    failed_ = is_error(reason);
    std::string tail = stops_.feed(text_.flush());
    tail += stops_.finish();
    last_ = {.text = std::move(tail), .finish = finish(reason, std::move(message))};
}

void Sequence::tell_end() {
    if (told_) return;
    origin_.sink(*last_);
    told_ = true;  // not before: an event that memory was lacking for is still owed
}

Finish Sequence::finish(FinishReason reason, std::string message) const {
    const Clock::time_point now = Clock::now(), admitted = admitted_.value_or(now), first = first_token_.value_or(now);
    return {reason,
            std::move(message),
            {static_cast<int>(spec().prompt.size()), n_reused_, n_answer(), n_drafted_, n_accepted_},
            {seconds(origin_.submitted, admitted), seconds(admitted, first), seconds(first, now)},
            activations_};
}

std::optional<CachedTokens> Sequence::release() {
    std::optional<PageTable> pages = std::exchange(pages_, std::nullopt);
    if (!pages || failed_) return std::nullopt;
    tokens_.resize(static_cast<size_t>(n_cached_));
    return CachedTokens{std::move(tokens_), std::move(*pages)};
}

}  // namespace kylin
