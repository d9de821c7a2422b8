// What a conversation may set. A setting that is absent is not sent: then the server takes the model's own recommendation.
// Ranges are the server's (docs/server.md), except that a reader gains nothing from the far ends.
export const fields = [
    { name: 'temperature', label: 'Temperature', low: 0, high: 5, step: 0.05, meaning: 'Spread of the choice. 0 always takes the likeliest token.' },
    { name: 'top_p', label: 'Top p', low: 0, high: 1, step: 0.05, meaning: 'Choose among the likeliest tokens that together have this probability. 1: off.' },
    { name: 'top_k', label: 'Top k', low: 0, high: 16777216, step: 1, meaning: 'Choose among so many likeliest tokens. 0: off.' },
    { name: 'min_p', label: 'Min p', low: 0, high: 1, step: 0.01, meaning: 'Drop tokens less likely than this share of the likeliest. 0: off.' },
    { name: 'max_tokens', label: 'Longest answer', low: 1, high: 2147483647, step: 1, meaning: 'In tokens, thinking included. Empty: until the context is full.', empty: 'no limit' },
    { name: 'seed', label: 'Seed', low: 0, high: Number.MAX_SAFE_INTEGER, step: 1, meaning: 'The same seed repeats the same answer. Empty: a random one.', empty: 'random' },
];

// The part of a request that the settings make.
export function request_of(settings) {
    const request = {};
    for (const { name } of fields) if (settings[name] !== undefined) request[name] = settings[name];
    if (settings.thinking !== undefined) request.chat_template_kwargs = { enable_thinking: settings.thinking };
    if (settings.numerics !== undefined) request.numerics = settings.numerics;
    return request;
}

// The value that an input's text stands for: undefined where it is empty, null where it is wrong.
export function read(field, text) {
    if (text.trim() === '') return undefined;
    const value = Number(text);
    const good = Number.isFinite(value) && value >= field.low && value <= field.high && (field.step < 1 || Number.isInteger(value));
    return good ? value : null;
}
