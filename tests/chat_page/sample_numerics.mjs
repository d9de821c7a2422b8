// What GET /numerics answers, made up: sample(n_layer, variant). Sizes grow with the depth, as they do in Qwen3.
import { stages } from '../support/stages.mjs';

const sizes = {
    embedding: 0.4, attn_norm: 6, q_proj: 14, k_proj: 40, v_proj: 5, q_norm: 9, k_norm: 30, q_rope: 9, k_rope: 30, attn_scores: 18, attn_probs: 1, attn_heads: 2, attn_out: 3,
    attn_residual: 20, ffn_norm: 12, ffn_gate: 15, ffn_up: 14, ffn_act: 60, ffn_down: 25, layer_out: 30, final_norm: 40, logits: 28,
};
const fixed = ['embedding', 'attn_probs', 'final_norm', 'logits'];

export function sample(n_layer, variant = 'well') {
    const largest = {};
    for (const { name, per_layer } of stages) {
        const size = sizes[name];
        const grown = (layer) => Number((fixed.includes(name) ? size : size * 1.19 ** layer * (1 + 0.4 * Math.sin(7 * layer + size))).toPrecision(4));
        largest[name] = Array.from({ length: per_layer ? n_layer : 1 }, (_, layer) => grown(layer));
    }
    const answer = { id: 'chatcmpl-1', prompt_tokens: 15, cached_tokens: 8, answer_tokens: 87, largest, not_finite: [] };
    const audit = { share: 0.01, requests: 12, waiting: 1, dropped: 2, too_long: 1, not_reproduced: 0, tokens: 843, kl_mean: 3.1e-6, kl_max: 2.2e-4, top1_agreement: 0.9988, worst: { stage: 'ffn_down', layer: 2, relative_error: 4.1e-3 } };
    if (variant === 'ill') {
        largest.ffn_act[n_layer - 1] = 40000;
        largest.ffn_down[n_layer - 1] = null;
        largest.layer_out[n_layer - 1] = null;
        answer.not_finite = [{ stage: 'ffn_down', layer: n_layer - 1, nan: 3, inf: 1 }, { stage: 'layer_out', layer: n_layer - 1, nan: 4, inf: 0 }];
    }
    return { format: 'kylin.numerics/1', model: { name: 'Kylin Demo', n_layer }, stages, answer: variant === 'idle' ? null : answer, audit: variant === 'idle' ? null : audit };
}
