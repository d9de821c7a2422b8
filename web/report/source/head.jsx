// The top of the page: the sentence, what was compared, and how to repeat it.
import { useRef } from 'preact/hooks';
import { Copy } from '../../shared/copy.jsx';
import { count, key, place, visible } from '../../shared/format.js';
import { Theme } from '../../shared/theme.jsx';
import { who } from './sides.js';

function Command({ text }) {
    const code = useRef(null);
    return (
        <div class="command">
            <h2>Reproduce</h2>
            <code tabIndex={0} ref={code}>{text}</code>
            <Copy text={() => text} shown={() => code.current} />
        </div>
    );
}

const shown_tokens = 48;  // more go behind a disclosure

function Tokens({ report }) {
    const chip = (token, i) => (
        <li key={i} class={i < report.n_prompt ? '' : 'decoded'} title={`token ${i}, id ${token.id}${i < report.n_prompt ? '' : ', decoded'}`}>{visible(token.text)}</li>
    );
    const decoded = report.tokens.length - report.n_prompt;
    const rest = report.tokens.slice(shown_tokens);
    return (
        <>
            <span>{count(report.n_prompt, 'prompt token')}{decoded > 0 && `, ${decoded} decoded one at a time (outlined)`}</span>
            <ol class="tokens">{report.tokens.slice(0, shown_tokens).map(chip)}</ol>
            {rest.length > 0 && <details><summary>{count(rest.length, 'more token')}</summary><ol class="tokens" start={shown_tokens}>{rest.map((token, i) => chip(token, i + shown_tokens))}</ol></details>}
        </>
    );
}

export function Head({ report, select }) {
    const { model, first_divergence: first } = report;
    const weights = Object.entries(model.weights).map(([type, n]) => `${n} ${type}`).join(', ');
    const has_cell = first && report.cells.some((cell) => cell.stage === first.stage && cell.layer === first.layer);
    return (
        <header>
            <div class="top"><span>Kylin comparison report</span><Theme /></div>
            <div class={`sentence ${report.verdict}`}>
                <p class="verdict"><b>{report.verdict}</b> · wrong: {who(report, report.wrong)}</p>
                <h1 id="sentence">{report.sentence}</h1>
                {first && (
                    <p>First divergence: <code>{place(first.stage, first.layer)}</code>; wrong: {who(report, first.wrong)}.{!report.sentence.includes(first.reason) && ` Reason: ${first.reason}`}{' '}
                        {has_cell && <button type="button" onClick={() => select(key(first.stage, first.layer))}>Show this cell</button>}
                    </p>
                )}
            </div>
            <dl class="facts">
                <div><dt>Model</dt><dd>{model.name} <small>{model.architecture}, {count(model.n_layer, 'layer')}, hidden size {model.n_embd}, feed-forward {model.n_ff}, {count(model.n_head, 'head')}, {count(model.n_head_kv, 'KV head')} of {model.head_dim}, vocabulary {model.n_vocab.toLocaleString('en')}{weights && `; tensors: ${weights}`}</small></dd></div>
                <div><dt><i class="key ours" />Ours</dt><dd>{report.ours.engine} <small>{report.ours.numerics}</small></dd></div>
                <div><dt><i class="key reference" />Reference</dt><dd>{report.reference.engine} <small>{report.reference.numerics}</small></dd></div>
                <div><dt>Tokens</dt><dd><Tokens report={report} /></dd></div>
            </dl>
            <Command text={report.command} />
        </header>
    );
}
