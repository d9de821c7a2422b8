#include "parity/altered.h"

#include <algorithm>
#include <cmath>

#include "numerics/positions.h"

namespace kylin::parity {
namespace {

int n_of(const Form& form, Value x) { return form.norm.whole_row ? x.width : form.norm.weight.width; }

double silu(double x) { return x / (1 + std::exp(-x)); }

bool is_in(const Where& w, Stage s, int layer, bool decode) {
    if (w.phase != Phase::all && (w.phase == Phase::decode) != decode) return false;
    return info(s).scope == Scope::once || (layer >= w.first_layer && layer <= w.last_layer);
}

}  // namespace

bool Altered::is_changed(Stage s) const {
    return std::ranges::any_of(mistakes_, [&](const Mistake& m) {
        return std::ranges::find(m.stages, s) != m.stages.end() && is_in(m.where, s, layer(), is_decode());
    });
}

void Altered::change(Form& form, Stage s) const {
    for (const Mistake& m : mistakes_)
        if (std::ranges::find(m.stages, s) != m.stages.end() && is_in(m.where, s, layer(), is_decode()))
            m.change(form, {s, info(s).scope == Scope::once ? 0 : layer()});
}

// The layer's input is the stage layer_out of the layer before, whose memory the layer has not yet written to; the embedding in the first.
Value Altered::other(Stage s, Value own) {
    if (s == Stage::layer_out && layer() == 0) s = Stage::embedding;
    const Value v{s, own.rows, own.width};
    if (buffers_[static_cast<size_t>(s)].size() != v.size()) throw NotApplicable{};
    return v;
}

Value Altered::input(const Form& form, Value own) { return form.input ? other(*form.input, own) : own; }

void Altered::edit(Value v, const Form::EditRow& how) {
    if (!how) return;
    const auto positions = positions_of(batch());
    for (int r = 0; r < v.rows; ++r) how({row(v, r), static_cast<size_t>(v.width)}, positions[static_cast<size_t>(r)]);
}

void Altered::finish(const Form& form, Value out) {
    auto& values = buffers_[static_cast<size_t>(out.stage)];
    if (form.scale != 1)
        for (double& v : values) v *= form.scale;
    edit(out, form.after);
    shake(values);
}

void Altered::shake(std::span<double> values) {
    if (amplitude_ == 0) return;
    for (double& v : values) {
        random_ = random_ * 6364136223846793005 + 1442695040888963407;  // Knuth's linear congruences
        v *= 1 + amplitude_ * (static_cast<double>(random_ >> 11) * 0x1p-52 - 1);
    }
}

void Altered::do_embed(Value out, const Weight& table) {
    if (!computes(out.stage)) return void(make(out));
    Form form;
    form.project.weight = table;
    change(form, out.stage);
    make(out);
    const auto positions = positions_of(batch());
    for (int r = 0; r < out.rows; ++r) {
        int32_t token = batch().tokens[static_cast<size_t>(r)];
        if (form.token) token = form.token(token, positions[static_cast<size_t>(r)]);
        const Weight& w = form.project.weight;
        if (token < 0 || token >= w.n_outputs || w.width != out.width) throw NotApplicable{};
        std::ranges::copy(form.project.row ? form.project.row(w, token) : values_of<double>(w, token), row(out, r));
    }
    finish(form, out);
}

void Altered::norm_row(const Form& form, std::span<const double> in, std::span<double> y) const {
    const auto& n = form.norm;
    const auto width = static_cast<double>(in.size());
    double mean = 0, squares = 0;
    for (const double x : in) mean += n.centered ? x / width : 0;
    for (const double x : in) squares += (x - mean) * (x - mean);
    const double m = n.sum ? squares : squares / width;
    const double size = n.eps_outside ? std::sqrt(m) + n.eps : std::sqrt(m + n.eps);
    for (size_t i = 0; i < in.size(); ++i) y[i] = (in[i] - mean) / size;
}

void Altered::do_norm(Value out, Value x, Norm norm) {
    if (!computes(out.stage)) return void(make(out));
    Form form;
    form.norm.weight = norm.weight;
    form.norm.eps = static_cast<double>(norm.eps);
    if (!is_changed(out.stage)) {
        Declared::do_norm(out, x, norm);
        return finish(form, out);
    }
    change(form, out.stage);
    const Value from = input(form, x);
    const std::vector<double> kept(row(from, 0), row(from, 0) + from.size());
    edit(from, form.before);
    make(out);
    const Weight& w = form.norm.weight;
    if (x.width % w.width != 0) throw NotApplicable{};
    const auto weights = values_of<double>(w, 0);
    const auto group = static_cast<size_t>(n_of(form, x));
    for (int r = 0; r < x.rows; ++r)
        for (size_t g = 0; g < static_cast<size_t>(x.width); g += group) {
            const std::span<const double> in(row(from, r) + g, group);
            const std::span<double> y(row(out, r) + g, group);
            if (form.skip) {
                std::ranges::copy(in, y.begin());
                continue;
            }
            norm_row(form, in, y);
            for (size_t i = 0; i < group && !form.norm.weightless; ++i) y[i] *= weights[i % weights.size()] + form.norm.weight_plus;
        }
    if (form.before && from.stage != out.stage) std::ranges::copy(kept, row(from, 0));
    finish(form, out);
}

void Altered::do_rope(Value out, Value x, const Rope& rope) {
    if (!computes(out.stage)) return void(make(out));
    Form form;
    form.rope.rope = rope;
    if (!is_changed(out.stage)) {
        Declared::do_rope(out, x, rope);
        return finish(form, out);
    }
    change(form, out.stage);
    const Value from = input(form, x);
    make(out);
    const Rope& r = form.rope.rope;
    const int half = r.n_dims / 2;
    auto positions = positions_of(batch());
    if (form.rope.position) std::ranges::transform(positions, positions.begin(), form.rope.position);
    const RopeAngles angles = rope_angles(r, positions);
    for (int t = 0; t < x.rows; ++t) {
        std::copy_n(row(from, t), x.width, row(out, t));
        for (int head = 0; head < x.width && !form.skip; head += r.head_dim)
            for (int i = 0; i < half; ++i) {
                const int first = head + (r.neox ? i : 2 * i), second = r.neox ? first + half : first + 1;
                const auto angle = static_cast<size_t>(t * half + i);
                const double c = angles.cos[angle], s = angles.sin[angle] * (form.rope.inverse ? -1 : 1);
                const double p = row(from, t)[first], q = row(from, t)[second];
                row(out, t)[first] = p * c - q * s;
                row(out, t)[second] = p * s + q * c;
            }
    }
    finish(form, out);
}

// The keys or values of a chunk as the cache gives them to it, [n_keys, width].
std::vector<double> Altered::read_cache(double* (PlainKv<double>::*of)(int, const Chunk&, int), const Form& form, const Chunk& c) {
    const AttentionShape& s = form.attend.shape;
    const auto width = static_cast<size_t>(s.n_head_kv * s.head_dim), n_keys = static_cast<size_t>(c.first_position + c.n_rows);
    std::vector<double> rows(n_keys * width);
    for (size_t j = 0; j < n_keys; ++j) {
        const std::span<double> row(rows.data() + j * width, width);
        std::copy_n((kv_.*of)(layer(), c, static_cast<int>(j)), width, row.begin());
        round_row(form.attend.kept, row);
    }
    return rows;
}

void Altered::do_attend(Value out, Value q, Value k, Value v, const AttentionShape& shape) {
    const bool inner = computes(Stage::attn_scores) || computes(Stage::attn_probs);
    if (!computes(out.stage) && !inner) return void(make(out));
    if (!is_changed(out.stage) && !is_changed(Stage::attn_scores) && !is_changed(Stage::attn_probs)) {
        Declared::do_attend(out, q, k, v, shape);
        return finish({}, out);
    }
    Form form;
    form.attend.shape = shape;
    // Scores, probabilities and heads are one call: a mistake in any of them changes its form, once.
    for (const Mistake& m : mistakes_)
        for (const Stage s : {Stage::attn_scores, Stage::attn_probs, Stage::attn_heads})
            if (std::ranges::find(m.stages, s) != m.stages.end() && is_in(m.where, s, layer(), is_decode())) {
                m.change(form, {s, layer()});
                break;
            }
    make(out);
    for (const Chunk& c : batch().chunks) {
        keep(form.second_input ? other(*form.second_input, k) : k, v, c);
        attend_chunk(out, input(form, q), form, c);
    }
    finish(form, out);
}

void Altered::attend_chunk(Value out, Value q, const Form& form, const Chunk& c) {
    const auto& f = form.attend;
    const AttentionShape& s = f.shape;
    const int n_keys = c.first_position + c.n_rows;
    const auto n_rows = static_cast<size_t>(c.n_rows);
    const auto keys = read_cache(&PlainKv<double>::k, form, c), values = read_cache(&PlainKv<double>::v, form, c);
    std::vector<double> all(static_cast<size_t>(s.n_head) * n_rows * static_cast<size_t>(n_keys));
    const auto sees = [&](int query, int key) { return f.visible ? f.visible(query, key) : key <= query; };
    const auto kv_row = [&](const std::vector<double>& rows, int j, int h) {
        return rows.data() + (j * s.n_head_kv + (f.kv_head ? f.kv_head(h) : h / s.group())) * s.head_dim;
    };
    const auto for_each = [&](auto&& step) {
        pool_.run(s.n_head, [&](int h) {
            for (int r = c.first_row; r < c.first_row + c.n_rows; ++r) {
                const size_t n = static_cast<size_t>(n_keys),
                             first = (static_cast<size_t>(h) * n_rows + static_cast<size_t>(r - c.first_row)) * n;
                step(HeadRow{h, r}, std::span(all).subspan(first, n), position(c, r));
            }
        });
    };
    for_each([&](HeadRow at, std::span<double> x, int query) {
        std::vector<double> qs(row(q, at.row) + at.head * s.head_dim, row(q, at.row) + (at.head + 1) * s.head_dim);
        round_row(f.query, qs);
        for (int j = 0; j < n_keys; ++j) {
            if (!sees(query, j)) continue;
            const double* key = kv_row(keys, f.key_at ? f.key_at(j, n_keys) : j, at.head);
            double dot = 0;
            for (int i = 0; i < s.head_dim; ++i) dot += qs[static_cast<size_t>(i)] * key[i];
            double score = f.score ? f.score(dot) * s.scale : dot * s.scale;
            if (f.cap > 0) score = f.cap * std::tanh(score / f.cap);
            x[static_cast<size_t>(j)] = score;
        }
    });
    shake(all);
    if (watched(Stage::attn_scores)) show_inner(Stage::attn_scores, n_keys, all);
    for_each([&](HeadRow, std::span<double> x, int query) {
        if (f.no_softmax) return;
        const double zeros = f.zero_keys ? f.zero_keys(query + 1) : 0;
        double top = zeros > 0 ? 0 : -HUGE_VAL;
        for (int j = 0; j < n_keys; ++j)
            if (sees(query, j)) top = std::max(top, x[static_cast<size_t>(j)]);
        double sum = zeros == 0 ? 0 : zeros * std::exp(-top);
        for (int j = 0; j < n_keys; ++j)
            if (sees(query, j)) sum += x[static_cast<size_t>(j)] = std::exp(x[static_cast<size_t>(j)] - top);
        for (int j = 0; j < n_keys; ++j) {
            double& p = x[static_cast<size_t>(j)];
            p = sum == 0 || !sees(query, j) ? 0 : p / sum;
        }
    });
    shake(all);
    if (watched(Stage::attn_probs)) show_inner(Stage::attn_probs, n_keys, all);
    for_each([&](HeadRow at, std::span<double> x, int) {
        round_row(f.probs, x);
        double* y = row(out, at.row) + at.head * s.head_dim;
        std::fill_n(y, s.head_dim, 0.0);
        const auto value = [&](int j, int i) {
            if (f.values_transposed) {
                const int flat = i * n_keys + j;
                j = flat / s.head_dim, i = flat % s.head_dim;
            } else if (f.value_at) {
                j = f.value_at(j, n_keys);
            }
            return kv_row(values, j, at.head)[i];
        };
        for (int j = 0; j < n_keys; ++j)
            if (const double p = x[static_cast<size_t>(j)]; p != 0)
                for (int i = 0; i < s.head_dim; ++i) y[i] += p * value(j, i);
    });
}

void Altered::do_silu_mul(Value out, Value gate, Value up) {
    if (!computes(out.stage)) return void(make(out));
    Form form;
    form.gate.activation = silu;
    change(form, out.stage);
    const Value g = form.gate.swapped ? up : input(form, gate), u = form.gate.swapped ? gate : up;
    make(out);
    for (int r = 0; r < out.rows; ++r)
        for (int i = 0; i < out.width; ++i) row(out, r)[i] = form.gate.activation(row(g, r)[i]) * (form.gate.gate_only ? 1 : row(u, r)[i]);
    finish(form, out);
}

void Altered::do_add(Value out, Value a, Value b) {
    if (!computes(out.stage)) return void(make(out));
    Form form;
    change(form, out.stage);
    const Value first = input(form, a), second = form.second_input ? other(*form.second_input, b) : b;
    make(out);
    for (int r = 0; r < out.rows; ++r)
        for (int i = 0; i < out.width; ++i) row(out, r)[i] = form.add.first * row(first, r)[i] + form.add.second * row(second, r)[i];
    finish(form, out);
}

void Altered::do_project(std::span<const Value> out, Value x, std::span<const Projection> ps) {
    for (size_t n = 0; n < ps.size(); ++n) {
        const Stage s = ps[n].out;
        if (!computes(s)) {
            make(out[n]);
            continue;
        }
        const bool sampled = !outputs_.empty() && sampled_ == s;
        Form form;
        form.project.weight = ps[n].weight;
        if (is_changed(s) || sampled) {
            change(form, s);
            project_one_changed(out[n], input(form, x), form);
        } else {
            project_one(out[n], x, ps[n].weight);
        }
        finish(form, out[n]);
    }
}

void Altered::project_one_changed(Value out, Value x, const Form& form) {
    const auto& f = form.project;
    const Weight& w = f.weight;
    if (w.width != x.width || w.n_outputs < out.width) throw NotApplicable{};
    const auto rows = static_cast<size_t>(x.rows), width = static_cast<size_t>(x.width);
    const auto positions = positions_of(batch());
    std::vector<std::vector<double>> inputs(rows);
    for (size_t r = 0; r < rows; ++r) {
        inputs[r].assign(row(x, static_cast<int>(r)), row(x, static_cast<int>(r)) + width);
        if (form.before) form.before(inputs[r], positions[r]);
        round_row(f.inputs.value_or(row_form(rounding().inputs, w.type)), inputs[r]);
    }
    make(out);
    const bool sampled = !outputs_.empty() && sampled_ == out.stage;
    const auto n = static_cast<int>(sampled ? outputs_.size() : static_cast<size_t>(out.width));
    constexpr int per_task = 16;
    pool_.run((n + per_task - 1) / per_task, [&](int task) {
        for (int i = task * per_task; i < std::min(n, (task + 1) * per_task); ++i) {
            const int o = sampled ? outputs_[static_cast<size_t>(i)] : i;
            const auto weights = f.row ? f.row(w, o) : values_of<double>(w, o);
            for (size_t r = 0; r < rows; ++r) {
                double sum = 0;
                if (f.dot)
                    sum = f.dot(weights, inputs[r]);
                else
                    for (size_t j = 0; j < width; ++j) sum += weights[j] * inputs[r][j];
                row(out, static_cast<int>(r))[o] = sum;
            }
        }
    });
}

}  // namespace kylin::parity
