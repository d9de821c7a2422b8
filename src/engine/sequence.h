// The state of one request: its tokens, which of them are in the KV cache, and how far its answer has come.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/event.h"
#include "engine/prefix_cache.h"
#include "engine/prompt_lookup.h"
#include "engine/request.h"
#include "engine/stop_matcher.h"
#include "engine/watch.h"
#include "grammar/constraint.h"
#include "text/text_stream.h"
#include "text/tokenizer.h"

namespace kylin {

class Sequence {
public:
    struct Origin {
        RequestId id;
        GenerationRequest request;
        Sink sink;
        std::chrono::steady_clock::time_point submitted;
    };
    Sequence(Origin origin, const Tokenizer& tokenizer);

    RequestId id() const { return origin_.id; }
    const GenerationSpec& spec() const { return origin_.request.spec(); }
    std::span<const int32_t> tokens() const { return tokens_; }
    int n_answer() const { return static_cast<int>(tokens_.size() - spec().prompt.size()); }
    int n_positions() const { return origin_.request.n_positions(); }

    // Whether `other` saves more by waiting for the prompt that runs here, and then sharing it, than the wait costs.
    bool is_worth_waiting_for(const GenerationSpec& other) const;

    // From here on it takes part in steps. `cached` holds a true beginning of the prompt and pages for all positions.
    void admit(CachedTokens cached);
    int n_cached() const { return n_cached_; }
    int n_pending() const { return static_cast<int>(tokens_.size()) - n_cached_; }  // at least 1 until it ends
    const PageTable& pages() const { return *pages_; }
    Activations* watched() { return activations_.get(); }  // nullptr: nobody asked for it
    void advance(int n) { n_cached_ += n; }                // so many pending tokens are in the cache now

    // What its answer may say next, at most n_max tokens, in a step that n_answers share; nothing before its answer has begun.
    std::span<const int32_t> guess(int n_max, size_t n_answers);
    void count_drafted(size_t n) { n_drafted_ += static_cast<int>(n); }
    void advance_guess() { ++n_cached_, ++n_accepted_; }  // the token to be accepted next is in the cache already

    // What its grammar lets come next; nullopt: everything. Throws InputError when that is too expensive to find.
    std::optional<grammar::TokenMask> allowed() const;
    void accept(int32_t token, std::vector<TokenLogprob> logprobs);
    void accept(std::vector<float> embedding);
    void end(FinishReason reason, std::string message = {});
    bool ended() const { return last_.has_value(); }
    // What stays useful after the end; nothing when it was never admitted or failed: then the cache may hold what it choked on. It holds
    // no pages from here on.
    std::optional<CachedTokens> release();
    // Sends the event with the finish, which waits for this, so that whoever hears of an end finds the place free. Once, however often.
    void tell_end();

private:
    bool is_end(int32_t token) const;
    std::string text_of(int32_t token, bool last);
    Finish finish(FinishReason reason, std::string message) const;

    Origin origin_;
    const Tokenizer& tokenizer_;
    std::vector<int32_t> tokens_;  // prompt and answer
    std::optional<PageTable> pages_;
    int n_cached_ = 0, n_reused_ = 0;
    TextStream text_;
    StopMatcher stops_;
    std::optional<grammar::Matcher> grammar_;
    PromptLookup lookup_;
    int n_drafted_ = 0, n_accepted_ = 0;
    std::shared_ptr<Activations> activations_;
    std::optional<TokenEvent> last_;  // set by the end
    bool told_ = false, failed_ = false;
    std::optional<std::chrono::steady_clock::time_point> admitted_, first_token_;
};

}  // namespace kylin
