// The stages of a forward pass, for pages that are tested with made-up figures.
// name, per layer, inputs, meaning; the order of src/model/stages.h
export const stage_table = [
    ['embedding', false, [], 'embedding row of the token'],
    ['attn_norm', true, ['layer_out-'], 'RMS norm before attention'],
    ['q_proj', true, ['attn_norm'], 'queries, all heads'],
    ['k_proj', true, ['attn_norm'], 'keys, all KV heads'],
    ['v_proj', true, ['attn_norm'], 'values, all KV heads'],
    ['q_norm', true, ['q_proj'], 'queries after the per-head norm'],
    ['k_norm', true, ['k_proj'], 'keys after the per-head norm'],
    ['q_rope', true, ['q_norm'], 'queries after rotation'],
    ['k_rope', true, ['k_norm'], 'keys after rotation, before the KV cache rounds them'],
    ['attn_scores', true, ['q_rope', 'k_rope'], 'scaled q.k of visible keys, 0 elsewhere, [n_heads, n_tokens, n_keys]'],
    ['attn_probs', true, ['attn_scores'], 'softmax of the scores over visible keys, 0 elsewhere, same shape'],
    ['attn_heads', true, ['q_rope', 'k_rope', 'v_proj'], 'attention output, all heads'],
    ['attn_out', true, ['attn_heads'], 'attention output projected to the hidden size'],
    ['attn_residual', true, ['attn_out', 'layer_out-'], 'layer input plus attn_out'],
    ['ffn_norm', true, ['attn_residual'], 'RMS norm before the feed-forward'],
    ['ffn_gate', true, ['ffn_norm'], 'gate projection'],
    ['ffn_up', true, ['ffn_norm'], 'up projection'],
    ['ffn_act', true, ['ffn_gate', 'ffn_up'], 'silu(gate) * up'],
    ['ffn_down', true, ['ffn_act'], 'feed-forward output'],
    ['layer_out', true, ['attn_residual', 'ffn_down'], 'attn_residual plus ffn_down'],
    ['final_norm', false, ['layer_out-'], 'RMS norm before the head, rows asked for only'],
    ['logits', false, ['final_norm'], 'one score per vocabulary entry, rows asked for only'],
];
export const stages = stage_table.map(([name, per_layer, , meaning]) => ({ name, per_layer, meaning }));
