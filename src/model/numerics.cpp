#include "model/numerics.h"

#include <stdexcept>
#include <string>

namespace kylin {
namespace {

// Model::load has compared every shape with the file; a mismatch here is a mistake in a forward pass.
void require_shape(bool ok, Stage stage) {
    if (!ok) throw std::logic_error("shapes do not fit at stage " + std::string(info(stage).name));
}

void require_attention(Value q, Value k, Value v, const AttentionShape& shape, Stage out, int rows) {
    require_shape(q.rows == rows && k.rows == q.rows && v.rows == q.rows, out);
    require_shape(q.width == shape.n_head * shape.head_dim && k.width == shape.n_head_kv * shape.head_dim && v.width == k.width, out);
}

}  // namespace

StageWork Numerics::work_of(const Projection& p, int rows) const {
    if (rows == 0) return {p.out};  // the logits of a step whose rows nobody asked for
    const double macs = static_cast<double>(rows) * p.weight.n_outputs * p.weight.width;
    return {p.out, macs, static_cast<double>(bytes_of(p.weight)), p.weight.type};
}

// Scores and weighted values of every visible key, each read once for the rows of a chunk.
StageWork Numerics::work_of_attention(Stage out, int q_width) const {
    double pairs = 0, positions = 0;
    for (const Chunk& c : batch_->chunks) {
        pairs += c.n_rows * (c.first_position + (c.n_rows + 1) / 2.0);
        positions += c.first_position + c.n_rows;
    }
    return {out, 2 * pairs * q_width, positions * static_cast<double>(kv_bytes_of_position())};
}

void Numerics::begin(const Batch& batch) {
    int rows = 0;
    for (const Chunk& c : batch.chunks) {
        require_shape(c.first_row == rows && c.n_rows > 0, Stage::embedding);
        require_shape(static_cast<size_t>(c.first_position + c.n_rows) <= c.pages.size() * page_positions, Stage::embedding);
        rows += c.n_rows;
    }
    require_shape(rows == batch.rows(), Stage::embedding);
    batch_ = &batch;
    layer_ = 0;
    do_begin(batch);
}

Value Numerics::embed(Stage out, const Weight& table) {
    const Value y{out, batch_->rows(), table.width};
    for (const int32_t id : batch_->tokens) require_shape(id >= 0 && id < table.n_outputs, out);
    timed({out}, [&] { do_embed(y, table); });
    return offer(y);
}

Value Numerics::norm(Stage out, Value x, Norm norm) {
    require_shape(x.width % norm.weight.width == 0, out);
    const Value y{out, x.rows, x.width};
    timed({out}, [&] { do_norm(y, x, norm); });
    return offer(y);
}

Value Numerics::rope(Stage out, Value x, const Rope& rope) {
    const Value y{out, x.rows, x.width};
    timed({out}, [&] { do_rope(y, x, rope); });
    return offer(y);
}

Value Numerics::attend(Stage out, Value q, Value k, Value v, const AttentionShape& shape) {
    require_attention(q, k, v, shape, out, batch_->rows());
    const Value y{out, q.rows, q.width};
    timed(work_of_attention(out, q.width), [&] { do_attend(y, q, k, v, shape); });
    return offer(y);
}

Value Numerics::attend(Stage out, const Rotated& q, const Rotated& k, Value v, const Rope& rope, const AttentionShape& shape) {
    const auto is_plain = [&](const Rotated& t) {
        return watched(t.normed) || watched(t.rotated) || t.norm.weight.width != shape.head_dim || rope.head_dim != shape.head_dim;
    };
    if (!fuses() || is_plain(q) || is_plain(k)) {
        const auto rotated = [&](const Rotated& t) { return this->rope(t.rotated, norm(t.normed, t.x, t.norm), rope); };
        const Value rotated_q = rotated(q), rotated_k = rotated(k);
        return attend(out, rotated_q, rotated_k, v, shape);
    }
    require_attention(q.x, k.x, v, shape, out, batch_->rows());
    const Value y{out, q.x.rows, q.x.width};
    timed(work_of_attention(out, q.x.width), [&] { do_attend_rotated(y, q, k, v, rope, shape); });
    return offer(y);
}

Value Numerics::gated(Stage out, Value x, Projection gate, Projection up) {
    require_shape(gate.weight.width == x.width && up.weight.width == x.width && gate.weight.n_outputs == up.weight.n_outputs, out);
    const Value y{out, x.rows, gate.weight.n_outputs};
    if (fuses() && !watched(gate.out) && !watched(up.out)) {
        const StageWork works[] = {work_of(gate, x.rows), work_of(up, x.rows)};
        timed(works, [&] { do_gated(y, x, gate, up); });
    } else {
        const Value g = project(x, gate), u = project(x, up);
        timed({out}, [&] { do_silu_mul(y, g, u); });
    }
    return offer(y);
}

Value Numerics::add(Stage out, Value a, Value b) {
    require_shape(a.rows == b.rows && a.width == b.width, out);
    const Value y{out, a.rows, a.width};
    timed({out}, [&] { do_add(y, a, b); });
    return offer(y);
}

Value Numerics::project(Value x, Projection p) {
    require_shape(p.weight.width == x.width, p.out);
    const Value y{p.out, x.rows, p.weight.n_outputs};
    timed(work_of(p, x.rows), [&] { do_project({&y, 1}, x, {&p, 1}); });
    return offer(y);
}

std::array<Value, 3> Numerics::project(Value x, Projection a, Projection b, Projection c) {
    const Projection ps[] = {a, b, c};
    std::array<Value, 3> ys{};
    for (size_t i = 0; i < ys.size(); ++i) {
        require_shape(ps[i].weight.width == x.width, ps[i].out);
        ys[i] = {ps[i].out, x.rows, ps[i].weight.n_outputs};
    }
    const StageWork works[] = {work_of(a, x.rows), work_of(b, x.rows), work_of(c, x.rows)};
    timed(works, [&] { do_project(ys, x, ps); });
    for (const Value y : ys) offer(y);
    return ys;
}

Value Numerics::outputs_of(Value x) {
    require_shape(x.rows == batch_->rows(), x.stage);
    do_outputs_of(x);
    return {x.stage, static_cast<int>(batch_->outputs.size()), x.width};
}

Value Numerics::put(Value v, std::span<const double> values) {
    require_shape(values.size() == v.size(), v.stage);
    do_write(v, values);
    return v;
}

bool Numerics::show_inner(Stage stage, int width, std::span<double> values) {
    return probe_->visit({stage, layer_, static_cast<int>(values.size()) / width, width, values});
}

void Numerics::show(Value y) {
    if (cancel_ && cancel_->load(std::memory_order_relaxed)) throw Cancelled{};
    if (!watched(y.stage)) return;
    std::vector<double> values = read(y);
    const int layer = info(y.stage).scope == Scope::once ? 0 : layer_;
    if (probe_->visit({y.stage, layer, y.rows, y.width, values})) do_write(y, values);
}

}  // namespace kylin
