// Writes sample reports, made up but of the shape that comparisons have: make_samples.mjs FOLDER
//   parity.json     28 layers, a healthy model whose activations grow 1.2x a layer
//   divergent.json  a reference that maps heads to KV heads by h mod n_kv, lacks the scores and turns to NaN in a late layer
//   bare.json       one token, one layer, nothing optional
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stage_table, stages } from '../support/stages.mjs';

const seed_thresholds = { embedding: 1e-5, q_norm: 1e-4, k_norm: 1e-4, attn_heads: 1e-3, ffn_down: 1e-3, logits: 0.1 };
const matmuls = new Set(['q_proj', 'k_proj', 'v_proj', 'attn_out', 'ffn_gate', 'ffn_up', 'ffn_down', 'logits']);

let seed = 1;  // mulberry32: the samples are the same every time
function random() {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const jitter = (x, by = 0.5) => Number((x * Math.exp(by * (2 * random() - 1))).toPrecision(6));
const least = (x) => (x === null ? null : Number(x.toPrecision(6)));

function ulps(relative, n) {
    const histogram = [];
    const center = relative === 0 ? 0 : Math.max(0, Math.log2(relative * 2 ** 23) + 1);
    const bins = relative === 0 ? 1 : Math.min(31, Math.ceil(center) + 4);
    for (let i = 0; i < bins; ++i) histogram.push(relative === 0 ? n : Math.round(n * 0.3 * Math.exp(-((i - center) ** 2) / 5)));
    return histogram;
}

function difference(relative, size, tokens, n) {
    if (relative === null) return { max_abs: null, mean_abs: null, rmse: null, nmse: null, cosine: null, snr_db: null, worst_row: null, worst_token: 0, ulp_histogram: [] };
    const rmse = relative * size * 0.7;
    const nmse = (relative * 0.7) ** 2;
    return {
        max_abs: least(rmse * 5), mean_abs: least(rmse * 0.8), rmse: least(rmse), nmse: least(nmse), cosine: least(1 - nmse / 2), snr_db: nmse === 0 ? null : least(-10 * Math.log10(nmse)),
        worst_row: least(relative), worst_token: Math.floor(random() * tokens), ulp_histogram: ulps(relative, n),
    };
}

function summary(size, largest, nan) {
    const max = jitter(largest, 0.2);
    return { mean: least(size * 0.02 * (random() - 0.5)), std: nan ? null : least(size), min: nan ? null : least(-jitter(largest, 0.2)), max: nan ? null : max, nan, inf: 0, headroom: nan ? null : least(Math.log2(65504 / max)) };
}

// One report. plan says what a cell's local error is, which stages are missing, and where NaN begins.
function make(plan) {
    seed = plan.seed;
    const { model, tokens } = plan;
    const n_tokens = tokens.length;
    const widths = { q: model.n_head * model.head_dim, k: model.n_head_kv * model.head_dim, v: model.n_head_kv * model.head_dim };
    const width_of = (name) => (name === 'logits' ? model.n_vocab : /^(ffn_gate|ffn_up|ffn_act)$/.test(name) ? model.n_ff : /^attn_(scores|probs)$/.test(name) ? n_tokens : name === 'attn_heads' ? widths.q : (/^[qkv]_/.test(name) && widths[name[0]]) || model.n_embd);
    const heads_of = (name) => (/^k_|^v_/.test(name) ? model.n_head_kv : /^q_|^attn_(scores|probs|heads)$/.test(name) ? model.n_head : 1);
    const missing = [];
    const cells = [];
    const free = new Map();  // accumulated error of what came before
    const order = [[stage_table[0], null], ...Array.from({ length: model.n_layer }, (_, l) => stage_table.filter((s) => s[1]).map((s) => [s, l])).flat(), [stage_table[20], null], [stage_table[21], null]];
    const name_of = (name, layer) => (layer === null ? name : `${name}.${layer}`);
    for (const [[name, , inputs], layer] of order) {
        if (plan.missing(name, layer)) {
            missing.push(name_of(name, layer));
            continue;
        }
        const previous = (input) => (input.endsWith('-') ? (layer === null ? `layer_out.${model.n_layer - 1}` : layer === 0 ? 'embedding' : `layer_out.${layer - 1}`) : name_of(input, layer));
        const nan = plan.nan(name, layer);
        const fault = nan ? null : plan.fault(name, layer);
        const quantized = matmuls.has(name) && plan.quantized;
        const rounding = name === 'embedding' ? 0 : jitter(/norm/.test(name) ? 6e-8 : matmuls.has(name) ? 1.6e-7 : 4e-8);
        const local = nan ? null : (fault ?? (quantized ? jitter(7e-3, 0.3) : name === 'attn_heads' ? jitter(2.4e-4) : rounding));
        const before = Math.max(0, ...inputs.map((input) => free.get(previous(input)) ?? 0));
        const accumulated = nan ? null : Math.min(1.6, Math.hypot(local, before * jitter(/residual|layer_out/.test(name) ? plan.dilution : 1.03, 0.12)));
        free.set(name_of(name, layer), accumulated ?? 1);
        const unknown = inputs.some((input) => missing.includes(previous(input)));
        const verdict = unknown ? 'not judged' : nan || fault !== null ? 'divergent' : quantized || name === 'attn_heads' ? 'noise' : local === 0 ? 'exact' : 'rounding';
        const growth = 0.35 * 1.2 ** (layer ?? (name === 'embedding' ? 0 : model.n_layer));
        const size = /residual|layer_out/.test(name) ? growth : name === 'embedding' ? 0.03 : name === 'logits' ? 3 : /norm|q_|k_/.test(name) ? 1.4 : 0.2 * growth;
        const largest = /residual|layer_out/.test(name) && layer >= 2 && plan.massive ? Math.max(14016, 8 * size) : 9 * size;
        const n = n_tokens * width_of(name);
        const heads = heads_of(name);
        const per_token = (x) => tokens.map((_, t) => (x === null ? (t < 3 ? jitter(1e-6) : null) : x === 0 ? 0 : least(jitter(x * 0.8, 0.25))));
        cells.push({
            stage: name, layer, rows: n_tokens * (/^attn_(scores|probs)$/.test(name) ? heads : 1), width: width_of(name), n_heads: heads, verdict,
            noise: verdict === 'noise' ? (name === 'attn_heads' ? 'F16 KV cache' : 'activation quantization (Q8_K)') : null,
            local: difference(local, size, n_tokens, n), accumulated: difference(accumulated, size, n_tokens, n),
            amplification: before > 0 && accumulated !== null ? least(accumulated / before) : null,
            oracle: plan.oracle ? (plan.quantized ? { ours: least(accumulated * 0.7), reference: jitter(accumulated * 0.74, 0.05) } : { ours: Math.min(accumulated ?? 1, jitter(1e-6 * 1.1 ** (layer ?? 0))), reference: least(accumulated) }) : null,
            bound: plan.oracle && !unknown && name !== 'embedding' ? { ours: jitter(0.12), reference: nan ? null : fault !== null ? least(fault / 6e-7) : jitter(0.14), typical: least(size * 6e-7) } : null,
            non_outlier_nmse: accumulated === null || width_of(name) < 256 ? null : least((accumulated * 0.75) ** 2),
            ours: summary(size, largest, 0), reference: summary(size * (nan ? 1 : 1.002), largest, nan ? 41 : 0),
            per_token: { local: per_token(local), accumulated: per_token(accumulated) },
            per_head: heads === 1 ? null : Array.from({ length: heads }, (_, h) => (local === null ? (h % 5 ? jitter(1e-6) : null) : fault !== null && (h === 0 || h === heads - 1) ? 3e-8 : least(jitter(local * 0.8, 0.3)))),
            worst: local === 0 ? [] : Array.from({ length: 5 }, (_, i) => {
                const value = jitter(size * 2) * (random() < 0.5 ? -1 : 1);
                return { token: Math.floor(random() * n_tokens), head: heads === 1 ? null : Math.floor(random() * heads), channel: Math.floor(random() * (heads === 1 ? width_of(name) : model.head_dim)), ours: value, reference: local === null ? null : Number((value * (1 + (local * (9 - i)) / 3)).toPrecision(9)) };
            }),
            threshold: seed_thresholds[name] ?? null,
        });
    }
    return { format: 'kylin.report/1', ...plan.report, model, tokens, stages, missing, cells };
}

const text_tokens = (texts) => texts.map((text, i) => ({ id: 100 + ((i * 7919) % 5000), text }));
const never = () => false;
const none = () => null;

const qwen = { path: 'qwen3-1.7b.gguf', name: 'Sample with made-up numbers', architecture: 'qwen3', n_layer: 28, n_embd: 2048, n_ff: 6144, n_head: 16, n_head_kv: 8, head_dim: 128, n_vocab: 151936, weights: { f32: 113, q4_k: 168, q6_k: 29 } };
const prompt = text_tokens(['The', ' quick', ' brown', ' fox', ' jumps', ' over', ' the', ' lazy', ' dog', '.', '\n', '你好', ' and', ' the', ' fox']);

const parity = make({
    seed: 7, dilution: 0.75, model: qwen, tokens: prompt, missing: never, nan: never, fault: none, oracle: true, quantized: true, massive: true,
    report: {
        sentence: 'Kylin and llama.cpp agree in all 535 cells: every difference is rounding, or noise of Q8_K activations and the F16 KV cache.',
        verdict: 'parity', wrong: 'none',
        command: 'kylin compare --model qwen3-1.7b.gguf --against llama.cpp --prompt "The quick brown fox jumps over the lazy dog." --decode 4 --html report.html',
        ours: { engine: 'kylin 0.1.0', numerics: 'fast: F32 rows, Q8_K activations, F32 KV cache, avx2' },
        reference: { engine: 'llama.cpp 0.5.0', numerics: 'CPU, F16 KV cache, no flash attention, no repacking, 1 thread' },
        n_prompt: 11, first_divergence: null,
        logits: { kl_mean: 0.000212, kl_standard_error: 0.000061, kl_max: 0.00089, kl_max_token: 7, top1_agreement: 14 / 15, top5_agreement: 0.973, top10_agreement: 0.98, least_margin: 0.0131, least_margin_token: 11, first_difference: { token: 11, ours: 323, reference: 11, margin: 0.0131, noise: 0.062 } },
        lens: {
            ours_settled: 22, reference_settled: 23,
            layers: Array.from({ length: 28 }, (_, layer) => {
                const pick = (x) => [['ings', 900], ['ings', 900], [' animal', 9099], [' jumped', 27096]][x < 6 ? 0 : x < 14 ? 1 : x < 22 ? 2 : 3];
                const [ours_text, ours] = pick(layer), [reference_text, reference] = pick(layer === 22 ? 21 : layer);
                return { layer, ours, reference, ours_text, reference_text };
            }),
        },
        outliers: { massive: Array.from({ length: 26 }, (_, i) => ({ layer: i + 2, token: 0, channel: 1999, ours: 14016.2 + i, reference: 14015.8 + i, state: 'both' })), least_headroom: { bits: 2.22, stage: 'layer_out', layer: 25 }, first_not_finite: null },
        ledger: [
            { engine: 'model', source: 'weight quantization', relative_error: 0.081, kl: 0.021, how: 'not measured here without the F32 model; taken from kylin quantize' },
            { engine: 'ours', source: 'activation quantization', relative_error: 0.011, kl: 0.00019, how: 'Q8_K rows against F32 rows' },
            { engine: 'reference', source: 'activation quantization', relative_error: 0.011, kl: 0.0002, how: 'Q8_K rows against F32 rows' },
            { engine: 'reference', source: 'KV cache type', relative_error: 0.00031, kl: 1.6e-7, how: 'F16 against F32' },
            { engine: 'ours', source: 'F32 arithmetic', relative_error: 1.9e-6, kl: 4e-12, how: 'layercast against the float64 oracle' },
            { engine: 'ours', source: 'number of threads', relative_error: 0, kl: 0, how: '1 against 2 threads' },
        ],
        notes: ['Activations grow 1.2x a layer. That is the model; the error does not grow with them.', 'The massive activation of channel 1999 at token 0 is in both engines.'], diagnosis: null,
    },
});

const tried = (name, error) => ({ name, error, ratio: error === null ? null : error * 1e6 });
const diagnosis = {
    format: 'kylin.diagnosis/1', verdict: 'named', judged: 250, missing: [], notes: [],
    sentence: 'In my-engine: attn_heads of layers 0-11: query head h reads KV head h mod n_kv instead of h / group (gqa-interleaved).',
    faults: [{
        name: 'gqa-interleaved', stage: 'attn_heads', layer: 0, parameters: {}, explanation: 'query head h reads KV head h mod n_kv instead of h / group', phase: 'all',
        places: ['attn_heads.0', 'attn_heads.1'], parameter_details: [], fix: 'repeat each KV head group times in place', threads: 'onnx PR 7274',
        equivalent: [{ name: 'kv-heads-reversed', explanation: 'the KV heads are read in reversed order', told_apart_by: 'more than two KV heads' }], dumps_that_would_decide: ['attn_scores.0'],
        error_as_is: 0.61, error_with_fault: 3.1e-8,
        tried: [tried('as is', 0.61), tried('gqa-interleaved', 3.1e-8), tried('kv-head-first-only', 0.44), tried('softmax-missing', null)],
        elements: [{ token: 3, head: null, channel: 17, theirs: 1.25, as_is: -0.5, with_fault: 1.25 }, { token: 8, head: null, channel: 3, theirs: null, as_is: 0.1, with_fault: 0.2 }],
    }],
};

const divergent = make({
    seed: 11, dilution: 0.85, model: { path: 'model.gguf', name: 'Sample with made-up numbers', architecture: 'qwen3', n_layer: 12, n_embd: 512, n_ff: 1536, n_head: 8, n_head_kv: 4, head_dim: 96, n_vocab: 4096, weights: { f32: 49, f16: 85 } },
    tokens: text_tokens(['Hello', ',', ' how', ' are', ' you', '?', ' I', ' am', ' fine']), oracle: true, quantized: false, massive: false,
    missing: (name, layer) => /^attn_(scores|probs)$/.test(name) || (name === 'k_norm' && layer === 2),
    nan: (name, layer) => (layer === 9 && ['ffn_act', 'ffn_down', 'layer_out'].includes(name)) || layer > 9 || name === 'final_norm' || name === 'logits',
    fault: (name) => (name === 'attn_heads' ? jitter(0.61, 0.2) : null),
    report: {
        sentence: 'The reference is wrong from attn_heads of layer 0 on: its query heads read the KV head h mod 4, where the model has h / 2.',
        verdict: 'divergence', wrong: 'reference', command: 'kylin compare --model model.gguf --against engine.safetensors --html report.html',
        ours: { engine: 'kylin 0.1.0', numerics: 'layercast: F32 everywhere' }, reference: { engine: 'engine.safetensors (my-engine 0.3)', numerics: 'F32, own kernels' },
        n_prompt: 6, first_divergence: { stage: 'attn_heads', layer: 0, wrong: 'reference', reason: 'Fed with the same queries, keys and values, it is more than a million times its certified bound from the oracle; Kylin is within its bound.' },
        logits: { kl_mean: null, kl_standard_error: null, kl_max: null, kl_max_token: 4, top1_agreement: 0.222, top5_agreement: 0.31, top10_agreement: 0.36, least_margin: null, least_margin_token: 0, first_difference: { token: 0, ours: 11, reference: 0, margin: 1.31, noise: 0.000021 } },
        lens: { ours_settled: 9, reference_settled: 11, layers: Array.from({ length: 12 }, (_, layer) => ({ layer, ours: layer < 4 ? 50 : layer < 9 ? 51 : 52, reference: layer < 2 ? 50 : layer < 11 ? 60 : 0, ours_text: layer < 4 ? ' the' : layer < 9 ? ',' : '.', reference_text: layer < 2 ? ' the' : layer < 11 ? '<script>' : '!' })) },
        outliers: { massive: [{ layer: 3, token: 0, channel: 77, ours: 212.4, reference: 31.2, state: 'missing in reference' }], least_headroom: { bits: 8.1, stage: 'layer_out', layer: 11 }, first_not_finite: { engine: 'reference', stage: 'ffn_act', layer: 9, token: 3 } },
        ledger: [{ engine: 'ours', source: 'F32 arithmetic', relative_error: 3.1e-7, kl: 2e-13, how: 'layercast against the float64 oracle' }, { engine: 'reference', source: 'everything', relative_error: null, kl: null, how: 'its trace against the float64 oracle' }],
        notes: ['k_norm.2 is missing in the trace, so k_rope.2 could not be judged.', 'attn_scores and attn_probs are missing in every layer.'], diagnosis,
    },
});

const empty = { engine: 'kylin 0.1.0', numerics: 'fast' };
const bare = make({
    seed: 3, dilution: 1, model: { ...qwen, path: 'a.gguf', name: 'a', n_layer: 1, weights: {} }, tokens: [{ id: 1, text: '' }], oracle: false, quantized: false, massive: false,
    missing: (name) => !['embedding', 'q_proj'].includes(name), nan: never, fault: none,
    report: {
        sentence: 'The two stages that both have agree.', verdict: 'parity', wrong: 'none', command: 'kylin compare', ours: empty, reference: { engine: 'a trace', numerics: '' }, n_prompt: 1, first_divergence: null,
        logits: null, lens: null, outliers: { massive: [], least_headroom: { bits: null, stage: 'embedding', layer: null }, first_not_finite: null }, ledger: [], notes: [], diagnosis: null,
    },
});

const folder = process.argv[2];
mkdirSync(folder, { recursive: true });
for (const [name, report] of Object.entries({ parity, divergent, bare })) writeFileSync(join(folder, `${name}.json`), JSON.stringify(report));
