#include "engine/inbox.h"

namespace kylin {

void Inbox::submit(std::unique_ptr<Sequence> sequence) {
    const std::lock_guard lock(mutex_);
    submitted_.push_back(std::move(sequence));
    arrived_.notify_one();
}

void Inbox::cancel(RequestId id) {
    const std::lock_guard lock(mutex_);
    cancelled_.push_back(id);
    if (running_.erase(id) > 0 && running_.empty()) step_is_void_ = true;
    arrived_.notify_one();
}

void Inbox::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    step_is_void_ = true;
    arrived_.notify_one();
}

Inbox::Mail Inbox::take(bool wait) {
    std::unique_lock lock(mutex_);
    running_.clear();
    if (wait) arrived_.wait(lock, [&] { return closed_ || !submitted_.empty() || !cancelled_.empty(); });
    return {std::exchange(submitted_, {}), std::exchange(cancelled_, {}), closed_};
}

void Inbox::begin_step(std::vector<RequestId> ids) {
    const std::lock_guard lock(mutex_);
    running_ = {ids.begin(), ids.end()};
    for (const RequestId id : cancelled_) running_.erase(id);
    step_is_void_ = closed_ || running_.empty();
}

}  // namespace kylin
