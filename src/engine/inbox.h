// The way from the clients' threads to the engine's thread: the only state they share.
#pragma once
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "engine/sequence.h"

namespace kylin {

class Inbox {
public:
    // Any thread.
    RequestId next_id() { return ++last_id_; }
    void submit(std::unique_ptr<Sequence> sequence);
    void cancel(RequestId id);
    void close();

    // Engine thread.
    struct Mail {
        std::vector<std::unique_ptr<Sequence>> submitted;
        std::vector<RequestId> cancelled;
        bool closed = false;
    };
    Mail take(bool wait);  // wait: until there is some
    // Names the requests of the step that begins; it is worth nothing any more once all of them were cancelled.
    void begin_step(std::vector<RequestId> ids);
    const std::atomic<bool>& step_is_void() const { return step_is_void_; }

private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::atomic<RequestId> last_id_ = 0;
    std::vector<std::unique_ptr<Sequence>> submitted_;
    std::vector<RequestId> cancelled_;
    std::unordered_set<RequestId> running_;
    bool closed_ = false;
    std::atomic<bool> step_is_void_ = false;
};

}  // namespace kylin
