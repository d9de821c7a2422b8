#include "cli/answer_stream.h"

#include <condition_variable>
#include <deque>
#include <mutex>

namespace kylin::cli {

struct AnswerStream::Events {
    std::mutex mutex;
    std::condition_variable arrived;
    std::deque<TokenEvent> waiting;
};

AnswerStream::AnswerStream(Engine& engine, GenerationRequest request)
    : engine_(engine),
      events_(std::make_shared<Events>()),
      id_(engine.submit(std::move(request), [events = events_](const TokenEvent& event) {
          const std::lock_guard lock(events->mutex);
          events->waiting.push_back(event);
          events->arrived.notify_one();
      })) {}

AnswerStream::~AnswerStream() { cancel(); }

std::optional<TokenEvent> AnswerStream::next(std::chrono::milliseconds timeout) {
    std::unique_lock lock(events_->mutex);
    if (!events_->arrived.wait_for(lock, timeout, [&] { return !events_->waiting.empty(); })) return std::nullopt;
    TokenEvent event = std::move(events_->waiting.front());
    events_->waiting.pop_front();
    return event;
}

}  // namespace kylin::cli
