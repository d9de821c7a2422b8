// All ways to read a text so far, side by side (Earley's algorithm over the automata of a program).
//
// An item is a place in a rule's automaton, and the call that led there. A call knows every place it may return to, so that readings
// which agree since a call are one item however many ways led to it: an ambiguous grammar costs the square of a text, never a power.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "grammar/program.h"

namespace kylin::grammar {

struct Call;
using CallPtr = std::shared_ptr<const Call>;

struct Item {
    uint32_t node;
    uint32_t count;  // in the body of a counted rule: which repetition, from 1; elsewhere 0
    CallPtr origin;

    friend bool operator==(const Item& a, const Item& b) { return a.node == b.node && a.count == b.count && a.origin == b.origin; }
};

struct Call {
    uint32_t rule;
    uint32_t depth;             // rules around this one
    std::vector<Item> returns;  // none: of the outermost call
    // An outermost call that begins in the midst of a counted rule: counts are from there, and their limits are left to the caller.
    bool is_relative = false;
};

struct Readings {
    std::vector<Item> items;      // each reads at least one more byte
    std::vector<uint32_t> ended;  // counts with which the outermost call may end here

    bool may_end() const { return !ended.empty(); }
    bool is_dead() const { return items.empty() && ended.empty(); }
};

// Makes readings from readings. Scratch memory: one for a thread.
class Reader {
public:
    explicit Reader(const Program& program) : program_(program) {}

    // Texts that need rules deeper inside each other than match_depth are not read; every reading can be completed within it.
    Readings start();
    // From this node on, in a rule that calls none, as if that were the outermost call.
    Readings start_at(uint32_t node);
    Readings advance(const Readings& readings, uint8_t byte);
    // What may follow when the call has been completed.
    Readings after(const Call& call);

private:
    void arrive(uint32_t node, uint32_t count, const CallPtr& origin);
    void complete(const Program::Node& node, uint32_t count, const CallPtr& origin);
    void end(const Call& call, uint32_t count);
    void enter(uint32_t rule, const CallPtr& call);
    void call_rules(size_t item);
    bool fits(uint32_t depth, uint32_t height) const { return depth + height <= program_.limits.match_depth; }
    bool add(Item item);
    Readings finish();

    struct Entered {
        uint32_t rule, depth;
        std::shared_ptr<Call> call;
    };
    const Program& program_;
    Readings next_;
    std::vector<Entered> entered_;  // calls that begin here
    std::vector<uint32_t> slots_;   // hash table of items, once there are many
};

}  // namespace kylin::grammar
