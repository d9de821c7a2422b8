// What a forward pass may ask for. One call per stage, over the whole batch, so a virtual call costs nothing.
// Implementations (numerics/) choose element type, rounding and fusion; the forward pass never sees a number.
#pragma once
#include <array>
#include <atomic>
#include <span>
#include <vector>

#include "model/batch.h"
#include "model/config.h"
#include "model/probe.h"
#include "model/stage_clock.h"
#include "model/stages.h"
#include "model/weights.h"

namespace kylin {

// A value is known by the stage that made it; its storage belongs to the numerics and lives until that stage is made again.
struct Value {
    Stage stage;
    int rows, width;
    size_t size() const { return static_cast<size_t>(rows) * static_cast<size_t>(width); }  // may not fit an int: logits of many rows
};

struct Norm {
    const Weight& weight;  // its width is the group: the whole row, or one head
    float eps;
};

struct Projection {
    Stage out;
    const Weight& weight;
};

// What is normalized and rotated, head by head, on its way into attention.
struct Rotated {
    Value x;
    Stage normed, rotated;
    Norm norm;
};

// Public calls check shapes, do the work and offer the result to the probe: this is the only choke point.
// Not thread-safe; one forward pass at a time.
class Numerics {
public:
    virtual ~Numerics() = default;
    void attach(Probe* probe) { probe_ = probe; }
    // Ends the pass at the next stage with Cancelled when the flag is set; nullptr: never.
    void cancel_on(const std::atomic<bool>* flag) { cancel_ = flag; }
    void time_with(StageClock* clock) { clock_ = clock; }  // nullptr: nobody wants to know

    void begin(const Batch& batch);  // the batch must live until the pass ends
    void enter_layer(int layer) { layer_ = layer; }

    Value embed(Stage out, const Weight& table);
    Value norm(Stage out, Value x, Norm norm);
    Value rope(Stage out, Value x, const Rope& rope);
    Value attend(Stage out, Value q, Value k, Value v, const AttentionShape& shape);  // writes k and v to the KV cache first
    Value attend(Stage out, const Rotated& q, const Rotated& k, Value v, const Rope& rope, const AttentionShape& shape);
    Value gated(Stage out, Value x, Projection gate, Projection up);  // silu(gate) * up
    Value add(Stage out, Value a, Value b);
    Value project(Value x, Projection p);
    std::array<Value, 3> project(Value x, Projection a, Projection b, Projection c);
    Value outputs_of(Value x);  // keeps only the rows whose logits are asked for; not a stage
    // For work on a part of a pass: these values, [rows, width], as if their stage had made them.
    Value put(Value v, std::span<const double> values);

    virtual std::vector<double> read(Value v) const = 0;
    virtual void read_row(Value v, int row, std::span<float> out) const = 0;
    virtual void read_peaks(Value v, int row, std::span<float> peaks) const = 0;  // of that row; see kernels.h
    virtual size_t bytes_of(const Weight& w) const { return w.data.size(); }      // of a matrix, in the form that is read
    virtual size_t kv_bytes_of_position() const { return 0; }                     // of one layer, in that form; 0: nobody counts them

protected:
    virtual void do_begin(const Batch& batch) = 0;
    virtual void do_embed(Value out, const Weight& table) = 0;
    virtual void do_norm(Value out, Value x, Norm norm) = 0;
    virtual void do_rope(Value out, Value x, const Rope& rope) = 0;
    virtual void do_attend(Value out, Value q, Value k, Value v, const AttentionShape& shape) = 0;
    virtual void do_silu_mul(Value out, Value gate, Value up) = 0;
    virtual void do_add(Value out, Value a, Value b) = 0;
    virtual void do_project(std::span<const Value> out, Value x, std::span<const Projection> p) = 0;
    virtual void do_outputs_of(Value x) = 0;
    virtual void do_write(Value v, std::span<const double> values) = 0;
    // Fused calls, for who has them; used only when nobody watches a stage between. Same bits as the plain path.
    virtual bool fuses() const { return false; }
    virtual void do_gated(Value, Value, Projection, Projection) {}
    virtual void do_attend_rotated(Value, const Rotated&, const Rotated&, Value, const Rope&, const AttentionShape&) {}

    const Batch& batch() const { return *batch_; }
    int layer() const { return layer_; }
    bool watched(Stage stage) const { return probe_ && probe_->wants(stage, info(stage).scope == Scope::once ? 0 : layer_); }
    // For values that no call returns (scores, probabilities): shows them; true when the probe wrote to them.
    bool show_inner(Stage stage, int width, std::span<double> values);

private:
    StageWork work_of(const Projection& p, int rows) const;
    StageWork work_of_attention(Stage out, int q_width) const;
    template <class Compute>
    void timed(std::span<const StageWork> works, Compute&& compute) {
        if (!clock_) [[likely]]
            return compute();
        const auto start = std::chrono::steady_clock::now();
        compute();
        clock_->add(works, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    template <class Compute>
    void timed(StageWork work, Compute&& compute) {
        timed({&work, 1}, compute);
    }
    Value offer(Value y) {
        if (probe_ || cancel_) [[unlikely]]
            show(y);
        return y;
    }
    void show(Value y);

    Probe* probe_ = nullptr;
    StageClock* clock_ = nullptr;
    const std::atomic<bool>* cancel_ = nullptr;
    const Batch* batch_ = nullptr;
    int layer_ = 0;
};

// A probe for the time of one pass, however that ends.
class Attached {
public:
    Attached(Numerics& math, Probe& probe) : math_(math) { math.attach(&probe); }
    ~Attached() { math_.attach(nullptr); }
    Attached(const Attached&) = delete;
    Attached& operator=(const Attached&) = delete;

private:
    Numerics& math_;
};

// Thrown by a pass whose flag was set; not an error.
struct Cancelled {};

}  // namespace kylin
