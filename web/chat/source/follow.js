// Keeps the end of a growing text in sight, until its reader scrolls up; at the end again, it follows again.
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

const near = 8;  // pixels from the end that count as the end

// Whenever `subject` changes (another conversation, one more message), it goes to the end.
export function use_follow(subject) {
    const box = useRef(null);
    const seen = useRef({ top: 0, follows: true });
    const [away, set_away] = useState(false);

    const to_end = useCallback(() => {
        seen.current.follows = true;
        box.current.scrollTop = box.current.scrollHeight;
    }, []);

    useEffect(() => {
        const element = box.current;
        const on_scroll = () => {
            const at_end = element.scrollHeight - element.clientHeight - element.scrollTop <= near;
            // What grows above the end moves nothing; only a reader moves upwards.
            if (at_end) seen.current.follows = true;
            else if (element.scrollTop < seen.current.top) seen.current.follows = false;
            seen.current.top = element.scrollTop;
            set_away(!at_end && !seen.current.follows);
        };
        // The box shrinks when the message field grows, and its content grows when a picture of it, or a fold, opens.
        const observer = new ResizeObserver(() => seen.current.follows && to_end());
        observer.observe(element);
        element.addEventListener('scroll', on_scroll, { passive: true });
        return () => {
            observer.disconnect();
            element.removeEventListener('scroll', on_scroll);
        };
    }, []);

    useLayoutEffect(() => {
        if (seen.current.follows) to_end();
    });
    useLayoutEffect(to_end, [subject]);
    return { box, away, to_end };
}
