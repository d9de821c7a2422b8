// Text inside a block of Markdown: parse_inline(text) gives nodes, in time linear in the text.
//   string | { type: 'code', text } | { type: 'break' } | { type: 'strong' | 'em' | 'del', children } | { type: 'link', href, children }
// HTML is text, except <br>. Images become links: nothing is ever loaded because an answer names it.

const max_url = 2048;  // a longer one is text; the limit also bounds how far a "(" looks for its ")"
const punctuation = /[\p{P}\p{S}]/u;
// Scripts written without spaces: there a mark stands between letters, as in 这是**重点。**然后.
const spaceless = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\u3000-\u303f\uff00-\uffef]/u;

// An address that may be followed by a click; undefined for all others (javascript:, data:, relative ones).
export function safe_url(text) {
    let url;
    try {
        url = new URL(text);
    } catch {
        return undefined;
    }
    return ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url.href : undefined;
}

// Whether a run of marks between two characters can open and close emphasis: CommonMark's flanking rules, with `spaceless` beside them.
function flanking(before, after, mark) {
    const space = (c) => c === '' || /\s/u.test(c);
    const edge = (c) => space(c) || punctuation.test(c) || spaceless.test(c);
    const left = !space(after) && (!punctuation.test(after) || edge(before));
    const right = !space(before) && (!punctuation.test(before) || edge(after));
    if (mark !== '_') return { opens: left, closes: right };
    return { opens: left && (!right || punctuation.test(before)), closes: right && (!left || punctuation.test(after)) };
}

