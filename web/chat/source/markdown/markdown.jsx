// Shows Markdown. The text becomes elements one by one: no string is ever read as HTML.
import { useMemo, useRef } from 'preact/hooks';
import { Copy } from '../../../shared/copy.jsx';
import { parse_blocks } from './blocks.js';
import { parse_inline, text_of } from './inline.js';

const max_depth = 16;  // of marks in marks; what lies deeper is shown without its marks

const node_element = {
    code: (node) => <code>{node.text}</code>,
    break: () => <br />,
    strong: (node, at) => <strong>{nodes(node.children, at)}</strong>,
    em: (node, at) => <em>{nodes(node.children, at)}</em>,
    del: (node, at) => <del>{nodes(node.children, at)}</del>,
    link: (node, at) => (at.in_link ? nodes(node.children, at) : <a href={node.href} target="_blank" rel="noopener noreferrer">{nodes(node.children, { ...at, in_link: true })}</a>),
};

function nodes(list, { depth, in_link }) {
    if (depth > max_depth) return list.map(text_of);
    return list.map((node) => (typeof node === 'string' ? node : node_element[node.type](node, { depth: depth + 1, in_link })));
}
const inline = (text) => nodes(parse_inline(text), { depth: 0, in_link: false });

function Code({ block }) {
    const code = useRef(null);
    return (
        <div class="code" dir="ltr">
            <div class="code-head"><span>{block.language}</span><Copy text={() => block.text} shown={() => code.current} class="quiet">Copy code</Copy></div>
            <pre tabIndex={0} role="group" aria-label={block.language ? `Code, ${block.language}` : 'Code'}><code ref={code}>{block.text}</code></pre>
        </div>
    );
}

// Inside a list or a quote, a heading is no part of the outline.
function Heading({ block }) {
    if (!block.rank) return <p dir="auto"><strong>{inline(block.text)}</strong></p>;
    const Tag = `h${Math.min(6, block.rank)}`;
    return <Tag dir="auto">{inline(block.text)}</Tag>;
}

// The message itself is a heading of level 2. Models leave levels out; the outline for screen readers has none missing.
function rank_headings(blocks) {
    const open = [];
    return blocks.map((block) => {
        if (block.type !== 'heading') return block;
        while (open.at(-1) >= block.level) open.pop();
        open.push(block.level);
        return { ...block, rank: 2 + open.length };
    });
}

const Table = ({ block }) => (
    <div class="table" tabIndex={0} role="group" aria-label="Table">
        <table dir="auto">
            <thead><tr>{block.head.map((cell, i) => <th key={i} scope="col" class={block.align[i]} dir="auto">{inline(cell)}</th>)}</tr></thead>
            <tbody>{block.rows.map((row, i) => <tr key={i}>{row.map((cell, j) => <td key={j} class={block.align[j]} dir="auto">{inline(cell)}</td>)}</tr>)}</tbody>
        </table>
    </div>
);

// In a tight list the text of an item stands in it without a paragraph around.
function List({ block }) {
    const Tag = block.start === undefined ? 'ul' : 'ol';
    const child = (inner, i) => (!block.loose && inner.type === 'paragraph' ? <span key={i} class="text">{inline(inner.text)}</span> : <Block key={i} block={inner} />);
    return <Tag start={block.start} dir="auto">{block.items.map((item, i) => <li key={i} dir="auto">{item.map(child)}</li>)}</Tag>;
}

const block_element = {
    paragraph: ({ block }) => <p dir="auto">{inline(block.text)}</p>,
    heading: Heading,
    code: Code,
    rule: () => <hr />,
    quote: ({ block }) => <blockquote dir="auto">{block.children.map((child, i) => <Block key={i} block={child} />)}</blockquote>,
    list: List,
    table: Table,
};

function Block({ block }) {
    const Element = block_element[block.type];
    return <Element block={block} />;
}

// While text streams in, only its last block changes: the others keep their elements, and with them a selection inside.
function Settled({ block }) {
    const same = JSON.stringify(block);
    return useMemo(() => <Block block={block} />, [same]);
}

export function Markdown({ text }) {
    const blocks = useMemo(() => rank_headings(parse_blocks(text)), [text]);
    return <div class="markdown">{blocks.map((block, i) => <Settled key={`${i}${block.type}`} block={block} />)}</div>;
}
