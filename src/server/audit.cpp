#include "server/audit.h"

#include <pthread.h>
#include <sys/resource.h>

#include "base/error.h"
#include "engine/philox.h"
#include "grammar/constraint.h"

namespace kylin::server {
namespace {

// Of this thread: it runs where nobody else wants to. What the system refuses is not needed for right answers.
void take_lowest_priority() {
    setpriority(PRIO_PROCESS, 0, 19);
    const sched_param none{};
    pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
}

// Chooses the tokens of an answer again, from logits that were computed anew.
class Replay {
public:
    Replay(Sampler& sampler, const GenerationSpec& spec, std::span<const int32_t> answer)
        : sampler_(sampler), spec_(spec), answer_(answer), tokens_(spec.prompt) {
        if (spec.constraint) grammar_ = spec.constraint->start();
    }
    void see(std::span<const float> logits) {
        const int32_t served = answer_[n_++];
        if (!all_finite(logits)) return void(same_ = false);
        const std::optional<grammar::TokenMask> mask =
            grammar_ ? std::optional(spec_.constraint->mask(*grammar_)) : std::optional<grammar::TokenMask>();
        const int32_t chosen = sampler_.choose(spec_.sampling, logits, {tokens_, n_ - 1, mask ? &*mask : nullptr});
        same_ = same_ && chosen == served;
        tokens_.push_back(served);
        if (grammar_) spec_.constraint->accept(*grammar_, served);
    }
    bool same() const { return same_; }

private:
    Sampler& sampler_;
    const GenerationSpec& spec_;
    std::span<const int32_t> answer_;
    std::vector<int32_t> tokens_;
    std::optional<grammar::Matcher> grammar_;
    size_t n_ = 0;
    bool same_ = true;
};

}  // namespace

Audit::Audit(AuditParts parts, const AuditOptions& options)
    : parts_(std::move(parts)), options_(options), auditor_({parts_.model, *parts_.ours, *parts_.oracle, options.max_tokens}) {
    figures_.share = options.share;
    for (Numerics* math : {parts_.ours.get(), parts_.oracle.get()}) math->cancel_on(&ending_);
    thread_ = std::thread([this] { work(); });
}

Audit::~Audit() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    arrived_.notify_one();
    thread_.join();
}

bool Audit::picks_next() { return uniform(options_.seed, n_seen_++) < options_.share; }

void Audit::submit(GenerationSpec spec, std::vector<int32_t> answer) {
    {
        const std::lock_guard lock(mutex_);
        if (static_cast<int>(spec.prompt.size() + answer.size()) - 1 > options_.max_tokens) return void(++figures_.too_long);
        if (waiting_.size() >= options_.max_waiting) return void(++figures_.dropped);
        waiting_.push_back({std::move(spec), std::move(answer)});
        ++figures_.waiting;
    }
    arrived_.notify_one();
}

AuditFigures Audit::figures() const {
    const std::lock_guard lock(mutex_);
    return figures_;
}

std::optional<Audit::Case> Audit::take() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
    if (ending_) return std::nullopt;
    Case one = std::move(waiting_.front());
    waiting_.pop_front();
    return one;
}

void Audit::work() {
    take_lowest_priority();
    while (const std::optional<Case> one = take()) {
        try {
            audit(*one);
        } catch (const Cancelled&) {
            return;
        } catch (const std::exception&) {  // no memory for it, say: served answers do not depend on it
            const std::lock_guard lock(mutex_);
            --figures_.waiting;
            ++figures_.dropped;
        }
    }
}

// A request counts as waiting until its figures are there, so that nobody sees it in neither place.
void Audit::audit(const Case& one) {
    std::vector<int32_t> tokens = one.spec.prompt;
    tokens.insert(tokens.end(), one.answer.begin(), one.answer.end() - 1);
    Replay replay(sampler_, one.spec, one.answer);
    const parity::Audited audited =
        auditor_.run({.tokens = tokens, .n_prompt = static_cast<int>(one.spec.prompt.size()), .see = [&](std::span<const float> logits) {
                          replay.see(logits);
                      }});
    const std::lock_guard lock(mutex_);
    --figures_.waiting;
    ++figures_.requests;
    figures_.not_reproduced += !replay.same();
    figures_.sum.add(audited);
}

}  // namespace kylin::server