// Where runs of backticks of each length begin, so that a span finds its end without searching.
function backtick_runs(text) {
    const runs = new Map();
    for (const match of text.matchAll(/`+/g)) {
        const places = runs.get(match[0].length);
        if (places) places.push(match.index);
        else runs.set(match[0].length, [match.index]);
    }
    for (const places of runs.values()) places.reverse();
    return runs;
}

// "(address "title")" at `at`: { href, end }, or undefined. The title is dropped.
function link_target(text, at) {
    const match = /^\(\s{0,4}(?:<([^<>\n]*)>|([^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*))(?:\s{1,4}(?:"[^"]*"|'[^']*'))?\s{0,4}\)/.exec(text.slice(at, at + max_url));
    return match ? { href: match[1] ?? match[2], end: at + match[0].length } : undefined;
}

class Parser {
    constructor(text) {
        this.text = text;
        this.at = 0;
        this.nodes = [];       // strings, finished nodes and marks: { mark, count, original, opens, closes }
        this.brackets = [];    // places in nodes where "[" stands
        this.ticks = backtick_runs(text);
    }

    parse() {
        while (this.at < this.text.length) this.step();
        return finish(pair_marks(this.nodes));
    }

    add(text) {
        if (typeof this.nodes.at(-1) === 'string') this.nodes[this.nodes.length - 1] += text;
        else this.nodes.push(text);
    }

    step() {
        const { text, at } = this;
        const c = text[at];
        if (c === '\\' && /[!-/:-@[-`{-~]/.test(text[at + 1] ?? '')) this.take(2, text[at + 1]);
        else if (c === '`') this.code();
        else if (c === '*' || c === '_' || c === '~') this.marks(c);
        else if (c === '!' && text[at + 1] === '[') this.open(2);
        else if (c === '[') this.open(1);
        else if (c === ']') this.close();
        else if (c === '<') this.angle();
        else if (c === 'h' && !/\w/.test(text[at - 1] ?? '') && /^https?:\/\//.test(text.slice(at, at + 8))) this.bare_url();
        else this.plain();
    }

    take(length, text) {
        this.add(text);
        this.at += length;
    }

    plain() {
        const rest = /[^\\`*_~![\]<h]+|[\s\S]/y;
        rest.lastIndex = this.at;
        const [text] = rest.exec(this.text);
        this.take(text.length, text);
    }

    code() {
        const [run] = /^`+/.exec(this.text.slice(this.at, this.at + 64));
        const places = this.ticks.get(run.length) ?? [];
        while (places.length > 0 && places.at(-1) <= this.at) places.pop();
        if (places.length === 0) return this.take(run.length, run);
        const end = places.at(-1);
        let text = this.text.slice(this.at + run.length, end).replaceAll('\n', ' ');
        if (text.trim() !== '' && text.startsWith(' ') && text.endsWith(' ')) text = text.slice(1, -1);
        this.nodes.push({ type: 'code', text });
        this.at = end + run.length;
        return undefined;
    }

    marks(mark) {
        let end = this.at;
        while (this.text[end] === mark) ++end;
        const count = end - this.at;
        const before = [...this.text.slice(Math.max(0, this.at - 2), this.at)].at(-1) ?? '';
        const after = [...this.text.slice(end, end + 2)][0] ?? '';
        const { opens, closes } = flanking(before, after, mark);
        // One tilde is an approximation ("~5"), not a mark.
        if ((mark === '~' && count !== 2) || (!opens && !closes)) this.add(this.text.slice(this.at, end));
        else this.nodes.push({ mark, count, original: count, opens, closes });
        this.at = end;
    }

    open(length) {
        this.brackets.push(this.nodes.length);
        this.nodes.push({ bracket: this.text.slice(this.at, this.at + length) });
        this.at += length;
    }

    close() {
        const opened = this.brackets.pop();
        const target = opened === undefined || this.text[this.at + 1] !== '(' ? undefined : link_target(this.text, this.at + 1);
        const href = target && safe_url(target.href);
        if (!href) return this.take(1, ']');
        const children = finish(pair_marks(this.nodes.splice(opened).slice(1)));
        this.nodes.push({ type: 'link', href, children: children.length > 0 ? children : [href] });
        this.brackets.length = 0;  // a link holds no link, and the brackets around one are text
        this.at = target.end;
        return undefined;
    }

    angle() {
        const rest = this.text.slice(this.at, this.at + max_url);
        const line_end = /^<br\s*\/?>/i.exec(rest);
        const link = /^<((?:https?:\/\/|mailto:)[^\s<>]+)>/i.exec(rest);
        const href = link && safe_url(link[1]);
        if (!line_end && !href) return this.take(1, '<');
        this.nodes.push(href ? { type: 'link', href, children: [link[1]] } : { type: 'break' });
        this.at += (line_end ?? link)[0].length;
        return undefined;
    }

    bare_url() {
        const [found] = /^[^\s<>"'`*\u3000-\u303f\uff00-\uffef]+/u.exec(this.text.slice(this.at, this.at + max_url));
        // What ends a sentence does not belong to the address, nor does a parenthesis that it did not open.
        let url = found.replace(/[.,;:!?_~\]]+$/, '');
        if (url.endsWith(')') && !url.includes('(')) url = url.replace(/\)+[.,;:!?]*$/, '');
        const href = safe_url(url);
        if (!href) return this.take(1, 'h');
        this.nodes.push({ type: 'link', href, children: [url] });
        this.at += url.length;
        return undefined;
    }
}

// Pairs marks as CommonMark does: each closing run looks back for its opener. What a kind of closer did not find once is not looked for
// again, which keeps this linear. Nodes become a doubly linked list, so that wrapping a range costs its own length only.
function pair_marks(nodes) {
    const head = { next: null };
    let last = head;
    nodes.forEach((node, order) => {
        const link = { node, order, before: last, next: null };
        last.next = link;
        last = link;
    });
    const bottoms = new Map();
    for (let closer = head.next; closer; closer = closer.next) {
        while (closer.node.mark && closer.node.closes && closer.node.count > 0) {
            const { mark, original, opens } = closer.node;
            const kind = `${mark}${opens}${original % 3}`;
            const opener = find_opener(closer, bottoms.get(kind) ?? 0);
            if (!opener) {
                bottoms.set(kind, closer.order);
                break;
            }
            wrap(opener, closer);
        }
    }
    const paired = [];
    for (let link = head.next; link; link = link.next) paired.push(link.node);
    return paired;
}

function find_opener(closer, bottom) {
    const { mark, original, opens } = closer.node;
    for (let link = closer.before; link.node && link.order >= bottom; link = link.before) {
        const other = link.node;
        if (other.mark !== mark || !other.opens) continue;
        const odd = (opens || other.closes) && (other.original + original) % 3 === 0 && original % 3 !== 0;
        if (!odd) return link;
    }
    return undefined;
}

function wrap(opener, closer) {
    const { mark } = closer.node;
    const size = mark === '~' || (opener.node.count >= 2 && closer.node.count >= 2) ? 2 : 1;
    const children = [];
    for (let link = opener.next; link !== closer; link = link.next) children.push(link.node);
    opener.node.count -= size;
    closer.node.count -= size;
    const link = { node: { type: mark === '~' ? 'del' : size === 2 ? 'strong' : 'em', children: finish(children) }, order: opener.order, before: opener, next: closer };
    opener.next = link;
    closer.before = link;
    for (const end of [opener, closer]) if (end.node.count === 0) remove(end);
}

function remove(link) {
    link.before.next = link.next;
    if (link.next) link.next.before = link.before;
}

// Marks and brackets that found no partner are text again; neighbouring texts join.
function finish(nodes) {
    const joined = [];
    for (const node of nodes) {
        const text = typeof node === 'string' ? node : node.mark ? node.mark.repeat(node.count) : node.bracket;
        if (text === undefined) joined.push(node);
        else if (text !== '' && typeof joined.at(-1) === 'string') joined[joined.length - 1] += text;
        else if (text !== '') joined.push(text);
    }
    return joined;
}

// The words of a node without their marks; without recursion, since nodes nest as deep as a text likes.
export function text_of(node) {
    let text = '';
    const left = [node];
    while (left.length > 0) {
        const next = left.pop();
        if (typeof next === 'string') text += next;
        else if (next.children) for (let i = next.children.length - 1; i >= 0; --i) left.push(next.children[i]);
        else text += next.text ?? '\n';
    }
    return text;
}

export const parse_inline = (text) => new Parser(text).parse();
