// The blocks of a Markdown text: parse_blocks(text) gives
//   { type: 'paragraph', text } | { type: 'heading', level, text } | { type: 'code', language, text } | { type: 'rule' }
//   | { type: 'quote', children } | { type: 'list', start, loose, items: [children] } | { type: 'table', align, head: [text], rows: [[text]] }
// CommonMark and GFM's tables, without HTML, indented code, reference links and underlined headings: in answers of models, four spaces
// and lines of dashes mean other things than those.

const max_depth = 12;  // quotes and lists in each other; deeper ones are paragraphs

const fence = /^( {0,3})(`{3,}|~{3,})([^`]*)$/;
const heading = /^ {0,3}(#{1,6})(?:\s(.*))?$/;
const rule = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const quote = /^ {0,3}> ?(.*)$/;
const item = /^( *)([-*+]|\d{1,9}[.)])(?:( +)(\S.*)|\s*)$/;

const blank = (line) => line.trim() === '';
const indent = (line) => line.length - line.trimStart().length;

// Cells of a table's line; "\|" is a bar inside a cell.
function cells(line) {
    const inner = line.trim().replace(/^\|/, '').replace(/(^|[^\\])\|$/, '$1');
    return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
}

// The line under the head of a table.
const row_of_dashes = (line) => line !== undefined && line.includes('|') && /^[|\s:-]+$/.test(line) && cells(line).every((cell) => /^:?-+:?$/.test(cell));

class Blocks {
    constructor(lines, depth) {
        this.lines = lines;
        this.depth = depth;
        this.at = 0;
    }

    parse() {
        const blocks = [];
        while (this.at < this.lines.length) {
            if (blank(this.lines[this.at])) ++this.at;
            else blocks.push(this.block());
        }
        return blocks;
    }

    block() {
        const line = this.lines[this.at];
        return this.code(fence.exec(line)) ?? this.heading(heading.exec(line)) ?? this.rule(line) ?? this.table() ?? this.nested(line) ?? this.paragraph();
    }

    // Without its end, the code goes on to the end of the text: so it looks while it is written.
    code(open) {
        if (!open) return undefined;
        const [, margin, marks, language] = open;
        const end = new RegExp(`^ {0,3}${marks[0]}{${marks.length},}\\s*$`);
        const text = [];
        for (++this.at; this.at < this.lines.length; ++this.at) {
            if (end.test(this.lines[this.at])) {
                ++this.at;
                break;
            }
            const line = this.lines[this.at];
            text.push(line.slice(Math.min(indent(line), margin.length)));
        }
        return { type: 'code', language: language.trim().split(/\s/)[0], text: text.join('\n') };
    }

    heading(found) {
        if (!found) return undefined;
        ++this.at;
        return { type: 'heading', level: found[1].length, text: (found[2] ?? '').trim().replace(/(^|\s)#+$/, '').trim() };
    }

    rule(line) {
        if (!rule.test(line)) return undefined;
        ++this.at;
        return { type: 'rule' };
    }

    table() {
        const dashes = this.lines[this.at + 1];
        if (!this.lines[this.at].includes('|') || !row_of_dashes(dashes)) return undefined;
        const head = cells(this.lines[this.at]);
        const marks = cells(dashes);
        if (marks.length !== head.length) return undefined;
        const align = marks.map((mark) => (mark.endsWith(':') ? (mark.startsWith(':') ? 'center' : 'right') : 'left'));
        const rows = [];
        for (this.at += 2; this.at < this.lines.length && this.lines[this.at].includes('|'); ++this.at) {
            const row = cells(this.lines[this.at]);
            rows.push(head.map((_, i) => row[i] ?? ''));
        }
        return { type: 'table', align, head, rows };
    }

    nested(line) {
        if (this.depth >= max_depth) return undefined;
        if (quote.test(line)) return this.quote();
        return item.test(line) ? this.list() : undefined;
    }

    quote() {
        const inner = [];
        for (; this.at < this.lines.length; ++this.at) {
            const found = quote.exec(this.lines[this.at]);
            if (!found) break;
            inner.push(found[1]);
        }
        return { type: 'quote', children: new Blocks(inner, this.depth + 1).parse() };
    }

    list() {
        const [, margin, first] = item.exec(this.lines[this.at]);
        const list = { type: 'list', start: /\d/.test(first) ? Number.parseInt(first, 10) : undefined, loose: false, items: [] };
        while (this.at < this.lines.length) {
            const found = item.exec(this.lines[this.at]);
            if (!found || rule.test(this.lines[this.at]) || kind(found[2]) !== kind(first) || found[1].length < margin.length) break;
            list.items.push(this.item(found, list));
        }
        return list;
    }

    // An item owns its own line and all lines after it that stand as far in as its text, or two columns behind its mark.
    item([, margin, mark, gap, text = ''], list) {
        const inner = [text];
        const least = margin.length + Math.min(2, mark.length + (gap?.length ?? 1));
        const width = margin.length + mark.length + (gap?.length ?? 1);
        let gone = 0;  // blank lines, that belong to the item if it goes on after them
        for (++this.at; this.at < this.lines.length; ++this.at) {
            const line = this.lines[this.at];
            if (blank(line)) {
                ++gone;
                continue;
            }
            const inside = indent(line) >= least;
            if (!inside && (gone > 0 || this.begins_block(line))) break;
            for (; gone > 0; --gone) {
                inner.push('');
                list.loose = true;
            }
            inner.push(line.slice(Math.min(indent(line), width)));
        }
        // A blank line before the next item makes the whole list loose; one at its end does not.
        if (gone > 0 && this.at < this.lines.length && item.test(this.lines[this.at])) list.loose = true;
        return new Blocks(inner, this.depth + 1).parse();
    }

    begins_block(line) {
        return fence.test(line) || heading.test(line) || rule.test(line) || quote.test(line) || item.test(line);
    }

    paragraph() {
        const lines = [this.lines[this.at++].trim()];
        for (; this.at < this.lines.length; ++this.at) {
            const line = this.lines[this.at];
            // A number in the middle of a paragraph is rarely a list: only 1 begins one there.
            const list = item.exec(line);
            const begins = list ? list[4] !== undefined && (!/\d/.test(list[2]) || /^1[.)]$/.test(list[2])) : this.begins_block(line);
            if (blank(line) || (begins && this.depth < max_depth)) break;
            if (line.includes('|') && row_of_dashes(this.lines[this.at + 1])) break;
            lines.push(line.trim());
        }
        return { type: 'paragraph', text: lines.join('\n') };
    }
}

const kind = (mark) => (/\d/.test(mark) ? mark.at(-1) : mark);

// Tabs that indent become spaces, except in code.
function lines_of(text) {
    let open;
    return text.replaceAll('\r\n', '\n').replace(/\n$/, '').split('\n').map((line) => {
        if (open) {
            const rest = line.trim();
            if (rest.length >= open.length && rest === open[0].repeat(rest.length)) open = undefined;
            return line;
        }
        const expanded = line.replace(/^[ \t]+/, (space) => space.replaceAll('\t', '    '));
        open = /^\s*(`{3,}|~{3,})[^`]*$/.exec(expanded)?.[1];
        return expanded;
    });
}

export const parse_blocks = (text) => new Blocks(lines_of(text), 0).parse();
