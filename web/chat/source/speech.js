// What a screen reader says while an answer streams in: whole sentences, some seconds apart, instead of every token.
const gap = 4000;  // milliseconds between two announcements

// Marks of Markdown are not for the ear.
const spoken = (text) => text.replace(/```[^\n]*/g, '').replace(/!?\[([^\]\n]*)\]\([^)\n]*\)/g, '$1').replace(/^[ >#|:-]+|[*_`|]/gm, '').replace(/\s+/g, ' ').trim();

// Where the last whole sentence ends.
function sentence_end(text) {
    const ends = [...text.matchAll(/[.!?…]["'”’)\]]*(?=\s)|[。！？][”’」』）]*|\n/gu)];
    const last = ends.at(-1);
    return last ? last.index + last[0].length : 0;
}

export class Speech {
    constructor(say, now = () => performance.now()) {
        this.say = say;
        this.now = now;
        this.said = 0;
        this.last = -Infinity;
    }

    grown(text) {
        if (this.now() - this.last < gap) return;
        const end = sentence_end(text.slice(this.said));
        if (end > 0) this.speak(text.slice(this.said, this.said + end));
    }

    finished(text, closing) {
        this.speak(text.slice(this.said));
        this.say(closing);
    }

    speak(text) {
        this.said += text.length;
        this.last = this.now();
        const words = spoken(text);
        if (words) this.say(words);
    }
}
